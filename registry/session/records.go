package session

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/restante/restante/protocol"
)

// RecordKey names a send by (sender, target, id), or an HTTP publish by (credential, client, Idempotency-Key): a hash of
// the kind, the first and the last; the middle is the outbox that keeps the record (P-18).
type RecordKey [16]byte

// Sum is a hash of a call's bodies: the same key with another Sum is id_reused (P-18).
type Sum [16]byte

// recordBytes is what one record counts towards max_total_bytes (P-18).
const recordBytes = 64

// SendKey is the RecordKey of the send id of sender.
func SendKey(sender, id string) RecordKey { return key("send", sender, id) }

// IdempotencyKey is the RecordKey of an Idempotency-Key used with credential.
func IdempotencyKey(credential, id string) RecordKey { return key("http", credential, id) }

func key(parts ...string) (k RecordKey) {
	h := sha256.New()
	for _, p := range parts {
		writeSized(h.Write, []byte(p))
	}
	copy(k[:], h.Sum(nil))
	return k
}

// SumOf hashes bodies in order.
func SumOf(bodies []protocol.Body) (s Sum) {
	h := sha256.New()
	for _, b := range bodies {
		writeSized(h.Write, b)
	}
	copy(s[:], h.Sum(nil))
	return s
}

// writeSized writes a length before the bytes, so that no two lists of parts hash alike. A hash's Write never fails.
func writeSized(write func([]byte) (int, error), p []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(p)))
	_, _ = write(n[:])
	_, _ = write(p)
}

// record is what one key came to. last is above the head while its frames are pending.
type record struct {
	sum         Sum
	first, last uint64
	at          time.Duration
}

// records are those of one outbox, oldest first in order. nil holds none.
type records struct {
	by    map[RecordKey]record
	order []RecordKey
}

func (r *records) empty() bool { return r == nil || len(r.by) == 0 }

func (r *records) bytes() int64 {
	if r == nil {
		return 0
	}
	return int64(len(r.by)) * recordBytes
}

// forget lets go of the records of appends that failed. They are the youngest, in the order of the appends, less those that the
// bound has pushed out; a key left in order would later take along the record of the append's repeat.
func (r *records) forget(failed []pending) {
	for _, p := range slices.Backward(failed) {
		if p.record == nil || r == nil || len(r.order) == 0 || r.order[len(r.order)-1] != *p.record {
			continue
		}
		r.order = r.order[:len(r.order)-1]
		delete(r.by, *p.record)
	}
}

// remember keeps one more record, lets go of those past their time, and returns how many went by the bound on their number.
func (s *Session) remember(now time.Duration, k RecordKey, rec record) (pushed int) {
	s.expire(now)
	for s.cfg.MaxRecords > 0 && s.x.records != nil && len(s.x.records.order) >= s.cfg.MaxRecords {
		s.shift()
		pushed++
	}
	s.x.keepRecord(k, rec)
	return pushed
}

func (x *extra) keepRecord(k RecordKey, rec record) {
	if x.records == nil {
		x.records = &records{by: map[RecordKey]record{}}
	}
	x.records.by[k] = rec
	x.records.order = append(x.records.order, k)
}

// expire lets go of the records past their time.
func (s *Session) expire(now time.Duration) {
	if s.x == nil || s.x.records == nil || s.cfg.RecordTTL <= 0 {
		return
	}
	for r := s.x.records; len(r.order) > 0 && now-r.by[r.order[0]].at >= s.cfg.RecordTTL; {
		s.shift()
	}
}

// shift lets go of the oldest record.
func (s *Session) shift() {
	r := s.x.records
	if s.kept != nil {
		s.kept.floor = max(s.kept.floor, r.by[r.order[0]].last)
	}
	delete(r.by, r.order[0])
	r.order = r.order[1:]
}

// repeat answers p from its record, if there is one: with the first's outcome, once that is known.
func (s *Session) repeat(now time.Duration, p Publish, fx *Effects) bool {
	s.expire(now)
	if s.x.records.empty() {
		return false
	}
	rec, ok := s.x.records.by[*p.Record]
	if !ok {
		return false
	}
	if rec.sum != p.Sum {
		fx.fail(p.To, protocol.Errorf(protocol.CodeIDReused, "this id was used for another frame"))
		return true
	}
	if rec.last > s.box.Head() {
		for i := range s.x.pending {
			if q := &s.x.pending[i]; q.last == rec.last {
				q.followers = append(q.followers, follower{p.To, p.Level})
				return true
			}
		}
	}
	fx.event(EventDuplicate, 1)
	s.await(wait{to: p.To, level: p.Level, first: rec.first, last: rec.last, duplicate: true}, fx)
	return true
}
