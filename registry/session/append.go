package session

import (
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
)

// Taken is what came of an Append: the seqs, and what is to be counted.
type Taken struct {
	First, Last uint64
	Bytes       int64 // of the bodies
	Pruned      outbox.Pruned
}

// Append is Publish in few words, for a client of which nothing is going on and a store that need not be asked (Config.Instant): it takes the bodies in, all
// or none, for a caller that wants them stored, and writes into t what Publish would put into Effects. Where it returns false it has done nothing, and Publish
// is to be called.
func (s *Session) Append(now time.Duration, bodies []protocol.Body, t *Taken) bool {
	if s.x != nil || s.cfg == nil || !s.cfg.Instant || s.cfg.Topic || len(bodies) == 0 || len(bodies) > 1 && s.tooMuch(bodies) != nil {
		return false
	}
	s.active = now
	t.First = s.box.Tail() + 1
	for _, b := range bodies {
		t.Last = s.box.Append(b, now)
		t.Bytes += int64(len(b))
	}
	s.box.Confirm(t.Last)
	t.Pruned = s.box.Prune(s.cfg.Bounds, now, t.Last)
	return true
}
