package transport

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func messageCall(body string) httpCall {
	return httpCall{method: "POST", path: "/v1/clients/a/messages", body: body, header: asJSON}
}

const sendToB = `{"type":"send","id":"u1","to":"b","frame":{"type":"hi"}}`

func TestP18_SendOverHTTP(t *testing.T) {
	h, f := newHTTP(t, Config{})
	f.reply = protocol.EncodeReceipt(protocol.Receipt{ID: "u1", Status: protocol.StatusStored, Epoch: "e1", Seq: 4})
	w := messageCall(sendToB).do(h)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.JSONEq(t, `{"type":"receipt","id":"u1","status":"stored","epoch":"e1","seq":4}`, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "b", f.message.To)
	require.Equal(t, `{"type":"hi"}`, string(f.message.Frame))

	t.Run("no reply", func(t *testing.T) {
		f.reply = nil
		w := messageCall(`{"type":"ack","seq":7}`).do(h)
		require.Equal(t, 204, w.Code)
		require.EqualValues(t, 7, f.message.Seq)
	})
	t.Run("an error for a reply", func(t *testing.T) {
		f.reply = protocol.EncodeError(&protocol.Error{Code: protocol.CodeIDReused, Message: "another frame", ID: "u1"})
		require.Equal(t, "u1", requireProblem(t, messageCall(sendToB).do(h), 422, protocol.CodeIDReused).ID)
		f.reply = protocol.EncodeError(&protocol.Error{Code: protocol.CodeOverloaded, Message: "full", ID: "u1", RetryAfterMS: 3000})
		w := messageCall(sendToB).do(h)
		requireProblem(t, w, 503, protocol.CodeOverloaded)
		require.Equal(t, "3", w.Header().Get("Retry-After"))
	})
	t.Run("an error names the message", func(t *testing.T) {
		f.err = protocol.Errorf(protocol.CodeOverloaded, "full")
		require.Equal(t, "u1", requireProblem(t, messageCall(sendToB).do(h), 503, protocol.CodeOverloaded).ID)
	})
}

func TestP25_MessagesNeedTheirOwnRight(t *testing.T) {
	for body, second := range map[string]string{
		sendToB:                            "send b",
		`{"type":"subscribe","topic":"t"}`: "subscribe t",
		`{"type":"ack","seq":1}`:           "ack a",
	} {
		for _, denied := range []string{"message a", second} {
			t.Run(body+" without "+denied, func(t *testing.T) {
				h, f := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) {
					return Grant{Allow: func(v Verb, name string) bool { return string(v)+" "+name != denied }}, nil
				}})
				p := requireProblem(t, messageCall(body).do(h), 403, protocol.CodeForbidden)
				require.Empty(t, f.calls())
				if denied == "send b" {
					require.Equal(t, "u1", p.ID)
				}
			})
		}
	}
}

func TestP20_BadMessages(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
		code   protocol.Code
		id     string
	}{
		"no JSON":         {`{"type":`, 400, protocol.CodeBadJSON, ""},
		"unknown type":    {`{"type":"jump"}`, 400, protocol.CodeUnknownType, ""},
		"bad frame":       {`{"type":"send","id":"u1","to":"b","frame":{"seq":1,"type":"x"}}`, 400, protocol.CodeBadFrame, "u1"},
		"frame too large": {`{"type":"send","id":"u1","to":"b","frame":{"type":"` + strings.Repeat("x", 64<<10) + `"}}`, 413, protocol.CodeTooLarge, "u1"},
		"body too large":  {`{"type":"send","id":"u1","to":"b","frame":{"type":"` + strings.Repeat("x", 69<<10) + `"}}`, 413, protocol.CodeTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			require.Equal(t, c.id, requireProblem(t, messageCall(c.body).do(h), c.status, c.code).ID)
			require.Empty(t, f.calls())
		})
	}
}
