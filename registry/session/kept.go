package session

import (
	"slices"
	"time"

	"github.com/restante/restante/protocol"
)

// Saved is what a store knows of a client besides its frames, records and snapshot. Times are on the broker's monotonic clock, and may lie
// before it began.
type Saved struct {
	Epoch                    uint64 // the client's own part
	Floor, Head, Acked, Sent uint64
	// RecordFloor is up to where records say nothing any more. Cleaned and RecordsCleaned are up to where the store is to give back what is dead.
	// Records is how many of them the store has above RecordsCleaned, dead or not.
	RecordFloor, Cleaned, RecordsCleaned, Records uint64
	// Seen is when the client was last active. By a clock that was ahead it may lie in a time to come, and counts as now.
	Seen time.Duration
	// Oldest is when the oldest frame of (Floor, Head] was appended; there is one if they differ.
	Oldest        time.Duration
	Bytes         int64
	SnapshotAsOf  uint64
	SnapshotBytes int
	// All is up to where the frames of protocol.AllTopic were taken; of a topic, up to where its followers have been told.
	All uint64
	// Follows is how many entries the store has about subscriptions. Closed says of a topic that it is closed.
	Follows int
	Closed  bool
}

const (
	// flushAfter is how long an ack, a floor or a new client may wait for an update that goes to the store anyway.
	flushAfter = time.Second
	// seenEvery is how coarse the last-seen time is that the store has (P-28).
	seenEvery = time.Hour
	// cleanFrames and cleanBytes are how much may be dead in the store before it is told to give it back.
	cleanFrames = 1000
	cleanBytes  = 256 << 10
)

// kept is what a session knows of its client in the store.
type kept struct {
	known   bool          // the store has confirmed the epoch: it may be shown, since the next process will show the same
	told    Saved         // what the last update said
	flushBy time.Duration // when what told lacks goes to the store at the latest; 0: it lacks nothing
	floor   uint64        // RecordFloor
	records uint64        // Records
	follows int           // Follows
	dead    int64         // bytes of the frames that went since the last cleaning
	ahead   int64         // bytes of the frames that are appended and not confirmed
	fetched uint64        // the last token given to a Fetch
	reading int           // fetches under way
	clean   bool          // give back what is dead with the next update, however little it is
	drowsy  bool          // sleep as soon as nothing is going on, unless the client has been active since dozed: memory is short
	dozed   time.Duration
}

// saved is what the store has after the next update.
func (s *Session) saved() Saved {
	k := s.kept
	st := Saved{
		Epoch: s.bits, Floor: s.box.Floor(), Head: s.box.Tail(), Acked: s.acked, Sent: s.sent,
		RecordFloor: k.floor, Cleaned: k.told.Cleaned, RecordsCleaned: k.told.RecordsCleaned, Records: k.records,
		Seen: s.active, Bytes: s.Held() + k.ahead, All: s.all, Follows: k.follows, Closed: s.Closed(),
	}
	st.Oldest, _ = s.box.Oldest()
	if s.x != nil && s.x.latest != nil {
		st.SnapshotAsOf, st.SnapshotBytes = s.x.latest.asOf, s.x.latest.size
	}
	if k.reading == 0 && (k.clean || st.Floor-st.Cleaned >= cleanFrames || k.dead >= cleanBytes) { // nobody is reading what goes
		st.Cleaned, st.RecordsCleaned, st.Records = st.Floor, st.RecordFloor, s.liveRecords()
		k.records, k.dead, k.clean = st.Records, 0, false
	}
	return st
}

// tell fills in what an update says, and notes that the store knows it.
func (s *Session) tell(c *Commit, fx *Effects) {
	if c.Record != nil {
		s.kept.records++
	}
	for _, f := range c.Follows {
		s.kept.entry(f.New, f.Gone)
	}
	for _, p := range c.Patterns {
		s.kept.entry(!p.Gone, p.Gone)
	}
	fx.saved = append(fx.saved, s.saved())
	c.Is = &fx.saved[len(fx.saved)-1]
	s.kept.told, s.kept.flushBy = *c.Is, 0
}

