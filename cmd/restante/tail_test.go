package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
	"github.com/restante/restante/protocol"
)

// realBroker is a broker behind a test server.
func realBroker(t *testing.T, cfg broker.Config) (*broker.Broker, string) {
	t.Helper()
	b, err := broker.New(cfg)
	require.NoError(t, err)
	s := httptest.NewServer(b.Handler())
	t.Cleanup(func() {
		s.CloseClientConnections()
		http.DefaultClient.CloseIdleConnections()
		require.NoError(t, b.Close())
		s.Close()
	})
	return b, s.URL
}

func seqs(t *testing.T, out string) (n []int) {
	for _, l := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		var f struct{ Seq int }
		require.NoError(t, json.Unmarshal([]byte(l), &f), l)
		n = append(n, f.Seq)
	}
	return n
}

func TestTailPrintsWhatIsThere(t *testing.T) {
	b, url := realBroker(t, broker.Config{MaxFrames: 20_000})
	var stored protocol.Published
	for range 2500 {
		var err error
		stored, err = b.Publish(t.Context(), "tab-1", []byte(`{"type":"x"}`))
		require.NoError(t, err)
	}
	c := newCommand()
	require.Equal(t, exitOK, c.run("", "tail", "tab-1", "--url", url, "--no-follow"), c.err.String())
	got := seqs(t, c.out.String())
	require.Len(t, got, 2500, "several pages")
	for i, n := range got {
		require.Equal(t, i+1, n)
	}
	cursor := protocol.Cursor{Epoch: stored.Epoch, Seq: stored.Seq}.String()
	require.Contains(t, c.err.String(), "--since "+cursor)

	_, err := b.Publish(t.Context(), "tab-1", []byte(`{"type":"y"}`))
	require.NoError(t, err)
	c = newCommand()
	require.Equal(t, exitOK, c.run("", "tail", "tab-1", "--url", url, "--no-follow", "--since", cursor))
	require.Equal(t, `{"seq":2501,"type":"y"}`+"\n", c.out.String())
}

// TestTailFollows sees a frame that is published while it waits, and ends well by a signal.
func TestTailFollows(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	lines := make(chan string, 10)
	c, done := newCommand(), make(chan int)
	go func() {
		done <- run([]string{"tail", "tab-1", "--url", url}, process{out: lineChan(lines), err: &c.err, signals: c.catch})
	}()
	for _, frame := range []string{`{"type":"a"}`, `{"type":"b"}`} {
		_, err := b.Publish(t.Context(), "tab-1", []byte(frame))
		require.NoError(t, err)
		require.Contains(t, <-lines, frame[1:])
	}
	c.signals <- syscall.SIGINT
	require.Equal(t, exitOK, <-done)
	require.Contains(t, c.err.String(), ":2\n")
}

// lineChan passes on each write.
type lineChan chan<- string

func (c lineChan) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

func TestP7_TailSaysWhatWasLost(t *testing.T) {
	b, url := realBroker(t, broker.Config{MaxFrames: 5})
	var epoch string
	for range 10 {
		p, err := b.Publish(t.Context(), "tab-1", []byte(`{"type":"x"}`))
		require.NoError(t, err)
		epoch = p.Epoch
	}
	for since, want := range map[string]string{
		"other:3":      "too_old (epoch): the cursor other:3 cannot be resumed",
		epoch + ":99":  "too_old (ahead)",
		epoch + ":2":   "too_old (pruned): the cursor " + epoch + ":2 cannot be resumed, the 3 frames after it are no longer retained; going on after " + epoch + ":5",
		epoch + ":5":   "",
		epoch + ":007": "bad_cursor",
	} {
		c := newCommand()
		code := c.run("", "tail", "tab-1", "--url", url, "--no-follow", "--since", since)
		require.Contains(t, c.err.String(), want, since)
		if strings.HasSuffix(since, "007") {
			require.Equal(t, exitUsage, code)
			continue
		}
		require.Equal(t, exitOK, code)
		require.Equal(t, []int{6, 7, 8, 9, 10}, seqs(t, c.out.String()))
		if want == "" {
			require.NotContains(t, c.err.String(), "too_old")
		}
	}
}

// summary is a provider that knows all but the last frame.
func summary(_ context.Context, _ string, _, head uint64) (uint64, []byte, error) {
	return head - 1, []byte(`{"all":"<before>"}`), nil
}

func TestP9_TailPrintsTheSnapshot(t *testing.T) {
	b, url := realBroker(t, broker.Config{Snapshot: summary})
	for range 3 {
		_, err := b.Publish(t.Context(), "tab-1", []byte(`{"type":"x"}`))
		require.NoError(t, err)
	}
	c := newCommand()
	require.Equal(t, exitOK, c.run("", "tail", "tab-1", "--url", url, "--no-follow"))
	snapshot, rest, _ := strings.Cut(c.out.String(), "\n")
	require.JSONEq(t, `{"type":"snapshot","as_of":2,"data":{"all":"<before>"}}`, snapshot)
	require.Equal(t, `{"seq":3,"type":"x"}`+"\n", rest)
}

func TestTailIsRefused(t *testing.T) {
	_, url := realBroker(t, broker.Config{Authorize: func(*http.Request) (broker.Grant, error) { return broker.Grant{}, errors.New("no") }})
	c := newCommand()
	require.Equal(t, exitFailed, c.run("", "tail", "tab-1", "--url", url))
	require.Contains(t, c.err.String(), "unauthorized")
	require.Empty(t, c.out.String())
}

func TestP25_TokenIsSent(t *testing.T) {
	_, url := realBroker(t, broker.Config{Authorize: func(r *http.Request) (broker.Grant, error) {
		if r.Header.Get("Authorization") != "Bearer s3cret" {
			return broker.Grant{}, errors.New("no")
		}
		return broker.Grant{}, nil
	}})
	c := newCommand()
	require.Equal(t, exitOK, c.run("", "tail", "tab-1", "--url", url, "--no-follow", "--token", "s3cret"))
}

func TestSweepPrintsItsReport(t *testing.T) {
	b, url := realBroker(t, broker.Config{})
	_, err := b.Publish(t.Context(), "tab-1", []byte(`{"type":"x"}`))
	require.NoError(t, err)
	c := newCommand()
	require.Equal(t, exitOK, c.run("", "sweep", "--url", url), c.err.String())
	var report protocol.Sweep
	require.NoError(t, json.Unmarshal([]byte(c.out.String()), &report))
	require.Equal(t, 1, report.Kept)
	require.Zero(t, report.Reaped)
}

func TestToolsSayWhenNobodyAnswers(t *testing.T) {
	c := newCommand()
	require.Equal(t, exitFailed, c.run("", "sweep", "--url", "http://127.0.0.1:1"))
	require.Contains(t, c.err.String(), "connection refused")
}
