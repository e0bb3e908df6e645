package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP29_WhatCreatesAClientAndWhatDoesNot(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, look := range []struct{ method, path, body string }{
		{"GET", "/v1/clients/x", ""},
		{"POST", "/v1/clients/x/ack", `{"cursor":"e:1"}`},
		{"DELETE", "/v1/clients/x", ""},
		{"GET", "/v1/clients/x/snapshot", ""},
		{"DELETE", "/v1/clients/x/snapshot", ""},
	} {
		var body []byte
		if look.body != "" {
			body = []byte(look.body)
		}
		p := s.do(look.method, look.path, body).problem(t)
		require.Equal(t, 404, p.Status, look.method+look.path)
		require.Equal(t, protocol.CodeNotFound, p.Code)
	}
	require.Empty(t, get[protocol.List](s.endpoint, "/v1/clients").Clients)
	s.page("reader", "")
	s.publish("published", `{"type":"x"}`)
	s.attach("attached").send(`{"type":"send","id":"1","to":"sent","frame":{"type":"x"}}`)
	for _, id := range []string{"reader", "published", "attached", "sent"} {
		s.eventually(id, "there", func(protocol.State) bool { return true })
	}
}

func TestP29_Problems(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publish("a", `{"type":"x"}`)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               protocol.Code // "": not looked at
	}{
		{"POST", framesPath("a"), `{`, 400, protocol.CodeBadJSON},
		{"POST", framesPath("a"), `{"a":1}`, 400, protocol.CodeBadFrame},
		{"POST", framesPath("a") + "?wait=soon", `{"type":"x"}`, 400, protocol.CodeBadRequest},
		{"POST", framesPath("a") + "?wait=sent&timeout=5", `{"type":"x"}`, 400, protocol.CodeBadRequest},
		{"POST", framesPath("a") + "?wait=sent&timeout=61s", `{"type":"x"}`, 400, protocol.CodeBadRequest},
		{"POST", framesPath("a") + "?wait=sent&timeout=-1s", `{"type":"x"}`, 400, protocol.CodeBadRequest},
		{"GET", framesPath("a") + "?since=x", "", 400, protocol.CodeBadCursor},
		{"GET", framesPath("a") + "?limit=0", "", 400, protocol.CodeBadRequest},
		{"GET", framesPath("a") + "?limit=1001", "", 400, protocol.CodeBadRequest},
		{"GET", framesPath("a") + "?limit=x", "", 400, protocol.CodeBadRequest},
		{"GET", framesPath("a") + "?wait=61s", "", 400, protocol.CodeBadRequest},
		{"GET", framesPath("a") + "?wait=5", "", 400, protocol.CodeBadRequest},
		{"POST", "/v1/clients/a/messages", `{"type":"dance"}`, 400, protocol.CodeUnknownType},
		{"GET", "/v1/nowhere", "", 404, ""},
		{"PUT", "/v1/clients/a", "", 405, ""},
		{"POST", "/v1/clients/a/snapshot", "", 405, ""},
		{"PUT", "/v1/clients/a/snapshot", `{"as_of":"0"}`, 400, protocol.CodeBadRequest},
		{"GET", "/v1/janitor/sweep", "", 405, ""},
	} {
		var body []byte
		if c.body != "" {
			body = []byte(c.body)
		}
		r := s.do(c.method, c.path, body)
		require.Equal(t, c.status, r.status, "%s %s: %s", c.method, c.path, r)
		p := r.problem(t)
		if c.code != "" {
			require.Equal(t, c.code, p.Code, "%s %s", c.method, c.path)
		}
	}
	require.EqualValues(t, 1, s.state("a").Head)
}

func TestP29_MaxClients(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-clients", "5")
	for n := range 5 {
		s.publish(fmt.Sprintf("c%d", n), `{"type":"x"}`)
	}
	r := s.do("POST", framesPath("c5"), []byte(`{"type":"x"}`))
	require.Equal(t, protocol.CodeOverloaded, r.problem(t).Code)
	require.Equal(t, 503, r.status)
	require.NotEmpty(t, r.header.Get("Retry-After"))
	s.refused(query("c6"), protocol.CodeOverloaded, protocol.CloseOverloaded)
	require.Equal(t, 503, s.do("GET", framesPath("c7"), nil).status)
	c := s.attach("c0") // those that are there go on
	c.send(`{"type":"send","id":"1","to":"c8","frame":{"type":"x"}}`)
	c.upTo(1)
	e := c.nextOf2("error")
	require.Equal(t, protocol.CodeOverloaded, e.Code)
	require.Equal(t, "1", e.ID)
	c.liveOnce("c0")
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/c1", nil).status)
	s.publish("c5", `{"type":"x"}`)
	require.NotZero(t, s.metric("restante_refused_total", `"overloaded"`))
}

