package main

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/broker"
	"github.com/restante/restante/protocol"
)

// desk issues tokens and knows those that it has issued. It is safe for concurrent use.
type desk struct {
	length time.Duration

	mu     sync.Mutex
	issued map[string]pass
}

// pass is what a token stands for.
type pass struct {
	client  string
	expires time.Time
}

// issued is the answer of the token endpoint. ExpiresAt is in milliseconds since 1970; 0 where the page is to find out by itself.
type issued struct {
	Token     string `json:"token"`
	ExpiresAt int64  `json:"expiresAt,omitempty"`
}

func newDesk(length time.Duration) *desk { return &desk{length: length, issued: map[string]pass{}} }

// issue makes a token for a client. It says when that expires if told is set.
func (d *desk) issue(client string, told bool) issued {
	p := pass{client: client, expires: time.Now().Add(d.length)}
	token := rand.Text()
	d.mu.Lock()
	d.issued[token] = p
	d.mu.Unlock()
	out := issued{Token: token}
	if told {
		out.ExpiresAt = p.expires.UnixMilli()
	}
	return out
}

// authorize is the broker's Config.Authorize.
func (d *desk) authorize(r *http.Request) (broker.Grant, error) {
	token := credential(r)
	if token == "publisher" {
		return broker.Grant{Credential: "publisher"}, nil
	}
	d.mu.Lock()
	p, known := d.issued[token]
	d.mu.Unlock()
	switch {
	case !known:
		return broker.Grant{}, errors.New("this token was never issued")
	case !time.Now().Before(p.expires):
		return broker.Grant{}, protocol.Errorf(protocol.CodeTokenExpired, "the token has expired")
	}
	return broker.Grant{
		Credential: p.client,
		Expires:    p.expires,
		Allow:      func(_ broker.Verb, name string) bool { return name == p.client },
	}, nil
}

// credential is the token of a request: in its Authorization header, or beside the subprotocol, as browsers send it with a WebSocket. It is never in the URL: a
// page that puts it there is not let in.
func credential(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	for protocols := range strings.SplitSeq(r.Header.Get("Sec-WebSocket-Protocol"), ",") {
		if token := strings.TrimSpace(protocols); token != "restante.v1" {
			return token
		}
	}
	return ""
}
