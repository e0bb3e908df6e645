package tests

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func frameOf(op ws.OpCode, fin bool, payload []byte) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, payload)))
}

func TestP20_BadMessagesAreAnsweredAndTheConnectionStays(t *testing.T) {
	t.Parallel()
	s := serve(t)
	other := s.attach("other")
	other.until("replay_end")
	for i, bad := range []struct {
		msg  string
		code protocol.Code // "": bad_json, bad_frame or bad_request
	}{
		{``, protocol.CodeBadJSON},
		{`{`, protocol.CodeBadJSON},
		{`nonsense`, protocol.CodeBadJSON},
		{`{"type":"ack","seq":1}}`, protocol.CodeBadJSON},
		{`[]`, ""},
		{`"ack"`, ""},
		{`{}`, ""},
		{`{"type":1}`, ""},
		{`{"type":"ping","type":"ping"}`, protocol.CodeBadJSON},
		{`{"type":"dance"}`, protocol.CodeUnknownType},
		{`{"type":""}`, protocol.CodeUnknownType},
		{`{"type":"hello"}`, protocol.CodeUnknownType},
		{`{"type":"ack"}`, ""},
		{`{"type":"ack","seq":"1"}`, ""},
		{`{"type":"ack","seq":-1}`, ""},
		{`{"type":"ack","seq":1.0}`, ""},
		{`{"type":"ack","seq":1e2}`, ""},
		{`{"type":"ack","seq":01}`, ""},
		{`{"type":"ack","seq":9007199254740992}`, ""},
		{`{"type":"ack","seq":null}`, ""},
		{`{"type":"ack","seq":5}`, protocol.CodeAckAhead},
	} {
		c := s.attach(fmt.Sprintf("a%d", i))
		c.until("replay_end")
		c.send("%s", bad.msg)
		e := c.nextOf("error")
		if bad.code != "" {
			require.Equal(t, bad.code, e.Code, bad.msg)
		} else {
			require.Contains(t, []protocol.Code{protocol.CodeBadJSON, protocol.CodeBadFrame, protocol.CodeBadRequest}, e.Code, bad.msg)
		}
		require.NotEmpty(t, e.Message)
		c.liveOnce(fmt.Sprintf("a%d", i))
		c.leave(1000)
	}
	other.liveOnce("other")
}

func TestP20_UnknownMembersAreIgnored(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	s.publishN("a", 3, 3, 0)
	c.upTo(3)
	c.send(`{"x":[{"y":1}],"type":"ack","later":{"a":null},"seq":2}`)
	c.sync()
	require.EqualValues(t, 2, s.state("a").Floor)
	c.send(`{"type":"pong","head":3}`)
	c.send(` { "type" : "pong" } `)
	c.liveOnce("a")
}

func TestP20_TheTwentiethInTenSecondsIsTheLast(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, other := s.attach("a"), s.attach("a")
	c.until("replay_end")
	bad := []string{`{`, `{"type":"dance"}`, `{"type":"ack","seq":99}`}
	for n := range 19 {
		c.send("%s", bad[n%3])
		c.nextOf("error")
	}
	c.sync()
	c.liveOnce("a")
	c.send("%s", bad[0])
	c.send(`{"type":"send","id":"late","to":"b","frame":{"type":"x"}}`)
	before := c.closed(protocol.CloseProtocolViolation)
	require.NotEmpty(t, before)
	require.Equal(t, protocol.CodeBadJSON, before[0].Code, "the twentieth is answered")
	require.Equal(t, 404, s.do("GET", "/v1/clients/b", nil).status, "what came behind it is not handled")
	other.liveOnce("a")
}

