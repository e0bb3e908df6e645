// Package session is one client's state machine, pure: an input and the time go in; what must be done, and the next
// deadline, come out (Effects). It has no clock, no lock, no goroutine and no I/O, and it never sees wire bytes.
//
// Time is a time.Duration on the broker's monotonic clock. A Session has one caller at a time, the client actor.
package session

import (
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
	// Topic says that the sessions are topics' logs (P-32).
	Topic bool
	// AllHead returns the head of protocol.AllTopic: where a client that is born now begins. nil for 0.
	AllHead func() uint64
	// NewEpoch returns 64 random bits, never 0: the client's own part of an epoch that was never used before. Generation is the store's part.
	NewEpoch   func() uint64
	Generation uint32

	// Instant says that the store confirms every update at once and keeps nothing of it: frames are confirmed as they are appended, without a Commit. It
	// goes not together with Kept.
	Instant bool
	// Kept says that a store has the clients too, so that they can leave memory: bodies above SpillAbove bytes, and whole clients that
	// have been idle for SleepAfter; zero or less: not for that.
	Kept       bool
	SpillAbove int64
	SleepAfter time.Duration
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
	var b [13 + 1 + 7]byte // every receipt has one, so that strconv, which divides by any base, is too slow
	i := base36(b[:], uint64(e.Gen))
	i--
	b[i] = '-'
	return string(b[base36(b[:i], e.Bits):])
}

// base36 writes n to the end of b, and returns where it begins.
func base36(b []byte, n uint64) int {
	i := len(b)
	for {
		i--
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[n%36]
		if n /= 36; n == 0 {
			return i
		}
	}
}

// Session is the state of one client. What an idle client lacks sits behind x, nil while there is none of it.
type Session struct {
	cfg  *Config
	box  outbox.Outbox
	bits uint64 // the client's own part of the epoch
	// acked is the greatest ack of any reader, sent the last seq given to any reader; both in this epoch.
	acked, sent uint64
	// all is up to where the frames of protocol.AllTopic were taken; of a topic, up to where its followers have been told.
	all    uint64
	active time.Duration // when its own side or a direct publish last did something (P-28)
	x      *extra
	kept   *kept // where a store has the client too; nil where memory is all there is
}

// extra is what a client has while something is going on.
type extra struct {
	attached []*attachment
	one      [1]*attachment // the room of attached while there is one, as there mostly is: it costs no allocation and no other line of memory
	// written is the last seq that is known to be in a reader's kernel, of those that anybody can still ask about.
	written  uint64
	places   []place
	pending  []pending // appends that the store has not confirmed yet, oldest first
	token    uint64    // the last token given to a commit
	owed     int       // words that the store still owes on updates that were given up behind a failed one
	void     uint64    // the words up to this token were given up with an epoch that is over: they say nothing any more
	waits    []wait    // publishers that wait for sent or acked
	reads    []*read   // long-polls, and reads that wait for a snapshot or for the store
	records  *records
	snapshot *snapshot // the stored one; nil for none
	latest   *snapshot // the one that was last given to the store, confirmed or not
	ask      uint64    // the token of the provider call under way; 0 for none
	asked    uint64    // the last token given to a provider call
	outdated bool      // the provider call under way was for an earlier life
	ending   *ending
	drain    *drain

	following *following // nil for none
	closed    bool       // of a topic: its last frame has been appended
}

// New returns the session of a client that has nothing yet, alive since now. cfg is shared and not changed.
func New(cfg *Config, now time.Duration) Session {
	s := Session{cfg: cfg, bits: cfg.NewEpoch(), active: now}
	if cfg.AllHead != nil {
		s.all = cfg.AllHead()
	}
	if cfg.Kept {
		s.kept = &kept{}
	}
	return s
}

// Alive reports whether there is a client at all: the zero Session is that of a client which nobody has made.
func (s *Session) Alive() bool { return s.cfg != nil }

