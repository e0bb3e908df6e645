package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// work is what the publisher inside the server is to do.
type work struct {
	Work    string `json:"work"`
	Prefix  string `json:"prefix"`
	Clients int    `json:"clients"`
	Bytes   int    `json:"bytes"`
	Rate    int    `json:"rate"`
}

const (
	workUnicast = "unicast"
	workFanout  = "fanout"
)

// control is the control side of a server under test.
type control struct {
	url  string
	http *http.Client
}

func newControl(url string) *control {
	return &control{url, &http.Client{Transport: &http.Transport{}}}
}

func (c *control) close() { c.http.CloseIdleConnections() }

// ask makes one control call; its answer goes into into, unless that is nil.
func (c *control) ask(ctx context.Context, method, path string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return unfinishedf("%s %s: %s: %.300s", method, path, res.Status, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s has answered %.100q: %w", method, path, answer, err)
	}
	return nil
}

func (c *control) start(ctx context.Context, w work) error {
	return c.ask(ctx, http.MethodPost, "/bench/start", w, nil)
}

// stop ends the publisher, and returns how many frames it has published in all.
func (c *control) stop(ctx context.Context) (published uint64, err error) {
	var answer struct{ Published uint64 }
	err = c.ask(ctx, http.MethodPost, "/bench/stop", nil, &answer)
	return answer.Published, err
}

// fill has per frames published to each of so many clients, and returns how many that were.
func (c *control) fill(ctx context.Context, prefix string, clients, per int) (published uint64, err error) {
	body := struct {
		Prefix  string `json:"prefix"`
		Clients int    `json:"clients"`
		Per     int    `json:"per"`
		Bytes   int    `json:"bytes"`
	}{prefix, clients, per, Frame}
	var answer struct{ Published uint64 }
	err = c.ask(ctx, http.MethodPost, "/bench/fill", body, &answer)
	return answer.Published, err
}

// settle has the server give back what it can, and returns the bytes of its heap, 0 where it cannot say.
func (c *control) settle(ctx context.Context) (heap int64, err error) {
	var answer struct {
		HeapBytes int64 `json:"heap_bytes"`
	}
	err = c.ask(ctx, http.MethodPost, "/bench/settle", nil, &answer)
	return answer.HeapBytes, err
}
