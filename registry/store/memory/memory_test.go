package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/restante/restante/registry/store/conformance"
	"github.com/restante/restante/registry/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance runs what applies to a store that leaves nothing behind and cannot fail.
func TestConformance(t *testing.T) {
	conformance.Run(t, func(testing.TB) conformance.Opened { return conformance.Opened{Store: memory.Store{}} })
}
