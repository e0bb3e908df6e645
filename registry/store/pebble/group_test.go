package pebble_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// slow is a disk whose syncs of the log take their time, and are counted.
type slow struct {
	for_  time.Duration
	syncs atomic.Int64
}

func (s *slow) String() string { return "slow" }

func (s *slow) MaybeError(op errorfs.Op) error {
	if filepath.Ext(op.Path) == ".log" {
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			s.syncs.Add(1)
			time.Sleep(s.for_)
		}
	}
	return nil
}

// publisher is a client that gives its next update when the last is answered.
type publisher struct {
	id       string
	u        store.Update
	answered chan error
}

func newPublisher(i int, body protocol.Body) *publisher {
	p := &publisher{id: clientID(i), answered: make(chan error, 1)}
	p.u = store.Update{At: 1_800_000_000_000, Bodies: []protocol.Body{body}}
	p.u.Is = store.State{Epoch: 7, Seen: 1_800_000_000_000, Oldest: 1_800_000_000_000}
	return p
}

func clientID(i int) string { return fmt.Sprintf("client-%07d", i) }

func (p *publisher) ClientID() string                           { return p.id }
func (p *publisher) Confirmed(_ uint64, err error)              { p.answered <- err }
func (p *publisher) Loaded(*store.Client, error)                {}
func (p *publisher) Bodies(uint64, []protocol.Body, error)      {}
func (p *publisher) SnapshotData(uint64, uint64, []byte, error) {}

// publish gives one frame, waits, and keeps the outbox at 100 frames, given back by the hundred.
func (p *publisher) publish(s store.Store) error {
	is := &p.u.Is
	p.u.Token++
	p.u.Was = *is
	is.Head++
	p.u.First = is.Head
	is.Bytes += int64(len(p.u.Bodies[0])) + protocol.FrameOverhead
	if is.Frames() > 100 {
		is.Floor++
		is.Acked, is.Sent = is.Floor, is.Head
		is.Bytes -= int64(len(p.u.Bodies[0])) + protocol.FrameOverhead
		if is.Floor-is.Cleaned >= 1000 {
			is.Cleaned = is.Floor
		}
	}
	if now, err := s.Commit(p, &p.u); now {
		return err
	}
	return <-p.answered
}

// noise is a body that no compression makes much smaller.
func noise(seed, length int) protocol.Body {
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	raw := make([]byte, length/2)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return protocol.Body(`{"type":"f","data":"` + hex.EncodeToString(raw) + `"}`)
}

// TestGroupCommit: with a disk that takes 2 ms to sync, 64 publishers that each wait for their answer share the syncs.
func TestGroupCommit(t *testing.T) {
	disk := &slow{for_: 2 * time.Millisecond}
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), disk)})
	require.NoError(t, err)
	before := disk.syncs.Load()
	const publishers, each = 64, 40
	var all sync.WaitGroup
	for i := range publishers {
		all.Go(func() {
			p := newPublisher(i, noise(i, 200))
			for range each {
				if err := p.publish(s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	syncs := disk.syncs.Load() - before
	t.Logf("%d publishes, %d syncs: %.1f publishes a sync", publishers*each, syncs, float64(publishers*each)/float64(syncs))
	require.GreaterOrEqual(t, publishers*each/int(syncs), 16)
	require.NoError(t, s.Close())
}

// TestLazyNeedsNoSync: an update that may be lost is confirmed without a sync.
func TestLazyNeedsNoSync(t *testing.T) {
	disk := &slow{}
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), disk)})
	require.NoError(t, err)
	c := newClient("a")
	c.publish(s, 1, 10, 10)
	require.NoError(t, c.wait(t))
	before := disk.syncs.Load()
	for range 10 {
		c.give(s, store.Update{Was: c.is, Is: c.is, Lazy: true})
		require.NoError(t, c.wait(t))
	}
	require.Equal(t, before, disk.syncs.Load())
	c.publish(s, 1, 10, 10)
	require.NoError(t, c.wait(t))
	require.Equal(t, before+1, disk.syncs.Load())
	require.NoError(t, s.Close())
}