// nextOf2 is nextOf past the end of a replay.
func (s *socket) nextOf2(kind string) *message {
	s.e.t.Helper()
	m := s.next()
	for m.Seq == 0 && m.Type == "replay_end" {
		m = s.next()
	}
	require.Equal(s.e.t, kind, m.Type, m.Raw)
	return m
}

func TestP29_MaxTotalBytesDropsNobodyElsesFrames(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-total-bytes", "200KiB")
	s.publishN("precious", 10, 10, 1000)
	stored := 0
	var r reply
	for n := range 1000 {
		if r = s.do("POST", framesPath(fmt.Sprintf("c%d", n%7)), []byte(numbered(n, 1000))); r.status != 200 {
			break
		}
		stored++
	}
	require.Equal(t, protocol.CodeOverloaded, r.problem(t).Code)
	require.Greater(t, stored, 100)
	require.Less(t, stored, 220)
	require.EqualValues(t, 10, s.state("precious").Frames)
	c := s.attach("precious")
	c.upTo(10)
	c.ack(10) // what is acked makes room
	sum := 0
	for n := range 7 {
		st := s.state(fmt.Sprintf("c%d", n))
		sum += int(st.Frames)
	}
	require.Equal(t, stored, sum)
	c.liveOnce("precious")
}

func TestP29_ListIsPaged(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for n := range 25 {
		s.publish(fmt.Sprintf("c%02d", n), `{"type":"x"}`)
	}
	var ids []string
	for cursor := ""; ; {
		l := get[protocol.List](s.endpoint, "/v1/clients?limit=10&cursor="+url.QueryEscape(cursor))
		require.LessOrEqual(t, len(l.Clients), 10)
		for _, c := range l.Clients {
			require.EqualValues(t, 1, c.Head)
			ids = append(ids, c.ClientID)
		}
		if cursor = l.Cursor; cursor == "" {
			break
		}
	}
	require.Len(t, ids, 25)
	for n, id := range ids {
		require.Equal(t, fmt.Sprintf("c%02d", n), id)
	}
}

func TestP29_State(t *testing.T) {
	t.Parallel()
	s := serve(t)
	last := s.publishN("a", 10, 10, 100)
	c := s.attach("a", "since", last.Epoch+":0")
	c.upTo(10)
	c.ack(4)
	st := s.state("a")
	require.Equal(t, last.Epoch, st.Epoch)
	require.EqualValues(t, 4, st.Floor)
	require.EqualValues(t, 10, st.Head)
	require.EqualValues(t, 4, st.Acked)
	require.EqualValues(t, 6, st.Frames)
	require.Positive(t, st.Bytes)
	seen, err := time.Parse(time.RFC3339Nano, st.LastSeen)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), seen, time.Minute)
	require.Len(t, st.Attachments, 1)
	require.Equal(t, protocol.Attachment{
		ConnectionID: c.hello.ConnectionID, Transport: "websocket", Cursor: 10, Acked: 4, Since: last.Epoch + ":0", Resume: protocol.ResumeReplay,
	}, st.Attachments[0])
}

// publishing runs one publish with a wait in the background.
func (e *endpoint) publishing(id, params string) <-chan protocol.Published {
	got := make(chan protocol.Published, 1)
	go func() {
		var p protocol.Published
		r, err := e.try(context.Background(), "POST", framesPath(id)+"?"+params, []byte(`{"type":"waited"}`))
		if err != nil || r.status != 200 || json.Unmarshal(r.body, &p) != nil {
			p.Status = fmt.Sprint(err, r)
		}
		got <- p
	}()
	return got
}

func TestP29_PublishWaits(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "20")
	// Nobody reads: the timeout.
	p := <-s.publishing("a", "wait=sent&timeout=300ms")
	require.Equal(t, protocol.StatusStored, p.Status)
	require.Equal(t, protocol.ShortTimeout, p.Reason)
	// One reader: sent when it is with the kernel, acked when it says so.
	c := s.attach("a")
	c.upTo(1)
	p = <-s.publishing("a", "wait=sent")
	require.Equal(t, protocol.StatusSent, p.Status)
	require.Empty(t, p.Reason)
	acked := s.publishing("a", "wait=acked")
	c.upTo(3)
	select {
	case p = <-acked:
		require.Fail(t, "answered before the ack", "%+v", p)
	default:
	}
	c.ack(2)
	c.ack(3)
	p = <-acked
	require.Equal(t, protocol.StatusAcked, p.Status)
	require.EqualValues(t, 3, p.Seq)
	// A page counts as sent.
	sent := s.publishing("b", "wait=sent")
	require.Equal(t, protocol.ResumeReplay, s.eventuallyPage("b", 1).Resume)
	require.Equal(t, protocol.StatusSent, (<-sent).Status)
	// It cannot be reached any more: pruned, gone.
	pruned := s.publishing("c", "wait=acked")
	s.eventually("c", "stored", func(st protocol.State) bool { return st.Head == 1 })
	s.publishN("c", 25, 1, 0)
	p = <-pruned
	require.Equal(t, protocol.StatusStored, p.Status)
	require.Equal(t, protocol.ShortPruned, p.Reason)
	gone := s.publishing("d", "wait=acked")
	s.eventually("d", "stored", func(st protocol.State) bool { return st.Head == 1 })
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/d", nil).status)
	require.Equal(t, protocol.ShortGone, (<-gone).Reason)
}

