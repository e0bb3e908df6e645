package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/memory"
	"github.com/restante/restante/registry/store/pebble"
	"github.com/restante/restante/transport"
)

const (
	// closeTimeout bounds Close.
	closeTimeout = 10 * time.Second
	// drainTime is how long Drain takes where its context has no deadline.
	drainTime = 10 * time.Second
	// drainMargin is left of a drain's time for the close handshakes after the last goaway.
	drainMargin = 500 * time.Millisecond
	// failTime is how long connections get to read what there is for them after the store has failed.
	failTime = time.Second
	// snapshotTimeout bounds a provider (P-9), ackInterval is announced in hello (P-12).
	snapshotTimeout = 5 * time.Second
	ackInterval     = 5 * time.Second
)

// maxTopicFrames is the most that a topic's log may be set to hold (P-32).
const maxTopicFrames = 131_072

// maxFrame is the most that MaxFrameBytes may be; an outbox counts a body's bytes in 32 bits.
const maxFrame = 1 << 30

// or returns v, or the default where v is the zero that stands for it.
func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// withDefaults returns c with every zero replaced by its documented default.
func (c Config) withDefaults() Config {
	c.MaxFrames = or(c.MaxFrames, 10_000)
	c.MaxOutboxBytes = or(c.MaxOutboxBytes, 4<<20)
	c.MaxAge = or(c.MaxAge, 24*time.Hour)
	c.ResumeWindow = or(c.ResumeWindow, time.Minute)
	c.MaxConnections = or(c.MaxConnections, 16)
	c.MaxFrameBytes = or(c.MaxFrameBytes, protocol.DefaultMaxFrameBytes)
	c.MaxMessageBytes = or(c.MaxMessageBytes, protocol.DefaultMaxMessageBytes)
	c.MaxClients = or(c.MaxClients, 1_000_000)
	if c.DataDir == "" {
		c.MaxTotalBytes = or(c.MaxTotalBytes, 1<<30)
	}
	c.MaxTotalBytes = or(c.MaxTotalBytes, 16<<30)
	c.Sync = or(c.Sync, pebble.SyncAlways.String())
	c.SleepAfter = or(c.SleepAfter, 10*time.Minute)
	c.SpillAbove = or(c.SpillAbove, 64<<10)
	c.MemoryLimit = or(c.MemoryLimit, 256<<20)
	c.MaxInFlightBytes = or(c.MaxInFlightBytes, 64<<20)
	c.RecordTTL = or(c.RecordTTL, 24*time.Hour)
	c.MaxRecords = or(c.MaxRecords, 10_000)
	c.ClientTTL = or(c.ClientTTL, 24*time.Hour)
	if c.ClientTTL > 0 {
		c.ClientTTL = max(c.ClientTTL, c.MaxAge) // P-28
	}
	c.TopicFrames = or(c.TopicFrames, 1000)
	c.TopicBytes = or(c.TopicBytes, max(4<<20, 512*int64(c.TopicFrames)))
	c.TopicAge = or(c.TopicAge, c.MaxAge)
	c.MaxTopics = or(c.MaxTopics, 100_000)
	c.JanitorInterval = or(c.JanitorInterval, time.Hour)
	c.PingInterval = or(c.PingInterval, 25*time.Second)
	c.PongTimeout = or(c.PongTimeout, 35*time.Second)
	c.MessageTimeout = or(c.MessageTimeout, 30*time.Second)
	c.HandshakeTimeout = or(c.HandshakeTimeout, 10*time.Second)
	c.WriteTimeout = or(c.WriteTimeout, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate says in a sentence what is wrong with c, or nil.
func (c Config) Validate() error {
	switch {
	case c.MaxFrameBytes < 0 || c.MaxMessageBytes < 0:
		return fmt.Errorf("MaxFrameBytes and MaxMessageBytes cannot be off: give a size in bytes, or 0 for the default")
	case c.MaxFrameBytes != 0 && c.MaxFrameBytes < 64:
		return fmt.Errorf("MaxFrameBytes is %d, but a frame needs at least 64 bytes", c.MaxFrameBytes)
	case c.MaxFrameBytes > maxFrame:
		return fmt.Errorf("MaxFrameBytes is %d, but a frame has at most %d bytes (1 GiB) here", c.MaxFrameBytes, maxFrame)
	case c.MaxMessageBytes != 0 && c.MaxMessageBytes < 2*protocol.MessageSlack:
		return fmt.Errorf("MaxMessageBytes is %d, but must be at least %d", c.MaxMessageBytes, 2*protocol.MessageSlack)
	case c.PingInterval < 0 || c.PongTimeout < 0:
		return fmt.Errorf("PingInterval and PongTimeout cannot be off: a dead socket would never be found")
	case c.TopicFrames > maxTopicFrames:
		return fmt.Errorf("TopicFrames is %d; a topic's log holds at most %d", c.TopicFrames, maxTopicFrames)
	case c.RetainAcked < 0:
		return fmt.Errorf("RetainAcked is %d; give how many acked frames to keep, or 0 for none", c.RetainAcked)
	case c.MaxFrames > 0 && c.RetainAcked > c.MaxFrames:
		return fmt.Errorf("RetainAcked is %d, more than MaxFrames (%d) lets an outbox hold", c.RetainAcked, c.MaxFrames)
	}
	if _, err := c.sync(); err != nil {
		return err
	}
	if c.Poller != "" && c.Poller != transport.PollerAuto && c.Poller != transport.PollerOff {
		return fmt.Errorf("the field Poller is %q; give %q or %q", c.Poller, transport.PollerAuto, transport.PollerOff)
	}
	for _, o := range c.AllowOrigins {
		if err := CheckOrigin(o); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"PingInterval", c.PingInterval}, {"PongTimeout", c.PongTimeout}, {"MessageTimeout", c.MessageTimeout}, {"WriteTimeout", c.WriteTimeout}} {
		if d.d > 0 && d.d < 10*time.Millisecond {
			return fmt.Errorf("%s is %s, below the 10ms that the broker can keep", d.name, d.d)
		}
	}
	return nil
}

// sync reads Config.Sync.
func (c Config) sync() (pebble.Sync, error) {
	s, err := pebble.ParseSync(or(c.Sync, pebble.SyncAlways.String()))
	if err != nil {
		return s, fmt.Errorf("the field Sync: %w", err)
	}
	return s, nil
}

// openStore opens the store that c asks for.
func (c Config) openStore() (store.Store, error) {
	if c.DataDir == "" {
		return memory.Store{}, nil
	}
	sync, err := c.sync()
	if err != nil {
		return nil, err
	}
	return pebble.Open(pebble.Options{Dir: c.DataDir, Sync: sync, FS: c.fs, Logger: c.Logger})
}

// CheckOrigin says in a sentence why s cannot stand in Config.AllowOrigins; nil if it can (P-31).
func CheckOrigin(s string) error {
	if err := transport.CheckOrigin(s); err != nil {
		return errors.New(protocol.AsError(err).Message)
	}
	return nil
}

// tick is the keepalive wheel's granularity: a tenth of a second, so that the pings of ten thousand connections are not four hundred at once every second; less where a
// duration is set so short that this would matter.
func (c Config) tick() time.Duration {
	tick := 100 * time.Millisecond
	for _, d := range []time.Duration{c.PingInterval, c.PongTimeout, c.MessageTimeout, c.WriteTimeout, c.ResumeWindow, c.SleepAfter} {
		if d > 0 {
			tick = min(tick, max(d/20, 5*time.Millisecond))
		}
	}
	return tick
}

func (c Config) registry() registry.Config {
	topicTTL := c.ClientTTL
	if topicTTL > 0 {
		topicTTL = max(topicTTL, c.TopicAge)
	}
	return registry.Config{
		Topic: session.Config{
			Bounds:    outbox.Bounds{Frames: c.TopicFrames, Bytes: c.TopicBytes, Age: c.TopicAge},
			RecordTTL: c.RecordTTL, MaxRecords: c.MaxRecords, ClientTTL: topicTTL, SnapshotTimeout: snapshotTimeout,
			MaxFrameBytes: c.MaxFrameBytes, MaxMessageBytes: c.MaxMessageBytes, SpillAbove: c.SpillAbove, SleepAfter: c.SleepAfter,
		},
		MaxTopics: int64(c.MaxTopics), TopicSnapshot: c.TopicSnapshot,
		Session: session.Config{
			Bounds:      outbox.Bounds{Frames: c.MaxFrames, Bytes: c.MaxOutboxBytes, Age: c.MaxAge},
			RetainAcked: uint64(c.RetainAcked), ResumeWindow: c.ResumeWindow, MaxConnections: c.MaxConnections,
			RecordTTL: c.RecordTTL, MaxRecords: c.MaxRecords, ClientTTL: c.ClientTTL, SnapshotTimeout: snapshotTimeout,
			AckInterval: ackInterval, MaxFrameBytes: c.MaxFrameBytes, MaxMessageBytes: c.MaxMessageBytes,
			SpillAbove: c.SpillAbove, SleepAfter: c.SleepAfter,
		},
		MemoryLimit: c.MemoryLimit,
		MaxClients:  int64(c.MaxClients), MaxTotalBytes: c.MaxTotalBytes, MaxInFlightBytes: c.MaxInFlightBytes, Snapshot: c.Snapshot,
	}
}

func (c Config) transport() transport.Config {
	return transport.Config{
		MaxFrameBytes: c.MaxFrameBytes, MaxMessageBytes: c.MaxMessageBytes,
		PingInterval: c.PingInterval, PongTimeout: c.PongTimeout, ProtocolPings: c.ProtocolPings,
		MessageTimeout: c.MessageTimeout, HandshakeTimeout: c.HandshakeTimeout, WriteTimeout: c.WriteTimeout,
		Authorize: c.Authorize, Insecure: c.Insecure, AllowOrigins: c.AllowOrigins, Logger: c.Logger, Poller: c.Poller,
	}
}

// drainWithin is how long attached readers are offered what there is, so that Drain can end within ctx.
func (c Config) drainWithin(ctx context.Context) time.Duration {
	within := drainTime
	if by, ok := ctx.Deadline(); ok {
		within = time.Until(by)
	}
	return max(within-max(drainMargin, within/10), within/2)
}
