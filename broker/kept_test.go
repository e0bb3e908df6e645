package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/restante/restante/protocol"
)

func TestP26_WhatWasConfirmedIsThereForTheNextBroker(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	b := open(t, Config{DataDir: dir})
	var last protocol.Published
	for i := range 5 {
		var err error
		last, err = b.Publish(ctx, "c", fmt.Appendf(nil, `{"type":"x","n":%d}`, i))
		require.NoError(t, err)
	}
	require.NoError(t, b.Client("c").PutSnapshot(ctx, protocol.Cursor{Epoch: last.Epoch, Seq: 2}, []byte(` {"sum": 2} `)))

	scraped := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil)
	r.RemoteAddr = "127.0.0.1:1"
	b.Handler().ServeHTTP(scraped, r)
	require.Regexp(t, `(?m)^restante_store_syncs_total [1-9]`, scraped.Body.String())
	require.Regexp(t, `(?m)^restante_store_groups_total [1-9]`, scraped.Body.String())
	require.Regexp(t, `(?m)^restante_store_disk_bytes [1-9]`, scraped.Body.String())

	_, err := New(Config{DataDir: dir, Logger: b.Logger()})
	require.ErrorContains(t, err, "another", "a directory belongs to one broker at a time")
	require.NoError(t, b.Err())
	require.NoError(t, b.Close())

	b = open(t, Config{DataDir: dir})
	in, err := b.Client("c").Inbox(InboxOptions{Since: protocol.Cursor{Epoch: last.Epoch, Seq: 3}.String()})
	require.NoError(t, err)
	defer in.Close()
	for _, seq := range []uint64{4, 5} {
		f, err := in.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, seq, f.Seq)
	}
	snapshot, err := b.Client("c").Snapshot(ctx)
	require.NoError(t, err)
	require.JSONEq(t, `{"sum":2}`, string(snapshot.Data))
	require.NoError(t, b.Client("c").DeleteSnapshot(ctx))
	_, err = b.Publish(ctx, "c", []byte(`{"type":"live"}`))
	require.NoError(t, err)
	f, err := in.Next(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 6, f.Seq, "a later live frame arrives exactly once")
}

func TestSyncIsValidated(t *testing.T) {
	for _, bad := range []string{"sometimes", "interval:", "interval:-1s"} {
		require.ErrorContains(t, Config{Sync: bad}.Validate(), "Sync", bad)
	}
	require.NoError(t, Config{Sync: "interval:50ms"}.Validate())
}

// TestP26_AStoreThatFailsEndsTheBroker breaks the disk under a broker at work: everybody who waits or comes later is told why, readers are
// sent away with 4002, and the next broker on that disk has all that was confirmed.
func TestP26_AStoreThatFailsEndsTheBroker(t *testing.T) {
	require.NoError(t, goleak.Find(left...), "what is left so far is known")
	defer func() { left = append(left, goleak.IgnoreCurrent()) }()
	var broken atomic.Bool
	mem := vfs.NewMem()
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return errors.New("input/output error")
		}
		return nil
	}))
	b, err := New(Config{DataDir: "data", fs: fs, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	ctx := context.Background()
	srv := httptest.NewServer(b.Handler())
	status := func(path string) int {
		resp, err := srv.Client().Get(srv.URL + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	kept, err := b.Publish(ctx, "c", []byte(`{"type":"x","n":1}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status("/readyz"))
	conn, early, _, err := ws.Dial(ctx, "ws"+strings.TrimPrefix(srv.URL, "http")+"/v1/ws?client_id=c")
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	socket := struct {
		io.Reader
		io.Writer
	}{conn, conn}
	if early != nil {
		socket.Reader = early
	}

	for seen := false; !seen; {
		data, err := wsutil.ReadServerText(socket)
		require.NoError(t, err)
		seen = strings.Contains(string(data), `"n":1`)
	}

	broken.Store(true)
	failures := make(chan error, 20)
	for i := range cap(failures) {
		go func() {
			_, err := b.Publish(ctx, fmt.Sprintf("c%d", i%3), []byte(`{"type":"y"}`))
			failures <- err
		}()
	}
	explained := func(err error) {
		t.Helper()
		e := protocol.AsError(err)
		require.NotNil(t, e)
		require.Equal(t, protocol.CodeInternal, e.Code)
		require.Contains(t, e.Message, "input/output error", "the cause")
		require.Contains(t, e.Message, "restart", "and what to do")
	}
	for range cap(failures) {
		explained(<-failures)
	}
	<-b.Failed()
	explained(b.Err())
	_, err = b.Publish(ctx, "c", []byte(`{"type":"later"}`))
	explained(err)
	_, err = b.Client("never-seen").Send(ctx, "c", "", []byte(`{"type":"later"}`))
	explained(err)
	require.Equal(t, http.StatusServiceUnavailable, status("/readyz"))
	require.Equal(t, http.StatusOK, status("/healthz"))

	goaway := false
	for {
		data, err := wsutil.ReadServerText(socket)
		if err != nil {
			var closed wsutil.ClosedError
			require.ErrorAs(t, err, &closed)
			require.EqualValues(t, protocol.CloseDraining, closed.Code)
			break
		}
		goaway = goaway || strings.Contains(string(data), `"goaway"`)
		require.NotContains(t, string(data), `"y"`, "what was not confirmed is shown to nobody")
	}
	require.True(t, goaway, "readers are told to come back")
	require.Error(t, b.Close())
	srv.Close()
	_ = conn.Close()

	broken.Store(false)
	b = open(t, Config{DataDir: "data", fs: mem})
	st, err := b.Client("c").State(ctx)
	require.NoError(t, err)
	require.Equal(t, kept.Epoch, st.Epoch)
	require.GreaterOrEqual(t, st.Head, uint64(1))
	_, err = b.Publish(ctx, "c", []byte(`{"type":"z"}`))
	require.NoError(t, err)
	require.NoError(t, b.Close())
}
