package tests

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// The talk of the test's own goroutine with its peer: each of these ends the test where the server does anything else.

// send sends one text message.
func (s *socket) send(format string, args ...any) {
	s.e.t.Helper()
	require.NoError(s.e.t, s.text(fmt.Sprintf(format, args...)))
}

// next returns the next message. It answers pings and does not show them.
func (s *socket) next() *message {
	s.e.t.Helper()
	for begin := time.Now(); ; {
		require.Less(s.e.t, time.Since(begin), patience, "nothing but pings")
		ev, err := s.read()
		require.NoError(s.e.t, err)
		switch {
		case ev.op == ws.OpPing:
			require.NoError(s.e.t, s.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewPongFrame(ev.data)))))
		case ev.op == ws.OpPong:
		case ev.op == ws.OpClose:
			require.FailNow(s.e.t, "closed", "%d %s", ev.code, ev.reason)
		case ev.msg.Seq == 0 && ev.msg.Type == "ping":
			s.send(`{"type":"pong"}`)
		default:
			return ev.msg
		}
	}
}

// nextOf returns the next message and holds it to the type.
func (s *socket) nextOf(kind string) *message {
	s.e.t.Helper()
	m := s.next()
	require.Equal(s.e.t, kind, m.Type, m.Raw)
	return m
}

// until reads up to the first broker frame of a type, and returns the sequenced frames before it.
func (s *socket) until(kind string) (frames []*message, end *message) {
	s.e.t.Helper()
	for {
		m := s.next()
		if m.Seq == 0 && m.Type == kind {
			return frames, m
		}
		require.NotZero(s.e.t, m.Seq, "waiting for %s: %s", kind, m.Raw)
		frames = append(frames, m)
	}
}

// upTo reads frames up to and including seq; other broker frames are not expected.
func (s *socket) upTo(seq uint64) (frames []*message) {
	s.e.t.Helper()
	for s.last < seq {
		m := s.next()
		if m.Seq == 0 && m.Type == "replay_end" {
			continue
		}
		require.NotZero(s.e.t, m.Seq, m.Raw)
		frames = append(frames, m)
	}
	return frames
}

// sync sends a ping and reads up to its pong: the server has dealt with everything sent before. It returns the frames before it.
func (s *socket) sync() (frames []*message) {
	s.e.t.Helper()
	s.send(`{"type":"ping"}`)
	for {
		m := s.next()
		switch {
		case m.Seq > 0:
			frames = append(frames, m)
		case m.Type == "pong":
			return frames
		default:
			require.Equal(s.e.t, "replay_end", m.Type, m.Raw)
		}
	}
}

// ack acks up to seq, and waits until the server has dealt with it.
func (s *socket) ack(seq uint64) {
	s.e.t.Helper()
	s.send(`{"type":"ack","seq":%d}`, seq)
	s.sync()
}

// cursor is the full cursor of what came last.
func (s *socket) cursor() string {
	return protocol.Cursor{Epoch: s.hello.Epoch, Seq: s.last}.String()
}

// closed reads up to the close frame, holds it to the code and its name, and returns the messages before it. After it
// nothing may come but the end.
func (s *socket) closed(code protocol.CloseCode) (before []*message) {
	s.e.t.Helper()
	for begin := time.Now(); ; {
		require.Less(s.e.t, time.Since(begin), patience, "waiting for the close %d", code)
		ev, err := s.read()
		require.NoError(s.e.t, err, "waiting for the close %d", code)
		if ev.op == ws.OpText {
			before = append(before, ev.msg)
		}
		if ev.op != ws.OpClose {
			continue
		}
		require.EqualValues(s.e.t, code, ev.code, "the close code; reason %q", ev.reason)
		require.Equal(s.e.t, code.Name(), ev.reason, "the reason of a close is its name")
		_ = s.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ev.code, "")))))
		_, err = s.read()
		require.True(s.e.t, isEnd(err), "after the close came %v", err)
		return before
	}
}

// leave closes by the book with code, and waits for the server's answer and the end.
func (s *socket) leave(code ws.StatusCode) {
	s.e.t.Helper()
	require.NoError(s.e.t, s.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))))))
	for {
		ev, err := s.read()
		if isEnd(err) && s.ended {
			return
		}
		require.NoError(s.e.t, err)
		if ev.op == ws.OpClose {
			require.Equal(s.e.t, code, ev.code, "a close is answered with its code")
		}
	}
}

// isEnd reports whether err is the end of a connection and not a rule broken or a wait given up.
func isEnd(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.As(err, &op) && !op.Timeout()
}

// liveOnce publishes two marked frames and reads up to the second: the first has come exactly once, with its receipt's
// epoch and seq. read's own check has seen to everything between.
func (s *socket) liveOnce(id string) {
	t := s.e.t
	t.Helper()
	first, second := unique(), unique()
	a := s.e.publish(id, fmt.Sprintf(`{"type":"live","mark":%q}`, first))
	b := s.e.publish(id, fmt.Sprintf(`{"type":"live","mark":%q}`, second))
	require.Equal(t, s.hello.Epoch, a.Epoch, "the live frame is of the epoch of hello")
	times := 0
	for {
		m := s.next()
		if m.Seq == 0 {
			require.Equal(t, "replay_end", m.Type, m.Raw)
			continue
		}
		if m.Mark == first {
			times++
			require.Equal(t, a.Seq, m.Seq)
		}
		if m.Mark == second {
			require.Equal(t, b.Seq, m.Seq)
			break
		}
	}
	require.Equal(t, 1, times, "the live frame came %d times", times)
}
