package main

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// kept is how many frames of a client are kept.
const kept = 10_000

// client has the frames of one client, sent or not, and the connection that reads them.
type client struct {
	mu     sync.Mutex
	seq    uint64   // of the last frame
	ring   [][]byte // the last frames, encoded; that of seq n is at n % len(ring). It grows up to kept
	reader *session
}

// topic is who follows a topic.
type topic struct {
	mu        sync.RWMutex
	followers map[*client]struct{}
	seq       uint64
}

func (t *topic) add(c *client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.followers == nil {
		t.followers = map[*client]struct{}{}
	}
	t.followers[c] = struct{}{}
}

// publish keeps a frame of the client's own.
func (c *client) publish(frame []byte) {
	c.mu.Lock()
	c.keep(envelope(make([]byte, 0, len(frame)+40), `{"seq":`, c.seq+1, frame))
}

// envelope appends a frame as it is sent.
func envelope(b []byte, head string, seq uint64, frame []byte) []byte {
	b = strconv.AppendUint(append(b, head...), seq, 10)
	b = append(b, `,"data":`...)
	return append(append(b, frame...), '}')
}

// share keeps a frame that many have; b is not changed.
func (c *client) share(b []byte) {
	c.mu.Lock()
	c.keep(b)
}

// keep keeps b as the next frame, lets go of the lock, and wakes the reader.
func (c *client) keep(b []byte) {
	c.seq++
	if n := len(c.ring); uint64(n) < min(c.seq, kept) {
		c.grow(max(2, min(2*n, kept)))
	}
	c.ring[c.seq%uint64(len(c.ring))] = b
	reader := c.reader
	c.mu.Unlock()
	if reader != nil {
		reader.poke()
	}
}

// grow makes the ring larger: every frame moves to its place there.
func (c *client) grow(size int) {
	ring := make([][]byte, size)
	if old := uint64(len(c.ring)); old > 0 {
		for seq := c.seq - min(c.seq-1, old); seq < c.seq; seq++ {
			ring[seq%uint64(size)] = c.ring[seq%old]
		}
	}
	c.ring = ring
}

var errTooOld = errors.New("too old")

// after returns the frame after cursor, nil where there is none yet.
func (c *client) after(cursor uint64) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case cursor == c.seq:
		return nil, nil
	case cursor > c.seq || c.seq-cursor > uint64(len(c.ring)):
		return nil, errTooOld
	}
	return c.ring[(cursor+1)%uint64(len(c.ring))], nil
}

// session is one connection: read and write are its two goroutines.
type session struct {
	*client
	conn   *websocket.Conn
	cursor uint64
	wake   chan struct{} // has room for one
	gone   chan struct{} // closed when reading has ended
}

func (s *session) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// read takes what the client says, which is pongs and its close.
func (s *session) read() {
	defer close(s.gone)
	s.conn.SetReadLimit(maxMessage)
	_ = s.conn.SetReadDeadline(time.Now().Add(silentFor))
	s.conn.SetPongHandler(func(string) error { return s.conn.SetReadDeadline(time.Now().Add(silentFor)) })
	for {
		if _, _, err := s.conn.ReadMessage(); err != nil {
			return
		}
	}
}

// write writes what is after the cursor, whenever there is something.
func (s *session) write() {
	defer s.conn.Close()
	s.mu.Lock()
	if s.reader != nil {
		_ = s.reader.conn.Close() // one connection a client
	}
	s.reader = s
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		if s.reader == s {
			s.reader = nil
		}
		s.mu.Unlock()
	}()
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	ready := []byte(`{"ready":true}`)
	for n := 0; ; n++ {
		f, err := s.after(s.cursor)
		if err != nil {
			_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4000, err.Error()), time.Now().Add(writeTime))
			return
		}
		switch {
		case f != nil:
			s.cursor++
		case ready != nil: // what was missed has been written
			f, ready = ready, nil
		default:
			if !s.wait(ticker.C) {
				return
			}
			n = -1
			continue
		}
		if n%64 == 0 { // a clock that is set for each frame costs more than it tells
			_ = s.conn.SetWriteDeadline(time.Now().Add(writeTime))
		}
		if err := s.conn.WriteMessage(websocket.TextMessage, f); err != nil {
			return
		}
	}
}

// wait pings until there is something to write. It returns false where the connection has ended.
func (s *session) wait(tick <-chan time.Time) bool {
	for {
		select {
		case <-s.wake:
			return true
		case <-s.gone:
			return false
		case <-tick:
			if err := s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime)); err != nil {
				return false
			}
		}
	}
}
