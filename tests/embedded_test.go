package tests

import (
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
)

// embed runs a broker in the test's process, for what only the embedding API can set: snapshots and rights.
func embed(t *testing.T, cfg broker.Config) (*endpoint, *broker.Broker) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	b, err := broker.New(cfg)
	require.NoError(t, err)
	srv := httptest.NewServer(b.Handler())
	t.Cleanup(func() {
		require.NoError(t, b.Close())
		srv.Close()
	})
	return &endpoint{t: t, url: srv.URL}, b
}
