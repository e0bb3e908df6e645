package transport

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

func TestSSE_ARefusalThatComesBackIsAStream(t *testing.T) {
	for name, c := range map[string]struct {
		first protocol.Piece
		code  protocol.CloseCode
		event string
		retry string
	}{
		"draining":              {piece(0, `{"type":"goaway","reason":"draining","retry_after_ms":1234}`), protocol.CloseDraining, "goaway", "1234"},
		"draining, at once":     {piece(0, `{"type":"goaway","reason":"draining","retry_after_ms":0}`), protocol.CloseDraining, "goaway", "0"},
		"overloaded":            {piece(0, `{"type":"error","code":"overloaded","message":"m","retry_after_ms":2500}`), protocol.CloseOverloaded, "error", "2500"},
		"overloaded, no moment": {piece(0, `{"type":"error","code":"overloaded","message":"m"}`), protocol.CloseOverloaded, "error", soon},
	} {
		t.Run(name, func(t *testing.T) {
			h, f, s := wsServer(t, Config{})
			f.onAttach = func(l *fakeLink) { l.peer.Refused(c.first, c.code) }
			r := openStream(t, s, "a/events")
			require.Equal(t, http.StatusOK, r.res.StatusCode)
			require.Equal(t, sseEvent{name: c.event, data: string(c.first.Body)}, r.next())
			r.closed(c.code, c.retry)
			require.EqualValues(t, 1, closedBy(h, c.code))
			f.link(t).none(t)
		})
	}
}

func TestSSE_ARefusalForGoodByTheRegistryIsAStatus(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	f.onAttach = func(l *fakeLink) {
		l.peer.Refused(piece(0, `{"type":"error","code":"too_many_connections","message":"it has sixteen"}`), protocol.CloseTooManyConnections)
	}
	r := openStream(t, s, "a/events")
	require.Equal(t, http.StatusTooManyRequests, r.res.StatusCode)
	require.Equal(t, typeProblem, r.res.Header.Get("Content-Type"))
	b, err := io.ReadAll(r.br)
	require.NoError(t, err)
	require.Contains(t, string(b), "it has sixteen")
	require.Zero(t, h.sys.Counters().Refused.Snapshot()["too_many_connections"], "the registry counts its own")
}

func TestSSE_ATokenThatHasExpiredComesBack(t *testing.T) {
	for name, authorize := range map[string]func(*http.Request) (Grant, error){
		"by its grant": func(*http.Request) (Grant, error) { return Grant{Expires: time.Now().Add(-time.Second)}, nil },
		"by an error": func(*http.Request) (Grant, error) {
			return Grant{}, protocol.Errorf(protocol.CodeTokenExpired, "too old")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, s := wsServer(t, Config{Authorize: authorize})
			r := openStream(t, s, "a/events")
			require.Equal(t, http.StatusOK, r.res.StatusCode)
			require.Equal(t, "error", r.next().name)
			r.closed(protocol.CloseTokenExpired, soon)
			require.EqualValues(t, 1, h.sys.Counters().Refused.Snapshot()["token_expired"])
		})
	}
	_, _, s := wsServer(t, Config{Authorize: func(*http.Request) (Grant, error) { return Grant{}, errors.New("who?") }})
	require.Equal(t, http.StatusUnauthorized, openStream(t, s, "a/events").res.StatusCode)
}

func TestSSE_CloseIsTheLastEvent(t *testing.T) {
	for code, retry := range map[protocol.CloseCode]string{
		protocol.CloseDraining: soon, protocol.CloseTokenExpired: soon, protocol.CloseOverloaded: soon, protocol.CloseReplaced: "86400000", protocol.CloseTooManyConnections: "86400000",
	} {
		t.Run(code.Name(), func(t *testing.T) {
			h, f, s := wsServer(t, Config{})
			c, l := opened(t, f, s, "a/events")
			l.peer.Write(pieces(1, 3, 100))
			l.peer.Close(code)
			l.peer.Close(protocol.CloseBadRequest) // the first counts
			for seq := range 3 {
				require.Equal(t, protocol.Cursor{Epoch: "e1", Seq: uint64(seq) + 1}.String(), c.next().id)
			}
			c.closed(code, retry)
			l.next(t, "written")
			require.Equal(t, GoneLost, l.next(t, "gone").how)
			eventually(t, "counted", func() bool { return closedBy(h, code) == 1 && h.sys.Counters().Connections.Load() == 0 })
		})
	}
}

func TestSSE_AGoawaySaysWhenToComeBack(t *testing.T) {
	_, f, s := wsServer(t, Config{})
	c, l := opened(t, f, s, "a/events")
	l.peer.Write([]protocol.Piece{piece(0, `{"type":"goaway","reason":"draining","retry_after_ms":777}`)})
	l.peer.Close(protocol.CloseDraining)
	require.Equal(t, "goaway", c.next().name)
	c.closed(protocol.CloseDraining, "777")
}

func TestSSE_CloseAllEndsEveryStream(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	var all []*sseClient
	for range 5 {
		c, _ := opened(t, f, s, "a/events")
		all = append(all, c)
	}
	w := dial(t, s, "?client_id=a")
	f.link(t) // it is among the handler's connections, which the answer of its upgrade does not say
	h.CloseAll()
	for _, c := range all {
		c.closed(protocol.CloseGoingAway, soon)
	}
	w.expectClose(protocol.CloseGoingAway)
	require.NoError(t, h.WaitConns(t.Context()))
	require.Zero(t, h.sys.Counters().Connections.Load())
	late := openStream(t, s, "a/events")
	require.Equal(t, http.StatusOK, late.res.StatusCode, "an EventSource does not come back from a status")
	require.Equal(t, "error", late.next().name)
	late.closed(protocol.CloseDraining, soon)
}

func TestSSE_AttachedAfterItsReaderHasLeft(t *testing.T) {
	h, f, s := wsServer(t, Config{})
	f.onAttach = func(*fakeLink) {}
	nc := mustDial(t, s)
	_, err := nc.Write([]byte("GET /v1/clients/a/events HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	require.NoError(t, err)
	l := f.link(t)
	require.NoError(t, nc.Close())
	require.NoError(t, waitNone(t, h))
	l.peer.Attached(l)
	l.peer.Write(pieces(1, 4, 10))
	require.Equal(t, GoneLost, l.next(t, "gone").how)
	require.EqualValues(t, 4, dropped(h, actors.DropUnsent))
	l.none(t)
}
