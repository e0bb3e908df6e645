package pebble_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// TestCloseLeavesNothing: a healthy store's Close ends every goroutine, the library's too, and lets go of the directory.
func TestCloseLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for _, sync := range []pebble.Sync{pebble.SyncAlways, pebble.SyncInterval(time.Millisecond), pebble.SyncNever} {
		o := pebble.Options{Dir: t.TempDir(), Sync: sync}
		for range 2 {
			s, err := pebble.Open(o)
			require.NoError(t, err)
			c := newClient("a")
			l, err := c.load(t, s, 0)
			require.NoError(t, err)
			if l != nil {
				c.is = l.State
			}
			c.publish(s, 10, 100, 100)
			require.NoError(t, c.wait(t))
			require.NoError(t, s.Scan("", func(string, store.State) bool { return true }))
			require.NoError(t, s.Close())
			require.NoError(t, s.Close(), "the second time")
			closed(t, s, c)
		}
		goleak.VerifyNone(t, before)
	}
}

// closed holds a closed store to refusing everything.
func closed(t *testing.T, s *pebble.Store, c *client) {
	const sentence = "the store has been closed"
	c.publish(s, 1, 10, 100)
	require.ErrorContains(t, c.wait(t), sentence)
	_, err := c.load(t, s, 0)
	require.ErrorContains(t, err, sentence)
	s.Read(c, store.Read{Last: 1, Frames: 1})
	require.ErrorContains(t, take(t, c.bodies).err, sentence)
	s.ReadSnapshot(c, 1)
	require.ErrorContains(t, take(t, c.data).err, sentence)
	_, err = s.Stat("a")
	require.ErrorContains(t, err, sentence)
	require.ErrorContains(t, s.Scan("", nil), sentence)
	require.ErrorContains(t, s.Tidy(context.Background(), 0), sentence)
	require.NoError(t, s.Err())
	select {
	case <-s.Failed():
		t.Error("a closed store has not failed")
	default:
	}
}
