package client_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// TestP20_WhatTheServerMustNotSend ends the connection with one close frame of the right code, is reported, and loses nothing: the
// client comes back with its cursor.
func TestP20_WhatTheServerMustNotSend(t *testing.T) {
	frame := func(op ws.OpCode, fin bool, b string) []byte {
		return ws.MustCompileFrame(ws.NewFrame(op, fin, []byte(b)))
	}
	text := func(s string) []byte { return frame(ws.OpText, true, s) }
	masked := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(`{"type":"x"}`))))
	for _, c := range []struct {
		name string
		raw  []byte
		code int
	}{
		{"no JSON", text(`{"seq":8,`), 1002},
		{"no object", text(`[8]`), 1002},
		{"no type", text(`{"seq":8}`), 1002},
		{"a replay_end that cannot be read", text(`{"type":"replay_end","seq":"8"}`), 1002},
		{"a goaway that cannot be read", text(`{"type":"goaway","retry_after_ms":[]}`), 1002},
		{"an error that cannot be read", text(`{"type":"error","code":7}`), 1002},
		{"binary", frame(ws.OpBinary, true, `{"seq":8,"type":"t"}`), 1003},
		{"bad UTF-8", text("{\"seq\":8,\"type\":\"\xff\"}"), 1007},
		{"too large", text(`{"seq":8,"type":"` + strings.Repeat("x", protocol.DefaultMaxMessageBytes) + `"}`), 1009},
		{"masked", masked, 1002},
		{"continuation of nothing", frame(ws.OpContinuation, true, `{}`), 1002},
		{"reserved bits", []byte{0xF1, 0}, 1002},
		{"reserved opcode", []byte{0x83, 0}, 1002},
		{"fragmented ping", []byte{0x09, 0}, 1002},
		{"length with the top bit", []byte{0x81, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0}, 1002},
		{"close with a code of one byte", []byte{0x88, 1, 3}, 1002},
		{"close with 1005", ws.MustCompileFrame(ws.NewCloseFrame([]byte{0x03, 0xED})), 1002},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := live(f)
				go s.raw(c.raw)
				require.Equal(t, c.code, s.closed())
				s.cut()
				require.Equal(t, "E1:7", f.net.accept().query.Get("since"))
				require.Len(t, f.errs, 1)
				require.Empty(t, f.happened())
			})
		})
	}
}

func TestP20_HelloThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*protocol.Hello){
		"another client": func(h *protocol.Hello) { h.ClientID = "tab-2" },
		"no epoch":       func(h *protocol.Hello) { h.Epoch = "" },
		"floor > head":   func(h *protocol.Hello) { h.Floor, h.Head = 9, 8 },
		"huge head":      func(h *protocol.Hello) { h.Head = protocol.MaxSeq + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := f.net.accept()
				s.hello(protocol.ResumeReplay, "E1", 0, 8, change)
				require.Equal(t, 1002, s.closed())
				s.cut()
				require.Equal(t, "E1:7", f.net.accept().query.Get("since"))
			})
		})
	}
	for name, say := range map[string]func(s *session){
		"replay of another epoch":   func(s *session) { s.hello(protocol.ResumeReplay, "E2", 0, 8) },
		"up_to_date below the head": func(s *session) { s.hello(protocol.ResumeUpToDate, "E1", 0, 8) },
		"replay of what is ahead":   func(s *session) { s.hello(protocol.ResumeReplay, "E1", 0, 6) },
		"frame before the snapshot": func(s *session) { s.hello(protocol.ResumeFresh, "E1", 0, 8, withSnapshot); s.frames(1, 1) },
		"replay_end before the snapshot": func(s *session) {
			s.hello(protocol.ResumeFresh, "E1", 0, 8, withSnapshot)
			s.say(`{"type":"replay_end","seq":0}`)
		},
		"snapshot below the floor": func(s *session) {
			s.hello(protocol.ResumeFresh, "E1", 5, 8, withSnapshot)
			s.say(`{"type":"snapshot","as_of":4,"data":1}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := f.net.accept()
				say(s)
				require.Equal(t, 1000, s.closed(), "P-10: start over")
				s.cut()
				require.False(t, f.net.accept().query.Has("since"))
				require.Empty(t, f.happened(), "the application keeps its state until there is a better one")
			})
		})
	}
}

func TestP20_FrameBeforeHello(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.frames(8, 8)
		require.Equal(t, 1002, s.closed())
		s.cut()
		require.Empty(t, f.happened())
		require.Equal(t, "E1:7", f.net.accept().query.Get("since"))
	})
}

func TestP20_LimitIsHellos(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.hello(protocol.ResumeUpToDate, "E1", 0, 7, func(h *protocol.Hello) { h.MaxFrameBytes, h.MaxMessageBytes = 100, 200 })
		f.happened()
		pad := 100 + protocol.MessageSlack - len(`{"seq":8,"type":""}`)
		s.say(`{"seq":8,"type":"%s"}`, strings.Repeat("x", pad))
		require.Equal(t, []string{"8"}, f.happened(), "4 KiB longer than max_frame_bytes")
		half := strings.Repeat("x", pad/2+10)
		go func() {
			s.raw(ws.MustCompileFrame(ws.NewFrame(ws.OpText, false, []byte(`{"seq":9,"type":"`+half))))
			s.raw(ws.MustCompileFrame(ws.NewFrame(ws.OpContinuation, true, []byte(half+`"}`))))
		}()
		require.Equal(t, 1009, s.closed())
	})
}

