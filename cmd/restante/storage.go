package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/restante/restante/broker"
)

// storageFlags say where outboxes are kept, and what of them in memory as well. One that was not given is nil, since --memory excludes the others;
// its default is the placeholder in the help.
type storageFlags struct {
	DataDir *string `group:"store" placeholder:"./restante-data" help:"Folder that outboxes are kept in; it is made where it is not there, and one broker at a time uses it."`
	Memory  bool    `group:"store" help:"Keep outboxes in memory alone: they are lost with the process, however it ends, and clients that come back are told so."`
	Sync    *string `group:"store" placeholder:"always" help:"When a frame counts as stored. always: once it is on the disk. interval:50ms, or another duration: before that, and up to so much of the end is lost when the process is killed or the machine fails. never: before that, and then all is lost that had not been written by then."`

	MemoryLimit *size     `group:"store" placeholder:"256MiB" help:"Bytes of all frames that are in memory as well as on disk."`
	SleepAfter  *duration `group:"store" placeholder:"10m" help:"How long without a connection until a client leaves memory."`
	SpillAbove  *size     `group:"store" placeholder:"64KiB" help:"Bytes of one client's frames that are in memory as well; the older ones are on disk alone."`
}

// into sets in cfg what the flags say, or their defaults.
func (f storageFlags) into(cfg *broker.Config) error {
	if f.Memory {
		return f.nothingElse()
	}
	cfg.DataDir = given(f.DataDir, "./restante-data")
	if cfg.DataDir == "" {
		return usageError{errors.New("--data-dir is empty: name a folder, or say --memory to keep nothing")}
	}
	if cfg.Sync = given(f.Sync, "always"); cfg.Sync == "" {
		return usageError{errors.New("--sync is empty: say always, never, or interval: and a duration, as in interval:50ms")}
	}
	cfg.MemoryLimit = int64(given(f.MemoryLimit, 256<<20))
	cfg.SleepAfter = time.Duration(given(f.SleepAfter, duration(10*time.Minute)))
	cfg.SpillAbove = int64(given(f.SpillAbove, 64<<10))
	return nil
}

// nothingElse refuses what says something about a store on disk.
func (f storageFlags) nothingElse() error {
	for name, is := range map[string]bool{
		"data-dir": f.DataDir != nil, "sync": f.Sync != nil, "memory-limit": f.MemoryLimit != nil, "sleep-after": f.SleepAfter != nil, "spill-above": f.SpillAbove != nil,
	} {
		if is {
			return usageError{fmt.Errorf("--memory keeps nothing on disk, and --%s is about what is kept there: give one of the two", name)}
		}
	}
	return nil
}

func given[T any](flag *T, fallback T) T {
	if flag != nil {
		return *flag
	}
	return fallback
}

// storeAttrs name cfg's store in the log.
func storeAttrs(cfg broker.Config) []any {
	if cfg.DataDir == "" {
		return []any{"store", "memory"}
	}
	dir := cfg.DataDir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return []any{"store", dir, "sync", cfg.Sync}
}
