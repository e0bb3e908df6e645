package transport

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// The statuses of P-29, written out once more so that a slip in the table shows.
var statusOf = map[protocol.Code]int{
	"bad_json": 400, "bad_frame": 400, "bad_cursor": 400, "bad_request": 400, "unknown_type": 400,
	"unauthorized": 401, "token_expired": 401, "forbidden": 403, "not_found": 404,
	"epoch_mismatch": 409, "ack_ahead": 409, "conflict": 409, "too_large": 413, "id_reused": 422,
	"rate_limited": 429, "too_many_connections": 429, "internal": 500, "overloaded": 503, "draining": 503, "snapshot_unavailable": 503,
}

func TestP29_EveryCodeHasItsStatus(t *testing.T) {
	require.Len(t, protocol.Codes(), len(statusOf))
	for _, code := range protocol.Codes() {
		t.Run(string(code), func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			refusal := &protocol.Error{Code: code, Message: "because", ID: "u1", Line: 3}
			f.err = refusal
			w := httpCall{method: "GET", path: "/v1/clients/a"}.do(h)
			p := requireProblem(t, w, statusOf[code], code)
			require.Equal(t, "because", p.Detail)
			require.Equal(t, "about:blank", p.Type)
			require.Equal(t, "u1", p.ID)
			require.Equal(t, 3, p.Line)
			require.JSONEq(t, string(protocol.EncodeProblem(refusal)), w.Body.String(), "protocol's own form of it")
			counted := map[string]int64{string(code): 1}
			if code == protocol.CodeOverloaded {
				counted = map[string]int64{} // by the registry, where it decides it
			}
			require.Equal(t, counted, h.sys.Counters().Refused.Snapshot())
			busy := statusOf[code] == 429 || statusOf[code] == 503
			require.Equal(t, busy, w.Header().Get("Retry-After") == "2")
		})
	}
}

func TestP29_RetryAfterIsRoundedUp(t *testing.T) {
	for ms, want := range map[int64]string{1: "1", 1000: "1", 1001: "2", 29_500: "30"} {
		h, f := newHTTP(t, Config{})
		f.err = &protocol.Error{Code: protocol.CodeOverloaded, Message: "later", RetryAfterMS: ms}
		w := httpCall{method: "GET", path: "/v1/clients/a"}.do(h)
		require.Equal(t, want, w.Header().Get("Retry-After"))
		require.Equal(t, ms, requireProblem(t, w, 503, protocol.CodeOverloaded).RetryAfterMS)
	}
}

func TestP29_ErrorWithoutCodeTellsNothing(t *testing.T) {
	var log strings.Builder
	h, f := newHTTP(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	f.err = errors.New("the disk in room 7 is full")
	w := httpCall{method: "GET", path: "/v1/clients/a?token=secret"}.do(h)
	p := requireProblem(t, w, 500, protocol.CodeInternal)
	require.NotContains(t, p.Detail, "room 7")
	require.Contains(t, log.String(), "room 7")
	require.NotContains(t, log.String(), "secret")
}

func TestP29_CallGivenUpIsNobodysFault(t *testing.T) {
	var log strings.Builder
	h, f := newHTTP(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	f.onRead = func(ctx context.Context) (protocol.Page, error) {
		cancel()
		<-ctx.Done()
		return protocol.Page{}, ctx.Err()
	}
	r := httpCall{method: "GET", path: "/v1/clients/a/frames?wait=10s"}.request().WithContext(ctx)
	requireProblem(t, recordHTTP(h, r), 500, protocol.CodeInternal)
	require.Empty(t, log.String(), "no error in the log")
	require.Empty(t, h.sys.Counters().Refused.Snapshot(), "and nothing was refused")
}
