package pebble

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// A value begins with a byte that says what follows it: a later form of the same thing gets another. Numbers are varints.
const (
	formState      = 1
	formOwn        = 1 // a frame with its body
	formShared     = 2 // a frame that refers to a shared body
	formRecord     = 1
	formPlain      = 1 // the bytes themselves: a shared body
	formSnapshot   = 1 // the seq that it is as of, and its data
	formGeneration = 1
	formTotals     = 1
	formFollow     = 1 // flags and the cursor
	formMark       = 1 // nothing: the key says it all
	formHours      = 1
)

var errValue = errors.New("a value that cannot be read")

// kept is a client's state as it lies in the store.
type kept struct {
	store.State
	generation uint32
}

func appendState(dst []byte, k *kept) []byte {
	dst = append(dst, formState)
	dst = binary.AppendUvarint(dst, uint64(k.generation))
	dst = binary.BigEndian.AppendUint64(dst, k.Epoch) // random bits, which a varint only lengthens
	for _, n := range [...]uint64{k.Floor, k.Head, k.Acked, k.Sent, k.RecordFloor, k.Cleaned, k.RecordsCleaned, k.Records} {
		dst = binary.AppendUvarint(dst, n)
	}
	for _, n := range [...]int64{k.Seen, k.Oldest, k.Bytes} {
		dst = binary.AppendVarint(dst, n)
	}
	for _, n := range [...]uint64{k.SnapshotAsOf, uint64(k.SnapshotBytes), k.All, uint64(k.Follows)} {
		dst = binary.AppendUvarint(dst, n)
	}
	return append(dst, flag(k.Closed))
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func parseState(value []byte) (k kept, err error) {
	r := reader{rest: value}
	r.form(formState)
	k.generation = uint32(r.uvarint(math.MaxUint32))
	k.Epoch = r.uint64()
	for _, n := range [...]*uint64{&k.Floor, &k.Head, &k.Acked, &k.Sent, &k.RecordFloor, &k.Cleaned, &k.RecordsCleaned, &k.Records} {
		*n = r.uvarint(math.MaxUint64)
	}
	for _, n := range [...]*int64{&k.Seen, &k.Oldest, &k.Bytes} {
		*n = r.varint()
	}
	k.SnapshotAsOf = r.uvarint(math.MaxUint64)
	k.SnapshotBytes = int(r.uvarint(math.MaxInt32))
	k.All = r.uvarint(math.MaxUint64)
	k.Follows = int(r.uvarint(math.MaxInt32))
	k.Closed = r.flag()
	return k, r.end()
}

// entry is a frame as it lies in the store: with its own body, or with the id of a shared one and its length.
type entry struct {
	at     int64
	body   protocol.Body
	shared store.BodyID
	size   int
}

// appendOwn appends the value of a frame up to its body, which follows.
func appendOwn(dst []byte, at int64) []byte {
	return binary.AppendVarint(append(dst, formOwn), at)
}

func appendShared(dst []byte, at int64, id store.BodyID, size int) []byte {
	dst = binary.AppendVarint(append(dst, formShared), at)
	dst = binary.AppendUvarint(dst, uint64(id.Hour))
	dst = binary.AppendUvarint(dst, id.N)
	return binary.AppendUvarint(dst, uint64(size))
}

// parseEntry reads a frame's value. An own body is a part of value.
func parseEntry(value []byte) (e entry, err error) {
	r := reader{rest: value}
	form := r.byte()
	e.at = r.varint()
	switch form {
	case formOwn:
		e.body, e.size = r.rest, len(r.rest)
		r.rest = nil
	case formShared:
		e.shared = store.BodyID{Hour: uint32(r.uvarint(math.MaxUint32)), N: r.uvarint(math.MaxUint64)}
		e.size = int(r.uvarint(math.MaxInt32))
	default:
		r.bad = true
	}
	return e, r.end()
}

func appendRecord(dst []byte, k *store.KeptRecord) []byte {
	dst = append(dst, formRecord)
	dst = append(dst, k.Key[:]...)
	dst = append(dst, k.Sum[:]...)
	dst = binary.AppendUvarint(dst, k.Last-k.First)
	return binary.AppendVarint(dst, k.At)
}

// parseRecord reads the value of the record of the frames from first on.
func parseRecord(first uint64, value []byte) (k store.KeptRecord, err error) {
	r := reader{rest: value}
	r.form(formRecord)
	r.copy(k.Key[:])
	r.copy(k.Sum[:])
	k.First = first
	k.Last = first + r.uvarint(math.MaxUint64-first)
	k.At = r.varint()
	return k, r.end()
}

// parsePlain reads a value that is bytes; they are a part of value.
func parsePlain(value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != formPlain {
		return nil, errValue
	}
	return value[1:], nil
}

func appendSnapshot(dst []byte, asOf uint64, data []byte) []byte {
	dst = binary.AppendUvarint(append(dst, formSnapshot), asOf)
	return append(dst, data...)
}

// parseSnapshot reads a stored snapshot; its data is a part of value.
func parseSnapshot(value []byte) (asOf uint64, data []byte, err error) {
	r := reader{rest: value}
	r.form(formSnapshot)
	asOf = r.uvarint(math.MaxUint64)
	data, r.rest = r.rest, nil
	return asOf, data, r.end()
}

// generation is what the store keeps about the process that has it open, or had it last.
type generation struct {
	number uint32
	// opens counts the processes: it makes the ids of shared bodies differ between them.
	opens uint64
	mode  mode
	clean bool
}

func appendGeneration(dst []byte, g generation) []byte {
	dst = binary.AppendUvarint(append(dst, formGeneration), uint64(g.number))
	dst = binary.AppendUvarint(dst, g.opens)
	return append(dst, byte(g.mode), flag(g.clean))
}

func parseGeneration(value []byte) (g generation, err error) {
	r := reader{rest: value}
	r.form(formGeneration)
	g.number = uint32(r.uvarint(math.MaxUint32))
	g.opens = r.uvarint(math.MaxUint64)
	g.mode = mode(r.byte())
	g.clean = r.flag()
	r.bad = r.bad || g.number == 0 || g.mode > modeNever
	return g, r.end()
}

// sums are the totals as of a group, and what else each group says of itself.
type sums struct {
	store.Totals
	dead int64 // bytes that have died since space was last given back
	// group numbers the groups from 1, through all processes; synced is the last one that was known to be synced when this one was written.
	group, synced uint64
}

func appendTotals(dst []byte, t sums) []byte {
	dst = append(dst, formTotals)
	for _, n := range [...]int64{t.Clients, t.Topics, t.Frames, t.Bytes, t.dead} {
		dst = binary.AppendVarint(dst, n)
	}
	dst = binary.AppendUvarint(dst, t.group)
	return binary.AppendUvarint(dst, t.synced)
}

func parseTotals(value []byte) (t sums, err error) {
	r := reader{rest: value}
	r.form(formTotals)
	for _, n := range [...]*int64{&t.Clients, &t.Topics, &t.Frames, &t.Bytes, &t.dead} {
		*n = r.varint()
	}
	t.group, t.synced = r.uvarint(math.MaxUint64), r.uvarint(math.MaxUint64)
	return t, r.end()
}

// appendFollow appends a client's place in a topic's log (P-19).
func appendFollow(dst []byte, f *store.Follow) []byte {
	return binary.AppendUvarint(append(dst, formFollow, flag(f.Named)), f.Cursor)
}

func parseFollow(value []byte) (f store.Follow, err error) {
	r := reader{rest: value}
	r.form(formFollow)
	f.Named = r.flag()
	f.Cursor = r.uvarint(math.MaxUint64)
	return f, r.end()
}

// appendHours appends the first hour whose shared bodies are kept.
func appendHours(dst []byte, hour uint32) []byte {
	return binary.AppendUvarint(append(dst, formHours), uint64(hour))
}

func parseHours(value []byte) (hour uint32, err error) {
	r := reader{rest: value}
	r.form(formHours)
	hour = uint32(r.uvarint(math.MaxUint32))
	return hour, r.end()
}

// reader takes a value apart. After the first thing that does not fit, it reads zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) byte() byte {
	if r.bad || len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) flag() bool {
	b := r.byte()
	r.bad = r.bad || b > 1
	return b == 1
}

func (r *reader) form(want byte) { r.bad = r.byte() != want || r.bad }

func (r *reader) copy(dst []byte) {
	if r.bad || len(r.rest) < len(dst) {
		r.bad = true
		return
	}
	r.rest = r.rest[copy(dst, r.rest):]
}

func (r *reader) uint64() uint64 {
	var b [numberLen]byte
	r.copy(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func (r *reader) uvarint(most uint64) uint64 {
	n, size := binary.Uvarint(r.rest)
	if r.bad || size <= 0 || n > most {
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.rest)
	if r.bad || size <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// end says whether all fitted, and nothing is left.
func (r *reader) end() error {
	if r.bad || len(r.rest) > 0 {
		return errValue
	}
	return nil
}
