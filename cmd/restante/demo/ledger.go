package demo

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
)

// ledger accounts for every line: what was sent, and what came of it.
type ledger struct {
	mu   sync.Mutex
	sums [][sha256.Size]byte // of line n at n-1
	// confirmed is how many lines the broker has said it stored.
	confirmed int
	seen      []int // how often line n has come, at n-1
	received  int
	// bytes of frames, for the window.
	bytesSent, bytesTaken int
	last                  int // the number of the line that came last
	// What is wrong; bad holds the first of it in words.
	disordered, corrupt, foreign int
	bad                          string
}

// sending notes lines, so many bytes as frames, before they are sent for the first time.
func (l *ledger) sending(lines []string, bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytesSent += bytes
	for _, s := range lines {
		l.sums = append(l.sums, sha256.Sum256([]byte(s)))
		l.seen = append(l.seen, 0)
	}
}

// The window: how far the reader may be behind, well inside the bounds of an outbox (P-13), and how much is published at a time.
const (
	windowLines = 4000
	windowBytes = 1 << 20
	mostAtOnce  = 250
)

// room is how many lines may be published now.
func (l *ledger) room() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytesSent-l.bytesTaken >= windowBytes {
		return 0
	}
	return min(mostAtOnce, windowLines-(len(l.sums)-l.received))
}

// reachedEnd says that the last line has come.
func (l *ledger) reachedEnd() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last >= len(l.sums)
}

// stored notes that n more of them are confirmed.
func (l *ledger) stored(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.confirmed += n
}

// took notes a frame that the client has handed over.
func (l *ledger) took(raw []byte) {
	var f lineFrame
	err := json.Unmarshal(raw, &f)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received++
	l.bytesTaken += len(raw)
	if err != nil || f.Type != "line" || f.N < 1 || f.N > len(l.sums) {
		l.foreign++
		l.note("a frame that was not sent: %.80s", raw)
		return
	}
	if sha256.Sum256([]byte(f.Text)) != l.sums[f.N-1] {
		l.corrupt++
		l.note("line %d came with another text: %.80s", f.N, f.Text)
	}
	if f.N != l.last+1 {
		l.disordered++
		l.note("line %d came after line %d", f.N, l.last)
	}
	l.last = f.N
	l.seen[f.N-1]++
}

func (l *ledger) note(format string, args ...any) {
	if l.bad == "" {
		l.bad = fmt.Sprintf(format, args...)
	}
}

// counts are what a ledger has come to.
type counts struct {
	sent, received, missing, doubled int
	disordered, corrupt, foreign     int
	complete                         bool
	bad                              string
}

func (l *ledger) counts() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := counts{sent: l.confirmed, received: l.received, disordered: l.disordered, corrupt: l.corrupt, foreign: l.foreign, bad: l.bad}
	for _, n := range l.seen {
		switch {
		case n == 0:
			c.missing++
		case n > 1:
			c.doubled += n - 1
		}
	}
	c.complete = c.missing == 0 && len(l.seen) == l.confirmed
	return c
}

// progress is how many lines were confirmed and how many frames came.
func (l *ledger) progress() (sent, received int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.confirmed, l.received
}

// faultless says that what was sent came once, in order, and unchanged.
func (c counts) faultless() bool {
	return c.sent > 0 && c.complete && c.received == c.sent && c.doubled == 0 && c.disordered == 0 && c.corrupt == 0 && c.foreign == 0
}
