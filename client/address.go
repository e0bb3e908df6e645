package client

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
)

// attachPath is where a broker takes attaches.
const attachPath = "/v1/ws"

// parseAddress turns a broker's URL into the one that is dialed: http becomes ws and https wss (P-24), and attachPath is
// appended where it is absent, so that a broker mounted below a prefix is reached by the prefix's URL.
func parseAddress(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("client: the URL cannot be read: %w", err)
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
	default:
		return nil, fmt.Errorf("client: the URL %q does not begin with http, https, ws or wss", s)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("client: the URL %q names no host", s)
	}
	if u.User != nil {
		return nil, fmt.Errorf("client: a password in the URL would end up in logs; use Token")
	}
	if !strings.HasSuffix(u.Path, attachPath) {
		u.Path = strings.TrimSuffix(u.Path, "/") + attachPath
	}
	u.Fragment = ""
	return u, nil
}

// attachURL returns the URL of one attach. What the configured URL already had in its query is kept.
func attachURL(base *url.URL, id string, since *protocol.Cursor, takeover bool, ping time.Duration) string {
	u := *base
	q := u.Query()
	if id != "" {
		q.Set("client_id", id)
	}
	q.Del("since")
	if since != nil {
		q.Set("since", since.String())
	}
	if takeover {
		q.Set("attach", "takeover")
	}
	if ping > 0 {
		q.Set("ping", strconv.Itoa(int(math.Ceil(ping.Seconds()))))
	}
	u.RawQuery = q.Encode()
	return u.String()
}
