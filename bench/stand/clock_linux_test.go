package stand

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTheClockIsTheMachines(t *testing.T) {
	c := newClock()
	var before, after unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &before))
	now := c.now()
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &after))
	const off = int64(20 * time.Microsecond)
	require.Greater(t, now, before.Nano()-off)
	require.Less(t, now, after.Nano()+off)
}
