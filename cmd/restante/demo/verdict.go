package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/client"
)

// verdict compares what was sent with what the reader was handed: number, order and content of every line.
type verdict struct {
	proxy *Proxy
	stats func() client.Stats

	mu       sync.Mutex
	seed     maphash.Seed
	sent     []uint64 // the hash of each line, in order
	last     int      // the last n received in order
	received int
	doubled  int
	misplace int // received though a later or a missing one was due
	altered  int
	resets   int
	replayed uint64
	resume   string        // the last report
	arrived  chan struct{} // a token at each arrival; has room for one

	took  time.Duration
	agent string
	err   error
}

func newVerdict(p *Proxy) *verdict {
	return &verdict{proxy: p, seed: maphash.MakeSeed(), arrived: make(chan struct{}, 1)}
}

// sending notes line n, which is the next one, before it is published.
func (v *verdict) sending(n int, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n == len(v.sent)+1 {
		v.sent = append(v.sent, maphash.String(v.seed, text))
	}
}

// receive is the reader's handler.
func (v *verdict) receive(_ context.Context, f client.Frame) error {
	var l line
	if err := json.Unmarshal(f.Raw, &l); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.received++
	switch {
	case l.N <= v.last:
		v.doubled++
	case l.N != v.last+1 || l.N > len(v.sent):
		v.misplace++
		v.last = l.N
	default:
		v.last = l.N
		if maphash.String(v.seed, l.Text) != v.sent[l.N-1] {
			v.altered++
		}
	}
	select {
	case v.arrived <- struct{}{}:
	default:
	}
	return nil
}

// reset is told that the reader starts over, which nothing in the demo calls for.
func (v *verdict) reset(client.Reset) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.resets++
}

func (v *verdict) resumed(r client.ResumeReport) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.replayed += r.Replayed
	v.resume = r.String()
}

// await returns when everything that was sent has been received, or after limit.
func (v *verdict) await(ctx context.Context, limit time.Duration) {
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		v.mu.Lock()
		done := v.last >= len(v.sent)
		v.mu.Unlock()
		if done {
			return
		}
		select {
		case <-v.arrived:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// calm sends one more line now that nothing is cut any more: the connection that survived is live.
func (v *verdict) calm(ctx context.Context, url string) {
	v.mu.Lock()
	n := len(v.sent)
	v.mu.Unlock()
	if n == 0 {
		return
	}
	if err := send(ctx, url, []string{"the last line, sent live after the last cut"}, n, v); err == nil {
		v.await(ctx, catchUp/2)
	}
}

func (v *verdict) missing() int { return len(v.sent) - (v.received - v.doubled) }

func (v *verdict) ok() bool {
	return v.err == nil && len(v.sent) > 0 && v.missing() == 0 && v.doubled == 0 && v.misplace == 0 && v.altered == 0
}

// print writes the verdict.
func (v *verdict) print(w io.Writer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	st := v.stats()
	cuts, kinds := v.proxy.Cuts()
	word := "ok: every line arrived exactly once, in order, unchanged"
	switch {
	case v.err != nil:
		word = "FAILED: " + v.err.Error()
	case len(v.sent) == 0:
		word = "FAILED: nothing was sent"
	case !v.ok():
		word = "FAILED"
	}
	fmt.Fprintf(w, "\nverdict   %s\n", word)
	fmt.Fprintf(w, "sent      %d lines of %s\n", len(v.sent), v.agent)
	fmt.Fprintf(w, "received  %d, missing %d, doubled %d, out of order %d, altered %d\n", v.received, v.missing(), v.doubled, v.misplace, v.altered)
	fmt.Fprintf(w, "cuts      %d survived (%s)\n", cuts, strings.Join(kinds, ", "))
	fmt.Fprintf(w, "reader    %d attaches, %d frames replayed, %d duplicates dropped, %d times started over\n", st.Attaches, v.replayed, st.Duplicates, v.resets)
	fmt.Fprintf(w, "time      %.1fs\n", v.took.Seconds())
}

// line is the live line of progress.
func (v *verdict) line() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	cuts, _ := v.proxy.Cuts()
	s := fmt.Sprintf("sent %-6d received %-6d cuts %-3d", len(v.sent), v.received, cuts)
	if v.resume != "" {
		s += " last: " + v.resume
	}
	return s
}
