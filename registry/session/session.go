// Package session is one client's state machine, pure: an input and the time go in; what must be done, and the next
// deadline, come out (Effects). It has no clock, no lock, no goroutine and no I/O, and it never sees wire bytes.
//
// Time is a time.Duration on the broker's monotonic clock. A Session has one caller at a time, the client actor.
package session

import (
	"strconv"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
)

// Config is what all sessions of a broker share. Every field is in force as it stands: defaults were filled in by the
// broker, and a bound or duration of zero or less is off.
type Config struct {
	Bounds      outbox.Bounds // P-13
	RetainAcked uint64        // P-14
	// ResumeWindow is how long a lost connection's place is held (P-11); zero or less holds none.
	ResumeWindow   time.Duration
	MaxConnections int // P-15; zero or less: no limit
	// RecordTTL and MaxRecords bound the records of send ids and idempotency keys (P-18).
	RecordTTL  time.Duration
	MaxRecords int
	// ClientTTL is how long an idle client lives (P-28); zero or less: for ever.
	ClientTTL time.Duration
	// Snapshots says that there is a provider to ask (P-9), for at most SnapshotTimeout, which is never off.
	Snapshots       bool
	SnapshotTimeout time.Duration
	// AckInterval, MaxFrameBytes and MaxMessageBytes are announced in hello (P-6).
	AckInterval                    time.Duration
	MaxFrameBytes, MaxMessageBytes int
	// NewEpoch returns an epoch that was never used before.
	NewEpoch func() Epoch
}

// MaxPlaces is how many places of lost connections one client holds; the oldest gives way (P-11).
const MaxPlaces = 16

// MaxWaiting is how many publishers, and how many reads, may wait on one client. A publisher beyond it is answered with what has
// been reached, a read with overloaded.
const MaxWaiting = 1024

// maxBatchFrames bounds one batch besides protocol.BatchBytes, so that a flood of tiny frames does not make a huge slice of pieces.
const maxBatchFrames = 512

// Epoch names one life of an outbox's numbering: 64 random bits and the store's generation.
type Epoch struct {
	Bits uint64
	Gen  uint32
}

// String returns the epoch as it travels, such as "3k9x0c2m1p7qz-1".
func (e Epoch) String() string {
	b := make([]byte, 0, 24)
	b = strconv.AppendUint(b, e.Bits, 36)
	b = append(b, '-')
	return string(strconv.AppendUint(b, uint64(e.Gen), 36))
}

// Session is the state of one client. What an idle client lacks sits behind x, nil while there is none of it.
type Session struct {
	cfg   *Config
	box   outbox.Outbox
	epoch Epoch
	// acked is the greatest ack of any reader, sent the last seq given to any reader, written the last that is known to be in a reader's kernel; all in this epoch.
	acked, sent, written uint64
	active               time.Duration // when its own side or a direct publish last did something (P-28)
	x                    *extra
}

// extra is what a client has while something is going on.
type extra struct {
	attached []*attachment
	places   []place
	pending  []pending // appends that the store has not confirmed yet, oldest first
	token    uint64    // the last token given to a commit
	owed     int       // words that the store still owes on updates that were given up behind a failed one
	void     uint64    // the words up to this token were given up with an epoch that is over: they say nothing any more
	waits    []wait    // publishers that wait for sent or acked
	reads    []read    // long-polls, and reads that wait for a snapshot
	records  *records
	ask      uint64 // the token of the provider call under way; 0 for none
	asked    uint64 // the last token given to a provider call
	outdated bool   // the provider call under way was for an earlier life
	ending   *ending
	drain    *drain
}

// New returns the session of a client that has nothing yet, alive since now. cfg is shared and not changed.
func New(cfg *Config, now time.Duration) Session {
	return Session{cfg: cfg, epoch: cfg.NewEpoch(), active: now}
}

// Epoch returns the epoch of this life.
func (s *Session) Epoch() Epoch { return s.epoch }

// Busy reports whether anything is attached, pending, waiting or held: whether the client is more than its retained frames.
func (s *Session) Busy() bool { return s.x != nil }

// more returns x, made where there is none: of what an earlier settle let go, if fx has it, so that a publish allocates none.
func (s *Session) more(fx *Effects) *extra {
	if s.x == nil {
		if s.x, fx.spare = fx.spare, nil; s.x == nil {
			s.x = &extra{}
		}
	}
	return s.x
}

// settle ends every input: it lets go of x when it is empty, and reports the next deadline.
func (s *Session) settle(fx *Effects) {
	x := s.x
	if x == nil {
		fx.Next = 0
		return
	}
	if len(x.attached)+len(x.places)+len(x.pending)+len(x.waits)+len(x.reads) == 0 &&
		x.owed == 0 && x.records.empty() && x.ask == 0 && x.ending == nil && x.drain == nil {
		spare := x.pending[:0]
		if cap(spare) > 16 {
			spare = nil
		}
		*x = extra{pending: spare}
		s.x, fx.spare = nil, x
		fx.Next = 0
		return
	}
	fx.Next = x.deadline()
}

// deadline is the earliest time at which Tick has something to do; 0 for never.
func (x *extra) deadline() time.Duration {
	var d time.Duration
	sooner := func(t time.Duration) {
		if t > 0 && (d == 0 || t < d) {
			d = t
		}
	}
	for i := range x.places {
		sooner(x.places[i].until)
	}
	for _, a := range x.attached {
		if a.awaiting {
			sooner(a.snapshotBy)
		}
	}
	for i := range x.reads {
		if x.reads[i].awaiting {
			sooner(x.reads[i].snapshotBy)
		}
	}
	if x.drain != nil && len(x.attached) > 0 {
		sooner(x.drain.by)
	}
	return d
}

// Tick does what is due at now: places end, providers are given up, draining closes what is left.
func (s *Session) Tick(now time.Duration, fx *Effects) {
	if s.x != nil {
		s.endPlaces(now, fx)
		s.giveUpSnapshots(now, fx)
		if d := s.x.drain; d != nil && now >= d.by {
			s.closeDraining(now, fx)
		}
	}
	s.settle(fx)
}

// State describes the client; the caller fills in what a session does not know: ClientID and LastSeen.
func (s *Session) State(one bool) protocol.State {
	st := protocol.State{
		Epoch: s.epoch.String(), Floor: s.box.Floor(), Head: s.box.Head(), Acked: s.acked,
		Bytes: s.box.Bytes(), Frames: s.box.Len(),
	}
	if s.x == nil {
		return st
	}
	st.Connections, st.Places = len(s.x.attached), len(s.x.attached)+len(s.x.places)
	if !one {
		return st
	}
	for _, a := range s.x.attached {
		st.Attachments = append(st.Attachments, protocol.Attachment{
			ConnectionID: a.connectionID, Transport: a.transport, Cursor: a.cursor, Acked: a.acked, Since: a.since, Resume: a.resume,
		})
	}
	return st
}

// LastActive is when its own side or a direct publish last did something (P-28).
func (s *Session) LastActive() time.Duration { return s.active }

// Held is what the client's frames and records cost, in bytes, towards max_total_bytes (P-18, P-29).
func (s *Session) Held() int64 {
	n := s.box.Bytes()
	if s.x != nil {
		n += s.x.records.bytes()
	}
	return n
}

// Places is the number of places that lost connections hold (P-11).
func (s *Session) Places() int {
	if s.x == nil {
		return 0
	}
	return len(s.x.places)
}

// Frames is the number of retained frames.
func (s *Session) Frames() uint64 { return s.box.Len() }
