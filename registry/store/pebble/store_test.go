package pebble_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/conformance"
	"github.com/restante/restante/registry/store/pebble"
)

// TestConformance runs the suite on a disk in memory and on a real one.
func TestConformance(t *testing.T) {
	for name, open := range map[string]func(t testing.TB) pebble.Options{
		"memory": func(testing.TB) pebble.Options { return pebble.Options{Dir: "data", FS: vfs.NewMem()} },
		"disk":   func(t testing.TB) pebble.Options { return pebble.Options{Dir: t.TempDir()} },
	} {
		t.Run(name, func(t *testing.T) {
			conformance.Run(t, func(t testing.TB) conformance.Opened {
				o := open(t)
				s, err := pebble.Open(o)
				require.NoError(t, err)
				reopen := func() (store.Store, error) {
					if err := s.Close(); err != nil {
						return nil, err
					}
					s, err = pebble.Open(o)
					return s, err
				}
				return conformance.Opened{Store: s, Reopen: reopen}
			})
		})
	}
}
