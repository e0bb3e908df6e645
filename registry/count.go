package registry

import (
	"math/rand/v2"
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// retryMS draws one client's delay in milliseconds (P-23).
func (d *draining) retryMS() int64 { return rand.Int64N(d.over.Milliseconds() + 1) }

// retryMS is the delay of one that is sent away, also where the broker only begins to drain.
func (r *Registry) retryMS() int64 {
	if d := r.draining.Load(); d != nil {
		return d.retryMS()
	}
	return rand.Int64N(time.Second.Milliseconds())
}

// size is what a client adds to the gauges.
type size struct {
	held, hot int64
	frames    uint64
	places    int
}

func (c *client) size() size {
	s := &c.session
	n := size{held: s.Held(), frames: s.Frames(), places: s.Places()}
	if c.reg.disk != nil {
		n.hot = s.Hot()
	}
	return n
}

// account moves the gauges by what one input has changed.
func (c *client) account(was size) {
	n, is := c.reg.counters, c.size()
	if d := is.held - was.held; d != 0 {
		n.OutboxBytes.Add(d)
	}
	if d := int64(is.frames) - int64(was.frames); d != 0 {
		n.OutboxFrames.Add(d)
	}
	if d := is.places - was.places; d != 0 {
		n.Places.Add(int64(d))
	}
	if d := is.hot - was.hot; d != 0 {
		if all := n.HotBytes.Add(d); d > 0 && c.reg.cfg.MemoryLimit > 0 && all > c.reg.cfg.MemoryLimit {
			c.reg.squeeze()
		}
	}
}

// count adds one event of a session to the counters. A topic's life is no client's.
func (c *client) count(e *session.Event) {
	n, by := c.reg.counters, int64(e.N)
	if c.isTopic() && (e.Kind == session.EventReaped || e.Kind == session.EventDeleted) {
		return
	}
	switch e.Kind {
	case session.EventPublished:
		n.Published.Add(by)
		n.PublishedBytes.Add(e.Bytes)
	case session.EventPrunedAcked:
		n.Pruned[actors.PrunedAcked].Add(by)
	case session.EventPrunedCount:
		n.Pruned[actors.PrunedCount].Add(by)
	case session.EventPrunedBytes:
		n.Pruned[actors.PrunedBytes].Add(by)
	case session.EventPrunedAge:
		n.Pruned[actors.PrunedAge].Add(by)
	case session.EventPrunedReaped:
		n.Pruned[actors.PrunedReaped].Add(by)
	case session.EventPrunedDeleted:
		n.Pruned[actors.PrunedDeleted].Add(by)
	case session.EventAck:
		n.Acks.Add(by)
	case session.EventDuplicate:
		n.Duplicates.Add(by)
	case session.EventAttach:
		n.Attach[attachKind(e)].Add(by)
	case session.EventStale:
		n.Dropped[actors.DropStale].Add(by)
	case session.EventPingPending:
		n.Dropped[actors.DropPing].Add(by)
	case session.EventRecordPushed:
		n.Dropped[actors.DropRecord].Add(by)
	case session.EventPlacePushed:
		n.Dropped[actors.DropPlace].Add(by)
	case session.EventCommitFailed:
		n.CommitsFailed.Add(by)
		n.Dropped[actors.DropFailed].Add(by)
	case session.EventRefused:
		n.Refused.Add(string(e.Code))
	case session.EventReaped:
		n.ClientsReaped.Add(by)
	case session.EventDeleted:
		n.ClientsDeleted.Add(by)
	case session.EventRestarted:
		n.ClientsRestarted.Add(by)
	case session.EventTopic:
		n.TopicFrames.Add(by)
	case session.EventMissed:
		n.Dropped[actors.DropTopic].Add(by)
	case session.EventSpilled:
		n.Spilled.Add(by)
	case session.EventFetched:
		n.Fetched.Add(by)
	}
}

// countTaken adds what a publish has come to that went without events.
func (c *client) countTaken(t *session.Taken) {
	n := c.reg.counters
	n.Published.Add(int64(t.Last - t.First + 1))
	n.PublishedBytes.Add(t.Bytes)
	if p := &t.Pruned; p.Frames() > 0 {
		n.Pruned[actors.PrunedCount].Add(int64(p.Count))
		n.Pruned[actors.PrunedBytes].Add(int64(p.Bytes))
		n.Pruned[actors.PrunedAge].Add(int64(p.Age))
	}
}

func attachKind(e *session.Event) actors.AttachKind {
	switch {
	case e.Resume == protocol.ResumeFresh:
		return actors.AttachFresh
	case e.Resume == protocol.ResumeUpToDate:
		return actors.AttachUpToDate
	case e.Resume == protocol.ResumeReplay:
		return actors.AttachReplay
	case e.Reason == protocol.ReasonEpoch:
		return actors.AttachTooOldEpoch
	case e.Reason == protocol.ReasonAhead:
		return actors.AttachTooOldAhead
	}
	return actors.AttachTooOldPruned
}
