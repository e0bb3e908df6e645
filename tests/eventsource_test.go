package tests

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

var streamClient = &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}

// longestRetry is how long a reader of these tests stays away at most, whatever it was told; a browser does as it was told.
const longestRetry = 200 * time.Millisecond

// eventSource reads a client's events by the rules of a browser's EventSource: it comes back by itself with Last-Event-ID, after the time that the stream
// asked for, and gives up at a status. As a page does, it drops what it has (seq <= cursor), and opens another EventSource, since the cursor, where one gave up.
// It has one user at a time.
type eventSource struct {
	t     *testing.T
	base  string // the broker's address, or a proxy's
	id    string
	query string // further parameters
	gzip  bool

	ctx    context.Context
	body   io.Closer // nil while there is no stream
	br     *bufio.Reader
	lastID string
	retry  time.Duration

	hello   *message // the last one
	cursor  uint64   // the seq that came last, or the one before the first that may come
	since   string   // what another EventSource begins with
	opens   int
	repeats int // frames dropped
	gaveUp  int // statuses met
}

// source opens an EventSource for client id, and reads hello.
func (e *endpoint) source(id, query string) *eventSource {
	e.t.Helper()
	s := newEventSource(e.t, e.url, id, query)
	m := s.next()
	require.Equal(e.t, "hello", m.Type, m.Raw)
	return s
}

func newEventSource(t *testing.T, base, id, query string) *eventSource {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	s := &eventSource{t: t, base: base, id: id, query: query, ctx: ctx, retry: 5 * time.Millisecond}
	t.Cleanup(func() {
		cancel()
		s.cut()
	})
	return s
}

// open makes one attempt to attach.
func (s *eventSource) open() error {
	q := s.query
	if s.since != "" && s.lastID == "" {
		q = strings.TrimPrefix(q+"&since="+url.QueryEscape(s.since), "&")
	}
	req, err := http.NewRequestWithContext(s.ctx, "GET", s.base+"/v1/clients/"+url.PathEscape(s.id)+"/events?"+q, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	if s.lastID != "" {
		req.Header.Set("Last-Event-ID", s.lastID)
	}
	if s.gzip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	res, err := streamClient.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		_ = res.Body.Close()
		return errStatus(res.StatusCode)
	}
	s.opens++
	var r io.Reader = res.Body
	if s.gzip {
		if res.Header.Get("Content-Encoding") != "gzip" {
			require.FailNow(s.t, "not compressed")
		}
		z, err := gzip.NewReader(r)
		if err != nil {
			_ = res.Body.Close()
			return err
		}
		r = z
	}
	s.body, s.br = res.Body, bufio.NewReader(r)
	return nil
}

// errStatus is the answer that an EventSource gives up at.
type errStatus int

func (e errStatus) Error() string { return "status " + strconv.Itoa(int(e)) }

// cut ends the stream, as a network does.
func (s *eventSource) cut() {
	if s.body != nil {
		_ = s.body.Close()
		s.body = nil
	}
}

// event reads one event of the stream that there is. One without its end is none.
func (s *eventSource) event() (name, id, data string, err error) {
	var comes strings.Builder
	id = s.lastID
	for {
		line, err := s.br.ReadString('\n')
		if err != nil {
			return "", "", "", err
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			if s.lastID = id; comes.Len() > 0 {
				return name, id, comes.String(), nil
			}
			name = ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			comes.WriteString(value)
		case "retry":
			ms, err := strconv.Atoi(value)
			require.NoError(s.t, err, line)
			s.retry = time.Duration(ms) * time.Millisecond
		}
	}
}

// next returns the next message that is new, coming back as often as it takes.
func (s *eventSource) next() *message {
	s.t.Helper()
	for {
		m, err := s.attempt()
		if err != nil {
			require.NoError(s.t, s.ctx.Err(), "no message came; the last attempt ended with: %v", err)
			s.cut()
			var status errStatus
			if errors.As(err, &status) {
				s.gaveUp++
				s.lastID = ""
				require.Equal(s.t, 502, int(status), "only a proxy's status is worth another EventSource")
			}
			select {
			case <-time.After(min(s.retry, longestRetry)):
			case <-s.ctx.Done():
			}
			continue
		}
		if m != nil {
			return m
		}
	}
}

