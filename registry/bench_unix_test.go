//go:build unix

package registry

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reportGC says how much of the processor one forced collection of all that is alive takes: the least of three.
func reportGC(b *testing.B) {
	least := time.Duration(1 << 62)
	for range 3 {
		before := processor(b)
		runtime.GC()
		least = min(least, processor(b)-before)
	}
	b.ReportMetric(least.Seconds(), "GC-CPU-s")
}

// processor is how much of it this process has used.
func processor(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentNow is how many bytes of this process are in memory once what is free was given back to the system; 0 where /proc does not say.
func residentNow(tb testing.TB) float64 {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		tb.Fatal(err)
	}
	return float64(pages * os.Getpagesize())
}