// lacking reports whether the store does not know all that it should within a second or an hour.
func (s *Session) lacking() bool {
	k := s.kept
	return s.bits != k.told.Epoch || s.box.Floor() != k.told.Floor || s.acked != k.told.Acked || k.floor != k.told.RecordFloor ||
		s.active-k.told.Seen >= seenEvery || k.clean && k.reading == 0 || s.all != k.told.All || s.x != nil && s.x.following.untold()
}

// resting reports whether nothing is going on that memory is needed for.
func (s *Session) resting() bool { return s.x.quiet() && s.kept.reading == 0 }

// keptDeadline is when keep has something to do; 0 for never.
func (s *Session) keptDeadline(now time.Duration) time.Duration {
	k := s.kept
	if !s.lacking() || s.x != nil && s.x.ending != nil {
		k.flushBy = 0
	} else if k.flushBy == 0 {
		k.flushBy = now + flushAfter
	}
	d := k.flushBy
	if s.resting() && s.cfg.SleepAfter > 0 {
		d = sooner(d, max(s.active+s.cfg.SleepAfter, 1))
	}
	return d
}

// keep tells the store what it lacks once that is due, and lets a client sleep that has been idle for long.
func (s *Session) keep(now time.Duration, fx *Effects) {
	k := s.kept
	if k.flushBy > 0 && now >= k.flushBy {
		s.flush(fx)
	}
	if s.resting() && (k.drowsy && s.active == k.dozed || s.cfg.SleepAfter > 0 && now-s.active >= s.cfg.SleepAfter) {
		s.sleep(fx)
	}
}

// sleep ends what is in memory, once the store has all of it and has given back what is dead.
func (s *Session) sleep(fx *Effects) {
	k := s.kept
	k.clean = k.clean || s.dirty()
	if s.lacking() || s.active != k.told.Seen || s.sent > k.told.Sent {
		k.drowsy, k.dozed = true, s.active
		s.flush(fx)
		return
	}
	k.drowsy, fx.Sleep = false, true
}

// dirty reports whether the store has anything to give back.
func (s *Session) dirty() bool {
	k := s.kept
	return k.told.Cleaned < s.box.Floor() || k.records > s.liveRecords()
}

func (s *Session) liveRecords() uint64 {
	if s.x == nil || s.x.records == nil {
		return 0
	}
	return uint64(len(s.x.records.order))
}

// announce has the store confirm the epoch of a client that it does not have yet, where nothing under way does so. Nobody is shown an epoch
// that a kill might end.
func (s *Session) announce(fx *Effects) {
	if s.known() || slices.ContainsFunc(s.x.pending, func(p pending) bool { return !p.lazy }) {
		return
	}
	s.commit(Commit{}, pending{}, fx)
}

// known reports whether the epoch may be shown.
func (s *Session) known() bool { return s.kept == nil || s.kept.known }

// flush tells the store what it lacks. An epoch that it does not have is more than a trifle: whoever wakes the client shows it.
func (s *Session) flush(fx *Effects) {
	s.more(fx)
	lazy := s.known()
	s.commit(Commit{Lazy: lazy}, pending{lazy: lazy}, fx)
}

// Flush tells the store what it lacks, without waiting for the second to pass: the process is about to end.
func (s *Session) Flush(now time.Duration, fx *Effects) {
	if k := s.kept; k != nil && (s.x == nil || s.x.ending == nil) && (s.lacking() || s.active != k.told.Seen || s.sent > k.told.Sent) {
		s.flush(fx)
	}
	s.settle(now, fx)
}

// Squeeze lets go of every body that the store has too, and has the client sleep as soon as nothing is going on: memory is short.
func (s *Session) Squeeze(now time.Duration, fx *Effects) {
	if s.kept != nil {
		fx.event(EventSpilled, s.box.Spill(0))
		if s.resting() {
			s.sleep(fx)
		}
	}
	s.settle(now, fx)
}

// spill lets go of the oldest bodies above the bound: the store has them.
func (s *Session) spill(fx *Effects) {
	if s.kept != nil && s.cfg.SpillAbove > 0 {
		fx.event(EventSpilled, s.box.Spill(s.cfg.SpillAbove))
	}
}

