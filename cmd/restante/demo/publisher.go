package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/restante/restante/protocol"
)

const (
	// batchLines and batchBytes bound one call: a tenth of an outbox's bounds is the most that the broker takes (P-2).
	batchLines = 200
	batchBytes = 128 << 10
	// callTime bounds one try of a call, retryGap is between two.
	callTime = 5 * time.Second
	retryGap = 100 * time.Millisecond
)

// lineFrame is the frame of one output line.
type lineFrame struct {
	Type string `json:"type"`
	N    int    `json:"n"`
	Text string `json:"text"`
}

// publisher publishes lines, in order, each call with an idempotency key, so that a call whose answer was lost is repeated without
// storing its lines twice (P-18).
type publisher struct {
	http   *http.Client
	broker func() string // its URL now, "" while there is none
	path   string        // of the client's frames
	run    string        // begins the keys of this run
	ledger *ledger
	calls  int
}

func newPublisher(broker func() string, clientID, run string, l *ledger) *publisher {
	return &publisher{
		http:   &http.Client{Timeout: callTime},
		broker: broker, path: "/v1/clients/" + url.PathEscape(clientID) + "/frames",
		run: run, ledger: l,
	}
}

var errNoBroker = errors.New("there is no broker at the moment")

// publish stores the lines, the first of which has the number first.
func (p *publisher) publish(ctx context.Context, first int, lines []string) error {
	for len(lines) > 0 {
		var body bytes.Buffer
		n := 0
		for n < len(lines) && n < batchLines && body.Len() < batchBytes {
			frame, err := json.Marshal(lineFrame{Type: "line", N: first + n, Text: lines[n]})
			if err != nil {
				return err
			}
			body.Write(frame)
			body.WriteByte('\n')
			n++
		}
		p.ledger.sending(lines[:n], body.Len())
		p.calls++
		if err := p.call(ctx, body.Bytes()); err != nil {
			return err
		}
		p.ledger.stored(n)
		first, lines = first+n, lines[n:]
	}
	return nil
}

// call makes one call until it is answered for good.
func (p *publisher) call(ctx context.Context, body []byte) error {
	key := p.run + "-" + strconv.Itoa(p.calls)
	for {
		err := p.try(ctx, key, body)
		var refused *protocol.Error
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &refused) && !refused.Code.Info().Retry:
			return fmt.Errorf("the broker refused a publish: %w", err)
		}
		if !sleep(ctx, retryGap) {
			return context.Cause(ctx)
		}
	}
}

// try makes one call. A *protocol.Error is the broker's answer, any other error says that there was none.
func (p *publisher) try(ctx context.Context, key string, body []byte) error {
	broker := p.broker()
	if broker == "" {
		return errNoBroker
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, broker+p.path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Idempotency-Key", key)
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
		return nil
	}
	var problem protocol.Problem
	if err := json.Unmarshal(answer, &problem); err != nil || problem.Code == "" {
		return fmt.Errorf("the broker answered with status %d", resp.StatusCode)
	}
	return protocol.Errorf(problem.Code, "%s", problem.Detail)
}
