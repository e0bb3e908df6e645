package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/restante/restante/protocol"
)

// left is what a store that was made to fail leaves: it stands still in the library, which waits for a disk.
var left []goleak.Option

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(left...); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "broker:", err)
		code = 1
	}
	os.Exit(code)
}

func open(t *testing.T, cfg Config) *Broker {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func TestValidateSpeaksInSentences(t *testing.T) {
	for _, bad := range []Config{
		{MaxFrameBytes: -1}, {MaxFrameBytes: 3}, {MaxFrameBytes: 1<<30 + 1}, {MaxMessageBytes: 100}, {PingInterval: -1}, {RetainAcked: -1},
		{RetainAcked: 20, MaxFrames: 10}, {WriteTimeout: time.Millisecond}, {AllowOrigins: []string{"https://a.example/"}}, {AllowOrigins: []string{"*"}},
	} {
		_, err := New(bad)
		require.Error(t, err, "%+v", bad)
		require.Contains(t, err.Error(), " ", "a sentence")
	}
}

func TestP28_ClientTTLIsNeverBelowTheAgeBound(t *testing.T) {
	require.Equal(t, 24*time.Hour, Config{ClientTTL: time.Minute}.withDefaults().ClientTTL)
	require.Equal(t, time.Minute, Config{ClientTTL: time.Minute, MaxAge: time.Minute}.withDefaults().ClientTTL)
	require.Negative(t, int64(Config{ClientTTL: -1}.withDefaults().ClientTTL), "negative is off")
}

func TestP2_PublishRefusesABadFrameByCode(t *testing.T) {
	b := open(t, Config{})
	ctx := context.Background()
	for text, code := range map[string]protocol.Code{
		`{`: protocol.CodeBadJSON, `[]`: protocol.CodeBadFrame, `{"a":1}`: protocol.CodeBadFrame, `{"type":"x","seq":1}`: protocol.CodeBadFrame,
	} {
		_, err := b.Publish(ctx, "c", []byte(text))
		require.Equal(t, code, protocol.AsError(err).Code, text)
		require.Equal(t, err, b.Client("c").Post([]byte(text)))
	}
	_, err := b.Publish(ctx, "bad id", []byte(`{"type":"x"}`))
	require.Equal(t, protocol.CodeBadRequest, protocol.AsError(err).Code)
	require.Equal(t, err, b.Client("bad id").Post([]byte(`{"type":"x"}`)))
	_, err = b.Client("c").PublishWith(ctx, PublishOptions{}, []byte(`{"type":"x"}`), []byte(`{}`))
	require.Equal(t, 2, protocol.AsError(err).Line)
	_, err = b.Client("c").State(ctx)
	require.Equal(t, protocol.CodeNotFound, protocol.AsError(err).Code, "nothing was stored, and no client made")
}

func TestAPostIsThereWhenItReturnsWhereTheStoreIsInMemory(t *testing.T) {
	b := open(t, Config{})
	ctx := context.Background()
	c := b.Client("c")
	text := []byte(`{ "type": "x" }`)
	require.NoError(t, c.Post(text))
	copy(text, `{"type":"changed"}`) // it was copied
	st, err := c.State(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, st.Head)
	in, err := c.Inbox(InboxOptions{})
	require.NoError(t, err)
	require.NoError(t, c.Post([]byte(`{"type":"y"}`)))
	for seq, want := range []string{`{"seq":1,"type":"x"}`, `{"seq":2,"type":"y"}`} {
		f, err := in.Next(ctx)
		require.NoError(t, err)
		require.EqualValues(t, seq+1, f.Seq)
		require.Equal(t, want, string(f.Raw))
	}
	require.NoError(t, in.Close())
}

func TestP28_HandlesFindTheNextLife(t *testing.T) {
	b := open(t, Config{})
	ctx := context.Background()
	c := b.Client("c")
	first, err := c.Publish(ctx, []byte(`{"type":"x"}`))
	require.NoError(t, err)
	require.NoError(t, c.Delete(ctx))
	second, err := c.Publish(ctx, []byte(`{"type":"x"}`))
	require.NoError(t, err)
	require.NotEqual(t, first.Epoch, second.Epoch)
}

func TestP18_IdempotencyKeyStoresOnce(t *testing.T) {
	b := open(t, Config{})
	ctx := context.Background()
	c := b.Client("c")
	first, err := c.PublishWith(ctx, PublishOptions{Key: "k"}, []byte(`{"type":"x"}`), []byte(`{"type":"y"}`))
	require.NoError(t, err)
	again, err := c.PublishWith(ctx, PublishOptions{Key: "k"}, []byte(`{"type":"x"}`), []byte(`{"type":"y"}`))
	require.NoError(t, err)
	first.Duplicate = true
	require.Equal(t, first, again)
	_, err = c.PublishWith(ctx, PublishOptions{Key: "k"}, []byte(`{"type":"z"}`))
	require.Equal(t, protocol.CodeIDReused, protocol.AsError(err).Code)
}

func TestInboxReadsOnceInOrderAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Config{ResumeWindow: time.Second})
		ctx := context.Background()
		const n = 2000
		go func() {
			for i := range n {
				_, _ = b.Publish(ctx, "agent", fmt.Appendf(nil, `{"type":"n","n":%d}`, i))
			}
		}()
		var resumes []protocol.Resume
		in, err := b.Client("agent").Inbox(InboxOptions{OnResume: func(h protocol.Hello) { resumes = append(resumes, h.Resume) }})
		require.NoError(t, err)
		for i := range n {
			f, err := in.Next(ctx)
			require.NoError(t, err)
			require.EqualValues(t, i+1, f.Seq)
			require.Equal(t, fmt.Sprintf(`{"seq":%d,"type":"n","n":%d}`, i+1, i), string(f.Raw))
		}
		short, cancel := context.WithTimeout(ctx, time.Minute)
		_, err = in.Next(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
		st, err := b.Client("agent").State(ctx)
		require.NoError(t, err)
		require.EqualValues(t, n, st.Acked, "what was handed out and asked past is acked")
		require.Zero(t, st.Frames)

		cursor := in.Cursor()
		require.NoError(t, in.Close())
		_, err = in.Next(ctx)
		require.ErrorIs(t, err, ErrInboxClosed)
		_, err = b.Publish(ctx, "agent", []byte(`{"type":"while away"}`))
		require.NoError(t, err)
		in, err = b.Client("agent").Inbox(InboxOptions{Since: cursor, OnResume: func(h protocol.Hello) { resumes = append(resumes, h.Resume) }})
		require.NoError(t, err)
		defer in.Close()
		f, err := in.Next(ctx)
		require.NoError(t, err)
		require.EqualValues(t, n+1, f.Seq)
		_, err = b.Publish(ctx, "agent", []byte(`{"type":"live"}`))
		require.NoError(t, err)
		f, err = in.Next(ctx)
		require.NoError(t, err)
		require.EqualValues(t, n+2, f.Seq)
		require.Equal(t, []protocol.Resume{protocol.ResumeFresh, protocol.ResumeReplay}, resumes)
	})
}

