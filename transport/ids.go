package transport

import (
	"bufio"
	"crypto/rand"
	"sync"

	"github.com/google/uuid"
)

// ids makes UUIDs. It draws the randomness of many at once: each draw of its own is a system call.
type ids struct {
	mu     sync.Mutex
	random *bufio.Reader
}

const idsAtOnce = 32

func newIDs() *ids { return &ids{random: bufio.NewReaderSize(rand.Reader, idsAtOnce*16)} }

func (x *ids) next() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return uuid.Must(uuid.NewRandomFromReader(x.random)).String() // crypto/rand does not fail
}
