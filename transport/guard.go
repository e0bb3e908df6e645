package transport

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
)

// guard is P-31: what no honest page does is refused before anything else is looked at, with forbidden.
//
//   - An Origin must be the server's own (the same host as in Host, http or https) or an allowed one.
//   - Without an Origin, a browser that says by Sec-Fetch-Site that another site's page made the request is refused as well:
//     an <img> of a stranger's page sends no Origin, and a read creates a client (P-29).
//   - Without authentication the peer must be on loopback and call us by a loopback name, or a stranger's DNS name that
//     points to 127.0.0.1 would make us the "own" origin of his page (DNS rebinding). Insecure lifts this.
func (h *Handler) guard(r *http.Request) *protocol.Error {
	if h.cfg.Authorize == nil && !h.cfg.Insecure {
		if !loopbackPeer(r.RemoteAddr) {
			return protocol.Errorf(protocol.CodeForbidden, "without authentication only loopback may call")
		}
		if !LoopbackName(r.Host) {
			return protocol.Errorf(protocol.CodeForbidden, "without authentication the Host must be a loopback name such as localhost")
		}
	}
	switch origins := r.Header["Origin"]; {
	case len(origins) == 0:
		if s := r.Header.Get("Sec-Fetch-Site"); s == "cross-site" || s == "same-site" {
			return protocol.Errorf(protocol.CodeForbidden, "a page of another origin may not call without saying its Origin")
		}
	case len(origins) > 1:
		return protocol.Errorf(protocol.CodeForbidden, "more than one Origin")
	case !h.allowedOrigin(origins[0]) && !ownOrigin(origins[0], r.Host):
		return protocol.Errorf(protocol.CodeForbidden, "this Origin is not allowed")
	}
	return nil
}

func (h *Handler) allowedOrigin(origin string) bool { return h.origins[normalOrigin(origin)] }

// CheckOrigin says whether s can stand in AllowOrigins: scheme://host or scheme://host:port and nothing more. "*" and
// "null" name no origin: every page, or every sandboxed one, would be let in.
func CheckOrigin(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || strings.Contains(u.Host, "*") || !strings.EqualFold(u.Scheme+"://"+u.Host, s) {
		return protocol.Errorf(protocol.CodeBadRequest, "%q is not an origin; write it like https://app.example or http://localhost:3000", s)
	}
	return nil
}

// normalOrigin brings an origin to the form that browsers send: lower case, no default port.
func normalOrigin(s string) string {
	scheme, host, ok := strings.Cut(strings.ToLower(s), "://")
	if !ok {
		return ""
	}
	return scheme + "://" + withoutDefaultPort(host, scheme)
}

// ownOrigin reports whether origin names the host that the request was sent to.
func ownOrigin(origin, host string) bool {
	scheme, from, ok := strings.Cut(normalOrigin(origin), "://")
	if !ok || from == "" || scheme != "http" && scheme != "https" {
		return false
	}
	return from == withoutDefaultPort(strings.ToLower(host), scheme)
}

func withoutDefaultPort(host, scheme string) string {
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

func loopbackPeer(addr string) bool {
	ap, err := netip.ParseAddrPort(addr)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// LoopbackName reports whether host, with or without a port, is localhost, below .localhost, or a loopback address: what a Host must be where nobody has to authenticate (P-31).
func LoopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// authorize asks the operator's Authorize for r's Grant (P-25). Without one everything is allowed: guard has seen to it
// that only loopback comes here, or the operator said Insecure.
func (h *Handler) authorize(r *http.Request) (Grant, *protocol.Error) {
	if h.cfg.Authorize == nil {
		return Grant{}, nil
	}
	g, err := h.cfg.Authorize(r)
	if err != nil {
		var e *protocol.Error
		if errors.As(err, &e) {
			return Grant{}, e
		}
		// The text may say more about the operator's house than a stranger should read.
		h.log.Debug("a request was not authorized", "path", r.URL.Path, "err", err)
		return Grant{}, protocol.Errorf(protocol.CodeUnauthorized, "the request was not authorized")
	}
	if !g.Expires.IsZero() && !time.Now().Before(g.Expires) {
		return Grant{}, protocol.Errorf(protocol.CodeTokenExpired, "the token has expired")
	}
	return g, nil
}

// Token returns the token that r carries, "" for none: from "Authorization: Bearer", else from ?token=, else the entry
// that follows restante.v1 in Sec-WebSocket-Protocol. For an Authorize function; it must never be logged or echoed.
func Token(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if token := r.URL.Query().Get("token"); token != "" {
		return token
	}
	offered := strings.Split(strings.Join(r.Header["Sec-Websocket-Protocol"], ","), ",")
	if len(offered) > 1 && strings.TrimSpace(offered[0]) == protocol.Subprotocol {
		return strings.TrimSpace(offered[1])
	}
	return ""
}
