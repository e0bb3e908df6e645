package broker

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/restante/restante/transport"
)

// Config is a plain struct: zero means the documented default, negative means off (for a bound: none; for a duration: never).
// Validate says in sentences what is wrong.
type Config struct {
	// DataDir is the folder that outboxes are kept in; it is made where it is not there, and belongs to one broker at a time. "" keeps
	// them in memory: they end with the process.
	DataDir string
	// Sync says what a confirmed frame survives: "always" (the default) anything that the disk survives; "interval:50ms", or any
	// other duration, loses up to so much of the end, and "never" as much as has not been written yet, when the machine or only the
	// process dies (P-26).
	Sync string
	// SleepAfter (10 min) is after how long without a connection a client leaves memory, and SpillAbove (64 KiB) from how many bytes of
	// bodies on the older ones of a client do. MemoryLimit (256 MiB) bounds the bodies in memory of all clients: beyond it clients
	// spill and sleep earlier. All three are for a DataDir only: without one, memory is all there is.
	SleepAfter  time.Duration
	SpillAbove  int64
	MemoryLimit int64

	// MaxFrames (10,000), MaxOutboxBytes (4 MiB, bodies plus protocol.FrameOverhead each) and MaxAge (24 h) bound one outbox (P-13).
	MaxFrames      int
	MaxOutboxBytes int64
	MaxAge         time.Duration
	// RetainAcked keeps the last K acked frames (0, P-14).
	RetainAcked int
	// ResumeWindow (60 s) is how long a lost connection's place is held (P-11).
	ResumeWindow time.Duration
	// MaxConnections (16) is the number of connections of one client (P-15).
	MaxConnections int

	// MaxFrameBytes (64 KiB, at most 1 GiB) bounds a published body, MaxMessageBytes (1 MiB) a snapshot (P-2, P-20).
	MaxFrameBytes   int
	MaxMessageBytes int

	// MaxClients (1,000,000), MaxTotalBytes (all outboxes with overhead: 1 GiB in memory, 16 GiB with a DataDir) and MaxInFlightBytes (64 MiB of bodies that publishers
	// wait for) answer overloaded when they are reached (P-29).
	MaxClients       int
	MaxTotalBytes    int64
	MaxInFlightBytes int64

	// RecordTTL (24 h) and MaxRecords (10,000 an outbox) bound the records of send ids and idempotency keys (P-18).
	RecordTTL  time.Duration
	MaxRecords int

	// TopicFrames (1,000; at most 131,072), TopicBytes (4 MiB, or 512 bytes for each of TopicFrames where that is more) and TopicAge (MaxAge) bound the
	// log of each topic (P-32). MaxTopics (100,000) is the number of topics; more are overloaded.
	TopicFrames int
	TopicBytes  int64
	TopicAge    time.Duration
	MaxTopics   int

	// ClientTTL (24 h) and JanitorInterval (1 h) rule reaping (P-28), also of topics that nobody follows. ClientTTL is never taken below MaxAge.
	ClientTTL       time.Duration
	JanitorInterval time.Duration

	// PingInterval (25 s) and PongTimeout (35 s) rule keepalive (P-16, P-17); ProtocolPings adds RFC 6455 pings.
	PingInterval  time.Duration
	PongTimeout   time.Duration
	ProtocolPings bool
	// MessageTimeout (30 s), HandshakeTimeout (10 s) and WriteTimeout (10 s without progress) are those of P-17 and P-27.
	MessageTimeout   time.Duration
	HandshakeTimeout time.Duration
	WriteTimeout     time.Duration

	// Poller says how plain TCP sockets are read: "auto" (the default) is, on Linux, one goroutine a core for all of them, so that an idle connection has
	// neither a goroutine nor a buffer; "off" is a goroutine each, as it is for TLS, for other systems, and for connections that a program has wrapped.
	Poller string

	// Snapshot answers a fresh or too old attach (P-9): the application's state, and the seq that it is as of. nil for none.
	// It runs on a goroutine of its own, one at a time per client, and is given up after 5 s.
	Snapshot func(ctx context.Context, clientID string, floor, head uint64) (asOf uint64, data []byte, err error)

	// TopicSnapshot is the same for a topic, one call at a time for each (P-19): what a subscriber gets that asks for history, or whose cursor is too old.
	TopicSnapshot func(ctx context.Context, topic string, floor, head uint64) (asOf uint64, data []byte, err error)

	// Authorize answers each request with its Grant; an error refuses it (a *protocol.Error keeps its code, any other is unauthorized).
	// nil allows everything, to loopback only unless Insecure is set (P-25).
	Authorize func(*http.Request) (transport.Grant, error)
	Insecure  bool
	// AllowOrigins are the further origins that browsers may call from, such as "https://app.example"; they get CORS too (P-31).
	AllowOrigins []string

	// Logger (slog.Default()) takes the log.
	Logger *slog.Logger

	fs vfs.FS // the disk of DataDir; nil for the machine's own. A test's disk may fail
}
