package pebble_test

import (
	"io/fs"
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

// silent is for tests in which the store has much to say about a disk that was made to fail.
var silent = slog.New(slog.DiscardHandler)

type pathError = fs.PathError

// TestMain looks for goroutines left behind. What a failed store leaves is no fault: it stands still in a call of the disk, or in the library
// behind one that does. TestCloseLeavesNothing looks at what a healthy store leaves, without these exceptions.
func TestMain(m *testing.M) {
	const library = "github.com/cockroachdb/pebble/v2"
	var left []goleak.Option
	for _, f := range []string{
		"github.com/restante/restante/registry/store/pebble.park",
		library + "/record.(*LogWriter).flushLoop",
		library + ".(*ConcurrencyLimitScheduler).periodicGranter",
		library + ".(*cleanupManager).mainLoop",
		library + "/internal/genericcache.(*shard[...]).releaseLoop",
		library + ".(*DB).applyInternal",
		library + "/sstable.(*RawColumnWriter).drainWriteQueue",
		library + "/vfs.(*diskHealthCheckingFile).startTicker.func1",
		library + ".(*DB).flush",
		library + ".(*DB).collectTableStats",
		library + ".(*DB).Compact",
		library + ".(*DB).runCompaction",
		library + ".Open",
		library + ".(*DB).Close",
	} {
		left = append(left, goleak.IgnoreAnyFunction(f))
	}
	goleak.VerifyTestMain(m, left...)
}
