package session_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/restante/restante/registry/session"
)

func TestAnEpochIsItsTwoPartsInBase36(t *testing.T) {
	check := func(bits uint64, gen uint32) string {
		s := session.Epoch{Bits: bits, Gen: gen}.String()
		require.Equal(t, strconv.FormatUint(bits, 36)+"-"+strconv.FormatUint(uint64(gen), 36), s)
		return s
	}
	require.Equal(t, "0-0", check(0, 0))
	require.LessOrEqual(t, len(check(math.MaxUint64, math.MaxUint32)), 32, "as long as an epoch may be")
	rapid.Check(t, func(t *rapid.T) { check(rapid.Uint64().Draw(t, "bits"), rapid.Uint32().Draw(t, "generation")) })
}
