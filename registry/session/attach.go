package session

import (
	"slices"
	"time"

	"github.com/restante/restante/protocol"
)

// Attach is a connection that wants to read the outbox. Gen names it in everything that follows and is used for one attach only.
type Attach struct {
	Gen          uint64
	ClientID     string // for hello; the session itself has no use for its name
	ConnectionID string
	Transport    string
	Since        *protocol.Cursor
	Takeover     bool
	// Local says that the reader is within the process: it answers no pings, so its silence says nothing (P-15).
	Local bool
	// MaySubscribe says which subscriptions may still be held; nil for all (P-25).
	MaySubscribe func(topic string) bool
	// PingMS and PongMS are the connection's keepalive in milliseconds, for hello.
	PingMS, PongMS int64
}

// attachment is one connection's cursor in the outbox. At most one batch is under way.
type attachment struct {
	gen          uint64
	connectionID string
	transport    string
	since        string
	resume       protocol.Resume

	cursor uint64 // the sent mark: the last seq handed to the connection (P-11)
	acked  uint64 // the ack mark
	seen   time.Duration

	local      bool             // it is read within the process, and is not expected to say anything but acks
	sending    int              // sends of it that wait for their Outcome
	out        []protocol.Piece // broker frames that go before the next batch
	replies    int              // how many of out are replies, and their bytes (P-27)
	replyBytes int
	paused     bool
	pinging    pinging

	batch    []protocol.Piece // the batch under way; nil for none
	handed   uint64           // the cursor after it
	fetching uint64           // the token of the frames that the store is asked for; 0 for none
	lifting  uint64           // a snapshot in it lifts the ack mark to this once it is written (P-11)
	lift     uint64           // the same for a snapshot that waits in out

	replayTo  uint64 // replay_end is owed when cursor gets here
	replaying bool

	awaiting   bool // for the snapshot; no sequenced frame until then (P-9)
	snapshotBy time.Duration

	notices []notice // what is owed after certain frames, in order

	closing protocol.CloseCode // not 0: what is in out is still written, then it ends with this
	seldom  *seldom            // nil for most
}

// seldom is what few attachments have.
type seldom struct {
	violations []time.Duration  // when messages were refused that count (P-20)
	fetched    []protocol.Piece // what the store has said, until there is a batch to put it in
}

func (a *attachment) rarely() *seldom {
	if a.seldom == nil {
		a.seldom = &seldom{}
	}
	return a.seldom
}

// pinging says where an attachment's one JSON ping is (P-16).
type pinging uint8

const (
	pingNone pinging = iota
	pingQueued
	pingUnderWay
)

// Attach begins an attachment: bounds first, then the decision of P-7, then hello. A takeover or the limit of P-15 ends others.
func (s *Session) Attach(now time.Duration, in Attach, fx *Effects) {
	defer s.settle(now, fx)
	x := s.more(fx)
	if x.ending != nil {
		x.ending.attaches = append(x.ending.attaches, early{in: in}) // for the next life (P-28)
		fx.Pauses = append(fx.Pauses, Pause{in.Gen, true})
		return
	}
	s.active = now
	a := &attachment{gen: in.Gen, connectionID: in.ConnectionID, transport: in.Transport, local: in.Local, seen: now}
	if in.Since != nil {
		a.since = in.Since.String()
	}
	if x.drain != nil { // no hello, and no place (P-23)
		fx.Writes = append(fx.Writes, Write{a.gen, []protocol.Piece{{Body: protocol.EncodeGoaway(x.drain.retryMS)}}})
		fx.Closes = append(fx.Closes, Close{a.gen, protocol.CloseDraining})
		return
	}
	s.prune(now, fx)
	ended := false
	if in.Takeover {
		for len(x.attached) > 0 {
			ended = s.close(now, x.attached[0], protocol.CloseReplaced, fx)
		}
	}
	if limit := s.cfg.MaxConnections; limit > 0 && len(x.attached) >= limit {
		ended = s.close(now, x.silentLongest(), protocol.CloseTooManyConnections, fx)
	}
	if x.attached == nil {
		x.attached = x.one[:0]
	}
	x.attached = append(x.attached, a)
	s.greet(now, a, in, fx)
	if ended {
		s.retake(now, fx) // not before the newcomer has a place: what it is to read stays
	}
	s.announce(fx)
	s.pump(now, a, fx)
	s.revoke(now, in.MaySubscribe, fx)
}

