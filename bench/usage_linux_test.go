package bench

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestUsageIsTheKernels holds what is read from /proc to what the kernel says by another way.
func TestUsageIsTheKernels(t *testing.T) {
	spent := func() float64 {
		var u unix.Rusage
		require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
		return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	before, err := cpuOf(os.Getpid())
	require.NoError(t, err)
	least := spent()
	for spent() < least+0.2 { // it has to be processor time that passes
	}
	after, err := cpuOf(os.Getpid())
	require.NoError(t, err)
	require.InDelta(t, spent()-least, after-before, 0.1)

	resident, err := residentOf(os.Getpid())
	require.NoError(t, err)
	const size = 64 << 20
	held, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	require.NoError(t, err)
	grown, err := residentOf(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, unix.Munmap(held))
	require.InDelta(t, size, grown-resident, size/4)
}

func TestUsageOfNobody(t *testing.T) {
	_, err := cpuOf(-1)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = residentOf(-1)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestTheEnginesClockIsTheMachines: frames are stamped by another process.
func TestTheEnginesClockIsTheMachines(t *testing.T) {
	e := new(engine)
	e.began, e.zero = bothClocks()
	for range 100 {
		before, now, after := monotonic(), e.now(), monotonic()
		require.GreaterOrEqual(t, now, before-int64(50*time.Microsecond))
		require.LessOrEqual(t, now, after+int64(50*time.Microsecond))
	}
}