func TestP03_FragmentsAndControlsBetweenThem(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		s.raw(ws.MustCompileFrame(ws.NewFrame(ws.OpText, false, []byte(`{"seq":8,"ty`))))
		s.raw(ws.MustCompileFrame(ws.NewPingFrame([]byte("p"))))
		s.raw(ws.MustCompileFrame(ws.NewFrame(ws.OpContinuation, false, nil)))
		s.raw(ws.MustCompileFrame(ws.NewFrame(ws.OpContinuation, true, []byte(`pe":"t"}`))))
		require.Equal(t, []string{"8"}, f.happened())
		s.mu.Lock()
		defer s.mu.Unlock()
		require.Equal(t, []string{"p"}, s.pongs)
	})
}

func TestP03_CutInMidFrame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		whole := ws.MustCompileFrame(ws.NewTextFrame([]byte(frameText(8))))
		s.raw(whole[:len(whole)-1])
		s.cut()
		require.Empty(t, f.happened())
		s = f.net.accept()
		require.Equal(t, "E1:7", s.query.Get("since"))
		s.hello(protocol.ResumeReplay, "E1", 0, 8)
		s.frames(8, 8)
		require.Equal(t, []string{"8"}, f.happened())
	})
}

func TestP06_BytesBehindTheUpgradeAreNotLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := &session{t: t, conn: <-f.net.calls, got: make(chan string, 10)}
		var answer []byte
		both := duplex{s.conn, func(b []byte) (int, error) { answer = append(answer, b...); return len(b), nil }}
		_, err := ws.Upgrader{OnRequest: func(u []byte) error { return s.request(string(u)) }}.Upgrade(both)
		require.NoError(t, err)
		hello := protocol.EncodeHello(helloFor(s.query, protocol.ResumeReplay, "E1", 0, 8))
		answer = append(answer, ws.MustCompileFrame(ws.NewTextFrame(hello))...)
		answer = append(answer, ws.MustCompileFrame(ws.NewTextFrame([]byte(frameText(8))))...)
		go s.pump()
		require.True(t, s.raw(answer))
		require.Equal(t, []string{"8"}, f.happened())
		s.cut()
	})
}

// duplex reads from r and writes with w.
type duplex struct {
	r interface{ Read([]byte) (int, error) }
	w func([]byte) (int, error)
}

func (d duplex) Read(b []byte) (int, error)  { return d.r.Read(b) }
func (d duplex) Write(b []byte) (int, error) { return d.w(b) }

func TestP17_WriteThatMakesNoEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		conn := <-f.net.calls
		up := ws.Upgrader{}
		_, err := up.Upgrade(conn)
		require.NoError(t, err)
		s := &session{t: t, conn: conn, query: map[string][]string{"client_id": {"tab-1"}, "since": {"E1:7"}}}
		s.hello(protocol.ResumeUpToDate, "E1", 0, 7)
		s.say(`{"type":"ping","head":7}`) // nobody reads the pong
		began := time.Now()
		f.net.accept()
		require.InDelta(t, 10, time.Since(began).Seconds(), 1)
		conn.Close()
	})
}
