package tests

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

const pollEvery = 20 * time.Millisecond

// errHole says that a connection broke P-3: a seq that is not the next one.
var errHole = errors.New("P-3 broken")

// socket is a WebSocket peer that does nothing by itself: it may send any bytes, stall, half-close, never read. What it
// reads it holds to P-3 and P-6: hello first, then seqs without a hole or a repeat, one close frame at most.
// It has one user at a time.
type socket struct {
	e     *endpoint
	conn  *net.TCPConn
	br    *bufio.Reader
	res   *http.Response
	hello *message // nil until it has come
	last  uint64   // the seq that came last, or the one before the first that may come
	ended bool     // a close frame has come
}

// message is one text message of the server, with the members that the tests look at.
type message struct {
	protocol.Hello
	Raw          string `json:"-"`
	Seq          uint64 // of a sequenced frame, whose first member it is (P-1)
	At           uint64 `json:"-"` // the seq that a broker frame tells: receipt, replay_end
	AsOf         uint64 `json:"as_of"`
	Code         protocol.Code
	Message      string
	ID           string
	Status       string
	From         string
	N            int
	Mark         string
	RetryAfterMS *int64 `json:"retry_after_ms"`
	Pub          int
}

// dialing says how to open a socket.
type dialing struct {
	query   url.Values
	headers []string // pairs
	receive int      // SO_RCVBUF, 0 for the system's
	after   []byte   // sent in the same write as the handshake
}

// upgrade opens a connection and makes the handshake, without reading hello. It may be called from any goroutine.
func (e *endpoint) upgrade(d dialing) (*socket, error) {
	dialer := net.Dialer{Timeout: patience}
	if d.receive > 0 {
		dialer.Control = func(_, _ string, c syscall.RawConn) (err error) {
			ctl := c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, d.receive)
			})
			return errors.Join(err, ctl)
		}
	}
	c, err := dialer.DialContext(context.Background(), "tcp", e.host())
	if err != nil {
		return nil, err
	}
	s := &socket{e: e, conn: c.(*net.TCPConn), br: bufio.NewReader(c)}
	req := "GET /v1/ws?" + d.query.Encode() + " HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	host := e.host()
	for i := 0; i+1 < len(d.headers); i += 2 {
		if d.headers[i] == "Host" {
			host = d.headers[i+1]
			continue
		}
		req += d.headers[i] + ": " + d.headers[i+1] + "\r\n"
	}
	req += "Host: " + host + "\r\n\r\n"
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err = c.Write(append([]byte(req), d.after...)); err == nil {
		s.res, err = http.ReadResponse(s.br, nil)
	}
	if err == nil && s.res.StatusCode == 101 && s.res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		err = errors.New("wrong Sec-WebSocket-Accept")
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return s, nil
}

// dial is upgrade for the test's own goroutine; the socket ends with the test.
func (e *endpoint) dial(d dialing) *socket {
	e.t.Helper()
	s, err := e.upgrade(d)
	require.NoError(e.t, err)
	e.t.Cleanup(func() { _ = s.conn.Close() })
	require.Equal(e.t, 101, s.res.StatusCode)
	return s
}

// query is the attach of client id; more holds further parameters in pairs.
func query(id string, more ...string) url.Values {
	q := url.Values{}
	if id != "" {
		q.Set("client_id", id)
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return q
}

// attach dials and reads hello.
func (e *endpoint) attach(id string, more ...string) *socket {
	e.t.Helper()
	return e.attachWith(dialing{query: query(id, more...)})
}

func (e *endpoint) attachWith(d dialing) *socket {
	e.t.Helper()
	s := e.dial(d)
	m := s.next()
	require.Equal(e.t, "hello", m.Type, m.Raw)
	return s
}

// stuck attaches a peer whose kernel takes little; it reads hello and then nothing.
func (e *endpoint) stuck(id string, more ...string) *socket {
	e.t.Helper()
	return e.attachWith(dialing{query: query(id, more...), receive: 4 << 10})
}

// event is one frame from the server: a whole text message, a control frame, or a close.
type event struct {
	op     ws.OpCode
	data   []byte
	msg    *message // of a text
	code   ws.StatusCode
	reason string // of a close
}

// read returns what comes next. io.EOF and a reset are errors, and so is whatever breaks the rules.
func (s *socket) read() (event, error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(patience))
	h, err := ws.ReadHeader(s.br)
	if err != nil {
		return event{}, err
	}
	if h.Masked || h.Rsv != 0 || !h.Fin || h.Length > 2<<20 {
		return event{}, fmt.Errorf("the server sent the frame header %+v", h)
	}
	if s.ended {
		return event{}, fmt.Errorf("a frame after the close frame: %+v", h)
	}
	ev := event{op: h.OpCode, data: make([]byte, h.Length)}
	if _, err := io.ReadFull(s.br, ev.data); err != nil {
		return event{}, err
	}
	switch h.OpCode {
	case ws.OpText:
		ev.msg, err = s.accept(ev.data)
	case ws.OpClose:
		s.ended = true
		ev.code, ev.reason = ws.ParseCloseFrameData(ev.data)
	case ws.OpPing, ws.OpPong:
	default:
		err = fmt.Errorf("the server sent opcode %d", h.OpCode)
	}
	return ev, err
}

// accept holds one text message to P-3 and P-6.
func (s *socket) accept(data []byte) (*message, error) {
	m := &message{Raw: string(data)}
	if err := json.Unmarshal(data, m); err != nil || !utf8.Valid(data) {
		return nil, fmt.Errorf("not a message: %q: %w", data, err)
	}
	if !strings.HasPrefix(m.Raw, `{"seq":`) {
		m.Seq, m.At = 0, m.Seq
	}
	switch {
	case m.Seq > 0:
		if s.hello == nil || m.Seq != s.last+1 {
			return m, fmt.Errorf("%w: after %d came %.200s", errHole, s.last, data)
		}
		if !strings.HasPrefix(m.Raw, fmt.Sprintf(`{"seq":%d,"`, m.Seq)) {
			return m, fmt.Errorf("P-1: seq is not the first member: %.200s", data)
		}
		s.last = m.Seq
	case m.Type == "hello":
		if s.hello != nil {
			return m, fmt.Errorf("P-6: a second hello: %s", data)
		}
		s.hello, s.last = m, m.Floor
		if m.Resume == protocol.ResumeUpToDate || m.Resume == protocol.ResumeReplay {
			if m.Missed == nil {
				return m, fmt.Errorf("P-6: hello without missed: %s", data)
			}
			s.last = m.Head - *m.Missed
		}
	case m.Type == "snapshot" && !strings.Contains(m.Raw, `"topic":"`): // else it is a topic's
		if m.AsOf < s.last {
			return m, fmt.Errorf("P-9: a snapshot as of %d after %d", m.AsOf, s.last)
		}
		s.last = m.AsOf
	}
	return m, nil
}

// text sends one text message; goroutine-safe as far as the socket is.
func (s *socket) text(msg string) error {
	return s.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(msg)))))
}

// raw sends bytes as they are.
func (s *socket) raw(b []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.conn.Write(b)
	return err
}

// cut ends the connection by a reset.
func (s *socket) cut() {
	_ = s.conn.SetLinger(0)
	_ = s.conn.Close()
}