func TestP9_SnapshotsReachAReader(t *testing.T) {
	for _, c := range []struct {
		name     string
		provider func(ctx context.Context, id string, floor, head uint64) (uint64, []byte, error)
		asOf     uint64
		first    uint64
	}{
		{"used", func(_ context.Context, _ string, _, head uint64) (uint64, []byte, error) {
			return 2, []byte(`{"sum":3}`), nil
		}, 2, 3},
		{"failing", func(context.Context, string, uint64, uint64) (uint64, []byte, error) { return 0, nil, errors.New("no") }, 0, 1},
		{"ahead", func(_ context.Context, _ string, _, head uint64) (uint64, []byte, error) {
			return head + 1, []byte(`1`), nil
		}, 0, 1},
		{"not JSON", func(context.Context, string, uint64, uint64) (uint64, []byte, error) { return 2, []byte(`{`), nil }, 0, 1},
		{"panicking", func(context.Context, string, uint64, uint64) (uint64, []byte, error) { panic("provider") }, 0, 1},
		{"never answering", func(ctx context.Context, _ string, _, _ uint64) (uint64, []byte, error) {
			<-ctx.Done()
			return 0, nil, ctx.Err()
		}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := open(t, Config{Snapshot: c.provider})
				ctx := context.Background()
				for range 3 {
					_, err := b.Publish(ctx, "c", []byte(`{"type":"x"}`))
					require.NoError(t, err)
				}
				var asOf uint64
				in, err := b.Client("c").Inbox(InboxOptions{OnSnapshot: func(n uint64, _ json.RawMessage) { asOf = n }})
				require.NoError(t, err)
				defer in.Close()
				f, err := in.Next(ctx)
				require.NoError(t, err)
				require.Equal(t, c.asOf, asOf)
				require.Equal(t, c.first, f.Seq)
			})
		})
	}
}

