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

// TestP11_PlacesOutliveTheProcess: two devices of one client are connected when the process is killed. The one that comes back first acks; what
// the other one has not had stays for the resume window.
func TestP11_PlacesOutliveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		r, _ := keep(t, keptConfig(), fs)
		ctx := context.Background()
		last := publish(t, r, "c", 2)
		slow, quick := newFakePeer(), newFakePeer()
		r.Attach("c", Attach{ConnectionID: "1", Transport: "test"}, slow)
		r.Attach("c", Attach{ConnectionID: "2", Transport: "test"}, quick)
		synctest.Wait()
		slow.link.Message(protocol.Message{Type: protocol.TypeAck, Seq: 2}, nil)
		quick.link.Message(protocol.Message{Type: protocol.TypeAck, Seq: 2}, nil)
		publish(t, r, "c", 2)
		time.Sleep(2 * time.Second)

		r, _ = keep(t, keptConfig(), fs.CrashClone(vfs.CrashCloneCfg{}))
		at := func(seq uint64) *protocol.Cursor { return &protocol.Cursor{Epoch: last.Epoch, Seq: seq} }
		quick = newFakePeer()
		r.Attach("c", Attach{ConnectionID: "3", Transport: "test", Since: at(4)}, quick)
		publish(t, r, "c", 1)
		synctest.Wait()
		quick.link.Message(protocol.Message{Type: protocol.TypeAck, Seq: 5}, nil)
		synctest.Wait()
		slow = newFakePeer()
		r.Attach("c", Attach{ConnectionID: "4", Transport: "test", Since: at(2)}, slow)
		synctest.Wait()
		require.Equal(t, []uint64{3, 4, 5}, slow.seqs())
		require.Contains(t, slow.texts()[0], `"resume":"replay"`)

		slow.link.Message(protocol.Message{Type: protocol.TypeAck, Seq: 5}, nil)
		time.Sleep(2 * time.Minute)
		st, err := r.State(ctx, "c")
		require.NoError(t, err)
		require.EqualValues(t, 5, st.Floor)
		require.Equal(t, 2, st.Places, "a place ends with the window")
	})
}
