package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

const (
	// comeBack is about when a reader comes back that was not told otherwise, stayAway when one does that was to stop: an EventSource knows no other
	// way to be stopped by its server.
	comeBack = time.Second
	stayAway = 24 * time.Hour
)

// stream is one reader of Server-Sent Events: a connection whose peer never speaks. The call's own goroutine writes; the client's turn leaves what is
// to be written here, and never waits. The lock is held for an assignment only.
type stream struct {
	h    *Handler
	c    *call
	wake chan struct{} // has room for one; a token says "look"
	out  *eventWriter
	// begun says that the head of the answer has been written. It is of the call's goroutine, as are epoch and retry.
	begun bool
	// epoch is that of hello, and retry what the last goaway asked for.
	epoch string
	retry time.Duration

	mu      sync.Mutex
	link    Link
	first   *protocol.Piece // what a refusal says
	batch   []protocol.Piece
	busy    bool // a batch is under way
	ended   bool
	aborted bool // at once
	over    bool // the call has ended
	code    protocol.CloseCode
	closing *time.Timer // bounds what is under way when the stream is closed
}

var _ Peer = (*stream)(nil)

func newStream(h *Handler, c *call) *stream {
	return &stream{h: h, c: c, wake: make(chan struct{}, 1), retry: around(comeBack), out: newEventWriter(c.w, h.cfg.WriteTimeout)}
}

