package pebble

import (
	"fmt"
	"strings"
	"time"
)

// mode is how a store syncs, as its generation record has it.
type mode byte

const (
	modeAlways mode = iota
	modeInterval
	modeNever
)

// Sync says when what was committed is synced to the disk, and so what a confirmation means (P-26). The zero Sync is SyncAlways.
type Sync struct {
	mode  mode
	every time.Duration
}

// MinSyncInterval and MaxSyncInterval bound the interval of SyncInterval.
const (
	MinSyncInterval = time.Millisecond
	MaxSyncInterval = time.Minute
)

var (
	// SyncAlways confirms after the sync of the group: nothing that was confirmed is lost.
	SyncAlways = Sync{}
	// SyncNever leaves it to the operating system: the process killed or the power lost, what was confirmed last is lost.
	SyncNever = Sync{mode: modeNever}
)

// SyncInterval confirms at once and syncs once in every d, within MinSyncInterval and MaxSyncInterval: the process killed or the power
// lost, what was confirmed in about the last d is lost.
func SyncInterval(d time.Duration) Sync {
	return Sync{mode: modeInterval, every: min(max(d, MinSyncInterval), MaxSyncInterval)}
}

// String is what ParseSync reads.
func (s Sync) String() string {
	switch s.mode {
	case modeInterval:
		return "interval:" + s.every.String()
	case modeNever:
		return "never"
	}
	return "always"
}

// ParseSync reads "always", "never", or "interval:" and a duration, as in "interval:50ms". Its errors are sentences.
func ParseSync(text string) (Sync, error) {
	switch text {
	case "always":
		return SyncAlways, nil
	case "never":
		return SyncNever, nil
	}
	given, ok := strings.CutPrefix(text, "interval:")
	if !ok {
		return Sync{}, fmt.Errorf("sync is always, never, or interval: and a duration as in interval:50ms, not %q", text)
	}
	d, err := time.ParseDuration(given)
	if err != nil {
		return Sync{}, fmt.Errorf("sync's interval is a duration as in interval:50ms, not %q", given)
	}
	if d < MinSyncInterval || d > MaxSyncInterval {
		return Sync{}, fmt.Errorf("sync's interval is from %v to %v, not %v", MinSyncInterval, MaxSyncInterval, d)
	}
	return SyncInterval(d), nil
}
