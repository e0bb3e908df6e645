package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
)

const (
	// tick is how often the agent's lines are published; a batch goes at each tick that has any.
	tick = 25 * time.Millisecond
	// maxBatch bounds one batch; an outbox takes a tenth of its bounds in one call (P-2).
	maxBatch = 400
	// tries is how often a batch is published under one idempotency key before the demo gives up.
	tries = 20
)

// line is one line of the agent as a frame.
type line struct {
	Type string `json:"type"`
	N    int    `json:"n"` // from 1
	Text string `json:"text"`
}

// publish says the agent's lines over duration: at each tick as many as make them last to the end.
func publish(ctx context.Context, url string, a *agent, duration time.Duration, v *verdict) error {
	clock := time.NewTicker(tick)
	defer clock.Stop()
	began, sent := time.Now(), 0
	for {
		select {
		case <-clock.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		left := duration - time.Since(began)
		ticks := max(1, int(left/tick))
		_, known, more := a.next(sent, 0)
		if left <= 0 && more {
			a.stop() // what it has said by now is what is shown
		}
		n := min(maxBatch, (known-sent+ticks-1)/ticks)
		if left <= 0 {
			n = maxBatch
		}
		lines, known, more := a.next(sent, n)
		if err := send(ctx, url, lines, sent, v); err != nil {
			return err
		}
		sent += len(lines)
		if left <= 0 && sent == known && !more {
			return nil
		}
	}
}

// send publishes one batch, whose first line follows the first sent, again and again under one key until it is stored.
func send(ctx context.Context, url string, lines []string, sent int, v *verdict) error {
	if len(lines) == 0 {
		return nil
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	for i, text := range lines {
		v.sending(sent+i+1, text)
		if err := enc.Encode(line{"line", sent + i + 1, text}); err != nil {
			return err
		}
	}
	key := uuid.NewString()
	var last error
	for try := range tries {
		if try > 0 {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		status, answer, err := post(ctx, url, key, body.Bytes())
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case err == nil:
			last = fmt.Errorf("the broker answered %d: %s", status, answer)
			if status < 500 {
				return last
			}
		default:
			last = err
		}
	}
	return last
}

func post(ctx context.Context, url, key string, body []byte) (status int, answer string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/clients/"+clientID+"/frames", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return resp.StatusCode, string(b), err
}