// gone notes that frames of so many bytes are dead in the store.
func (s *Session) gone(bytes int64) {
	if s.kept != nil {
		s.kept.dead += bytes
	}
}

// Restore begins the session of a client that the store has. Its frames and records follow, oldest first, by RestoreFrame and
// RestoreRecord; Restored ends it. The frames up to expired have gone from the store by themselves.
func Restore(cfg *Config, st Saved, expired uint64) Session {
	s := Session{
		cfg: cfg, bits: st.Epoch, acked: st.Acked, sent: max(st.Sent, st.Acked), active: st.Seen,
		all: st.All, kept: &kept{known: true, told: st, floor: st.RecordFloor, records: st.Records, follows: st.Follows},
	}
	s.box.Restore(max(st.Floor, expired))
	if st.SnapshotBytes > 0 {
		sn := &snapshot{asOf: st.SnapshotAsOf, size: st.SnapshotBytes}
		s.x = &extra{snapshot: sn, latest: sn}
	}
	if st.Closed {
		s.extra().closed = true
	}
	return s
}

// extra is more without an Effects to take from.
func (s *Session) extra() *extra {
	if s.x == nil {
		s.x = &extra{}
	}
	return s.x
}

// RestoreFrame adds the next retained frame, whose body is nil where it stays in the store; then ofTopic says whether it is a topic's.
func (s *Session) RestoreFrame(body protocol.Body, size int, at time.Duration, ofTopic bool) {
	s.box.Restored(body, size, at, ofTopic)
}

// RestoreFollow adds a cursor in a topic's log, in byte order; Gone says that the topic was deleted, and the subscription with it.
func (s *Session) RestoreFollow(f Followed) {
	x := s.extra()
	if x.following == nil {
		x.following = &following{}
	}
	g := x.following
	if f.Gone {
		g.ended = append(g.ended, f.Topic)
		return
	}
	g.follows = append(g.follows, &follow{topic: f.Topic, named: f.Named, cursor: f.Cursor, stored: f.Cursor, head: f.Cursor, told: true})
}

// RestorePattern adds a subscription to a pattern.
func (s *Session) RestorePattern(name string) {
	x := s.extra()
	if x.following == nil {
		x.following = &following{}
	}
	x.following.patterns = append(x.following.patterns, &pattern{name: name, told: true})
}

// RestoreRecord adds the next record of a send id or idempotency key.
func (s *Session) RestoreRecord(k RecordKey, sum Sum, first, last uint64, at time.Duration) {
	s.extra().keepRecord(k, record{sum: sum, first: first, last: last, at: at})
}

// Restored ends a Restore. ended says that the store cannot vouch for what was confirmed under its last generation: the epoch has
// ended with it, and what belongs to an epoch goes (P-26).
func (s *Session) Restored(now time.Duration, ended bool, fx *Effects) {
	s.active = min(s.active, now)
	if ended {
		fx.event(EventRestarted, 1)
		s.endEpoch()
		s.kept.told.Epoch = 0 // whatever it says, the store does not know the new one
	}
	if s.x != nil {
		s.x.written = s.sent
	}
	if s.cfg.AllHead != nil {
		s.all = min(s.all, s.cfg.AllHead()) // it is less where the log has lost its end with an unclean stop
	}
	s.resume(fx)
	s.settle(now, fx)
}

// HoldPlace holds a place at the floor until the given time: that of whoever may have been connected when the last process ended (P-11).
func (s *Session) HoldPlace(now, until time.Duration, fx *Effects) {
	if s.cfg.ResumeWindow > 0 && until > now {
		x := s.more(fx)
		x.places = append(x.places, place{acked: s.box.Floor(), until: until})
	}
	s.settle(now, fx)
}

// endEpoch lets go of what belongs to an epoch: marks, places, records, the stored snapshot.
func (s *Session) endEpoch() {
	s.acked, s.sent = 0, 0
	if s.x != nil {
		s.x.written = 0
		s.x.places, s.x.records, s.x.snapshot, s.x.latest = nil, nil, nil, nil
	}
	if s.kept != nil {
		s.kept.floor = s.box.Tail()
	}
}
