package transport

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// patience is how long a test waits for an event that has to come. It is no part of what is tested.
const patience = 20 * time.Second

// linkEvent is one call of a Link's method.
type linkEvent struct {
	call string // "message", "ping", "written", "gone"
	m    protocol.Message
	err  *protocol.Error
	how  Gone
}

// fakeLink is a client of one connection: it notes what it is told.
type fakeLink struct {
	id     string
	attach Attach
	peer   Peer
	events chan linkEvent
	handle bool            // every message is dealt with at once
	on     func(linkEvent) // called first
	mu     sync.Mutex
	gone   bool
	late   []string // calls after Gone, which must not be
}

func (l *fakeLink) note(e linkEvent) {
	if l.on != nil {
		l.on(e)
	}
	l.mu.Lock()
	if l.gone {
		l.late = append(l.late, e.call)
	}
	l.gone = l.gone || e.call == "gone"
	l.mu.Unlock()
	l.events <- e
}

func (l *fakeLink) Message(m protocol.Message, err *protocol.Error) {
	l.note(linkEvent{call: "message", m: m, err: err})
	if l.handle {
		l.peer.Handled(1)
	}
}
func (l *fakeLink) PingDue()      { l.note(linkEvent{call: "ping"}) }
func (l *fakeLink) Written()      { l.note(linkEvent{call: "written"}) }
func (l *fakeLink) Gone(how Gone) { l.note(linkEvent{call: "gone", how: how}) }

// any waits for the next event.
func (l *fakeLink) any(t testing.TB) linkEvent {
	t.Helper()
	select {
	case e := <-l.events:
		return e
	case <-time.After(patience):
		require.FailNow(t, "no event")
		panic("unreachable")
	}
}

// next waits for the next event, which has to be call.
func (l *fakeLink) next(t testing.TB, call string) linkEvent {
	t.Helper()
	e := l.any(t)
	require.Equal(t, call, e.call, "%+v", e)
	return e
}

// none checks that nothing has been told; what precedes it must have been waited for.
func (l *fakeLink) none(t testing.TB) {
	t.Helper()
	select {
	case e := <-l.events:
		require.FailNow(t, "an event too many", "%+v", e)
	default:
	}
}

// toldPeer tells its link also of what was written at once.
type toldPeer struct {
	Peer
	l *fakeLink
}

func (p toldPeer) Write(batch []protocol.Piece) (written bool) {
	if written = p.Peer.Write(batch); written {
		p.l.Written()
	}
	return written
}

// wsFake is a Registry whose clients are fakeLinks.
type wsFake struct {
	httpFake
	links    chan *fakeLink
	keep     bool            // messages are not dealt with by themselves
	room     int             // of a link's events; 0 for plenty
	onAttach func(*fakeLink) // in place of Attached
	on       func(linkEvent)
}

func (f *wsFake) Attach(id string, a Attach, p Peer) {
	l := &fakeLink{id: id, attach: a, events: make(chan linkEvent, cmp.Or(f.room, 1<<16)), handle: !f.keep, on: f.on}
	l.peer = toldPeer{p, l}
	if f.onAttach != nil {
		f.onAttach(l)
	} else {
		p.Attached(l)
	}
	f.links <- l
}

func (f *wsFake) link(t testing.TB) *fakeLink {
	t.Helper()
	select {
	case l := <-f.links:
		return l
	case <-time.After(patience):
		require.FailNow(t, "no attach")
		panic("unreachable")
	}
}

func newFake() *wsFake { return &wsFake{links: make(chan *fakeLink, 1<<12)} }

// newWS returns a handler over a fake; it does not ping unless cfg says so. At the test's end every connection is ended, and
// none may be left.
func newWS(t testing.TB, cfg Config) (*Handler, *wsFake) {
	t.Helper()
	return newWSTick(t, cfg, 10*time.Millisecond)
}

// newWSTick is newWS with the granularity of deadlines.
func newWSTick(t testing.TB, cfg Config, tick time.Duration) (*Handler, *wsFake) {
	t.Helper()
	if cfg.PingInterval == 0 {
		cfg.PingInterval = -1
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Poller == "" {
		cfg.Poller = *pollerFlag
	}
	sys := actors.Start(actors.Options{Logger: cfg.Logger, Tick: tick})
	f := newFake()
	h := New(sys, f, cfg)
	t.Cleanup(func() { endWS(t, h) })
	return h, f
}

func endWS(t testing.TB, h *Handler) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h.CloseAll()
	require.NoError(t, h.WaitConns(ctx))
	require.NoError(t, h.sys.Stop(ctx))
	require.Zero(t, h.sys.Counters().Connections.Load())
}

