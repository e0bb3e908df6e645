package servers

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/restante/restante/bench"
)

// visitor is a client of a server: one session, across its connections.
type visitor struct {
	t       *testing.T
	s       *server
	session *bench.Session
	conn    net.Conn
	rw      io.ReadWriter
	ready   bool
	numbers []int // of the frames that have come
}

// published is the object that the stand publishes, wherever it stands in a message.
var published = regexp.MustCompile(`\{"type":"b","k":"(\d{10})","t":"(\d{19})","p":"x*"\}`)

func (s *server) visitor(id, topic string) *visitor {
	v := &visitor{t: s.t, s: s}
	v.session = bench.NewSession(id, topic, func() { v.ready = true }, v.frame)
	s.t.Cleanup(func() {
		if v.conn != nil {
			v.conn.Close()
		}
	})
	return v
}

// frame takes one in. It must be there byte for byte, and be as long as was asked for.
func (v *visitor) frame(data []byte) {
	m := published.FindSubmatch(data)
	if m == nil || len(m[0]) != bench.Frame {
		v.t.Fatalf("a message without the frame: %s", data)
	}
	k, err := strconv.Atoi(string(m[1]))
	if err != nil {
		v.t.Fatal(err)
	}
	v.numbers = append(v.numbers, k)
}

// connect connects and waits until the client is ready.
func (v *visitor) connect() {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialer := ws.Dialer{}
	if p := v.s.dialect.Subprotocol(); p != "" {
		dialer.Protocols = []string{p}
	}
	conn, buffered, _, err := dialer.Dial(ctx, "ws://"+v.s.addr+v.s.dialect.Target(v.session))
	if err != nil {
		v.t.Fatal(err)
	}
	v.conn, v.ready = conn, false
	if buffered == nil {
		buffered = bufio.NewReader(conn)
	}
	v.rw = struct {
		io.Reader
		io.Writer
	}{buffered, conn}
	v.s.dialect.Opened(v.session)
	v.say()
	v.until(func() bool { return v.ready })
}

// say sends what the dialect has to say.
func (v *visitor) say() {
	v.t.Helper()
	if len(v.session.Out) == 0 {
		return
	}
	if _, err := v.conn.Write(v.session.Out); err != nil {
		v.t.Fatal(err)
	}
	v.session.Out = v.session.Out[:0]
}

// until reads until done.
func (v *visitor) until(done func() bool) {
	v.t.Helper()
	for !done() {
		if err := v.read(); err != nil {
			v.t.Fatalf("%s, after %d frames: %v", v.session.ID, len(v.numbers), err)
		}
	}
}

func (v *visitor) read() error {
	if err := v.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	data, op, err := wsutil.ReadServerData(v.rw)
	if err != nil {
		return err
	}
	if err := v.s.dialect.Message(v.session, op == ws.OpBinary, data); err != nil {
		return err
	}
	v.say()
	return nil
}

// has waits until the frames up to number k have come, and fails unless the client has had each from first on, once and in order.
func (v *visitor) has(first, k int) {
	v.t.Helper()
	v.until(func() bool { return len(v.numbers) > k-first })
	for i, n := range v.numbers {
		if n != first+i {
			v.t.Fatalf("%s: the frame after %v has the number %d", v.session.ID, v.numbers[max(0, i-3):i], n)
		}
	}
}

// reset ends the connection as a lost network does, without a word.
func (v *visitor) reset() {
	v.t.Helper()
	if err := errors.Join(v.conn.(*net.TCPConn).SetLinger(0), v.conn.Close()); err != nil {
		v.t.Fatal(err)
	}
}

// leave ends the connection in order, and waits until the server has ended it as well.
func (v *visitor) leave() {
	v.t.Helper()
	v.s.dialect.Leaving(v.session)
	v.session.Out = append(v.session.Out, ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))))...)
	v.say()
	for {
		err := v.read()
		var closed wsutil.ClosedError
		if errors.As(err, &closed) || errors.Is(err, io.EOF) {
			v.conn.Close()
			return
		}
		if err != nil {
			v.t.Fatal(err)
		}
	}
}
