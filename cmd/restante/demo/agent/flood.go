package agent

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// floodFrames go into the topic, floodRate a second: what a page has to show without falling behind.
	floodFrames = 2500
	floodRate   = 500
	floodTick   = 20 * time.Millisecond
)

// ErrFlooding refuses a flood while another is running, ErrNotRunning one while the agent is not.
var (
	ErrFlooding   = errors.New("a flood is running already")
	ErrNotRunning = errors.New("the agent is not running")
)

// FloodState says how far the last flood is: Sent of Of frames; both are 0 before the first.
type FloodState struct {
	Running bool `json:"running"`
	Sent    int  `json:"sent"`
	Of      int  `json:"of"`
}

// flood is the one flood that there is at a time.
type flood struct {
	mu    sync.Mutex
	state FloodState
}

func (f *flood) look() FloodState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// begin takes the place of the one flood.
func (f *flood) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Running {
		return ErrFlooding
	}
	f.state = FloodState{Running: true, Of: floodFrames}
	return nil
}

// run puts the frames at their rate, or as fast as there is room for them, until they are all put or ctx ends.
func (f *flood) run(ctx context.Context, put func(context.Context, any) error) {
	defer func() {
		f.mu.Lock()
		f.state.Running = false
		f.mu.Unlock()
	}()
	ticker := time.NewTicker(floodTick)
	defer ticker.Stop()
	began := time.Now()
	for n := 0; n < floodFrames; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		for due := int(time.Since(began).Seconds() * floodRate); n < min(due, floodFrames); {
			if put(ctx, floodFrame{"flood", n + 1, floodFrames}) != nil {
				return
			}
			n++
			f.mu.Lock()
			f.state.Sent = n
			f.mu.Unlock()
		}
	}
}