// do changes the stream's state and has its goroutine look.
func (s *stream) do(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Attached is part of Peer.
func (s *stream) Attached(l Link) {
	s.do(func() {
		if s.link = l; s.over {
			go l.Gone(GoneLost) // not on the client's stack
		}
	})
}

// Refused is part of Peer.
func (s *stream) Refused(first protocol.Piece, code protocol.CloseCode) {
	s.do(func() { s.first, s.ended, s.code = &first, true, code })
}

// Write is part of Peer.
func (s *stream) Write(batch []protocol.Piece) (written bool) {
	s.do(func() {
		if s.over {
			s.unsent(batch)
			return
		}
		s.batch, s.busy = batch, true
	})
	return false
}

// Close is part of Peer.
func (s *stream) Close(code protocol.CloseCode) {
	s.do(func() {
		if !s.ended && !s.over {
			s.ended, s.code = true, code
			s.closing = time.AfterFunc(closeWrite, s.abort) // it may wait, and the client's turn may not
		}
	})
}

// abort ends the stream at once: its last word, or what is under way, has a moment to leave. It may wait for a moment of HTTP/2's.
func (s *stream) abort() {
	s.out.hurry(closeStall)
	s.do(func() { s.aborted = true })
}

// Pause is part of Peer: there is nothing that is being read.
func (*stream) Pause(bool) {}

// Handled is part of Peer.
func (*stream) Handled(int) {}

// look takes what there is to do.
func (s *stream) look() (batch []protocol.Piece, busy, ended, aborted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, busy = s.batch, s.busy
	s.batch, s.busy = nil, false
	return batch, busy, s.ended, s.aborted
}

// refuse answers an attach that does not come to be: for good with a status, else with a stream that says when to come back.
func (s *stream) refuse(e *protocol.Error) (answer, error) {
	if code := closeOf(e.Code); !code.Stops() {
		s.h.sys.Counters().Refused.Add(string(e.Code))
		if e.RetryAfterMS > 0 {
			s.retry = time.Duration(e.RetryAfterMS) * time.Millisecond
		}
		s.begin()
		defer s.out.end(true)
		_ = s.send([]protocol.Piece{{Body: protocol.EncodeError(e)}}) // it ends in any case
		s.last(code)
		return answer{}, nil
	}
	return answer{}, e
}

// run writes the stream until it ends, for one reason or another, and then says so to the client's actor.
func (s *stream) run(a attachRequest) (answer, error) {
	defer func() {
		s.mu.Lock()
		link, rest := s.link, s.batch
		s.batch, s.over = nil, true
		if s.closing != nil {
			s.closing.Stop()
		}
		s.mu.Unlock()
		s.out.end(false) // before the handler returns, and abort would reach another's connection
		s.unsent(rest)
		if link != nil {
			link.Gone(GoneLost) // it cannot say goodbye: whether it comes back, nobody knows
		}
	}()
	beat := newBeat(a.PingInterval)
	defer beat.Stop()
	var expires, late <-chan time.Time
	if !a.grant.Expires.IsZero() {
		t := time.NewTimer(time.Until(a.grant.Expires))
		defer t.Stop()
		expires = t.C
	}
	if s.h.cfg.HandshakeTimeout > 0 {
		t := time.NewTimer(s.h.cfg.HandshakeTimeout)
		defer t.Stop()
		late = t.C
	}
	for {
		var err error
		select {
		case <-s.wake:
			var done bool
			if done, err = s.step(); done {
				return s.end()
			}
		case <-beat.C:
			beat.Reset(a.PingInterval)
			if s.begun {
				err = s.out.write([]byte(": \n\n"))
			}
		case <-expires:
			s.Close(protocol.CloseTokenExpired)
		case <-late:
			if !s.begun {
				return s.refuse(&protocol.Error{Code: protocol.CodeOverloaded, Message: "the client could not be attached in time", RetryAfterMS: 1000})
			}
		case <-s.c.r.Context().Done():
			err = s.c.r.Context().Err()
		}
		if err != nil {
			s.lost(err)
			return answer{}, nil
		}
	}
}

// lost counts a stream that ended without a last word.
func (s *stream) lost(err error) {
	s.mu.Lock()
	code := s.code
	if s.aborted && !s.ended {
		code = protocol.CloseGoingAway
	}
	s.mu.Unlock()
	level := slog.LevelDebug
	if code == 0 && s.out.slow {
		code, level = protocol.CloseSlowConsumer, slog.LevelInfo // as of a connection
	}
	s.h.sys.Counters().Closed.Add(code.Name())
	s.h.log.Log(context.Background(), level, "a stream was lost", "code", uint16(code), "name", code.Name(), "err", err)
}

// step writes the batch that there is; done: the stream is to end.
func (s *stream) step() (done bool, err error) {
	batch, busy, ended, aborted := s.look()
	if aborted {
		s.unsent(batch)
		s.Close(protocol.CloseGoingAway)
		return true, nil
	}
	if busy {
		if !s.begun {
			s.begin()
		}
		if err := s.send(batch); err != nil {
			return false, err
		}
		s.mu.Lock()
		link := s.link
		s.mu.Unlock()
		if link != nil {
			link.Written()
		}
	}
	return ended, nil
}

// end says the last word of a stream that its server ends.
func (s *stream) end() (answer, error) {
	s.mu.Lock()
	first, code := s.first, s.code
	s.mu.Unlock()
	if !s.begun && first != nil && code.Stops() {
		if e := refusalOf(first.Body); e != nil {
			p := withStatus(e) // the registry has counted it
			problemHeaders(s.c.w.Header(), p)
			return answer{status: p.status, contentType: typeProblem, body: encodeProblem(p)}, nil
		}
	}
	if !s.begun {
		s.begin()
	}
	if first != nil {
		_ = s.send([]protocol.Piece{*first})
	}
	s.last(code)
	s.out.end(true)
	return answer{}, nil
}

// refusalOf reads an error frame of the broker's; nil where b is another.
func refusalOf(b protocol.Body) *protocol.Error {
	var m struct {
		Code    protocol.Code `json:"code"`
		Message string        `json:"message"`
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Code == "" {
		return nil
	}
	return &protocol.Error{Code: m.Code, Message: m.Message}
}

// last writes the event that ends a stream, and when its reader is to come back.
func (s *stream) last(code protocol.CloseCode) {
	retry := s.retry
	if code.Stops() {
		retry = stayAway
	}
	text := fmt.Appendf(appendRetry(nil, retry), "event: close\ndata: {\"code\":%d,\"name\":%q}\n\n", code, code.Name())
	_ = s.out.write(text) // it ends in any case
	s.h.sys.Counters().Closed.Add(code.Name())
}

// begin writes the head of the answer.
func (s *stream) begin() {
	hdr := s.c.w.Header()
	hdr.Set("Content-Type", typeEvents+"; charset=utf-8")
	hdr.Set("Cache-Control", "no-store, no-transform") // a proxy that transforms, or keeps, holds the stream back
	hdr.Set("X-Accel-Buffering", "no")                 // nginx buffers otherwise
	hdr.Add("Vary", "Accept-Encoding")
	if acceptsGzip(s.c.r) {
		s.out.compress()
	}
	s.begun = true
	s.c.w.WriteHeader(http.StatusOK)
}

// send writes pieces as events.
func (s *stream) send(batch []protocol.Piece) error {
	n := s.h.sys.Counters()
	buf := eventBufs.Get().(*[]byte)
	defer func() { giveBackBuf(buf) }()
	b := (*buf)[:0]
	frames, size := 0, 0
	for _, p := range batch {
		before := len(b)
		if p.Seq == 0 && s.learn(p.Body) == protocol.TypeHello {
			b = appendRetry(b, s.retry) // a reader remembers what an earlier stream asked for: a drain's half a minute, a stop's day
		}
		b = appendEvent(b, p, s.epoch)
		if p.Seq > 0 {
			frames, size = frames+1, size+len(b)-before
		}
	}
	*buf = b
	if err := s.out.write(b); err != nil {
		s.unsent(batch)
		return err
	}
	n.Delivered.Add(int64(frames))
	n.DeliveredBytes.Add(int64(size))
	n.Batches.Add(1)
	return nil
}

// learn takes the epoch from hello, and the time to stay away from goaway, or from an error that says one. It returns the frame's type.
func (s *stream) learn(b protocol.Body) string {
	var m struct {
		Type    string `json:"type"`
		Epoch   string `json:"epoch"`
		RetryMS int64  `json:"retry_after_ms"`
	}
	_ = json.Unmarshal(b, &m) // the broker's own
	switch m.Type {
	case protocol.TypeHello:
		s.epoch = m.Epoch
	case protocol.TypeGoaway:
		s.retry = time.Duration(m.RetryMS) * time.Millisecond
	case protocol.TypeError:
		if m.RetryMS > 0 {
			s.retry = time.Duration(m.RetryMS) * time.Millisecond
		}
	}
	return m.Type
}

func (s *stream) unsent(batch []protocol.Piece) {
	frames := int64(0)
	for _, p := range batch {
		if p.Seq > 0 {
			frames++
		}
	}
	s.h.sys.Counters().Dropped[actors.DropUnsent].Add(frames)
}

// newBeat ticks for the first time within the interval, spread as a connection's pings are (P-16), or never.
func newBeat(interval time.Duration) *time.Timer {
	if interval <= 0 {
		t := time.NewTimer(time.Hour)
		t.Stop()
		return t
	}
	return time.NewTimer(firstPing(interval))
}
