package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// proxy stands between a reader and a broker, and resets each connection after so many bytes of the answer: a random number, of `most` at most. While
// it is bad it answers 502.
type proxy struct {
	ln     net.Listener
	target string
	most   int
	bad    atomic.Bool
	cuts   atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
	ended bool
	all   sync.WaitGroup
}

func newProxy(t *testing.T, target string, most int) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{ln: ln, target: target, most: most, conns: map[net.Conn]bool{}}
	p.all.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(near) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		p.cut()
		p.all.Wait()
	})
	return p
}

func (p *proxy) url() string { return "http://" + p.ln.Addr().String() }

// hold notes c so that cut reaches it; false: it is too late.
func (p *proxy) hold(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return !p.ended
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	reset(c)
}

// cut resets every connection that there is.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		reset(c)
	}
}

func (p *proxy) serve(near net.Conn) {
	defer p.drop(near)
	if !p.hold(near) {
		return
	}
	if p.bad.Load() {
		_, _ = near.Read(make([]byte, 4<<10))
		_, _ = io.WriteString(near, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		if tcp, ok := near.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, near) // until its caller has read it
		return
	}
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.drop(far)
	if !p.hold(far) {
		return
	}
	p.all.Go(func() {
		_, _ = io.Copy(far, near)
		reset(far)
	})
	if _, err := io.CopyN(near, far, 1+rand.Int64N(int64(p.most))); err == nil {
		p.cuts.Add(1)
	}
}

// say posts one of the client's own messages.
func (e *endpoint) say(id, msg string) {
	e.t.Helper()
	r := e.do("POST", "/v1/clients/"+id+"/messages", []byte(msg))
	require.Less(e.t, r.status, 300, "%s", r)
}

// sayUntil says it until there is an answer, which it may lose: what is said twice has to be the same as said once.
func (e *endpoint) sayUntil(id, msg string) {
	e.t.Helper()
	for begin := time.Now(); ; {
		require.Less(e.t, time.Since(begin), patience)
		if r, err := e.try(e.t.Context(), "POST", "/v1/clients/"+id+"/messages", []byte(msg)); err == nil && r.status != 502 {
			require.Less(e.t, r.status, 300, "%s", r)
			return
		}
	}
}

// speak publishes n numbered frames to a topic, and to a client where one is named, in turn.
func (e *endpoint) speak(client, topic string, n int) error {
	for i := 1; i <= n; i++ {
		r, err := e.try(context.Background(), "POST", "/v1/topics/"+topic+"/frames", fmt.Appendf(nil, `{"type":"topical","n":%d}`, i))
		if err != nil || r.status != 200 {
			return fmt.Errorf("%w %s", err, r)
		}
		if client == "" {
			continue
		}
		if _, err := e.tryPublish(context.Background(), client, numbered(i, 50+i*7%300)); err != nil {
			return err
		}
	}
	return nil
}

// seen holds frames of speak to their order: each once, by topic and for the client itself, which has the name "".
type seen struct{ last map[string]int }

func newSeen() *seen { return &seen{map[string]int{}} }

func (s *seen) add(t *testing.T, raw string) {
	t.Helper()
	var m struct {
		Topic    string
		TopicSeq int `json:"topic_seq"`
		N        int
	}
	require.NoError(t, json.Unmarshal([]byte(raw), &m), raw)
	require.Equal(t, s.last[m.Topic]+1, m.N, raw)
	if m.Topic != "" {
		require.Equal(t, m.N, m.TopicSeq, raw)
	}
	s.last[m.Topic] = m.N
}

func (s *seen) topic(name string, n int) bool { return s.last[name] == n }
func (s *seen) all(n int) bool                { return s.topic("", n) && s.topic("news", n) }

func decodePage(t *testing.T, b []byte) (p protocol.Page) {
	t.Helper()
	require.NoError(t, json.Unmarshal(b, &p), "%s", b)
	return p
}
