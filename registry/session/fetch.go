package session

import (
	"errors"
	"time"

	"github.com/restante/restante/protocol"
)

// fetch asks the store for the frames after seq after that are not in memory; there must be one. It returns the token of the answer.
func (s *Session) fetch(after uint64, frames, bytes int, fx *Effects) uint64 {
	k := s.kept
	k.fetched++
	k.reading++
	fx.Fetches = append(fx.Fetches, Fetch{Token: k.fetched, After: after, Last: s.box.Cold(), Frames: frames, Bytes: bytes})
	return k.fetched
}

// ErrExpired says that the frame that a Fetch begins with has gone from the store by itself: it was older than the age bound, and its body shared.
var ErrExpired = errors.New("session: the frame has gone from the store")

// Bodies is the store's answer to the Fetch with that token: the bodies of the frames after its After, dense. With an err other than ErrExpired
// the store has failed, and so has the broker.
func (s *Session) Bodies(now time.Duration, token uint64, bodies []protocol.Body, err error, fx *Effects) {
	defer s.settle(now, fx)
	s.kept.reading--
	defer s.keep(now, fx)
	if s.x == nil {
		return
	}
	fx.event(EventFetched, len(bodies))
	if err == ErrExpired {
		s.expired(now, token, fx)
		return
	}
	for _, a := range s.x.attached {
		if a.fetching == token {
			s.fetchedFor(now, a, bodies, err, fx)
			break
		}
	}
	s.x.reads = keepUnless(s.x.reads, func(r *read) bool {
		return r.fetching == token && s.fetchedRead(r, bodies, err, fx)
	})
	s.endIfIdle(fx)
}

// expired lets go of the frame that a fetch was to begin with, and goes on with what is left.
func (s *Session) expired(now time.Duration, token uint64, fx *Effects) {
	drop := func(after uint64) {
		n, bytes := s.box.DropTo(after + 1)
		s.gone(bytes)
		fx.event(EventPrunedAge, n)
	}
	for _, a := range s.x.attached {
		if a.fetching == token {
			a.fetching = 0
			drop(a.cursor)
		}
	}
	s.x.reads = keepUnless(s.x.reads, func(r *read) bool {
		if r.fetching != token {
			return false
		}
		r.fetching = 0
		drop(r.cursor)
		return s.answerRead(r, r.snapshot, fx)
	})
	s.pumpAll(now, fx)
	s.endIfIdle(fx)
}

// fetchedFor gives a what it was waiting for, or sends it away.
func (s *Session) fetchedFor(now time.Duration, a *attachment, bodies []protocol.Body, err error, fx *Effects) {
	a.fetching = 0
	if err != nil {
		retry := int64(1000)
		if s.x.drain != nil {
			retry = s.x.drain.retryMS
		}
		a.out = append(a.out, protocol.Piece{Body: protocol.EncodeGoaway(retry)})
		a.closing = protocol.CloseDraining
	} else {
		a.rarely().fetched = numbered(a.cursor, bodies)
	}
	s.pump(now, a, fx)
}

// fetchedRead answers r, unless what was asked for has been pruned meanwhile, and the store has to be asked again.
func (s *Session) fetchedRead(r *read, bodies []protocol.Body, err error, fx *Effects) (done bool) {
	r.fetching = 0
	switch {
	case err != nil:
		fx.fail(r.to, protocol.AsError(err))
		return true
	case r.cursor < s.box.Floor():
		return s.answerRead(r, r.snapshot, fx)
	}
	s.answerPage(r, r.snapshot, numbered(r.cursor, bodies), fx)
	return true
}

func numbered(after uint64, bodies []protocol.Body) []protocol.Piece {
	pieces := make([]protocol.Piece, len(bodies), len(bodies)+1) // a replay_end may follow
	for i, b := range bodies {
		pieces[i] = protocol.Piece{Seq: after + uint64(i) + 1, Body: b}
	}
	return pieces
}
