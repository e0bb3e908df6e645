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

// after appends to dst the frames after cursor.
func (c *client) after(dst [][]byte, cursor uint64) ([][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seq-min(cursor, c.seq) > uint64(len(c.ring)) || cursor > c.seq {
		return nil, errTooOld
	}
	for seq := cursor + 1; seq <= c.seq; seq++ {
		dst = append(dst, c.ring[seq%uint64(len(c.ring))])
	}
	return dst, nil
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
	var frames [][]byte
	for first := true; ; first = false {
		var err error
		if frames, err = s.after(frames[:0], s.cursor); err != nil {
			_ = s.conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4000, err.Error()))
			return
		}
		for _, f := range frames {
			_ = s.conn.SetWriteDeadline(time.Now().Add(writeTime))
			if err := s.conn.WriteMessage(websocket.TextMessage, f); err != nil {
				return
			}
		}
		s.cursor += uint64(len(frames))
		if first {
			if err := s.conn.WriteMessage(websocket.TextMessage, []byte(`{"ready":true}`)); err != nil {
				return
			}
		}
		select {
		case <-s.wake:
		case <-s.gone:
			return
		case <-ticker.C:
			if err := s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime)); err != nil {
				return
			}
		}
	}
}
