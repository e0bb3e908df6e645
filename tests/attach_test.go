package tests

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// refused dials and expects one error and then its close (P-6, P-21).
func (e *endpoint) refused(q url.Values, code protocol.Code, with protocol.CloseCode) {
	e.t.Helper()
	s := e.dial(dialing{query: q})
	before := s.closed(with)
	require.Len(e.t, before, 1, "a refused attach gets one error: %v", q)
	require.Equal(e.t, "error", before[0].Type)
	require.Equal(e.t, code, before[0].Code, before[0].Raw)
	require.NotEmpty(e.t, before[0].Message)
}

func TestP4_ClientIDs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	long := strings.Repeat("a", 128)
	for _, id := range []string{"a", "A.z_0~9:x@y-", "...", ".a", "a.b", long, "::", "~"} {
		c := s.attach(id)
		require.Equal(t, id, c.hello.ClientID)
		s.publish(id, `{"type":"x"}`)
		require.Equal(t, id, s.state(id).ClientID)
	}
	for _, id := range []string{".", "..", "a b", "é", "a/b", "a+b", "a%", "a\x00", long + "a", "a\n", "*", ">", "a,b"} {
		s.refused(query(id), protocol.CodeBadRequest, protocol.CloseBadRequest)
		if id == "." || id == ".." {
			continue // in a path they are no name, but a way: net/http redirects them
		}
		p := s.do("POST", framesPath(id), []byte(`{"type":"x"}`)).problem(t)
		require.Equal(t, protocol.CodeBadRequest, p.Code, "%q", id)
	}
	minted := s.attach("").hello.ClientID
	require.Regexp(t, regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`), minted)
	require.NotEqual(t, minted, s.attach("").hello.ClientID)
	s.refused(query("", "since", "5"), protocol.CodeBadRequest, protocol.CloseBadRequest)
	s.refused(query("", "since", "abc:5"), protocol.CodeBadRequest, protocol.CloseBadRequest)
}

func TestP5_Cursors(t *testing.T) {
	t.Parallel()
	s := serve(t)
	other := s.attach("other")
	other.until("replay_end")
	last := s.publishN("a", 10, 10, 0)
	for _, bad := range []string{"-1", "+1", "01", "1.0", "1e3", " 1", "1 ", "x", ":", ":1", "e:", "e:-1", "e:+1", "e:01", "e:x", "e:1:2", "é:1", "a b:1", "0x1", "00",
		"9007199254740992", "e:9007199254740992", "18446744073709551616", "99999999999999999999999999", strings.Repeat("e", 33) + ":1", "e.e:1"} {
		s.refused(query("a", "since", bad), protocol.CodeBadCursor, protocol.CloseBadRequest)
		p := s.do("GET", framesPath("a")+"?since="+url.QueryEscape(bad), nil).problem(t)
		require.Equal(t, protocol.CodeBadCursor, p.Code, "%q", bad)
		require.Equal(t, 400, p.Status)
	}
	require.EqualValues(t, 10, s.state("a").Head)
	other.liveOnce("other")
	// A bare seq means "of the epoch now"; nothing has been sent to any reader yet, so none but 0 can come from it.
	c := s.attach("a", "since", "3")
	require.Equal(t, protocol.ResumeTooOld, c.hello.Resume)
	require.Equal(t, protocol.ReasonEpoch, c.hello.Reason)
	frames, _ := c.until("replay_end")
	require.Len(t, frames, 10)
	c = s.attach("a", "since", "3")
	require.Equal(t, protocol.ResumeReplay, c.hello.Resume)
	frames, _ = c.until("replay_end")
	require.Len(t, frames, 7)
	c = s.attach("a", "since", "11")
	require.Equal(t, protocol.ReasonEpoch, c.hello.Reason, "a bare seq above the last sent cannot come from this epoch")
	c.liveOnce("a")
	c = s.attach("a", "since", "9007199254740991")
	require.Equal(t, protocol.ReasonEpoch, c.hello.Reason)
	c.liveOnce("a")
	require.Equal(t, protocol.ReasonAhead, s.attach("a", "since", last.Epoch+":9007199254740991").hello.Reason)
}

func TestP5_ABareSeqSentByHTTPCountsAsSent(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publishN("a", 10, 10, 0)
	require.Len(t, s.page("a", "limit=4").Frames, 4)
	require.Equal(t, protocol.ResumeReplay, s.attach("a", "since", "4").hello.Resume)
	s.publish("b", `{"type":"x"}`, `{"type":"x"}`)
	require.Len(t, s.page("b", "limit=1").Frames, 1)
	require.Equal(t, protocol.ReasonEpoch, s.page("b", "since=2").Reason)
}

func TestP6_Hello(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "10")
	members := func(c *socket) map[string]any {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(c.hello.Raw), &m))
		return m
	}
	c := s.attach("a")
	m := members(c)
	for k, v := range map[string]any{"type": "hello", "client_id": "a", "resume": "fresh", "floor": 0., "head": 0., "missed": 0., "lost": 0., "snapshot": false,
		"ping_interval_ms": 25000., "pong_timeout_ms": 35000., "ack_interval_ms": 5000., "max_frame_bytes": 65536., "max_message_bytes": 1048576.} {
		require.Equal(t, v, m[k], k)
	}
	require.NotContains(t, m, "reason")
	require.NotEmpty(t, m["connection_id"])
	require.Regexp(t, `^[A-Za-z0-9_-]{11,32}$`, m["epoch"], "at least 64 random bits")
	require.NotContains(t, c.hello.Raw, " ")

	s.publishN("a", 12, 1, 0) // floor 2, head 12
	check := func(since string, resume protocol.Resume, missed, lost any) {
		t.Helper()
		q := []string{}
		if since != "" {
			q = append(q, "since", since)
		}
		n := s.attach("a", q...)
		got := members(n)
		require.EqualValues(t, resume, got["resume"], n.hello.Raw)
		require.Equal(t, missed, got["missed"], n.hello.Raw)
		require.Equal(t, lost, got["lost"], n.hello.Raw)
		require.Equal(t, 2., got["floor"])
		require.Equal(t, 12., got["head"])
		require.Equal(t, resume == protocol.ResumeTooOld, got["reason"] != nil, n.hello.Raw)
	}
	ep := c.hello.Epoch
	check("", protocol.ResumeFresh, 12., 2.)
	check(ep+":12", protocol.ResumeUpToDate, 0., 0.)
	check(ep+":7", protocol.ResumeReplay, 5., 0.)
	check(ep+":2", protocol.ResumeReplay, 10., 0.)
	check(ep+":1", protocol.ResumeTooOld, 11., 1.)
	check(ep+":13", protocol.ResumeTooOld, nil, nil)
	check("another:5", protocol.ResumeTooOld, nil, nil)
}

func TestP6_WhatIsWrittenBeforeHelloIsHandledAfterIt(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publish("a", `{"type":"x"}`)
	early := []byte{}
	for _, m := range []string{`{"type":"ping"}`, `{"type":"send","id":"1","to":"b","frame":{"type":"x"}}`, `{"type":"send","id":"2","to":"b","frame":{"type":"y"}}`} {
		early = append(early, ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(m))))...)
	}
	c := s.dial(dialing{query: query("a"), after: early})
	require.Equal(t, "hello", c.next().Type)
	var replies []string
	for len(replies) < 3 {
		if m := c.next(); m.Seq == 0 && m.Type != "replay_end" {
			replies = append(replies, m.Type+m.ID)
		}
	}
	require.Equal(t, []string{"pong", "receipt1", "receipt2"}, replies)
	require.EqualValues(t, 2, s.state("b").Head)
	c.liveOnce("a")
}

func TestP7_TheDecision(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ep := s.publishN("a", 10, 10, 0).Epoch
	r := s.do("POST", "/v1/clients/a/ack", []byte(`{"cursor":"`+ep+`:4"}`))
	require.Equal(t, 200, r.status, r)
	for _, c := range []struct {
		since  string
		resume protocol.Resume
		reason protocol.Reason
		first  uint64 // of the frames that come; 0 for none
	}{
		{"", protocol.ResumeFresh, "", 5},
		{"other:10", protocol.ResumeTooOld, protocol.ReasonEpoch, 5},
		{"other:99", protocol.ResumeTooOld, protocol.ReasonEpoch, 5},
		{ep + ":11", protocol.ResumeTooOld, protocol.ReasonAhead, 5},
		{ep + ":10", protocol.ResumeUpToDate, "", 0},
		{ep + ":9", protocol.ResumeReplay, "", 10},
		{ep + ":4", protocol.ResumeReplay, "", 5},
		{ep + ":3", protocol.ResumeTooOld, protocol.ReasonPruned, 5},
		{ep + ":0", protocol.ResumeTooOld, protocol.ReasonPruned, 5},
	} {
		path := "limit=1000"
		q := []string{}
		if c.since != "" {
			q, path = []string{"since", c.since}, "since="+c.since
		}
		page := s.page("a", path)
		require.Equal(t, c.resume, page.Resume, c.since)
		require.Equal(t, c.reason, page.Reason, c.since)
		k := s.attach("a", q...)
		require.Equal(t, c.resume, k.hello.Resume, c.since)
		require.Equal(t, c.reason, k.hello.Reason, c.since)
		if c.first == 0 {
			require.Empty(t, page.Frames)
			k.send(`{"type":"ping"}`)
			require.Equal(t, "pong", k.next().Type, "up_to_date is nothing but hello")
			continue
		}
		frames, end := k.until("replay_end")
		require.EqualValues(t, 10, end.At)
		require.Equal(t, c.first, frames[0].Seq, c.since)
		require.Len(t, frames, int(11-c.first))
		require.Len(t, page.Frames, len(frames))
		for i := range frames {
			require.Equal(t, frames[i].Raw, string(page.Frames[i]))
		}
	}
}

func TestP7_AnEmptyOutboxIsTooOldForAnOlderCursor(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	s.publishN("a", 5, 5, 0)
	c.upTo(5)
	c.ack(5)
	s.eventually("a", "empty", func(st protocol.State) bool { return st.Floor == 5 && st.Frames == 0 })
	old := s.attach("a", "since", c.hello.Epoch+":3")
	require.Equal(t, protocol.ReasonPruned, old.hello.Reason)
	require.EqualValues(t, 2, *old.hello.Missed)
	require.EqualValues(t, 2, *old.hello.Lost)
	frames, end := old.until("replay_end")
	require.Empty(t, frames)
	require.EqualValues(t, 5, end.At)
	old.liveOnce("a")
	require.Equal(t, protocol.ResumeUpToDate, s.attach("a", "since", c.hello.Epoch+":7").hello.Resume)
}

func TestP7_BoundsAreAppliedBeforeTheRulesAreRead(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-age", "300ms", "--client-ttl", "1h")
	for _, id := range []string{"attach", "page"} {
		s.publishN(id, 10, 10, 0)
	}
	wait := time.NewTimer(time.Second) // nothing happens meanwhile: no publish, no sweep
	<-wait.C
	c := s.attach("attach", "since", s.state("attach").Epoch+":3")
	require.Equal(t, protocol.ReasonPruned, c.hello.Reason)
	require.EqualValues(t, 9, c.hello.Floor)
	require.EqualValues(t, 6, *c.hello.Lost)
	c.liveOnce("attach")
	page := s.page("page", "since="+s.state("page").Epoch+":3")
	require.Equal(t, protocol.ReasonPruned, page.Reason)
	require.Len(t, page.Frames, 1)
}

func TestP10_StartingOver(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publishN("a", 8, 8, 0)
	c := s.attach("a")
	c.upTo(5)
	c.leave(1000)
	s.eventually("a", "left", func(st protocol.State) bool { return st.Connections == 0 && st.Places == 0 })
	again := s.attach("a")
	require.Equal(t, protocol.ResumeFresh, again.hello.Resume)
	frames, _ := again.until("replay_end")
	require.Len(t, frames, 8)
	again.liveOnce("a")
}
