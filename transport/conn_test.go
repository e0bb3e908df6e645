package transport

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobwas/ws"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// overEach runs f over a plain socket and over TLS, which take different ways to read and write.
func overEach(t *testing.T, f func(t *testing.T, tls bool)) {
	for _, tls := range []bool{false, true} {
		t.Run(map[bool]string{false: "tcp", true: "tls"}[tls], func(t *testing.T) { f(t, tls) })
	}
}

func TestP1_ABatchIsWrittenAsItsFrames(t *testing.T) {
	overEach(t, func(t *testing.T, tls bool) {
		h, f := newWS(t, Config{})
		c := dial(t, serveWSOver(t, h, tls), "?client_id=a")
		l := f.link(t)
		body := protocol.Body(`{"type":"progress","pct":4.0e1}`)
		long := protocol.Body(`{"type":"` + strings.Repeat("x", 200) + `"}`)
		longer := protocol.Body(`{"type":"` + strings.Repeat("x", 70000) + `"}`)
		l.peer.Write([]protocol.Piece{{Body: protocol.EncodeHello(protocol.Hello{ClientID: "a"})}, {Seq: 7, Body: body}, {Seq: 8, Body: long}, {Seq: 1<<53 - 1, Body: longer}})
		c.expectText(string(protocol.EncodeHello(protocol.Hello{ClientID: "a"})))
		c.expectText(`{"seq":7,"type":"progress","pct":4.0e1}`)
		c.expectText(`{"seq":8,` + string(long[1:]))
		c.expectText(`{"seq":9007199254740991,` + string(longer[1:]))
		l.next(t, "written")
		n := h.sys.Counters()
		require.EqualValues(t, 1, n.Batches.Load())
		require.EqualValues(t, 3, n.Delivered.Load(), "hello is no frame of the outbox")
		require.EqualValues(t, protocol.FrameLen(7, body)+protocol.FrameLen(8, long)+protocol.FrameLen(1<<53-1, longer), n.DeliveredBytes.Load())
		require.EqualValues(t, 1, n.Connections.Load())
		l.peer.Write(nil)
		l.next(t, "written")
		c.leave(1000)
		require.Equal(t, GoneLeft, l.next(t, "gone").how)
		l.none(t)
	})
}

func TestP3_ManyBatchesInOrder(t *testing.T) {
	overEach(t, func(t *testing.T, tls bool) {
		h, f := newWS(t, Config{})
		c := dial(t, serveWSOver(t, h, tls), "?client_id=a")
		l := f.link(t)
		const batches, each = 200, 16
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range batches {
				l.peer.Write(pieces(uint64(i*each+1), each, 3000))
				if e := <-l.events; e.call != "written" {
					t.Errorf("%+v", e)
					return
				}
			}
		}()
		for seq := 1; seq <= batches*each; seq++ {
			_, payload := c.frame()
			require.True(t, bytes.HasPrefix(payload, fmt.Appendf(nil, `{"seq":%d,`, seq)), "%d: %.40s", seq, payload)
		}
		<-done
		require.EqualValues(t, batches*each, h.sys.Counters().Delivered.Load())
		c.leave(1000)
	})
}

func TestP6_WhatIsWrittenBeforeHelloIsHandledAfterIt(t *testing.T) {
	h, f := newWS(t, Config{})
	f.onAttach = func(*fakeLink) {}
	s := serveWSOver(t, h, false)
	c := dial(t, s, "?client_id=a")
	for i := range 10 {
		c.text(fmt.Sprintf(`{"type":"ack","seq":%d}`, i))
	}
	l := f.link(t)
	l.none(t)
	l.peer.Attached(l)
	for i := range 10 {
		require.EqualValues(t, i, l.next(t, "message").m.Seq)
	}
	c.leave(1000)
	require.Equal(t, GoneLeft, l.next(t, "gone").how)
}

func TestP6_P21_ARefusedAttachGetsOneErrorThenItsClose(t *testing.T) {
	h, f := newWS(t, Config{})
	f.onAttach = func(l *fakeLink) {
		go l.peer.Refused(protocol.Piece{Body: protocol.EncodeGoaway(1500)}, protocol.CloseDraining)
	}
	c := dial(t, serveWSOver(t, h, false), "?client_id=a")
	c.text(`{"type":"pong"}`)
	c.expectText(`{"type":"goaway","retry_after_ms":1500}`)
	c.expectClose(protocol.CloseDraining)
	c.answer(protocol.CloseDraining)
	l := f.link(t)
	eventually(t, "the connection is gone", func() bool { return h.sys.Counters().Connections.Load() == 0 })
	require.EqualValues(t, 1, closedBy(h, protocol.CloseDraining))
	l.peer.Write(pieces(1, 1, 100)) // late calls change nothing
	l.peer.Refused(protocol.Piece{}, protocol.CloseReplaced)
	l.peer.Close(protocol.CloseReplaced)
	l.peer.Pause(true)
	l.peer.Pause(false)
	l.peer.Handled(3)
	l.none(t)
}

