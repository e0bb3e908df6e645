// Package bench is the load generator: many clients in one process against a broker in another. What it measures is for comparing, not for passing or
// failing; what it counts as lost or doubled is.
package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Followers is a world of clients that follow one topic.
type Followers struct {
	// URL is the broker's base URL, http:// only.
	URL string
	// Topic is followed by Clients clients; so many frames of FrameBytes are published to it each second, for Duration.
	Topic      string
	Clients    int
	Rate       int
	Duration   time.Duration
	FrameBytes int
	// One in Reconnecting clients loses its connection again and again, after Every on average; 0: none does.
	Reconnecting int
	Every        time.Duration
	// Settle is how long the clients get for what is left at the end.
	Settle time.Duration
	// Say, if it is not nil, is told what goes on.
	Say func(format string, args ...any)
}

// Report is what a run has come to.
type Report struct {
	Clients   int    `json:"clients"`
	Published uint64 `json:"published"`
	// Expected is what all clients together had to get, Delivered what they got, each frame once.
	Expected  uint64 `json:"expected"`
	Delivered uint64 `json:"delivered"`
	// Lost frames never came, Doubled ones came again on the same cursor, Holes are those in a topic's numbers.
	Lost       uint64   `json:"lost"`
	Doubled    uint64   `json:"doubled"`
	Holes      uint64   `json:"holes"`
	Reconnects uint64   `json:"reconnects"`
	Errors     []string `json:"errors,omitempty"`
	// LatencyMS are percentiles from the publish's call to the arrival, in milliseconds, on connections that were open.
	LatencyMS map[string]float64 `json:"latency_ms"`
	// The broker's: processor seconds, and its greatest resident memory, before the clients came, with them idle, and while frames were published.
	BrokerCPUSeconds float64          `json:"broker_cpu_seconds"`
	BrokerResident   map[string]int64 `json:"broker_resident_bytes"`
	TookSeconds      float64          `json:"took_seconds"`
}

// Run plays the world and reports. The error is of the world itself: a broker that cannot be reached.
func (f Followers) Run(ctx context.Context) (Report, error) {
	u, err := url.Parse(f.URL)
	if err != nil || u.Scheme != "http" {
		return Report{}, fmt.Errorf("%q is no http:// URL", f.URL)
	}
	if f.Say == nil {
		f.Say = func(string, ...any) {}
	}
	r := Report{Clients: f.Clients, BrokerResident: map[string]int64{}, LatencyMS: map[string]float64{}}
	broker := newBroker(f.URL)
	defer broker.close()
	began, err := broker.usage(ctx)
	if err != nil {
		return r, err
	}
	r.BrokerResident["empty"] = began.resident

	w := &world{Followers: f, host: u.Host, path: strings.TrimSuffix(u.Path, "/")}
	var all sync.WaitGroup
	defer all.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	followers := make([]*follower, f.Clients)
	for i := range followers {
		followers[i] = &follower{w: w, id: fmt.Sprintf("bench-%d-%06d", time.Now().UnixMilli(), i), unsteady: f.Reconnecting > 0 && i%f.Reconnecting == 0, rnd: rand.New(rand.NewPCG(1, uint64(i)))}
	}
	gate := make(chan struct{}, 64) // so many come at once
	for _, c := range followers {
		all.Go(func() {
			c.run(ctx, gate)
		})
	}
	for w.following.Load() < int64(f.Clients) {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return r, err
		}
		f.Say("%d of %d follow", w.following.Load(), f.Clients)
	}
	idle, err := broker.usage(ctx)
	if err != nil {
		return r, err
	}
	r.BrokerResident["idle"] = idle.resident

	start := time.Now()
	peak := idle.resident
	for n := 0; n < f.Rate*int(f.Duration.Seconds()); n++ {
		if err := sleep(ctx, time.Until(start.Add(time.Duration(n)*time.Second/time.Duration(f.Rate)))); err != nil {
			return r, err
		}
		if err := broker.publish(ctx, f.Topic, f.FrameBytes); err != nil {
			return r, err
		}
		r.Published++
		if n%f.Rate == f.Rate-1 {
			is, err := broker.usage(ctx)
			if err != nil {
				return r, err
			}
			peak = max(peak, is.resident)
			f.Say("published %d, delivered %d, resident %d MiB", r.Published, w.delivered.Load(), is.resident>>20)
		}
	}
	r.Expected = r.Published * uint64(f.Clients)
	for end := time.Now().Add(f.Settle); w.delivered.Load() < r.Expected && time.Now().Before(end); {
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return r, err
		}
	}
	r.TookSeconds = time.Since(start).Seconds()
	ended, err := broker.usage(ctx)
	if err != nil {
		return r, err
	}
	r.BrokerResident["peak"] = max(peak, ended.resident)
	r.BrokerCPUSeconds = ended.cpu - idle.cpu
	stop()
	all.Wait()
	w.report(&r)
	return r, nil
}

// world is what all followers share.
type world struct {
	Followers
	host, path string

	following, reconnects              atomic.Int64
	delivered, doubled, holes, problem atomic.Uint64
	latency                            histogram

	mu     sync.Mutex
	errors []string
}

func (w *world) fail(format string, args ...any) {
	w.problem.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.errors) < 20 {
		w.errors = append(w.errors, fmt.Sprintf(format, args...))
	}
}

func (w *world) report(r *Report) {
	r.Delivered, r.Doubled, r.Holes, r.Reconnects = w.delivered.Load(), w.doubled.Load(), w.holes.Load(), uint64(w.reconnects.Load())
	r.Lost = r.Expected - min(r.Expected, r.Delivered)
	r.Errors = w.errors
	for _, p := range []float64{50, 90, 99, 99.9} {
		r.LatencyMS[fmt.Sprintf("p%v", p)] = w.latency.percentile(p)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
