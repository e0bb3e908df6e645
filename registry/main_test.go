package registry

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testConfig is a registry with the documented defaults.
func testConfig() Config {
	return Config{
		Session: session.Config{
			Bounds: outbox.Bounds{Frames: 10_000, Bytes: 4 << 20, Age: 24 * time.Hour}, ResumeWindow: time.Minute, MaxConnections: 16,
			RecordTTL: 24 * time.Hour, MaxRecords: 10_000, ClientTTL: 24 * time.Hour, SnapshotTimeout: 5 * time.Second,
			AckInterval: 5 * time.Second, MaxFrameBytes: protocol.DefaultMaxFrameBytes, MaxMessageBytes: protocol.DefaultMaxMessageBytes,
		},
		Topic: session.Config{
			Bounds: outbox.Bounds{Frames: 1000, Bytes: 4 << 20, Age: 24 * time.Hour}, RecordTTL: 24 * time.Hour, MaxRecords: 10_000, ClientTTL: 24 * time.Hour,
			SnapshotTimeout: 5 * time.Second, MaxFrameBytes: protocol.DefaultMaxFrameBytes, MaxMessageBytes: protocol.DefaultMaxMessageBytes,
		},
		MaxTopics: 1000, MaxClients: 1_000_000, MaxTotalBytes: 1 << 30, MaxInFlightBytes: 64 << 20,
	}
}

// start makes a registry on a system of its own; both end with the test.
func start(tb testing.TB, cfg Config, st store.Store) *Registry {
	tb.Helper()
	if st == nil {
		st = memory.Store{}
	}
	sys := actors.Start(actors.Options{Logger: slog.New(slog.DiscardHandler)})
	r := New(sys, st, cfg)
	tb.Cleanup(func() {
		r.Close()
		if err := sys.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return r
}

func body(tb testing.TB, text string) protocol.Body {
	tb.Helper()
	b, err := protocol.ParseBody([]byte(text), protocol.DefaultMaxFrameBytes)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
