package pebble

import (
	"bytes"
	"encoding/binary"

	"github.com/restante/restante/registry/store"
)

// The key spaces, told apart by a key's first byte. Ids and topics are of P-4's characters and patterns of P-32's, none of which is 0:
// so a 0 ends a name, and the order of the keys is that of the names. Numbers are big endian, so that their order is the keys' too.
//
//	m name              the store's own records: generation, totals
//	c id                a client's state
//	f id 0 seq(8)       a frame
//	r id 0 first(8)     a record of a send id or idempotency key, by the first of its frames (P-18)
//	s id                a stored snapshot's data (P-9)
//	b hour(4) n(8)      a shared body
//	u id 0 topic        what a client follows, and how far it is (P-19)
//	u id 0 pattern      a pattern that it has subscribed to (P-32)
//	w topic 0 id        who follows a topic
//	p pattern 0 id      who has subscribed to a pattern
//
// The name of a topic's log is store.TopicMark and the topic: it lies in c, f, r and s beside the clients.
const (
	spaceMeta     = 'm'
	spaceState    = 'c'
	spaceFrame    = 'f'
	spaceRecord   = 'r'
	spaceSnapshot = 's'
	spaceBody     = 'b'

	spaceFollower     = 'w'
	spaceSubscription = 'u'
	spacePattern      = 'p'
)

// The store's own records.
var (
	keyGeneration = []byte{spaceMeta, 'g'}
	keyTotals     = []byte{spaceMeta, 't'}
	keyHours      = []byte{spaceMeta, 'b'}
)

const (
	numberLen = 8
	bodyLen   = 1 + 4 + numberLen
)

// appendName appends the key of what there is one of for each name.
func appendName(dst []byte, space byte, name string) []byte {
	return append(append(dst, space), name...)
}

// parseName takes appendName's key apart.
func parseName(key []byte) (name string, ok bool) {
	if len(key) < 2 || bytes.IndexByte(key[1:], 0) >= 0 {
		return "", false
	}
	return string(key[1:]), true
}

// appendNumbered appends the key of one of a name's numbered things.
func appendNumbered(dst []byte, space byte, name string, n uint64) []byte {
	dst = append(appendName(dst, space, name), 0)
	return binary.BigEndian.AppendUint64(dst, n)
}

// parseNumbered takes appendNumbered's key apart.
func parseNumbered(key []byte) (name string, n uint64, ok bool) {
	end := len(key) - numberLen - 1
	if end < 2 || key[end] != 0 {
		return "", 0, false
	}
	name, ok = parseName(key[:end])
	return name, binary.BigEndian.Uint64(key[end+1:]), ok
}

// numberIn is the number of a key that is known to be one of a certain name's.
func numberIn(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-numberLen:]) }

// appendPair appends the key of what belongs to two names.
func appendPair(dst []byte, space byte, first, second string) []byte {
	dst = append(appendName(dst, space, first), 0)
	return append(dst, second...)
}

// parsePair takes appendPair's key apart.
func parsePair(key []byte) (first, second string, ok bool) {
	end := bytes.IndexByte(key, 0)
	if end < 2 || end == len(key)-1 || bytes.IndexByte(key[end+1:], 0) >= 0 {
		return "", "", false
	}
	return string(key[1:end]), string(key[end+1:]), true
}

// appendBody appends the key of a shared body.
func appendBody(dst []byte, id store.BodyID) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, spaceBody), id.Hour)
	return binary.BigEndian.AppendUint64(dst, id.N)
}

// parseBody takes appendBody's key apart.
func parseBody(key []byte) (id store.BodyID, ok bool) {
	if len(key) != bodyLen {
		return id, false
	}
	return store.BodyID{Hour: binary.BigEndian.Uint32(key[1:]), N: binary.BigEndian.Uint64(key[5:])}, true
}
