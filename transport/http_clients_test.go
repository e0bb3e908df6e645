package transport

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP29_LookingAndDeletingAtNothing(t *testing.T) {
	h, f := newHTTP(t, Config{})
	f.err = protocol.Errorf(protocol.CodeNotFound, "no such client")
	for _, c := range []httpCall{
		{method: "GET", path: "/v1/clients/a"},
		{method: "DELETE", path: "/v1/clients/a"},
		{method: "POST", path: "/v1/clients/a/ack", body: `{"cursor":"e1:1"}`, header: asJSON},
	} {
		requireProblem(t, c.do(h), 404, protocol.CodeNotFound)
	}
}

func TestClientState(t *testing.T) {
	h, f := newHTTP(t, Config{})
	f.state = protocol.State{ClientID: "a", Epoch: "e1", Head: 9, Connections: 1, Attachments: []protocol.Attachment{{ConnectionID: "c1", Transport: "websocket", Resume: protocol.ResumeFresh}}}
	w := httpCall{method: "GET", path: "/v1/clients/a"}.do(h)
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), `"head":9`)
	require.Contains(t, w.Body.String(), `"attachments":[{"connection_id":"c1"`)
	require.Equal(t, []string{"state a"}, f.calls())
}

func TestDeleteClient(t *testing.T) {
	h, f := newHTTP(t, Config{})
	w := httpCall{method: "DELETE", path: "/v1/clients/a"}.do(h)
	require.Equal(t, 204, w.Code)
	require.Empty(t, w.Body.String())
	require.Empty(t, w.Header().Get("Content-Type"))
	require.Equal(t, []string{"delete a"}, f.calls())
}

func TestListClients(t *testing.T) {
	h, f := newHTTP(t, Config{})
	w := httpCall{method: "GET", path: "/v1/clients"}.do(h)
	require.JSONEq(t, `{"clients":[],"cursor":""}`, w.Body.String())
	require.Equal(t, 100, f.limit)
	require.Empty(t, f.cursor)

	f.list = protocol.List{Clients: []protocol.State{{ClientID: "b"}}, Cursor: "b"}
	w = httpCall{method: "GET", path: "/v1/clients?cursor=a%3A1&limit=1000"}.do(h)
	require.Equal(t, 200, w.Code)
	require.Equal(t, 1000, f.limit)
	require.Equal(t, "a:1", f.cursor)
	require.Contains(t, w.Body.String(), `"cursor":"b"`)
	require.Equal(t, 200, httpCall{method: "GET", path: "/v1/clients?cursor="}.do(h).Code)

	for _, q := range []string{"limit=0", "limit=1001", "limit=x", "cursor=a%2Fb", "cursor=a&cursor=b", "cursor=..", "cursor=" + strings.Repeat("x", 129)} {
		t.Run(q, func(t *testing.T) {
			requireProblem(t, httpCall{method: "GET", path: "/v1/clients?" + q}.do(h), 400, protocol.CodeBadRequest)
		})
	}
}

func TestSweep(t *testing.T) {
	h, f := newHTTP(t, Config{})
	w := httpCall{method: "POST", path: "/v1/janitor/sweep"}.do(h)
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"reaped":3,"kept":4,"pruned":0,"took_ms":0,"clients":7}`, w.Body.String())
	require.Equal(t, []string{"sweep"}, f.calls())
}

func TestHealthAndReadiness(t *testing.T) {
	h, f := newHTTP(t, Config{Authorize: refuseAll}) // a load balancer has no credential
	require.Equal(t, "ok", httpCall{method: "GET", path: "/healthz"}.do(h).Body.String())
	require.Equal(t, 200, httpCall{method: "GET", path: "/readyz"}.do(h).Code)

	f.notReady = protocol.Errorf(protocol.CodeDraining, "going down")
	w := httpCall{method: "GET", path: "/readyz"}.do(h)
	requireProblem(t, w, 503, protocol.CodeDraining)
	require.Equal(t, "2", w.Header().Get("Retry-After"))
	require.Empty(t, h.sys.Counters().Refused.Snapshot(), "a probe is not a refusal")
	require.Equal(t, 200, httpCall{method: "GET", path: "/healthz"}.do(h).Code)

	f.notReady = protocol.Errorf(protocol.CodeInternal, "the store failed")
	requireProblem(t, httpCall{method: "GET", path: "/readyz"}.do(h), 503, protocol.CodeInternal)
	f.notReady = errSecret
	w = httpCall{method: "GET", path: "/readyz"}.do(h)
	requireProblem(t, w, 503, protocol.CodeOverloaded)
	require.NotContains(t, w.Body.String(), errSecret.Error())
}
