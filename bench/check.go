package bench

import (
	"bytes"
	"errors"
)

// Parts of a published frame: its number for its receiver, and when it was due to be published.
var (
	numberKey = []byte(`"k":"`)
	timeKey   = []byte(`","t":"`)
	padKey    = []byte(`","p":"`)
	frameEnd  = []byte(`"}`)
)

const (
	numberDigits = 10
	timeDigits   = 19
	// frameHead is how far into the object its number's key is.
	frameHead = len(`{"type":"b",`)
)

var errChanged = errors.New("a frame has not come as it was published")

// stampOf finds the number and the time of the frame that data is or holds. The error is errChanged.
func stampOf(data []byte) (number uint64, due int64, err error) {
	at := bytes.Index(data, numberKey)
	end := at + Frame - frameHead
	if at < 0 || len(data) < end || !bytes.Equal(data[end-len(frameEnd):end], frameEnd) {
		return 0, 0, errChanged
	}
	rest := data[at+len(numberKey):]
	number, ok := digits(rest[:numberDigits])
	if rest = rest[numberDigits:]; !ok || !bytes.HasPrefix(rest, timeKey) {
		return 0, 0, errChanged
	}
	rest = rest[len(timeKey):]
	t, ok := digits(rest[:timeDigits])
	if !ok || number == 0 || !bytes.HasPrefix(rest[timeDigits:], padKey) {
		return 0, 0, errChanged
	}
	return number, int64(t), nil
}

// digits reads a number of nothing but digits, at most 19 of them.
func digits(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}

// verdict is what the number of a frame says about it.
type verdict uint8

const (
	next     verdict = iota
	early            // others before it are missing so far
	belated          // it was missing, and comes after a later one
	repeated         // it has come before
)

// order holds the numbers that one receiver has got to 1, 2, 3 … The zero value expects 1.
type order struct {
	last    uint64
	missing []span
}

// span is the numbers from first to last.
type span struct{ first, last uint64 }

// see notes that number n has come.
func (o *order) see(n uint64) verdict {
	switch {
	case n == o.last+1:
		o.last = n
		return next
	case n > o.last:
		o.missing = append(o.missing, span{o.last + 1, n - 1})
		o.last = n
		return early
	}
	for i, m := range o.missing {
		if n < m.first || n > m.last {
			continue
		}
		o.missing = append(o.missing[:i], o.missing[i+1:]...)
		if m.first < n {
			o.missing = append(o.missing, span{m.first, n - 1})
		}
		if n < m.last {
			o.missing = append(o.missing, span{n + 1, m.last})
		}
		return belated
	}
	return repeated
}
