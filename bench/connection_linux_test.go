package bench

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// plain is a dialect whose clients note what they are told, are ready when they are told so, and can be asked to shout.
type plain struct{}

func (plain) Name() string             { return "plain" }
func (plain) Target(s *Session) string { return "/plain?id=" + s.ID }
func (plain) Subprotocol() string      { return "plain.v1" }
func (plain) Opened(s *Session)        { s.Out = AppendText(s.Out, []byte("here is "+s.ID)) }
func (plain) Leaving(s *Session)       { s.Out = AppendText(s.Out, []byte("bye")) }
func (plain) Introduced() bool         { return true }
func (plain) Publish(string, [][]byte) (target, contentType string, body []byte, ok bool) {
	return "", "", nil, false
}

func (plain) Message(s *Session, binary bool, payload []byte) error {
	told, _ := s.State.([]string)
	s.State = append(told, string(payload))
	switch {
	case binary:
		s.Frame(payload)
	case string(payload) == "ready":
		s.Ready()
	case string(payload) == "shout":
		s.Out = AppendBinary(s.Out, make([]byte, shout))
	}
	return nil
}

// against runs a script as the server of one client's connection, and returns the engine with that client, which is to connect, and what waits for the script's end.
func against(t *testing.T, script func(conn net.Conn) error) (e *engine, c *client, ended func()) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			err = script(conn)
			_ = conn.Close()
		}
		done <- err
	}()
	e, err = newEngine(plain{}, netip.MustParseAddrPort(ln.Addr().String()), "/base")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	t.Cleanup(e.close)
	e.populate("p-", "", 1)
	e.connect(0, 1)
	return e, &e.clients[0], func() {
		t.Helper()
		require.NoError(t, e.call(t.Context(), func(context.Context) error { return <-done }), "the server's side")
	}
}

func accept(conn net.Conn) error {
	_, err := ws.Upgrader{Protocol: func(p []byte) bool { return string(p) == "plain.v1" }}.Upgrade(conn)
	return err
}

// greeted accepts and reads what the client says first: a connection that is closed with something unread is reset.
func greeted(conn net.Conn) error {
	if err := accept(conn); err != nil {
		return err
	}
	_, err := hears(conn)
	return err
}

// hears reads one message of a client.
func hears(conn net.Conn) (ws.Frame, error) {
	f, err := readFrame(conn)
	if err == nil && !f.Header.Masked {
		err = io.ErrUnexpectedEOF
	}
	return ws.UnmaskFrameInPlace(f), err
}

func tell(conn net.Conn, frames ...ws.Frame) error {
	for _, f := range frames {
		if err := ws.WriteFrame(conn, f); err != nil {
			return err
		}
	}
	return nil
}

func told(c *client) []string {
	all, _ := c.State.([]string)
	return all
}

// until lets the engine go on.
func until(t *testing.T, e *engine, done func() bool) {
	t.Helper()
	require.NoError(t, e.await(t.Context(), time.Minute, func() string { return "the test waits" }, done))
}

func TestMessagesComeWholeHoweverTheyAreCut(t *testing.T) {
	long := strings.Repeat("x", 3*readSize)
	frame := frameOf(1, 5)
	var all bytes.Buffer
	for _, f := range []ws.Frame{
		ws.NewTextFrame([]byte("ready")), ws.NewTextFrame(nil), ws.NewBinaryFrame(frame),
		ws.NewFrame(ws.OpText, false, []byte("in ")), ws.NewPingFrame([]byte("well?")), ws.NewFrame(ws.OpContinuation, false, nil), ws.NewFrame(ws.OpContinuation, true, []byte("parts")),
		ws.NewPongFrame(nil), ws.NewTextFrame([]byte(long)), ws.NewTextFrame([]byte("end")),
	} {
		require.NoError(t, ws.WriteFrame(&all, f))
	}
	for name, step := range map[string]int{"a few bytes at a time": 7, "in large pieces": 10_000, "at once": all.Len()} {
		t.Run(name, func(t *testing.T) {
			var heard []string
			e, c, ended := against(t, func(conn net.Conn) error {
				if err := accept(conn); err != nil {
					return err
				}
				for b := all.Bytes(); len(b) > 0; {
					n := min(step, len(b))
					if step < 100 && all.Len()-len(b) > 1000 {
						n = len(b) // the interesting part is through
					}
					if _, err := conn.Write(b[:n]); err != nil {
						return err
					}
					b = b[n:]
				}
				for range 2 {
					f, err := hears(conn)
					if err != nil {
						return err
					}
					heard = append(heard, string(f.Payload))
				}
				return nil
			})
			got := 0
			e.onFrame = func(_ *client, number uint64, due int64) {
				require.EqualValues(t, 1, number)
				require.EqualValues(t, 5, due)
				got++
			}
			until(t, e, func() bool { n := len(told(c)); return n > 0 && told(c)[n-1] == "end" })
			e.onGone = func(*client, error) {}
			ended()
			require.Equal(t, []string{"ready", "", string(frame), "in parts", long, "end"}, told(c))
			require.Equal(t, []string{"here is p-000000", "well?"}, heard)
			require.Equal(t, 1, got)
			require.Nil(t, c.partial, "nothing is held for a client that waits")
			require.Nil(t, c.Out)
			require.Nil(t, c.parts)
		})
	}
}

