package pebble

import (
	"log/slog"
	"time"

	crdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The defaults of Options.
const (
	DefaultMemTableBytes = 8 << 20
	DefaultCacheBytes    = 32 << 20
	DefaultReaders       = 2
)

// slowDisk is how long a write may take before it is logged as slow.
const slowDisk = 5 * time.Second

// Options say where a store lies and how it works. Zero values are the defaults.
type Options struct {
	// Dir is the directory, which is made where it does not exist. Nothing else may lie in it.
	Dir string
	// Sync is SyncAlways by default.
	Sync Sync
	// FS is the disk, nil for the machine's own.
	FS vfs.FS
	// Logger takes the store's log; nil is slog's default.
	Logger *slog.Logger
	// MemTableBytes is how much is gathered in memory before it becomes a table on disk, at least 64 KiB. The log, which is read again at the
	// next start, is about as long; there may be three in memory while the disk is slow, and four logs are kept for reuse.
	MemTableBytes int
	// CacheBytes bounds what is kept of the tables in memory, with what is gathered counted in: a broker holds its hot frames itself.
	CacheBytes int64
	// Readers is how many goroutines read for owners.
	Readers int

	still bool // for tests: nothing is compacted in the background
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MemTableBytes <= 0 {
		o.MemTableBytes = DefaultMemTableBytes
	}
	o.MemTableBytes = max(o.MemTableBytes, 64<<10)
	if o.CacheBytes <= 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.Readers <= 0 {
		o.Readers = DefaultReaders
	}
	return o
}

// library are the library's own options. The files that they make can be read by builds with cgo and without.
func library(o *Options, fs vfs.FS, l logger) *crdb.Options {
	opts := &crdb.Options{
		FS:                          fs,
		Logger:                      l,
		FormatMajorVersion:          crdb.FormatNewest,
		CacheSize:                   o.CacheBytes,
		MemTableSize:                uint64(o.MemTableBytes),
		MemTableStopWritesThreshold: 3,
		MaxOpenFiles:                500,
		// Reads go by one client, which is few keys: a few layers more do not hurt, and a stalled commit does.
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       100,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		MaxManifestFileSize:         16 << 20,
		DisableAutomaticCompactions: o.still,
	}
	opts.Experimental.FileCacheShards = 2
	for i := range opts.Levels {
		opts.Levels[i].BlockSize = 8 << 10
		opts.Levels[i].IndexBlockSize = 64 << 10
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // of ten clients that attach, some are new to the store: no table is read for them
	}
	// The fastest compression on the way down, and a better one for what stays.
	opts.ApplyCompressionSettings(func() crdb.DBCompressionSettings { return crdb.DBCompressionBalanced })
	return opts
}

// listen has the library tell the store what happens in the background.
func (s *Store) listen(opts *crdb.Options) {
	opts.EventListener = &crdb.EventListener{
		// A flush or a compaction that fails would be tried again without end, and stall the writes without a word.
		BackgroundError: s.onLibrary,
		DataCorruption:  func(info crdb.DataCorruptionInfo) { s.onRead(corruption(info)) },
		WriteStallBegin: s.onStall,
		LowDiskSpace: func(info crdb.LowDiskSpaceInfo) {
			s.log.Warn("the store's disk is filling up", "dir", s.dir, "available", info.AvailBytes, "total", info.TotalBytes)
		},
	}
}

// onStall is told that commits wait for a flush or a compaction. A busy store tells so often: it is said once a minute, and how often in between.
func (s *Store) onStall(info crdb.WriteStallBeginInfo) {
	stalls := s.stalls.Add(1)
	now := time.Now().UnixNano()
	last := s.stallSaid.Load()
	if now-last < int64(time.Minute) || !s.stallSaid.CompareAndSwap(last, now) {
		return
	}
	s.log.Warn("the store's disk does not keep up: commits wait for it", "dir", s.dir, "reason", info.Reason, "stalls", stalls)
}

// onSlow is told of a write that takes its time.
func (s *Store) onSlow(info vfs.DiskSlowInfo) {
	s.log.Warn("the store's disk is slow", "file", info.Path, "doing", info.OpType.String(), "for", info.Duration)
}
