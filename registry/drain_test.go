package registry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// TestP23_WhoWakesInADrainDrains looks at a client that sleeps while the broker drains: whoever comes to it then is sent away as everywhere else.
func TestP23_WhoWakesInADrainDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		ctx := context.Background()
		last := publish(t, r, "c", 3)
		asleep(t, r)
		r.Drain(10*time.Second, nil)
		_, err := r.State(ctx, "c") // a look wakes it
		require.NoError(t, err)

		p := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "1", Transport: "test"}, p)
		synctest.Wait()
		require.Len(t, p.texts(), 1)
		require.Contains(t, p.texts()[0], `"goaway"`)
		require.Empty(t, p.seqs())
		require.Equal(t, protocol.CloseDraining, <-p.closed)
		began := time.Now()
		page, err := r.Read(ctx, "c", Read{Since: &protocol.Cursor{Epoch: last.Epoch, Seq: 3}, Limit: 1, Wait: time.Minute})
		require.NoError(t, err)
		require.Equal(t, protocol.ResumeUpToDate, page.Resume)
		require.Zero(t, time.Since(began), "a long-poll is answered as it stands")
	})
}
