package transport

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// DefaultMaxPublishBytes bounds the body of one publish call, in bytes on the wire.
const DefaultMaxPublishBytes = 4 << 20

// unbounded is what a size limit that was switched off becomes: large enough to bound nothing, small enough to add to.
const unbounded = 1 << 30

// How sockets are read. TLS and wrapped connections always have a goroutine each.
const (
	PollerAuto = "auto" // on Linux by one goroutine a core for all of them, elsewhere by one each
	PollerOff  = "off"  // by one each
)

// Config is what the transport has to know. Zero means the documented default, negative means off (for a bound: none;
// for a duration: never).
type Config struct {
	// MaxFrameBytes (64 KiB) bounds a published body, MaxMessageBytes (1 MiB) a snapshot message (P-2, P-20).
	MaxFrameBytes   int
	MaxMessageBytes int
	// MaxPublishBytes (4 MiB) bounds the body of one POST …/frames; beyond it the call is too_large.
	MaxPublishBytes int

	// PingInterval (25 s) and PongTimeout (35 s) rule keepalive (P-16, P-17); ProtocolPings adds RFC 6455 pings.
	PingInterval  time.Duration
	PongTimeout   time.Duration
	ProtocolPings bool
	// MessageTimeout (30 s) bounds a message from its first byte to its last, and the body of an HTTP call from its headers to its end (P-17).
	MessageTimeout time.Duration
	// HandshakeTimeout (10 s) bounds the upgrade and the attach (P-17), WriteTimeout (10 s) a write without progress (P-27).
	HandshakeTimeout time.Duration
	WriteTimeout     time.Duration

	// Authorize answers each request with its Grant; an error refuses it: a *protocol.Error keeps its code, any other is unauthorized.
	// Token finds the request's token. nil allows everything, to loopback only unless Insecure is set (P-25, P-31).
	// It runs on the request's goroutine and may wait.
	Authorize func(*http.Request) (Grant, error)
	Insecure  bool
	// AllowOrigins are the further origins that browsers may call from, such as "https://app.example"; they get CORS too (P-31).
	// One that CheckOrigin refuses is logged and allows nothing.
	AllowOrigins []string

	// Poller says how plain TCP sockets are read: PollerAuto (the default), or PollerOff.
	Poller string

	// Files are served besides the contract, to pages of any origin and without a credential: what is in them is public. nil for none.
	Files Files

	// Store gives the metrics of a store on disk; nil for none.
	Store func() StoreMetrics
	// Logger (the system's) takes the log.
	Logger *slog.Logger
}

// Files are what is served by its path alone.
type Files interface {
	http.Handler
	Has(path string) bool
}

// StoreMetrics count the groups of updates that a store on disk has committed together and the syncs that they took, since it was
// opened; DiskBytes is what it occupies.
type StoreMetrics struct {
	Groups, Syncs uint64
	DiskBytes     int64
}

// withDefaults returns c with every default filled in. A duration that is off stays negative, a size that is off becomes very large.
func (c Config) withDefaults() Config {
	c.MaxFrameBytes = sizeOr(c.MaxFrameBytes, protocol.DefaultMaxFrameBytes)
	c.MaxMessageBytes = sizeOr(c.MaxMessageBytes, protocol.DefaultMaxMessageBytes)
	c.MaxPublishBytes = sizeOr(c.MaxPublishBytes, DefaultMaxPublishBytes)
	c.PingInterval = durationOr(c.PingInterval, 25*time.Second)
	c.PongTimeout = durationOr(c.PongTimeout, 35*time.Second)
	c.MessageTimeout = durationOr(c.MessageTimeout, 30*time.Second)
	c.HandshakeTimeout = durationOr(c.HandshakeTimeout, 10*time.Second)
	c.WriteTimeout = durationOr(c.WriteTimeout, 10*time.Second)
	return c
}

func sizeOr(n, def int) int {
	switch {
	case n == 0:
		return def
	case n < 0:
		return unbounded
	}
	return min(n, unbounded)
}

func durationOr(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// Handler serves the whole wire contract below /v1/, and /healthz, /readyz and /metrics. It mounts in any mux; below a
// prefix behind http.StripPrefix. Make one with New. It is safe for concurrent use.
type Handler struct {
	cfg Config // defaults filled in: a duration below zero is off
	reg Registry
	sys *actors.System
	log *slog.Logger

	origins map[string]bool // the further origins, normal form
	paths   routes
	metrics http.Handler

	conns   connSet // the open WebSocket connections
	ids     *ids
	pollers *pollers // nil where sockets have goroutines
}

// New returns a Handler that serves reg. The system gives it time, counters and goroutines; both must outlive it.
func New(sys *actors.System, reg Registry, cfg Config) *Handler {
	h := &Handler{cfg: cfg.withDefaults(), reg: reg, sys: sys, log: cfg.Logger, origins: map[string]bool{}, ids: newIDs()}
	if h.log == nil {
		h.log = sys.Logger()
	}
	for _, o := range cfg.AllowOrigins {
		if err := CheckOrigin(o); err != nil {
			h.log.Error("an allowed origin is ignored", "err", err)
			continue
		}
		h.origins[normalOrigin(o)] = true
	}
	if cfg.Poller != PollerOff {
		h.pollers = newPollers(sys.Go)
	}
	h.metrics = newMetrics(sys.Counters(), cfg.Store, h.log)
	h.paths = h.routes()
	return h
}
