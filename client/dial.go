package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

// refusal is a broker, or what stands before it, that answered the upgrade with a plain HTTP status (P-21).
type refusal struct {
	status int
	reason *protocol.Error // from the problem in the body, nil without one
	after  time.Duration   // Retry-After, 0 without one
}

func (r *refusal) Error() string {
	s := fmt.Sprintf("client: the upgrade was answered with HTTP status %d", r.status)
	if r.reason != nil {
		s += ": " + r.reason.Error()
	}
	return s
}

func (r *refusal) Unwrap() error {
	if r.reason == nil {
		return nil
	}
	return r.reason
}

// dial opens the connection and upgrades it. early is what the server sent right behind its answer.
func (s *settings) dial(ctx context.Context, url, token string) (conn net.Conn, early []byte, err error) {
	var refused *refusal
	d := ws.Dialer{
		Timeout:   s.HandshakeTimeout,
		Protocols: []string{protocol.Subprotocol},
		NetDial:   s.Dial,
		TLSConfig: s.TLS,
		OnStatusError: func(_ int, _ []byte, resp io.Reader) {
			refused = readRefusal(resp)
		},
	}
	if token != "" {
		d.Header = ws.HandshakeHeaderHTTP(http.Header{"Authorization": {"Bearer " + token}})
	}
	conn, br, _, err := d.Dial(ctx, url)
	if err != nil {
		if refused != nil {
			return nil, nil, refused
		}
		return nil, nil, fmt.Errorf("client: %w", err)
	}
	if br != nil {
		buffered, err := br.Peek(br.Buffered())
		early = bytes.Clone(buffered)
		ws.PutReader(br)
		if err != nil {
			conn.Close()
			return nil, nil, fmt.Errorf("client: %w", err)
		}
	}
	return conn, early, nil
}

// readRefusal reads the HTTP answer of a refused upgrade, as much of it as is readable.
func readRefusal(r io.Reader) *refusal {
	const most = 8 << 10 // header and problem; what comes behind says nothing more
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(r, most)), nil)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	ref := &refusal{status: resp.StatusCode}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		ref.after = time.Duration(min(n, int(maxAfter/time.Second))) * time.Second
	}
	var p protocol.Problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err == nil && p.Code != "" {
		ref.reason = &protocol.Error{Code: p.Code, Message: p.Detail, RetryAfterMS: p.RetryAfterMS}
	}
	return ref
}