func TestP20_BadInputIsPassedOnAsItsError(t *testing.T) {
	_, f, s := wsServer(t, Config{MaxFrameBytes: 1000})
	c := dial(t, s, "?client_id=a")
	l := f.link(t)
	for _, x := range []struct {
		text string
		code protocol.Code
		id   string
	}{
		{`not json`, protocol.CodeBadJSON, ""},
		{`[]`, protocol.CodeBadFrame, ""},
		{`{"type":"dance"}`, protocol.CodeUnknownType, ""},
		{`{"type":"send","id":"u1","to":"..","frame":{"type":"x"}}`, protocol.CodeBadRequest, "u1"},
		{`{"type":"send","id":"u2","to":"b","frame":{"type":"` + strings.Repeat("x", 1000) + `"}}`, protocol.CodeTooLarge, "u2"},
	} {
		c.text(x.text)
		e := l.next(t, "message")
		require.NotNil(t, e.err, x.text)
		require.Equal(t, x.code, e.err.Code)
		require.Equal(t, x.id, e.err.ID)
		require.Zero(t, e.m)
	}
	c.text(`{"type":"ack","seq":1}`)
	require.Nil(t, l.next(t, "message").err, "the connection stays open")
	c.leave(1000)
}

func TestP20_HostileFramesEndTheirConnectionOnly(t *testing.T) {
	overEach(t, func(t *testing.T, tls bool) {
		h, f := newWS(t, Config{MaxFrameBytes: parserLimit - protocol.MessageSlack})
		s := serveWSOver(t, h, tls)
		bystander := dial(t, s, "?client_id=bystander")
		other := f.link(t)
		for _, x := range hostile {
			if x.code < protocol.CloseProtocolError || x.code > protocol.CloseTooLarge {
				continue
			}
			c := dial(t, s, "?client_id=hostile")
			l := f.link(t)
			c.raw(x.stream)
			for {
				op, payload := c.frame()
				if op == ws.OpClose {
					require.Equal(t, x.code, protocol.CloseCode(payload[0])<<8|protocol.CloseCode(payload[1]), x.name)
					break
				}
			}
			switch {
			case x.unfinished:
				require.NoError(t, c.nc.Close()) // an answer would be taken for the rest of the frame
			case slices.ContainsFunc(x.want, func(s string) bool { return strings.HasPrefix(s, "close ") }):
				c.expectEOF() // the stream has its answer
			default:
				c.answer(x.code)
			}
			for e := l.any(t); e.call != "gone"; e = l.any(t) {
				require.Equal(t, "message", e.call, x.name)
			}
			bystander.text(`{"type":"pong"}`)
			require.Equal(t, "pong", other.next(t, "message").m.Type)
		}
		bystander.leave(1000)
		require.Equal(t, GoneLeft, other.next(t, "gone").how)
	})
}

func TestP25_SendAndSubscribeNeedTheirRights(t *testing.T) {
	h, f := newWS(t, Config{Authorize: allowing(func(v Verb, name string) bool {
		return v == VerbAttach || v == VerbSend && name == "friend" || v == VerbSubscribe && name == "news"
	})})
	c := dial(t, serveWSOver(t, h, false), "?client_id=a")
	l := f.link(t)
	for _, x := range []struct {
		text string
		ok   bool
		id   string
	}{
		{`{"type":"send","id":"u1","to":"friend","frame":{"type":"x"}}`, true, "u1"},
		{`{"type":"send","id":"u2","to":"stranger","frame":{"type":"x"}}`, false, "u2"},
		{`{"type":"subscribe","topic":"news"}`, true, ""},
		{`{"type":"subscribe","topic":"secrets"}`, false, ""},
		{`{"type":"unsubscribe","topic":"secrets"}`, true, ""},
		{`{"type":"ack","seq":0}`, true, ""},
	} {
		c.text(x.text)
		e := l.next(t, "message")
		if x.ok {
			require.Nil(t, e.err, x.text)
			require.Equal(t, x.id, e.m.ID)
			continue
		}
		require.NotNil(t, e.err, x.text)
		require.Equal(t, protocol.CodeForbidden, e.err.Code)
		require.Equal(t, x.id, e.err.ID)
		require.Zero(t, e.m, "a refused message is not passed on")
	}
	c.leave(1000)
}

func TestP16_RFCPingsAreAnswered(t *testing.T) {
	overEach(t, func(t *testing.T, tls bool) {
		h, f := newWS(t, Config{})
		c := dial(t, serveWSOver(t, h, tls), "?client_id=a")
		l := f.link(t)
		for _, payload := range []string{"", "x", strings.Repeat("y", 125)} {
			c.raw(masked(true, ws.OpPing, []byte(payload)))
			op, got := c.frame()
			require.Equal(t, ws.OpPong, op)
			require.Equal(t, payload, string(got))
		}
		// A flood: each pong answers one of the pings, in order, the last one is answered, and what was passed over is counted.
		const flood = 2000
		var b []byte
		for i := range flood {
			b = append(b, masked(true, ws.OpPing, fmt.Appendf(nil, "%05d", i))...)
		}
		go func() { _, _ = c.nc.Write(b) }()
		last, pongs := "", 0
		for last != fmt.Sprintf("%05d", flood-1) {
			op, got := c.frame()
			require.Equal(t, ws.OpPong, op)
			require.Greater(t, string(got), last)
			last = string(got)
			pongs++
		}
		require.EqualValues(t, flood-pongs, dropped(h, actors.DropPing))
		l.none(t)
		c.leave(1000)
	})
}