// greet decides what the attach comes to, and queues hello and what belongs to it (P-6 to P-9).
func (s *Session) greet(now time.Duration, a *attachment, in Attach, fx *Effects) {
	resume, reason := s.decide(in.Since)
	floor, head := s.box.Floor(), s.box.Head()
	a.resume = resume
	fx.Events = append(fx.Events, Event{Kind: EventAttach, N: 1, Resume: resume, Reason: reason})

	startsOver := resume == protocol.ResumeFresh || resume == protocol.ResumeTooOld
	a.awaiting = startsOver && s.hasSnapshot()
	a.cursor, a.replaying, a.replayTo = floor, startsOver, head
	if !startsOver {
		a.cursor, a.replaying = in.Since.Seq, resume == protocol.ResumeReplay
	}
	a.acked = a.cursor
	if !startsOver {
		s.applied(a.acked, fx)
	}

	hello := protocol.Hello{
		ClientID: in.ClientID, ConnectionID: in.ConnectionID, Epoch: s.Epoch().String(), Resume: resume, Reason: reason, Floor: floor, Head: head,
		Snapshot: a.awaiting, PingIntervalMS: in.PingMS, PongTimeoutMS: in.PongMS, AckIntervalMS: s.cfg.AckInterval.Milliseconds(),
		MaxFrameBytes: s.cfg.MaxFrameBytes, MaxMessageBytes: s.cfg.MaxMessageBytes,
	}
	if reason != protocol.ReasonEpoch && reason != protocol.ReasonAhead {
		var since, lost uint64
		if in.Since != nil {
			since = in.Since.Seq
		}
		missed := head - since
		if floor > since && !a.awaiting {
			lost = floor - since
		}
		hello.Missed, hello.Lost = &missed, &lost
	}
	a.out = append(a.out, protocol.Piece{Body: protocol.EncodeHello(hello)})
	if a.awaiting {
		a.snapshotBy = now + s.cfg.SnapshotTimeout
		s.askSnapshot(now, fx)
	}
}

// decide applies the rules of P-7 in their order, and P-5's for a bare seq.
func (s *Session) decide(since *protocol.Cursor) (protocol.Resume, protocol.Reason) {
	floor, head := s.box.Floor(), s.box.Head()
	switch {
	case since == nil:
		return protocol.ResumeFresh, ""
	case since.Epoch == "" && since.Seq > s.sent, since.Epoch != "" && since.Epoch != s.Epoch().String():
		return protocol.ResumeTooOld, protocol.ReasonEpoch
	case since.Seq > head:
		return protocol.ResumeTooOld, protocol.ReasonAhead
	case since.Seq == head:
		return protocol.ResumeUpToDate, ""
	case since.Seq >= floor:
		return protocol.ResumeReplay, ""
	}
	return protocol.ResumeTooOld, protocol.ReasonPruned
}

func (x *extra) find(gen uint64) *attachment {
	if x == nil {
		return nil
	}
	for _, a := range x.attached {
		if a.gen == gen {
			return a
		}
	}
	return nil
}

// silentLongest is the one that gives way to a newcomer (P-15): a local one only if there is no other.
func (x *extra) silentLongest() *attachment {
	oldest := x.attached[0]
	for _, a := range x.attached {
		if a.local == oldest.local && a.seen < oldest.seen || oldest.local && !a.local {
			oldest = a
		}
	}
	return oldest
}

// Gone ends an attachment whose connection has ended by itself; left says that its client closed it with 1000 or 1001,
// and so gives up its place (P-11).
func (s *Session) Gone(now time.Duration, gen uint64, left bool, fx *Effects) {
	if a := s.x.find(gen); a != nil {
		s.active = now
		if s.detach(now, a, !left, fx) {
			s.retake(now, fx)
		}
	} else if s.x != nil && s.x.ending != nil {
		s.x.ending.attaches = keepUnless(s.x.ending.attaches, func(w early) bool { return w.in.Gen == gen })
	}
	s.settle(now, fx)
}

// close ends a connection from our side, after the batch under way, and reports whether a place has ended with it.
func (s *Session) close(now time.Duration, a *attachment, code protocol.CloseCode, fx *Effects) (ended bool) {
	fx.Closes = append(fx.Closes, Close{a.gen, code})
	return s.detach(now, a, code != protocol.CloseReplaced && code != protocol.CloseClientDeleted, fx)
}

// detach forgets an attachment, and holds its place where hold is set (P-11). It reports whether a place has ended, its own or the
// one that gave way to it: then the least ack is to be taken anew.
func (s *Session) detach(now time.Duration, a *attachment, hold bool, fx *Effects) (ended bool) {
	x := s.x
	if i := slices.Index(x.attached, a); i >= 0 {
		x.attached = slices.Delete(x.attached, i, i+1)
	}
	if !hold || s.cfg.ResumeWindow <= 0 {
		return true
	}
	if len(x.places) == MaxPlaces {
		x.places = append(x.places[:0], x.places[1:]...)
		fx.event(EventPlacePushed, 1)
		ended = true
	}
	x.places = append(x.places, place{connectionID: a.connectionID, cursor: a.cursor, acked: a.acked, until: now + s.cfg.ResumeWindow})
	return ended
}
