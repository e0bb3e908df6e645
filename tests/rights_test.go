package tests

import (
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/transport"
)

// guarded runs a broker with three credentials: "root" may everything, "me" may attach, read, ack and speak as the
// client me and send to agent, "brief" may attach as brief and expires in two seconds.
func guarded(t *testing.T) *endpoint {
	e, _ := embed(t, broker.Config{Authorize: func(r *http.Request) (broker.Grant, error) {
		switch transport.Token(r) {
		case "root":
			return broker.Grant{Credential: "root"}, nil
		case "me":
			return broker.Grant{Credential: "me", Allow: func(v broker.Verb, name string) bool {
				switch v {
				case transport.VerbAttach, transport.VerbRead, transport.VerbAck, transport.VerbMessage:
					return name == "me"
				case transport.VerbSend:
					return name == "agent"
				}
				return false
			}}, nil
		case "brief":
			return broker.Grant{Credential: "brief", Expires: time.Now().Add(2 * time.Second)}, nil
		case "stale":
			return broker.Grant{}, protocol.Errorf(protocol.CodeTokenExpired, "yesterday's token")
		}
		return broker.Grant{}, errors.New("who are you")
	}})
	return e
}

func TestP25_NothingIsCreatedBeforeItIsAllowed(t *testing.T) {
	t.Parallel()
	e := guarded(t)
	root := []string{"Authorization", "Bearer root"}
	mine := []string{"Authorization", "Bearer me"}
	for _, c := range []struct{ method, path, body string }{
		{"POST", framesPath("x"), `{"type":"x"}`},
		{"POST", framesPath("me"), `{"type":"x"}`},
		{"GET", framesPath("x"), ""},
		{"GET", "/v1/clients/x", ""},
		{"DELETE", "/v1/clients/me", ""},
		{"POST", "/v1/clients/x/ack", `{"cursor":"0"}`},
		{"POST", "/v1/clients/x/messages", `{"type":"send","id":"1","to":"agent","frame":{"type":"x"}}`},
		{"POST", "/v1/clients/me/messages", `{"type":"send","id":"1","to":"other","frame":{"type":"x"}}`},
		{"PUT", "/v1/clients/me/snapshot", `{"as_of":"0","data":1}`},
		{"GET", "/v1/clients/me/snapshot", ""},
		{"DELETE", "/v1/clients/me/snapshot", ""},
		{"GET", "/v1/clients", ""},
		{"POST", "/v1/janitor/sweep", ""},
	} {
		var body []byte
		if c.body != "" {
			body = []byte(c.body)
		}
		p := e.do(c.method, c.path, body, mine...).problem(t)
		require.Equal(t, protocol.CodeForbidden, p.Code, "%s %s", c.method, c.path)
		require.Equal(t, 403, p.Status)
		p = e.do(c.method, c.path, body).problem(t)
		require.Equal(t, protocol.CodeUnauthorized, p.Code, "%s %s", c.method, c.path)
		require.Equal(t, 401, p.Status)
		require.Equal(t, protocol.CodeTokenExpired, e.do(c.method, c.path, body, "Authorization", "Bearer stale").problem(t).Code)
	}
	r := e.do("GET", "/v1/clients", nil, root...)
	require.Contains(t, string(r.body), `"clients":[]`, "nothing has been created")
	require.Equal(t, 200, e.do("POST", framesPath("x"), []byte(`{"type":"x"}`), root...).status)
	require.Equal(t, 200, e.do("GET", framesPath("me"), nil, mine...).status)
}

func TestP25_AttachAndSend(t *testing.T) {
	t.Parallel()
	e := guarded(t)
	e.refused(query("me"), protocol.CodeUnauthorized, protocol.CloseUnauthorized)
	e.refused(query("me", "token", "wrong"), protocol.CodeUnauthorized, protocol.CloseUnauthorized)
	e.refused(query("other", "token", "me"), protocol.CodeForbidden, protocol.CloseUnauthorized)
	e.refused(query("", "token", "me"), protocol.CodeForbidden, protocol.CloseUnauthorized)
	e.refused(query("me", "token", "stale"), protocol.CodeTokenExpired, protocol.CloseTokenExpired)

	c := e.attach("me", "token", "me")
	c.until("replay_end")
	// A refused takeover takes nothing over.
	e.refused(query("me", "attach", "takeover", "token", "wrong"), protocol.CodeUnauthorized, protocol.CloseUnauthorized)
	c.send(`{"type":"send","id":"1","to":"agent","frame":{"type":"x"}}`)
	require.Equal(t, "stored", c.mustReceipt().Status)
	c.send(`{"type":"send","id":"2","to":"other","frame":{"type":"x"}}`)
	m := c.nextOf("error")
	require.Equal(t, protocol.CodeForbidden, m.Code)
	require.Equal(t, "2", m.ID)
	require.Equal(t, 404, e.do("GET", "/v1/clients/other", nil, "Authorization", "Bearer root").status)
	require.Empty(t, c.sync(), "the connection stays open")

	for _, headers := range [][]string{
		{"Authorization", "Bearer me"},
		{"Sec-WebSocket-Protocol", "restante.v1, me"},
	} {
		k := e.attachWith(dialing{query: query("me"), headers: headers})
		require.NotContains(t, k.res.Header.Get("Sec-WebSocket-Protocol"), "me", "a token is never echoed")
		require.Equal(t, headers[0] != "Authorization", k.res.Header.Get("Sec-WebSocket-Protocol") == "restante.v1")
	}
}

func TestP25_AnExpiredGrantEndsTheConnection(t *testing.T) {
	t.Parallel()
	e := guarded(t)
	c := e.attach("brief", "token", "brief")
	c.until("replay_end")
	c.closed(protocol.CloseTokenExpired)
	back := e.attach("brief", "token", "brief", "since", c.cursor())
	require.Equal(t, protocol.ResumeUpToDate, back.hello.Resume)
}

func TestP25_WithoutCredentialsLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		cmd := exec.Command(raceBinary(), "serve", "--listen", addr)
		cmd.Env = cleanEnv()
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, addr)
		require.Positive(t, exit.ExitCode())
		require.Contains(t, string(out), "--insecure")
		require.NotContains(t, string(out), "http://", "it never listened")
	}
	s := serve(t, "--insecure")
	headers := []string{"Host", "broker.example:" + s.url[strings.LastIndexByte(s.url, ':')+1:]}
	require.Equal(t, 200, s.do("GET", "/healthz", nil, headers...).status, "--insecure lifts the Host check too")
}
