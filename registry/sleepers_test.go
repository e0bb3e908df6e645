package registry

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP28_ASleeperThatSendsIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.Session.ClientTTL = 2 * time.Hour
		r, _ := keep(t, cfg, vfs.NewMem())
		ctx := context.Background()
		publish(t, r, "sender", 1)
		for i := range 4 {
			time.Sleep(time.Hour)
			_, err := r.Send(ctx, "sender", "target", fmt.Sprint(i), body(t, `{"type":"x"}`))
			require.NoError(t, err)
		}
		asleep(t, r)
		require.Zero(t, sweep(r).Reaped)
		_, err := r.Send(ctx, "nobody", "target", "1", body(t, `{"type":"x"}`))
		require.NoError(t, err)
		asleep(t, r)
		require.EqualValues(t, 2, r.counters.Clients.Load(), "a send makes no sender")
	})
}

// TestP28_APublishCountsAlsoAfterAKill: what was confirmed last must not be reaped for what the client did before.
func TestP28_APublishCountsAlsoAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := keptConfig()
		cfg.Session.ClientTTL, cfg.Session.Bounds.Age = 3*time.Hour, 3*time.Hour
		fs := vfs.NewCrashableMem()
		r, _ := keep(t, cfg, fs)
		publish(t, r, "c", 1)
		time.Sleep(3*time.Hour - time.Minute)
		last := publish(t, r, "c", 1)

		r, _ = keep(t, cfg, fs.CrashClone(vfs.CrashCloneCfg{}))
		time.Sleep(time.Hour)
		require.Equal(t, protocol.Sweep{Kept: 1, Clients: 1, Pruned: 1}, sweep(r))
		page, err := r.Read(context.Background(), "c", Read{Since: &protocol.Cursor{Epoch: last.Epoch, Seq: 1}, Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Frames, 1)
	})
}
