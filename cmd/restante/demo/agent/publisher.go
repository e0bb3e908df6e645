package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/restante/restante/protocol"
)

const (
	// waitingFrames bounds what waits to be published: the frames of some seconds without a broker.
	waitingFrames = 4096
	// batchFrames and batchBytes bound one call, far below a tenth of the topic's bounds (P-2).
	batchFrames = 256
	batchBytes  = 128 << 10
	// callTime is how long a call is waited for, retryGap what lies between two of them where there was no answer.
	callTime = 10 * time.Second
	retryGap = 50 * time.Millisecond
	// snapshotEvery is after how many frames there is a new snapshot, also where no turn has ended.
	snapshotEvery = 2000
)

// publisher puts frames into the topic, in the order in which it was given them. A call is repeated with its Idempotency-Key until the broker confirms it, so
// that a broker which was killed before it could answer has the frames once (P-18). It keeps what it has not published between two calls of run.
type publisher struct {
	http   *http.Client
	base   string
	secret string
	keys   string // begins the keys of this publisher
	log    *slog.Logger

	// room has an element for each frame that waits, but for those that had to be let in.
	room chan struct{}
	wake chan struct{}

	mu      sync.Mutex
	waiting []outgoing

	// These are run's own.
	batch   []outgoing // under way, until it is confirmed
	calls   int
	history *history
	asOf    string // the cursor of the last frame that history holds
	since   int    // frames after the last snapshot
	due     bool   // a snapshot is to be stored
}

// outgoing is a frame that waits.
type outgoing struct {
	frame any
	body  []byte
	room  bool // it holds an element of publisher.room
}

func newPublisher(c Config, keys string) *publisher {
	t := &http.Transport{DialContext: c.Dial, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute}
	return &publisher{
		http: &http.Client{Transport: t, Timeout: callTime}, base: brokerURL, secret: c.Secret, keys: keys, log: c.Logger,
		room: make(chan struct{}, waitingFrames), wake: make(chan struct{}, 1),
		history: newHistory(), asOf: "0", due: true,
	}
}

// put has frame published after all that were put before. Where too many wait already it waits for room; the error is ctx's.
func (p *publisher) put(ctx context.Context, frame any) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case p.room <- struct{}{}:
		p.add(frame, true)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// must is put for the few frames that there has to be room for: the end of what has been begun.
func (p *publisher) must(frame any) { p.add(frame, false) }

func (p *publisher) add(frame any, room bool) {
	p.mu.Lock()
	p.waiting = append(p.waiting, outgoing{frame, encode(frame), room})
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run publishes until ctx ends, or the broker refuses for good, which is the error.
func (p *publisher) run(ctx context.Context) error {
	defer p.http.CloseIdleConnections()
	for {
		if p.due {
			if err := p.store(ctx); err != nil {
				return err
			}
		}
		if p.batch == nil && !p.take() {
			select {
			case <-p.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := p.publish(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// take makes what waits the next batch; false: nothing does.
func (p *publisher) take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, size := 0, 0
	for n < len(p.waiting) && n < batchFrames && (n == 0 || size+len(p.waiting[n].body) < batchBytes) {
		size += len(p.waiting[n].body) + 1
		n++
	}
	if n == 0 {
		return false
	}
	p.batch = append([]outgoing(nil), p.waiting[:n]...)
	if p.waiting = p.waiting[n:]; len(p.waiting) == 0 {
		p.waiting = nil
	}
	p.calls++
	return true
}

// publish sends the batch until it is confirmed, and takes note of it. Where ctx ends before, the batch stays.
func (p *publisher) publish(ctx context.Context) error {
	var body bytes.Buffer
	for _, o := range p.batch {
		body.Write(o.body)
		body.WriteByte('\n')
	}
	var stored protocol.Published
	err := p.call(ctx, http.MethodPost, "/frames", "application/x-ndjson", p.keys+"-"+strconv.Itoa(p.calls), body.Bytes(), &stored)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("the broker refuses the session's frames: %w", err)
	}
	for _, o := range p.batch {
		p.history.apply(o.frame)
		switch f := o.frame.(type) {
		case turnFrame:
			p.due = p.due || f.State != turnStart
		case floodFrame:
			p.due = p.due || f.N == f.Of
		}
		if o.room {
			<-p.room
		}
	}
	p.since += len(p.batch)
	p.due = p.due || p.since >= snapshotEvery
	p.asOf = protocol.Cursor{Epoch: stored.Epoch, Seq: stored.Seq}.String()
	p.batch = nil
	return nil
}

// store stores the session so far as the topic's snapshot (P-19). One that the broker refuses is left out, and said: the frames are there all the same.
func (p *publisher) store(ctx context.Context) error {
	body := encode(struct {
		AsOf string          `json:"as_of"`
		Data json.RawMessage `json:"data"`
	}{p.asOf, p.history.snapshot()})
	err := p.call(ctx, http.MethodPut, "/snapshot", "application/json", "", body, nil)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		p.log.Error("the broker refuses the session's snapshot", "as_of", p.asOf, "bytes", len(body), "err", err)
	}
	p.due, p.since = false, 0
	return nil
}

// call makes one call until it is answered for good.
func (p *publisher) call(ctx context.Context, method, path, contentType, key string, body []byte, out any) error {
	for {
		err := p.try(ctx, method, path, contentType, key, body, out)
		var refused *protocol.Error
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) && !refused.Code.Info().Retry {
			return err
		}
		if !pause(ctx, retryGap) {
			return context.Cause(ctx)
		}
	}
}

// try makes one call. A *protocol.Error is the broker's answer, any other error says that there was none.
func (p *publisher) try(ctx context.Context, method, path, contentType, key string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, p.base+"/v1/topics/"+Topic+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.secret)
	req.Header.Set("Content-Type", contentType)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		if out == nil {
			return nil
		}
		return json.Unmarshal(answer, out)
	}
	var problem protocol.Problem
	if err := json.Unmarshal(answer, &problem); err != nil || problem.Code == "" {
		return fmt.Errorf("the broker answered with status %d", resp.StatusCode)
	}
	return protocol.Errorf(problem.Code, "%s", problem.Detail)
}

// pause waits for d; false: ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
