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

	"github.com/restante/restante/protocol"
)

// serveWS answers GET /v1/ws, and nothing but a GET. ServeHTTP has asked the guard (P-31) before. Whatever else is wrong with the attach is told on
// the upgraded connection, where a browser's page can read it (P-21). It returns as soon as the connection's actor has begun:
// no goroutine of net/http stays behind.
func (h *Handler) serveWS(w http.ResponseWriter, r *http.Request) {
	if err := checkUpgrade(w.Header(), r); err != nil {
		h.refuse(w, r, err)
		return
	}
	a, refusal := h.parseAttach(r)
	if refusal == nil {
		a.grant, refusal = h.authorizeAttach(r, a.clientID)
		a.MaySubscribe = a.grant.maySubscribe()
	}
	nc, early, err := takeOver(w)
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
	c.out = outbufs.Get().(*outbuf)
	c.out.b = appendAccepted(c.out.b, r)
	if !h.conns.add(c) {
		c.sock.close(false)
		return
	}
	c.Do(c, evStart)
	if refusal != nil {
		h.sys.Counters().Refused.Add(string(refusal.Code))
		c.Refused(protocol.Piece{Body: protocol.EncodeError(refusal)}, closeOf(refusal.Code))
		return
	}
	defer c.Do(c, evFlush) // writes the answer, if hello has not taken it along: one write, and one wake-up of the peer, less
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

// acceptGUID is what RFC 6455 has a server add to a client's key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// appendAccepted appends the answer to a handshake that checkUpgrade has let pass.
func appendAccepted(b []byte, r *http.Request) []byte {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + acceptGUID))
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	if slices.Contains(listed(r.Header, "Sec-Websocket-Protocol"), protocol.Subprotocol) {
		// Of what was offered only our own is echoed: the rest may be a token, which need not be a legal name of a subprotocol.
		b = append(b, "\r\nSec-WebSocket-Protocol: "+protocol.Subprotocol...)
	}
	return append(b, "\r\n\r\n"...)
}

// takeOver takes the connection over from net/http, and returns what the peer has sent already. It is http.ErrNotSupported, and nothing has happened, where w
// cannot be taken over; after any other error the connection is closed.
func takeOver(w http.ResponseWriter) (net.Conn, []byte, error) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early := make([]byte, rw.Reader.Buffered())
	if _, err = io.ReadFull(rw.Reader, early); err != nil {
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
