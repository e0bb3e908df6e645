package client

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/restante/restante/protocol"
)

// PendingSend is a send that has no receipt yet.
type PendingSend struct {
	// ID is the send's id, a random UUID (P-18).
	ID string
	// To is the client whose outbox the frame is for.
	To string
	// Frame is the frame without the white space between its tokens. It is immutable.
	Frame []byte
	// At is when Send was called; 24 h later the send is given up as unknown (P-30).
	At time.Time
}

// SendStore keeps the sends that have no receipt yet, so that they survive what it survives. A Client calls it from several
// goroutines, from one of them while it reads the connection: the calls should be quick.
type SendStore interface {
	// Put keeps s. It has returned before s is sent for the first time.
	Put(ctx context.Context, s PendingSend) error
	// Delete forgets the send of that id; one that is not there is no error.
	Delete(ctx context.Context, id string) error
	// All returns what is kept, in the order in which it was put. Run calls it once.
	All(ctx context.Context) ([]PendingSend, error)
}

// SendResult is the end of one send: Err is nil and Receipt is the broker's, or Err says why there is none.
type SendResult struct {
	PendingSend
	Receipt protocol.Receipt
	Err     error
}

// memoryStore is the SendStore that lives as long as its Client.
type memoryStore struct {
	mu   sync.Mutex
	kept []PendingSend
}

func newMemoryStore() *memoryStore { return &memoryStore{} }

func (m *memoryStore) Put(_ context.Context, s PendingSend) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = append(m.kept, s)
	return nil
}

func (m *memoryStore) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = slices.DeleteFunc(m.kept, func(s PendingSend) bool { return s.ID == id })
	return nil
}

func (m *memoryStore) All(context.Context) ([]PendingSend, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.kept), nil
}