// attempt reads one event, opening a stream where there is none; a nil message was a repeat.
func (s *eventSource) attempt() (*message, error) {
	if s.body == nil {
		if err := s.open(); err != nil {
			return nil, err
		}
	}
	name, id, data, err := s.event()
	if err != nil {
		return nil, err
	}
	return s.accept(name, id, data), nil
}

// accept holds one event to P-3 and P-6, as socket's does, and to the rule of ids.
func (s *eventSource) accept(name, id, data string) *message {
	s.t.Helper()
	m := &message{Raw: data}
	if name == "close" { // its code is a number
		m.Type = name
		return m
	}
	require.NoError(s.t, json.Unmarshal([]byte(data), m), data)
	if !strings.HasPrefix(data, `{"seq":`) {
		m.Seq, m.At = 0, m.Seq
	}
	at := func(seq uint64) string { return protocol.Cursor{Epoch: s.hello.Epoch, Seq: seq}.String() }
	if m.Seq == 0 {
		require.Equal(s.t, m.Type, name, data)
	} else {
		require.Empty(s.t, name, data)
	}
	switch {
	case m.Seq > 0:
		require.Equal(s.t, at(m.Seq), id)
		if m.Seq <= s.cursor {
			s.repeats++
			return nil
		}
		require.Equal(s.t, s.cursor+1, m.Seq, "a hole: %.200s", data)
		s.cursor, s.since = m.Seq, id
	case m.Type == "hello":
		before := s.hello
		s.hello = m
		from := m.Floor
		if m.Missed != nil && (m.Resume == protocol.ResumeUpToDate || m.Resume == protocol.ResumeReplay) {
			from = m.Head - *m.Missed
			if before != nil && before.Epoch == m.Epoch {
				require.LessOrEqual(s.t, from, s.cursor, "a hole: %s", data)
				from = s.cursor
			}
		}
		s.cursor = from
	case m.Type == "snapshot" && !strings.Contains(data, `"topic":`):
		require.Equal(s.t, at(m.AsOf), id)
		s.cursor, s.since = m.AsOf, id
	case m.Type == "replay_end":
		require.Equal(s.t, at(m.At), id)
	}
	return m
}

// until reads up to the first message of a type of the broker's own, and returns the frames before it.
func (s *eventSource) until(kind string) (frames []*message, end *message) {
	s.t.Helper()
	for {
		m := s.next()
		if m.Seq == 0 && m.Type == kind {
			return frames, m
		}
		if m.Seq > 0 {
			frames = append(frames, m)
		}
	}
}

// upTo reads frames up to seq.
func (s *eventSource) upTo(seq uint64) (frames []*message) {
	s.t.Helper()
	for s.cursor < seq {
		if m := s.next(); m.Seq > 0 {
			frames = append(frames, m)
		}
	}
	return frames
}

// liveOnce publishes two marked frames and reads up to the second: the first has come exactly once.
func (s *eventSource) liveOnce(e *endpoint) {
	s.t.Helper()
	first, second := unique(), unique()
	a := e.publish(s.id, fmt.Sprintf(`{"type":"live","mark":%q}`, first))
	b := e.publish(s.id, fmt.Sprintf(`{"type":"live","mark":%q}`, second))
	times := 0
	for s.cursor < b.Seq {
		if m := s.next(); m.Seq > 0 && m.Mark == first {
			require.Equal(s.t, a.Seq, m.Seq)
			times++
		}
	}
	require.Equal(s.t, 1, times)
}

// closes reads up to the event close, and holds it to its code and the time to stay away. The stream ends with it.
func (s *eventSource) closes(code protocol.CloseCode) {
	s.t.Helper()
	_, m := s.until("close")
	require.JSONEq(s.t, fmt.Sprintf(`{"code":%d,"name":%q}`, code, code.Name()), m.Raw)
	if code.Stops() {
		require.Equal(s.t, 24*time.Hour, s.retry)
	}
	_, _, _, err := s.event()
	require.ErrorIs(s.t, err, io.EOF)
	s.cut()
}