func TestAClientWaitsForRoomToWrite(t *testing.T) {
	read := make(chan struct{})
	e, c, ended := against(t, func(conn net.Conn) error {
		if err := accept(conn); err != nil {
			return err
		}
		if err := tell(conn, ws.NewTextFrame([]byte("ready")), ws.NewTextFrame([]byte("shout"))); err != nil {
			return err
		}
		<-read
		for _, want := range []int{len("here is p-000000"), shout} {
			if f, err := hears(conn); err != nil || len(f.Payload) != want {
				return io.ErrUnexpectedEOF
			}
		}
		return tell(conn, ws.NewTextFrame([]byte("heard")))
	})
	until(t, e, func() bool { return len(told(c)) == 2 })
	require.True(t, c.full)
	require.NotEmpty(t, c.Out)
	close(read)
	until(t, e, func() bool { return len(told(c)) == 3 })
	require.False(t, c.full)
	require.Nil(t, c.Out)
	e.onGone = func(*client, error) {}
	ended()
}

func TestAnEndThatNobodyAskedForIsTheServers(t *testing.T) {
	for name, x := range map[string]struct {
		script func(conn net.Conn) error
		says   string
	}{
		"refused":   {func(conn net.Conn) error { return answers(conn, "HTTP/1.1 503 Busy\r\n\r\n") }, "HTTP/1.1 503 Busy"},
		"another's": {func(conn net.Conn) error { return answers(conn, "HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: x\r\n\r\n") }, "another handshake"},
		"no answer": {func(conn net.Conn) error { return answers(conn, "") }, "EOF"},
		"no end": {func(conn net.Conn) error {
			return answers(conn, "HTTP/1.1 101 Yes\r\nX: "+strings.Repeat("x", maxHead))
		}, "no end"},
		"an end": {func(conn net.Conn) error { return greeted(conn) }, "EOF"},
		"a close": {func(conn net.Conn) error {
			return errs(greeted(conn), tell(conn, ws.NewCloseFrame(ws.NewCloseFrameBody(4001, "too slow"))))
		}, `4001 "too slow"`},
		"a wrong frame": {func(conn net.Conn) error {
			return errs(greeted(conn), tell(conn, ws.MaskFrame(ws.NewTextFrame([]byte("x")))))
		}, "masked"},
		"wrong parts": {func(conn net.Conn) error {
			return errs(greeted(conn), tell(conn, ws.NewFrame(ws.OpContinuation, true, nil)))
		}, errParts.Error()},
		"changed": {func(conn net.Conn) error { return errs(greeted(conn), tell(conn, ws.NewBinaryFrame([]byte("{}")))) }, errChanged.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			e, c, ended := against(t, x.script)
			err := e.await(t.Context(), time.Minute, func() string { return "nothing happened" }, func() bool { return false })
			var failed unfinished
			require.ErrorAs(t, err, &failed)
			require.ErrorContains(t, err, x.says)
			require.ErrorContains(t, err, c.ID)
			e.err, e.onGone = nil, func(*client, error) {}
			ended()
		})
	}
}

// answers answers a handshake with text.
func answers(conn net.Conn, text string) error {
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return err
	}
	_, err := conn.Write([]byte(text))
	return err
}

// errs is the first of them.
func errs(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestAClientLeavesInOrder(t *testing.T) {
	var heard []string
	e, c, ended := against(t, func(conn net.Conn) error {
		if err := errs(accept(conn), tell(conn, ws.NewTextFrame([]byte("ready")))); err != nil {
			return err
		}
		for {
			f, err := hears(conn)
			if err != nil {
				return err
			}
			if f.Header.OpCode == ws.OpClose {
				code, _ := ws.ParseCloseFrameData(f.Payload)
				require.Equal(t, ws.StatusNormalClosure, code)
				return tell(conn, ws.NewCloseFrame(f.Payload))
			}
			heard = append(heard, string(f.Payload))
		}
	})
	until(t, e, func() bool { return e.attached == 1 })
	c.leave()
	require.Zero(t, e.attached)
	until(t, e, func() bool { return c.fd < 0 })
	ended()
	require.Equal(t, []string{"here is p-000000", "bye"}, heard)
	require.Equal(t, away, c.phase)
}

func TestAResetIsNoEndInOrder(t *testing.T) {
	e, c, ended := against(t, func(conn net.Conn) error {
		if err := errs(accept(conn), tell(conn, ws.NewTextFrame([]byte("ready")))); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, conn)
		require.ErrorContains(t, err, "reset")
		return nil
	})
	until(t, e, func() bool { return e.attached == 1 })
	require.Equal(t, "127.0.0.2", c.source().String())
	c.reset()
	require.Zero(t, e.attached)
	require.NoError(t, e.err)
	ended()
}

// BenchmarkFrames is what a frame that has been read costs the engine, without the kernel: 16 in one read.
func BenchmarkFrames(b *testing.B) {
	e := &engine{dialect: Restante{}, poll: nil}
	e.began, e.zero = bothClocks()
	lat := newLatencies()
	lat.to = 1 << 62
	e.onFrame = func(_ *client, _ uint64, due int64) { lat.add(due, e.seen) }
	e.populate("p-", "", 1)
	c := &e.clients[0]
	c.fd, c.phase = 1<<30, ready
	Restante{}.Opened(&c.Session)
	const each = 16
	var in []byte
	b.ReportAllocs()
	for n := 0; n < b.N; n += each {
		b.StopTimer()
		in = in[:0]
		for i := range each {
			body := frameOf(uint64(n+i+1), e.now())
			in = append(in, ws.MustCompileFrame(ws.NewTextFrame(append([]byte(`{"seq":`+strconv.Itoa(n+i+1)+`,`), body[1:]...)))...)
		}
		b.StartTimer()
		e.seen = e.now()
		c.lend()
		c.take(in)
		c.Out = c.Out[:0]
	}
	if e.err != nil || e.got == 0 {
		b.Fatal(e.err)
	}
}