// serveWSOver serves h on a loopback socket, or over TLS, and returns the server.
func serveWSOver(t testing.TB, h *Handler, overTLS bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if overTLS {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// wsServer is newWS on a loopback socket.
func wsServer(t testing.TB, cfg Config) (*Handler, *wsFake, *httptest.Server) {
	t.Helper()
	h, f := newWS(t, cfg)
	return h, f, serveWSOver(t, h, false)
}

// wsClient is the other end of a connection: it says whatever a test wants, right or wrong.
type wsClient struct {
	t  testing.TB
	nc net.Conn
	br *bufio.Reader
}

// dialRaw opens a connection to s and sends a handshake and what the peer is quick to send after it.
func dialRaw(t testing.TB, s *httptest.Server, query string, header http.Header, early []byte) (*wsClient, *http.Response) {
	t.Helper()
	addr := s.Listener.Addr().String()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	if s.TLS != nil {
		nc = tlsClient(nc)
	}
	t.Cleanup(func() { _ = nc.Close() })
	var b strings.Builder
	b.WriteString("GET /v1/ws" + query + " HTTP/1.1\r\nHost: " + addr + "\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	require.NoError(t, header.Write(&b))
	b.WriteString("\r\n")
	_, err = nc.Write(append([]byte(b.String()), early...))
	require.NoError(t, err)
	require.NoError(t, nc.SetReadDeadline(time.Now().Add(patience)))
	c := &wsClient{t: t, nc: nc, br: bufio.NewReaderSize(nc, 128<<10)}
	r, err := http.ReadResponse(c.br, nil)
	require.NoError(t, err)
	return c, r
}

// dial is dialRaw for a handshake that has to succeed.
func dial(t testing.TB, s *httptest.Server, query string) *wsClient {
	t.Helper()
	c, r := dialRaw(t, s, query, nil, nil)
	require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode)
	return c
}

func (c *wsClient) raw(b []byte) {
	c.t.Helper()
	_, err := c.nc.Write(b)
	require.NoError(c.t, err)
}

func (c *wsClient) text(s string) { c.raw(masked(true, ws.OpText, []byte(s))) }

// frame reads the server's next frame.
func (c *wsClient) frame() (ws.OpCode, []byte) {
	c.t.Helper()
	hdr, err := ws.ReadHeader(c.br)
	require.NoError(c.t, err)
	require.True(c.t, hdr.Fin)
	require.False(c.t, hdr.Masked)
	require.Zero(c.t, hdr.Rsv)
	require.LessOrEqual(c.t, hdr.Length, int64(protocol.DefaultMaxMessageBytes))
	payload := make([]byte, hdr.Length)
	_, err = io.ReadFull(c.br, payload)
	require.NoError(c.t, err)
	return hdr.OpCode, payload
}

func (c *wsClient) expectText(want string) {
	c.t.Helper()
	op, payload := c.frame()
	require.Equal(c.t, ws.OpText, op, "%q", payload)
	require.Equal(c.t, want, string(payload))
}

// expectClose reads the close frame that has to come next, and checks the reason that belongs to its code.
func (c *wsClient) expectClose(want protocol.CloseCode) {
	c.t.Helper()
	op, payload := c.frame()
	require.Equal(c.t, ws.OpClose, op, "%q", payload)
	require.GreaterOrEqual(c.t, len(payload), 2)
	code := protocol.CloseCode(binary.BigEndian.Uint16(payload))
	require.Equal(c.t, want, code, "%s", payload[2:])
	require.Equal(c.t, code.Name(), string(payload[2:]))
}

// expectEOF checks that nothing more comes.
func (c *wsClient) expectEOF() {
	c.t.Helper()
	b, err := io.ReadAll(c.br)
	require.NoError(c.t, err)
	require.Empty(c.t, b)
}

// leave closes with code and expects the answer and the end.
func (c *wsClient) leave(code protocol.CloseCode) {
	c.t.Helper()
	c.raw(maskedClose(code, ""))
	c.expectClose(code)
	c.expectEOF()
}

// answer answers the server's close with code and expects the end.
func (c *wsClient) answer(code protocol.CloseCode) {
	c.t.Helper()
	c.raw(maskedClose(code, ""))
	c.expectEOF()
}

var testMask = [4]byte{0x5a, 0x01, 0xff, 0x80}

// masked encodes one frame of a client's.
func masked(fin bool, op ws.OpCode, payload []byte) []byte {
	b := []byte{byte(op)}
	if fin {
		b[0] |= finBit
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, maskBit|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, maskBit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, maskBit|127), uint64(n))
	}
	b = append(b, testMask[:]...)
	for i, x := range payload {
		b = append(b, x^testMask[i%4])
	}
	return b
}

func maskedClose(code protocol.CloseCode, reason string) []byte {
	return masked(true, ws.OpClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// pieces returns n sequenced pieces from seq on, each with a body of size bytes.
func pieces(seq uint64, n, size int) []protocol.Piece {
	body := protocol.Body(`{"type":"t","x":"` + strings.Repeat("x", max(size-19, 0)) + `"}`)
	all := make([]protocol.Piece, n)
	for i := range all {
		all[i] = protocol.Piece{Seq: seq + uint64(i), Body: body}
	}
	return all
}

func closedBy(h *Handler, code protocol.CloseCode) int64 {
	return h.sys.Counters().Closed.Snapshot()[code.Name()]
}

func dropped(h *Handler, r actors.DropReason) int64 { return h.sys.Counters().Dropped[r].Load() }

// eventually waits for a state that is reached by itself.
func eventually(t testing.TB, what string, reached func() bool) {
	t.Helper()
	require.Eventually(t, reached, patience, time.Millisecond, what)
}

// tlsClient is the client's end of a TLS connection to a test server, whose certificate nobody vouches for.
func tlsClient(nc net.Conn) net.Conn {
	return tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
}

// allowing is an Authorize whose every credential may do what allow says.
func allowing(allow func(Verb, string) bool) func(*http.Request) (Grant, error) {
	return func(*http.Request) (Grant, error) { return Grant{Allow: allow}, nil }
}