// Epoch returns the epoch of this life.
func (s *Session) Epoch() Epoch { return Epoch{s.bits, s.cfg.Generation} }

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
func (s *Session) settle(now time.Duration, fx *Effects) {
	if s.x != nil {
		s.offerAll(fx)
		if s.x.following.empty() {
			s.x.following = nil
		}
	}
	if x := s.x; x != nil && x.quiet() && x.records.empty() && x.snapshot == nil && x.latest == nil && x.following == nil && !x.closed {
		spare := x.pending[:0]
		if cap(spare) > 16 {
			spare = nil
		}
		*x = extra{pending: spare}
		s.x, fx.spare = nil, x
	}
	fx.Next = 0
	if s.x != nil {
		fx.Next = s.x.deadline()
	}
	if s.kept != nil {
		fx.Next = sooner(fx.Next, s.keptDeadline(now))
	}
}

// quiet reports whether nothing is going on: what is left is the store's too, where there is one.
func (x *extra) quiet() bool {
	return x == nil || len(x.attached)+len(x.places)+len(x.pending)+len(x.waits)+len(x.reads) == 0 &&
		x.owed == 0 && x.ask == 0 && x.ending == nil && x.drain == nil && x.following.quiet()
}

// sooner is the earlier of two deadlines, of which 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// deadline is the earliest time at which Tick has something to do; 0 for never.
func (x *extra) deadline() time.Duration {
	var d time.Duration
	take := func(t time.Duration) { d = sooner(d, t) }
	for i := range x.places {
		take(x.places[i].until)
	}
	for _, a := range x.attached {
		if a.awaiting {
			take(a.snapshotBy)
		}
	}
	for i := range x.reads {
		if x.reads[i].awaiting {
			take(x.reads[i].snapshotBy)
		}
	}
	if x.drain != nil && len(x.attached) > 0 {
		take(x.drain.by)
	}
	return d
}

// Tick does what is due at now: places end, providers are given up, draining closes what is left, the store learns what it does not know
// yet, and a client that has been idle for long goes to sleep.
func (s *Session) Tick(now time.Duration, fx *Effects) {
	if s.x != nil {
		s.endPlaces(now, fx)
		s.giveUpSnapshots(now, fx)
		if d := s.x.drain; d != nil && now >= d.by {
			s.closeDraining(now, fx)
		}
	}
	if s.kept != nil {
		s.keep(now, fx)
	}
	s.settle(now, fx)
}

// State describes the client; the caller fills in what a session does not know: ClientID and LastSeen.
func (s *Session) State(one bool) protocol.State {
	st := protocol.State{
		Epoch: s.Epoch().String(), Floor: s.box.Floor(), Head: s.box.Head(), Acked: s.acked,
		Bytes: s.Held(), Frames: s.box.Len(),
	}
	if s.x == nil {
		return st
	}
	st.Connections, st.Places = len(s.x.attached), len(s.x.attached)+len(s.x.places)
	if !one {
		return st
	}
	st.Subscriptions = s.subscriptions()
	for _, a := range s.x.attached {
		st.Attachments = append(st.Attachments, protocol.Attachment{
			ConnectionID: a.connectionID, Transport: a.transport, Cursor: a.cursor, Acked: a.acked, Since: a.since, Resume: a.resume,
		})
	}
	return st
}

// LastActive is when its own side or a direct publish last did something (P-28).
func (s *Session) LastActive() time.Duration { return s.active }

// Held is what the client's frames, records and snapshot cost, in bytes, towards max_total_bytes (P-18, P-29).
func (s *Session) Held() int64 {
	n := s.box.Bytes()
	if s.x != nil {
		n += s.x.records.bytes() + s.x.latest.bytes()
	}
	return n
}

// Hot is how many bytes of confirmed frames' bodies are in memory.
func (s *Session) Hot() int64 { return s.box.Hot() }

// Places is the number of places that lost connections hold (P-11).
func (s *Session) Places() int {
	if s.x == nil {
		return 0
	}
	return len(s.x.places)
}

// Frames is the number of retained frames.
func (s *Session) Frames() uint64 { return s.box.Len() }