func TestP20_WhatDoesNotCount(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	c.until("replay_end")
	c.send(`{"type":"send","id":"x","to":"b","frame":{"type":"x"}}`)
	c.mustReceipt()
	for range 30 {
		c.send(`{"type":"send","id":"x","to":"b","frame":{"type":"y"}}`)
		require.Equal(t, protocol.CodeIDReused, c.nextOf("error").Code)
	}
	big := numbered(1, protocol.DefaultMaxFrameBytes+1)
	for n := range 25 {
		c.send(`{"type":"send","id":"l%d","to":"b","frame":%s}`, n, big)
		e := c.nextOf("error")
		require.Equal(t, protocol.CodeTooLarge, e.Code)
		require.Equal(t, fmt.Sprintf("l%d", n), e.ID)
	}
	c.liveOnce("a")
}

func TestP20_WhatBreaksTheWebSocketProtocolEndsTheConnection(t *testing.T) {
	t.Parallel()
	s := serve(t)
	good := s.attach("a")
	good.until("replay_end")
	limit := protocol.DefaultMaxFrameBytes + protocol.MessageSlack
	tooLong := make([]byte, 14) // only a header: it must be refused before its payload comes
	copy(tooLong, []byte{0x81, 0xff})
	binary.BigEndian.PutUint64(tooLong[2:], uint64(limit+1))
	huge := []byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	negative := []byte{0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}
	half := []byte(strings.Repeat(" ", limit/2+1))
	for _, bad := range []struct {
		name  string
		bytes []byte
		code  protocol.CloseCode
	}{
		{"binary", frameOf(ws.OpBinary, true, []byte(`{"type":"ping"}`)), protocol.CloseUnsupported},
		{"bad UTF-8", frameOf(ws.OpText, true, []byte("{\"type\":\"\xff\"}")), protocol.CloseBadUTF8},
		{"bad UTF-8 in a later fragment", append(frameOf(ws.OpText, false, []byte("{\"a\":\"\xe2\x82")), frameOf(ws.OpContinuation, true, []byte("\"}"))...), protocol.CloseBadUTF8},
		{"UTF-8 cut off at the end", frameOf(ws.OpText, true, []byte("{\"a\":\"\xe2\x82")), protocol.CloseBadUTF8},
		{"a message too large, in one frame", tooLong, protocol.CloseTooLarge},
		{"a message of 2^63-1 bytes", huge, protocol.CloseTooLarge},
		{"a message too large, in fragments", append(frameOf(ws.OpText, false, half), frameOf(ws.OpContinuation, true, half)...), protocol.CloseTooLarge},
		{"a length with the high bit", negative, protocol.CloseProtocolError},
		{"unmasked", ws.MustCompileFrame(ws.NewTextFrame([]byte(`{"type":"ping"}`))), protocol.CloseProtocolError},
		{"RSV1", []byte{0xc1, 0x80, 0, 0, 0, 0}, protocol.CloseProtocolError},
		{"RSV3", []byte{0x91, 0x80, 0, 0, 0, 0}, protocol.CloseProtocolError},
		{"reserved data opcode", []byte{0x83, 0x80, 0, 0, 0, 0}, protocol.CloseProtocolError},
		{"reserved control opcode", []byte{0x8b, 0x80, 0, 0, 0, 0}, protocol.CloseProtocolError},
		{"continuation of nothing", frameOf(ws.OpContinuation, true, []byte("x")), protocol.CloseProtocolError},
		{"text within a text", append(frameOf(ws.OpText, false, []byte("{")), frameOf(ws.OpText, true, []byte("}"))...), protocol.CloseProtocolError},
		{"fragmented ping", frameOf(ws.OpPing, false, nil), protocol.CloseProtocolError},
		{"ping of 126 bytes", []byte{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, protocol.CloseProtocolError},
		{"length not minimal", append([]byte{0x81, 0xfe, 0, 2, 0, 0, 0, 0}, "{}"...), protocol.CloseProtocolError},
		{"close of one byte", []byte{0x88, 0x81, 0, 0, 0, 0, 3}, protocol.CloseProtocolError},
		{"close with 1005", frameOf(ws.OpClose, true, []byte{0x03, 0xed}), protocol.CloseProtocolError},
		{"close with 999", frameOf(ws.OpClose, true, []byte{0x03, 0xe7}), protocol.CloseProtocolError},
		{"close with bad UTF-8", frameOf(ws.OpClose, true, []byte{0x03, 0xe8, 0xff}), protocol.CloseBadUTF8},
	} {
		t.Run(bad.name, func(t *testing.T) {
			e := &endpoint{t: t, url: s.url}
			c := e.attach("b")
			c.until("replay_end")
			require.NoError(t, c.raw(bad.bytes))
			for _, m := range c.closed(bad.code) {
				require.NotEqual(t, "pong", m.Type)
			}
		})
	}
	good.liveOnce("a")
	back := s.attach("b")
	back.liveOnce("b")
}

func TestP20_TheLargestLegalMessage(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	frame := numbered(1, protocol.DefaultMaxFrameBytes)
	c.send(`{"type":"send","id":"%s","to":"%s","frame":%s}`, strings.Repeat("i", 128), strings.Repeat("t", 128), frame)
	require.Equal(t, "stored", c.mustReceipt().Status)
	// It arrives whole, seq and from in front: longer than max_frame_bytes, within the slack.
	d := s.attach(strings.Repeat("t", 128))
	require.Equal(t, `{"seq":1,"from":"a",`+frame[1:], d.next().Raw)
	d.liveOnce(strings.Repeat("t", 128))
	// In fragments of a byte each, too.
	for i, b := range []byte(`{"type":"ping"}`) {
		op := ws.OpContinuation
		if i == 0 {
			op = ws.OpText
		}
		require.NoError(t, c.raw(frameOf(op, b == '}', []byte{b})))
	}
	for m := c.next(); m.Type != "pong"; m = c.next() {
		require.Equal(t, "replay_end", m.Type, m.Raw)
	}
}

func TestP21_ARefusalIsReadable(t *testing.T) {
	t.Parallel()
	s := serve(t)
	// A browser sees nothing of an HTTP error: the upgrade is accepted, and what is wrong comes as a message and a code.
	c := s.dial(dialing{query: query("no good"), headers: []string{"Sec-WebSocket-Protocol", "restante.v1, secret-token"}})
	require.Equal(t, "restante.v1", c.res.Header.Get("Sec-WebSocket-Protocol"))
	require.Len(t, c.closed(protocol.CloseBadRequest), 1)
	require.NotContains(t, s.stderr.String(), "secret-token")
	ok := s.dial(dialing{query: query("a"), headers: []string{"Sec-WebSocket-Protocol", "other, restante.v1"}})
	require.Equal(t, "restante.v1", ok.res.Header.Get("Sec-WebSocket-Protocol"))
	none := s.dial(dialing{query: query("a"), headers: []string{"Sec-WebSocket-Protocol", "other"}})
	require.Empty(t, none.res.Header.Get("Sec-WebSocket-Protocol"))
	require.Empty(t, none.res.Header.Get("Sec-WebSocket-Extensions"))
	r := s.do("GET", "/v1/ws?client_id=a", nil)
	require.Equal(t, 426, r.status, "without an upgrade")
	r.problem(t)
}

func TestP22_EveryCloseHasItsCodeAndNameOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	c.until("replay_end")
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/a", nil).status)
	c.closed(protocol.CloseClientDeleted)
	require.EqualValues(t, 1, s.metric("restante_closed_total", `"client_deleted"`))
	d := s.attach("a")
	require.NotEqual(t, c.hello.Epoch, d.hello.Epoch)
	d.until("replay_end")
	// A peer that sends on without end after the close frame is not read for ever.
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/a", nil).status)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for err := error(nil); err == nil; {
		<-tick.C
		err = d.text(`{"type":"ping"}`)
	}
	require.Equal(t, 404, s.do("GET", "/v1/clients/a", nil).status)
}