func TestP27_ReadingStopsWhileTooMuchWaits(t *testing.T) {
	overEach(t, func(t *testing.T, tls bool) {
		h, f := newWS(t, Config{})
		f.keep = true
		c := dial(t, serveWSOver(t, h, tls), "?client_id=a")
		l := f.link(t)
		const all = 1000
		var b []byte
		for i := range all {
			b = append(b, masked(true, ws.OpText, fmt.Appendf(nil, `{"type":"ack","seq":%d}`, i))...)
		}
		c.raw(b)
		stopped := func() bool { return !theConn(t, h).gate.reading() }
		seq := uint64(0)
		for seq < protocol.MaxReplies {
			require.Equal(t, seq, l.next(t, "message").m.Seq)
			seq++
		}
		eventually(t, "the reader has stopped", stopped)
		l.none(t)
		l.peer.Handled(3)
		for range 3 {
			require.Equal(t, seq, l.next(t, "message").m.Seq)
			seq++
		}
		eventually(t, "the reader has stopped", stopped)
		l.none(t)
		for l.peer.Handled(protocol.MaxReplies); seq < all; seq++ {
			require.Equal(t, seq, l.next(t, "message").m.Seq)
			l.peer.Handled(1)
		}
		c.leave(1000)
		require.Equal(t, GoneLeft, l.next(t, "gone").how)
	})
}

func TestP27_ReadingStopsWhileTooManyBytesWait(t *testing.T) {
	h, f := newWS(t, Config{})
	f.keep = true
	c := dial(t, serveWSOver(t, h, false), "?client_id=a")
	l := f.link(t)
	message := `{"type":"pong","x":"` + strings.Repeat("x", 40000) + `"}`
	for range 4 {
		c.text(message)
	}
	l.next(t, "message")
	l.next(t, "message")
	eventually(t, "the reader has stopped", func() bool { return !theConn(t, h).gate.reading() })
	l.none(t)
	l.peer.Handled(2)
	l.next(t, "message")
	l.next(t, "message")
	l.peer.Handled(2)
	c.leave(1000)
}

func TestP27_PauseStopsReading(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	c := dial(t, s, "?client_id=a")
	l := f.link(t)
	c.text(`{"type":"ping"}`)
	require.Equal(t, "ping", l.next(t, "message").m.Type)
	for range 3 {
		l.peer.Pause(true)
		c.text(`{"type":"pong"}`)
		eventually(t, "the reader has stopped", func() bool { return !theConn(t, h).gate.reading() })
		l.none(t)
		l.peer.Pause(false)
		require.Equal(t, "pong", l.next(t, "message").m.Type)
	}
	l.peer.Pause(true)
	l.peer.Close(protocol.CloseReplaced) // a connection that is not read is closed like any other
	c.expectClose(protocol.CloseReplaced)
	c.answer(protocol.CloseReplaced)
	require.Equal(t, GoneLost, l.next(t, "gone").how)
}

func TestManyAtOnce(t *testing.T) {
	h, f := newWS(t, Config{})
	s := serveWSOver(t, h, false)
	f.onAttach = func(l *fakeLink) {
		l.on = func(e linkEvent) {
			if e.call == "message" {
				l.peer.Write([]protocol.Piece{{Seq: e.m.Seq + 1, Body: protocol.Body(`{"type":"echo"}`)}})
			}
		}
		l.peer.Attached(l)
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			c := dial(t, s, fmt.Sprintf("?client_id=c%d", i))
			for n := range 50 {
				c.text(fmt.Sprintf(`{"type":"ack","seq":%d}`, n))
				c.expectText(fmt.Sprintf(`{"seq":%d,"type":"echo"}`, n+1))
			}
			c.leave(1000)
		})
	}
	all.Wait()
	eventually(t, "all are gone", func() bool { return h.sys.Counters().Connections.Load() == 0 })
	for range 50 {
		l := f.link(t)
		require.Empty(t, l.late)
	}
	require.EqualValues(t, 2500, h.sys.Counters().Delivered.Load())
	require.EqualValues(t, 50, closedBy(h, protocol.CloseNormal))
}

// theConn returns the one connection that is open.
func theConn(t testing.TB, h *Handler) *conn {
	t.Helper()
	h.conns.mu.Lock()
	defer h.conns.mu.Unlock()
	require.Equal(t, 1, h.conns.n)
	return h.conns.first
}
