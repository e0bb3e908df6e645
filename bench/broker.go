package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// broker is the HTTP side of the broker under load.
type broker struct {
	url  string
	http *http.Client
}

func newBroker(url string) *broker {
	return &broker{strings.TrimSuffix(url, "/"), &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
}

func (b *broker) close() { b.http.CloseIdleConnections() }

func (b *broker) do(ctx context.Context, method, path, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := b.http.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	return string(text), err
}

// publish publishes one frame, which says when.
func (b *broker) publish(ctx context.Context, topic string, size int) error {
	head := fmt.Sprintf(`{"type":"bench","at":%d,"fill":"`, time.Now().UnixMicro())
	_, err := b.do(ctx, http.MethodPost, "/v1/topics/"+url.PathEscape(topic)+"/frames", head+strings.Repeat("x", max(size-len(head)-2, 0))+`"}`)
	return err
}

// usage is what the broker's process has used.
type usage struct {
	cpu      float64
	resident int64
}

func (b *broker) usage(ctx context.Context) (u usage, err error) {
	text, err := b.do(ctx, http.MethodGet, "/metrics", "")
	if err != nil {
		return u, err
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case "process_cpu_seconds_total":
			u.cpu = n
		case "process_resident_memory_bytes":
			u.resident = int64(n)
		}
	}
	return u, lines.Err()
}

// histogram counts durations in steps of a tenth, from 10 µs on. It is safe for concurrent use.
type histogram struct{ counts [256]atomic.Uint64 }

const step = 1.1

func (h *histogram) add(d time.Duration) {
	i := 0
	if us := float64(d.Microseconds()) / 10; us > 1 {
		i = min(int(math.Log(us)/math.Log(step)), len(h.counts)-1)
	}
	h.counts[i].Add(1)
}

// percentile is the upper end of the step that holds it, in milliseconds.
func (h *histogram) percentile(p float64) float64 {
	all := uint64(0)
	for i := range h.counts {
		all += h.counts[i].Load()
	}
	seen := uint64(0)
	for i := range h.counts {
		if seen += h.counts[i].Load(); all > 0 && float64(seen) >= float64(all)*p/100 {
			return math.Round(math.Pow(step, float64(i+1))) / 100
		}
	}
	return 0
}
