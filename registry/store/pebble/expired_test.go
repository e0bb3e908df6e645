package pebble_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// TestAnExpiredSharedBodyIsNoDamage: who slept while its shared bodies were let go of comes back without the frames up to them, also in the next process.
func TestAnExpiredSharedBodyIsNoDamage(t *testing.T) {
	const hour = 3600_000
	fs := vfs.NewMem()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: fs, Logger: silent})
	require.NoError(t, err)
	c := newClient("a")
	give := func(at int64, shared bool) {
		head := c.is.Head + 1
		u := store.Update{Was: c.is, Is: c.is, First: head, At: at, Bodies: []protocol.Body{protocol.Body(fmt.Sprintf(`{"type":"s","n":%d}`, head))}}
		if shared {
			u.Shared = []store.BodyID{s.Share(u.Bodies[0], at)}
		}
		u.Is.Head, u.Is.Epoch = head, 7
		c.give(s, u)
		require.NoError(t, c.wait(t))
	}
	give(1*hour, false)
	give(1*hour, true)
	give(1*hour, false)
	give(2*hour, true)
	give(9*hour, true)
	require.NoError(t, s.Tidy(context.Background(), 3*hour))
	for range 2 {
		for _, hot := range []int64{0, 1000} {
			got, err := c.load(t, s, hot)
			require.NoError(t, err)
			require.EqualValues(t, 4, got.Expired)
			require.Len(t, got.Frames, 1)
			require.True(t, got.Frames[0].OfTopic)
			require.Equal(t, hot > 0, got.Frames[0].Body != nil)
		}
		s.Read(c, store.Read{After: 1, Last: 5, Frames: 9, Bytes: 999})
		require.ErrorIs(t, take(t, c.bodies).err, store.ErrExpired)
		s.Read(c, store.Read{After: 2, Last: 5, Frames: 9, Bytes: 999})
		require.Len(t, take(t, c.bodies).bodies, 1, "as far as it goes")
		require.NoError(t, s.Err())
		require.NoError(t, s.Close())
		s, err = pebble.Open(pebble.Options{Dir: "data", FS: fs, Logger: silent})
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
}