func TestP25_NoCredentialMeansLoopbackOnly(t *testing.T) {
	b := open(t, Config{})
	for host, status := range map[string]int{"localhost:80": 200, "127.0.0.1": 200, "[::1]:9": 200, "evil.example": 403} {
		r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:5", host
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, r)
		require.Equal(t, status, w.Code, host)
	}
	r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
	r.RemoteAddr, r.Host = "192.0.2.1:5", "localhost"
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	require.Equal(t, 403, w.Code)
}

func TestCloseIsIdempotentAndRefusesWhatComesAfter(t *testing.T) {
	b, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
	_, err = b.Publish(context.Background(), "c", []byte(`{"type":"x"}`))
	require.Equal(t, protocol.CodeDraining, protocol.AsError(err).Code)
	r := httptest.NewRequest(http.MethodGet, "/v1/clients", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:5", "localhost"
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
}

func TestP24_AnInboxBacksOffAndObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Config{MaxClients: 1})
		ctx := context.Background()
		_, err := b.Publish(ctx, "first", []byte(`{"type":"x"}`))
		require.NoError(t, err)
		in, err := b.Client("second").Inbox(InboxOptions{})
		require.NoError(t, err)
		defer in.Close()
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, err = in.Next(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		tries := b.Counters().Refused.Snapshot()["overloaded"]
		require.Greater(t, tries, int64(2), "it comes back")
		require.Less(t, tries, int64(60), "but not all the time")

		require.NoError(t, b.Client("first").Delete(ctx))
		go func() {
			time.Sleep(time.Second)
			_, _ = b.Publish(ctx, "second", []byte(`{"type":"there is room"}`))
		}()
		f, err := in.Next(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, f.Seq)
	})
}

func TestP23_DrainWaitsForReadersWithinTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Config{})
		ctx := context.Background()
		const n = 2000
		for range n {
			_, err := b.Publish(ctx, "c", []byte(`{"type":"x"}`))
			require.NoError(t, err)
		}
		in, err := b.Client("c").Inbox(InboxOptions{})
		require.NoError(t, err)
		defer in.Close()
		_, err = in.Next(ctx)
		require.NoError(t, err)
		drained := make(chan error, 1)
		go func() {
			within, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			drained <- b.Drain(within)
		}()
		synctest.Wait()
		require.Empty(t, drained, "there is more to read")
		for i := range n - 1 {
			f, err := in.Next(ctx)
			require.NoError(t, err)
			require.EqualValues(t, i+2, f.Seq)
		}
		_, err = in.Next(ctx)
		require.Equal(t, protocol.CodeDraining, protocol.AsError(err).Code)
		require.NoError(t, <-drained)
	})
}
