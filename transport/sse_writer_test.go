package transport

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestSSE_CompressedBatchesCanBeReadAtOnce(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	c, l := opened(t, f, s, "a/events", "Accept-Encoding", "br, gzip")
	require.Equal(t, "gzip", c.res.Header.Get("Content-Encoding"))
	for seq := uint64(1); seq <= 50; seq++ {
		l.peer.Write(pieces(seq, 1, 5000))
		require.Equal(t, protocol.Cursor{Epoch: "e1", Seq: seq}.String(), c.next().id, "before the next is written")
		l.next(t, "written")
	}
	l.peer.Close(protocol.CloseDraining)
	c.closed(protocol.CloseDraining, soon) // with EOF the sums were right
	require.NoError(t, waitNone(t, h))
}

func TestSSE_WhatIsCompressedIsOneMember(t *testing.T) {
	noise := make([]byte, 200<<10)
	_, err := rand.Read(noise)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	e := newEventWriter(w, time.Second)
	e.compress()
	var want []byte
	for _, b := range [][]byte{[]byte("a"), {}, bytes.Repeat([]byte("abc"), 100_000), []byte(hex.EncodeToString(noise)), []byte("a")} {
		require.NoError(t, e.write(b))
		want = append(want, b...)
	}
	e.end(true)
	r := bytes.NewReader(w.Body.Bytes())
	z, err := gzip.NewReader(r)
	require.NoError(t, err)
	z.Multistream(false)
	got, err := io.ReadAll(z)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	require.Zero(t, r.Len())
}

func TestSSE_WhoAsksForGzip(t *testing.T) {
	for value, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "br;q=1.0, gzip;q=0.8": true, "gzip;q=0": false, "gzip; q=0.000": false, "gzip ; q=1": true, "deflate, br": false, "x-gzip2": false, "*": false,
	} {
		require.Equal(t, want, acceptsGzip(&http.Request{Header: http.Header{"Accept-Encoding": {value}}}), value)
	}
}

// overHTTP2 opens a stream over HTTP/2.
func overHTTP2(t *testing.T, cfg Config) (*Handler, *sseClient, *fakeLink) {
	t.Helper()
	h, f := newWS(t, cfg)
	f.onAttach = func(l *fakeLink) {
		l.peer.Attached(l)
		l.peer.Write([]protocol.Piece{hello})
	}
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	req, err := http.NewRequest("GET", s.URL+"/v1/clients/a/events", nil)
	require.NoError(t, err)
	req.Header.Set("Accept-Encoding", "identity") // or much would fit in any window
	res, err := s.Client().Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(t, 2, res.ProtoMajor)
	l := f.link(t)
	c := newSSEClient(t, nil, res)
	require.Equal(t, "hello", c.next().name)
	l.next(t, "written")
	return h, c, l
}

// TestSSE_OverHTTP2ASilentStreamLivesOn: there a write deadline that is left standing resets the stream, written or not.
func TestSSE_OverHTTP2ASilentStreamLivesOn(t *testing.T) {
	h, c, l := overHTTP2(t, Config{WriteTimeout: 200 * time.Millisecond})
	time.AfterFunc(time.Second, func() { l.peer.Write(pieces(1, 1, 10)) })
	require.Equal(t, "e1:1", c.next().id)
	l.next(t, "written")
	l.peer.Close(protocol.CloseDraining)
	c.closed(protocol.CloseDraining, soon)
	require.NoError(t, waitNone(t, h))
}

func TestSSE_OverHTTP2AReaderThatReadsNothingIsSlow(t *testing.T) {
	h, _, l := overHTTP2(t, Config{WriteTimeout: 200 * time.Millisecond})
	seq := uint64(1)
	for {
		l.peer.Write(pieces(seq, 16, 64<<10))
		if e := l.any(t); e.call == "gone" {
			break
		}
		if seq += 16; seq > 2000 {
			require.Fail(t, "it took more than any window")
		}
	}
	eventually(t, "counted", func() bool { return closedBy(h, protocol.CloseSlowConsumer) == 1 })
}

func TestSSE_OverHTTP2AReaderThatLeaves(t *testing.T) {
	_, c, l := overHTTP2(t, Config{})
	require.NoError(t, c.res.Body.Close())
	require.Equal(t, GoneLost, l.next(t, "gone").how)
}
