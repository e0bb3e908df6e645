package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

// closeTime bounds the wait for the peer's close frame after ours.
const closeTime = 2 * time.Second

// link is one connection below the protocol: whole text messages come out of it, and one writer goroutine (write.go) puts bytes in.
// The reading side belongs to the goroutine that calls read.
type link struct {
	conn net.Conn
	br   *bufio.Reader
	// silence is how long a single read may wait; 0 for ever (P-17).
	silence time.Duration
	// limit bounds a message, in bytes (P-20).
	limit   int64
	message []byte
	open    bool // message has begun and its last fragment has not come

	writer *writer

	// timing guards until, the end of all reading; zero while there is none.
	timing sync.Mutex
	until  time.Time
}

// errClosedByPeer carries the code of the peer's close frame.
type errClosedByPeer struct {
	code   protocol.CloseCode
	reason string
}

func (e *errClosedByPeer) Error() string {
	return fmt.Sprintf("client: the server closed with %d %s", e.code, e.reason)
}

func newLink(conn net.Conn, early []byte) *link {
	l := &link{conn: conn, limit: protocol.DefaultMaxMessageBytes, silence: defaultSilence}
	l.br = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(early), patient{l}), 16<<10)
	return l
}

// patient reads the connection and allows each read the silence that the server may keep. The deadline is set before each read
// and not by a clock, so a client that does not read, because its queue is full, hears no silence.
type patient struct{ l *link }

func (p patient) Read(b []byte) (int, error) {
	if err := p.l.allow(); err != nil {
		return 0, err
	}
	n, err := p.l.conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSilence
	}
	return n, err
}

// allow sets the deadline of one read.
func (l *link) allow() error {
	l.timing.Lock()
	defer l.timing.Unlock()
	until := l.until
	if l.silence > 0 && until.IsZero() {
		until = time.Now().Add(l.silence)
	}
	return l.conn.SetReadDeadline(until)
}

// leaveTime gives the peer closeTime from now on to end the connection.
func (l *link) leaveTime() {
	l.timing.Lock()
	defer l.timing.Unlock()
	l.until = time.Now().Add(closeTime)
	if err := l.conn.SetReadDeadline(l.until); err != nil {
		l.conn.Close()
	}
}

// read returns the next message, whose memory is the caller's. A *fault is what the server did wrong, an errClosedByPeer its close
// frame; any other error is the connection's end.
func (l *link) read() ([]byte, error) {
	for {
		h, err := ws.ReadHeader(l.br)
		if err != nil {
			if errors.Is(err, ws.ErrHeaderLengthMSB) {
				return nil, violation(protocol.CodeBadRequest, "the server sent a frame header with a negative length")
			}
			return nil, err
		}
		state := ws.StateClientSide
		if l.open {
			state = state.Set(ws.StateFragmented)
		}
		if err := ws.CheckHeader(h, state); err != nil {
			return nil, violation(protocol.CodeBadRequest, "the server broke RFC 6455: %v", err)
		}
		if h.OpCode.IsControl() {
			if err := l.control(h); err != nil {
				return nil, err
			}
			continue
		}
		done, err := l.fragment(h)
		if err != nil || done {
			m := l.message
			l.message = nil
			return m, err
		}
	}
}

func (l *link) fragment(h ws.Header) (done bool, err error) {
	if h.OpCode == ws.OpBinary {
		return false, &fault{code: protocol.CloseUnsupported, err: protocol.Errorf(protocol.CodeBadRequest, "the server sent a binary message")}
	}
	have := len(l.message)
	if h.Length > l.limit-int64(have) {
		return false, &fault{code: protocol.CloseTooLarge, err: protocol.Errorf(protocol.CodeTooLarge, "the server sent a message of more than %d bytes", l.limit)}
	}
	l.message = append(l.message, make([]byte, h.Length)...)
	if _, err := io.ReadFull(l.br, l.message[have:]); err != nil {
		return false, err
	}
	l.open = !h.Fin
	if h.Fin && !utf8.Valid(l.message) {
		return false, &fault{code: protocol.CloseBadUTF8, err: protocol.Errorf(protocol.CodeBadJSON, "the server sent a message that is not UTF-8")}
	}
	return h.Fin, nil
}

// control answers a ping, and returns a close as an error.
func (l *link) control(h ws.Header) error {
	payload := make([]byte, h.Length) // at most 125: CheckHeader has seen to it
	if _, err := io.ReadFull(l.br, payload); err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing:
		l.writer.echo(payload)
	case ws.OpClose:
		if len(payload) == 0 {
			return &errClosedByPeer{code: protocol.CloseNoStatus}
		}
		code, reason := ws.ParseCloseFrameData(payload)
		registered := code >= 1012 && code <= 1014 // by proxies that restart or shed load; the library does not know them
		if err := ws.CheckCloseFrameData(code, reason); err != nil && !registered {
			return violation(protocol.CodeBadRequest, "the server broke RFC 6455: %v", err)
		}
		return &errClosedByPeer{code: protocol.CloseCode(code), reason: reason}
	}
	return nil
}

// linger reads on, and drops what comes, until the peer has ended the connection, or closeTime after the writer's last word: an
// early end of ours would reset the connection and might take our close frame with it.
func (l *link) linger() {
	_, _ = io.Copy(io.Discard, l.br) // whatever the end is, it is the end
}

// end closes the connection when the writer has had its last word, or closeTime for it, and waits for the writer.
func (l *link) end() {
	timer := time.NewTimer(closeTime)
	defer timer.Stop()
	select {
	case <-l.writer.gone:
	case <-timer.C:
	}
	l.conn.Close()
	<-l.writer.gone
}
