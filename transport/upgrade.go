package transport

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
)

// acceptGUID is what RFC 6455, 4.2.2 has hashed together with the client's key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// serveWS answers GET /v1/ws, and nothing but a GET. ServeHTTP has asked the guard (P-31) before. Whatever else is wrong with the attach is told on
// the upgraded connection, where a browser's page can read it (P-21). It returns as soon as the connection's actor has begun:
// no goroutine of net/http stays behind.
func (h *Handler) serveWS(w http.ResponseWriter, r *http.Request) {
	if err := checkUpgrade(w.Header(), r); err != nil {
		h.refuse(w, r, err)
		return
	}
	if h.conns.isClosed() {
		h.refuse(w, r, protocol.Errorf(protocol.CodeDraining, "the server is ending"))
		return
	}
	a, refusal := h.parseAttach(r)
	if refusal == nil {
		a.grant, refusal = h.authorizeAttach(r, a.clientID)
	}
	nc, early, err := h.hijack(w, acceptance(r))
	switch {
	case errors.Is(err, http.ErrNotSupported):
		h.log.Error("a WebSocket cannot be served: the handler is mounted behind something that keeps the connection to itself", "err", err)
		h.refuse(w, r, protocol.Errorf(protocol.CodeInternal, "WebSocket cannot be served here"))
		return
	case err != nil: // the connection is not net/http's any more, and closed
		h.log.Debug("an upgrade failed", "err", err)
		return
	}
	c := newConn(h, nc, early, a.ConnectionID, a.PingInterval, a.grant)
	if !h.conns.add(c) {
		_ = nc.Close()
		return
	}
	c.Tell(c, evStart)
	if refusal != nil {
		h.sys.Counters().Refused.Add(string(refusal.Code))
		c.Refused(protocol.Piece{Body: protocol.EncodeError(refusal)}, closeOf(refusal.Code))
		return
	}
	h.log.Debug("a connection attaches", "client_id", a.clientID, "connection_id", a.ConnectionID)
	h.reg.Attach(a.clientID, a.Attach, c)
}

// checkUpgrade reports what keeps r from being a WebSocket handshake (RFC 6455, 4.2.1).
func checkUpgrade(answer http.Header, r *http.Request) error {
	switch {
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1 || !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		answer.Set("Connection", "Upgrade")
		answer.Set("Upgrade", "websocket")
		return statusErrorf(http.StatusUpgradeRequired, "this path speaks WebSocket only")
	case r.Header.Get("Sec-Websocket-Version") != "13":
		answer.Set("Sec-WebSocket-Version", "13")
		return statusErrorf(http.StatusUpgradeRequired, "this server speaks version 13 of WebSocket")
	}
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key"))
	if keys := len(r.Header["Sec-Websocket-Key"]); err != nil || len(key) != 16 || keys != 1 {
		return badRequest("a Sec-WebSocket-Key is 16 bytes in base64 and comes once")
	}
	return nil
}

// hasToken reports whether the header name lists token.
func hasToken(h http.Header, name, token string) bool {
	return slices.ContainsFunc(listed(h, name), func(s string) bool { return strings.EqualFold(s, token) })
}

// listed returns the members of a header that is a list.
func listed(h http.Header, name string) []string {
	var all []string
	for _, line := range h.Values(name) {
		for s := range strings.SplitSeq(line, ",") {
			all = append(all, strings.TrimSpace(s))
		}
	}
	return all
}

// acceptance is the answer to a good handshake. Of what was offered only our subprotocol is echoed: the rest may be a token.
func acceptance(r *http.Request) []byte {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + acceptGUID))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if slices.Contains(listed(r.Header, "Sec-Websocket-Protocol"), protocol.Subprotocol) {
		answer += "Sec-WebSocket-Protocol: " + protocol.Subprotocol + "\r\n"
	}
	return []byte(answer + "\r\n")
}

// hijack takes the connection over from net/http, writes answer, and returns what the peer has sent already.
func (h *Handler) hijack(w http.ResponseWriter, answer []byte) (net.Conn, []byte, error) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early := make([]byte, rw.Reader.Buffered())
	_, err = io.ReadFull(rw.Reader, early)
	if err == nil && h.cfg.HandshakeTimeout > 0 {
		err = nc.SetDeadline(time.Now().Add(h.cfg.HandshakeTimeout))
	}
	if err == nil {
		_, err = nc.Write(answer)
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = nc.Close()
		return nil, nil, err
	}
	return nc, early, nil
}

// closeOf is the close code of a refused attach (P-22).
func closeOf(code protocol.Code) protocol.CloseCode {
	if c := code.Info().Close; c != 0 {
		return c
	}
	return protocol.CloseBadRequest // a code that an Authorize function has chosen and that no attach is refused with otherwise
}