// eventuallyPage long-polls from the beginning of a client's epoch until n frames are there.
func (e *endpoint) eventuallyPage(id string, n int) protocol.Page {
	e.t.Helper()
	for {
		ep := e.page(id, "").Epoch
		if p := e.page(id, "wait=10s&since="+ep+":0"); len(p.Frames) >= n {
			return p
		}
	}
}

func TestP29_LongPoll(t *testing.T) {
	t.Parallel()
	s := serve(t)
	last := s.publishN("a", 3, 3, 0)
	at := fmt.Sprintf("%s:%d", last.Epoch, last.Seq)
	quick := s.page("a", "wait=20s&since="+last.Epoch+":1")
	require.Len(t, quick.Frames, 2, "only up_to_date waits")
	require.Equal(t, protocol.ResumeTooOld, s.page("a", "wait=20s&since=other:1").Resume)
	require.Equal(t, protocol.ResumeFresh, s.page("a", "wait=20s").Resume)
	empty := s.page("a", "wait=200ms&since="+at)
	require.Equal(t, protocol.ResumeUpToDate, empty.Resume)
	require.Empty(t, empty.Frames)
	require.Equal(t, at, empty.Cursor)
	got := make(chan protocol.Page, 1)
	go func() {
		var p protocol.Page
		r, err := s.try(context.Background(), "GET", framesPath("a")+"?wait=60s&since="+at, nil)
		if err == nil {
			_ = json.Unmarshal(r.body, &p)
		}
		got <- p
	}()
	s.publish("other", `{"type":"x"}`)
	s.publish("a", `{"type":"news"}`)
	p := <-got
	require.Len(t, p.Frames, 1)
	require.Equal(t, `{"seq":4,"type":"news"}`, string(p.Frames[0]))
	require.Zero(t, s.state("a").Places, "it holds no place")
	require.Zero(t, s.state("a").Acked, "and is no ack")
}

func TestP29_HealthAndMetrics(t *testing.T) {
	t.Parallel()
	s := serve(t)
	require.Equal(t, 200, s.do("GET", "/healthz", nil).status)
	require.Equal(t, 200, s.do("GET", "/readyz", nil).status)
	c := s.attach("a")
	s.publishN("a", 5, 5, 0)
	c.upTo(5)
	c.ack(5)
	for name, want := range map[string]float64{"restante_clients ": 1, "restante_connections ": 1, "restante_published_frames_total": 5, "restante_delivered_frames_total": 5,
		"restante_outbox_frames": 0, "restante_outbox_bytes": 0, "restante_acks_total": 1} {
		require.Equal(t, want, s.metric(name), name)
	}
	text := string(s.do("GET", "/metrics", nil).body)
	for _, reason := range []string{"acked", "count", "bytes", "age", "reaped", "deleted", "stale", "ping_pending", "record_bound", "place_bound"} {
		require.True(t, strings.Contains(text, fmt.Sprintf("reason=%q", reason)), "every reason is there from the start: %s", reason)
	}
}

func TestP29_WhatPublishersHaveInFlight(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-in-flight-bytes", "100KiB")
	s.publish("a", `{"type":"x"}`)
	four := strings.Repeat(numbered(1, 30_000)+"\n", 4)
	r := s.do("POST", framesPath("a"), []byte(four), "Content-Type", "application/x-ndjson")
	require.Equal(t, protocol.CodeOverloaded, r.problem(t).Code, "one call of more than all may have in flight")
	require.NotEmpty(t, r.header.Get("Retry-After"))
	require.EqualValues(t, 1, s.state("a").Head)
	// What is stored is not in flight any more, whatever its publisher waits for.
	for range 6 {
		s.publishing("a", "wait=acked&timeout=25s")
		s.publish("b", numbered(1, 30_000), numbered(2, 30_000))
	}
	s.eventually("a", "told of them all", func(st protocol.State) bool { return st.Head == 7 })
	require.Zero(t, s.metric("restante_in_flight_bytes"))
}
