package registry

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// failingPeer is a connection whose close fails the client actor.
type failingPeer struct{ *fakePeer }

func (failingPeer) Close(protocol.CloseCode) { panic("a connection's fault") }

// TestAPanicInADeletionTakesNothingBack: the store has been asked to forget the client, so that the next life must not go on from frames
// that the store has no more.
func TestAPanicInADeletionTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		ctx := context.Background()
		first := publish(t, r, "c", 3)
		r.Attach("c", Attach{ConnectionID: "1", Transport: "test"}, failingPeer{newFakePeer()})
		synctest.Wait()
		_ = r.Delete(ctx, "c")
		synctest.Wait()
		require.EqualValues(t, 1, r.counters.Panics.Load())
		next := publish(t, r, "c", 1)
		asleep(t, r)
		page, err := r.Read(ctx, "c", Read{Limit: 10})
		require.NoError(t, err)
		require.NoError(t, r.Err(), "the store goes on")
		require.Equal(t, next.Epoch, page.Epoch)
		require.NotEqual(t, first.Epoch, page.Epoch)
		require.Len(t, page.Frames, int(next.Seq-page.Floor))
		require.EqualValues(t, 1, r.counters.Clients.Load())
		require.EqualValues(t, len(page.Frames), r.counters.OutboxFrames.Load())
	})
}

// TestP26_TheEpochAfterAPanicIsStoredBeforeItIsShown kills the broker behind a client that has failed, slept, and been woken.
func TestP26_TheEpochAfterAPanicIsStoredBeforeItIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		r, _ := keep(t, keptConfig(), fs)
		ctx := context.Background()
		first := publish(t, r, "c", 3)
		p := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "1", Transport: "test"}, p)
		synctest.Wait()
		p.panics = true
		publish(t, r, "c", 1)
		asleep(t, r)
		page, err := r.Read(ctx, "c", Read{Limit: 10})
		require.NoError(t, err)
		require.NotEqual(t, first.Epoch, page.Epoch)

		r, _ = keep(t, keptConfig(), fs.CrashClone(vfs.CrashCloneCfg{})) // nothing that was not synced is left
		again, err := r.Read(ctx, "c", Read{Limit: 10})
		require.NoError(t, err)
		require.Equal(t, page.Epoch, again.Epoch)
		require.Equal(t, page.Frames, again.Frames)
	})
}
