package registry

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// What goes to the store besides frames, and when.

func stat(t *testing.T, r *Registry, id string) store.State {
	t.Helper()
	synctest.Wait()
	st, err := r.disk.Stat(id)
	require.NoError(t, err)
	return st
}

func ackTo(t *testing.T, r *Registry, id string, seq uint64) {
	t.Helper()
	_, err := r.Ack(context.Background(), id, protocol.Cursor{Seq: seq}, "")
	require.NoError(t, err)
}

func TestP11_AnAckGoesToTheStoreWithinASecondOrTwoAndCostsNoSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		publish(t, r, "c", 10)
		syncs := r.disk.Metrics().Syncs
		require.EqualValues(t, 10, syncs, "a publish that is waited for alone takes one")
		for seq := range uint64(5) {
			ackTo(t, r, "c", seq+1)
		}
		require.Zero(t, stat(t, r, "c").Floor)
		groups := r.disk.Metrics().Groups
		time.Sleep(3 * time.Second) // a second, and the wheel's ticks
		require.EqualValues(t, 5, stat(t, r, "c").Floor)
		require.EqualValues(t, 5, stat(t, r, "c").Acked)
		require.Equal(t, syncs, r.disk.Metrics().Syncs)
		require.Equal(t, groups+1, r.disk.Metrics().Groups, "five acks, one update")

		ackTo(t, r, "c", 7)
		publish(t, r, "c", 1) // takes it along
		require.EqualValues(t, 7, stat(t, r, "c").Floor)
		groups = r.disk.Metrics().Groups
		time.Sleep(time.Minute)
		require.EqualValues(t, 7, stat(t, r, "c").Floor)
		require.Equal(t, groups, r.disk.Metrics().Groups, "nothing more to tell")
	})
}

func TestDeadFramesAreGivenBackByTheThousandOrTheQuarterMebibyte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		publish(t, r, "many", 1500)
		ackTo(t, r, "many", 999)
		time.Sleep(3 * time.Second)
		st := stat(t, r, "many")
		require.Equal(t, [2]uint64{999, 0}, [2]uint64{st.Floor, st.Cleaned}, "the floor is the truth, deleting lags")
		ackTo(t, r, "many", 1000)
		time.Sleep(3 * time.Second)
		st = stat(t, r, "many")
		require.Equal(t, [2]uint64{1000, 1000}, [2]uint64{st.Floor, st.Cleaned})

		large := body(t, fmt.Sprintf(`{"type":"x","v":"%s"}`, strings.Repeat("v", 60<<10)))
		for range 6 {
			_, err := r.Publish(context.Background(), "large", Publish{Bodies: []protocol.Body{large}})
			require.NoError(t, err)
		}
		ackTo(t, r, "large", 4)
		time.Sleep(3 * time.Second)
		require.Zero(t, stat(t, r, "large").Cleaned)
		ackTo(t, r, "large", 5)
		time.Sleep(3 * time.Second)
		require.EqualValues(t, 5, stat(t, r, "large").Cleaned)

		publish(t, r, "few", 10)
		ackTo(t, r, "few", 3)
		asleep(t, r)
		require.EqualValues(t, 3, stat(t, r, "few").Cleaned, "at the latest when the client goes to sleep")
		require.EqualValues(t, 1000, stat(t, r, "many").Cleaned)
	})
}

// TestP28_LastSeenIsWrittenOnceAnHour has a client that answers its pings and does nothing else.
func TestP28_LastSeenIsWrittenOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keep(t, keptConfig(), vfs.NewMem())
		p := newFakePeer()
		r.Attach("c", Attach{ConnectionID: "1", Transport: "test"}, p)
		synctest.Wait()
		groups := r.disk.Metrics().Groups
		for range 5 * 60 {
			time.Sleep(time.Minute)
			p.link.Message(protocol.Message{Type: protocol.TypePong}, nil)
			synctest.Wait()
		}
		age := r.wall(r.sys.Now()) - stat(t, r, "c").Seen
		require.LessOrEqual(t, age, (time.Hour + 2*time.Minute).Milliseconds(), "a kill now does not make it look idle")
		wrote := r.disk.Metrics().Groups - groups
		require.GreaterOrEqual(t, wrote, uint64(4))
		require.LessOrEqual(t, wrote, uint64(5), "and that costs little")
	})
}
