package pebble_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/conformance"
	"github.com/restante/restante/registry/store/pebble"
)

// opened is a store for the conformance suite. On a disk that can crash, it can.
func opened(t testing.TB, o pebble.Options) conformance.Opened {
	s, err := pebble.Open(o)
	require.NoError(t, err)
	c := conformance.Opened{Store: s}
	c.Reopen = func() (store.Store, error) {
		if err := s.Close(); err != nil {
			return nil, err
		}
		s, err = pebble.Open(o)
		return s, err
	}
	disk, ok := o.FS.(*vfs.MemFS)
	if !ok || o.Sync != pebble.SyncAlways {
		return c
	}
	c.Crash = func() (store.Store, error) {
		before := s
		disk = disk.CrashClone(vfs.CrashCloneCfg{}) // exactly what was synced
		o.FS = disk
		s, err = pebble.Open(o)
		if cerr := before.Close(); err == nil {
			err = cerr
		}
		return s, err
	}
	return c
}

// TestConformance runs the suite on a disk that can crash and on a real one, and for each way to sync.
func TestConformance(t *testing.T) {
	for name, options := range map[string]func(t testing.TB) pebble.Options{
		"crashes": func(testing.TB) pebble.Options { return pebble.Options{Dir: "data", FS: vfs.NewCrashableMem()} },
		"interval": func(testing.TB) pebble.Options {
			return pebble.Options{Dir: "data", FS: vfs.NewMem(), Sync: pebble.SyncInterval(pebble.MinSyncInterval)}
		},
		"disk": func(t testing.TB) pebble.Options { return pebble.Options{Dir: t.TempDir(), Sync: pebble.SyncNever} },
	} {
		t.Run(name, func(t *testing.T) {
			conformance.Run(t, func(t testing.TB) conformance.Opened { return opened(t, options(t)) })
		})
	}
}
