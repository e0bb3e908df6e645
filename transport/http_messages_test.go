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

// TestP19_SubscribeOverHTTP: a subscription's answer comes as it is, and a refusal names what it was about, whoever refuses.
func TestP19_SubscribeOverHTTP(t *testing.T) {
	h, f := newHTTP(t, Config{})
	floor, head := uint64(0), uint64(9)
	f.reply = protocol.EncodeSubscribed(protocol.Subscribed{Topic: "jobs.7", Epoch: "e1", Resume: protocol.ResumeFresh, Floor: &floor, Head: &head})
	w := messageCall(`{"type":"subscribe","topic":"jobs.7","history":3}`).do(h)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, string(f.reply), w.Body.String())
	require.Equal(t, protocol.Message{Type: "subscribe", Topic: "jobs.7", History: 3}, f.message)
	f.reply = protocol.EncodeUnsubscribed("jobs.>")
	w = messageCall(`{"type":"unsubscribe","topic":"jobs.>"}`).do(h)
	require.Equal(t, `{"type":"unsubscribed","topic":"jobs.>"}`, w.Body.String())

	f.reply = protocol.EncodeError(&protocol.Error{Code: protocol.CodeOverloaded, Message: "full", Topic: "jobs.7", RetryAfterMS: 1000})
	w = messageCall(`{"type":"subscribe","topic":"jobs.7"}`).do(h)
	require.Equal(t, "jobs.7", requireProblem(t, w, 503, protocol.CodeOverloaded).Topic)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	f.reply, f.err = nil, &protocol.Error{Code: protocol.CodeConflict, Message: "not now", Topic: "jobs.7"}
	require.Equal(t, "jobs.7", requireProblem(t, messageCall(`{"type":"unsubscribe","topic":"jobs.7"}`).do(h), 409, protocol.CodeConflict).Topic)
	asked := len(f.calls())
	require.Equal(t, "jobs.*", requireProblem(t, messageCall(`{"type":"subscribe","topic":"jobs.*","history":1}`).do(h), 400, protocol.CodeBadRequest).Topic)
	require.Empty(t, requireProblem(t, messageCall(`{"type":"subscribe","topic":"_all"}`).do(h), 400, protocol.CodeBadRequest).Topic, "it is none")
	require.Len(t, f.calls(), asked)
}

// TestP25_SubscribeIsAskedOfTheGrant: the right is to a name or pattern as it is written; to let go of one needs none of its own.
func TestP25_SubscribeIsAskedOfTheGrant(t *testing.T) {
	h, f := newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) {
		return Grant{Allow: func(v Verb, name string) bool { return v == VerbMessage || v == VerbSubscribe && name == "jobs.7" }}, nil
	}})
	f.reply = protocol.EncodeUnsubscribed("jobs.7") // whatever it is
	require.Equal(t, 200, messageCall(`{"type":"subscribe","topic":"jobs.7"}`).do(h).Code)
	require.Equal(t, 200, messageCall(`{"type":"unsubscribe","topic":"jobs.*"}`).do(h).Code)
	asked := len(f.calls())
	for _, topic := range []string{"jobs.*", "jobs.>", "jobs.8", "*.7"} {
		p := requireProblem(t, messageCall(`{"id":"u1","type":"subscribe","topic":"`+topic+`"}`).do(h), 403, protocol.CodeForbidden)
		require.Equal(t, topic, p.Topic)
	}
	require.Len(t, f.calls(), asked, "nothing is created or woken")
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
