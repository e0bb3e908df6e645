package protocol_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func ptr[T any](v T) *T { return &v }

// exact holds a message of the broker to its text, and to being JSON that a client library reads as the broker's own.
func exact(t *testing.T, want string, got []byte) {
	t.Helper()
	require.Equal(t, want, string(got))
	in, err := protocol.ParseIncoming(got)
	require.NoError(t, err)
	require.Zero(t, in.Seq, "not sequenced")
	require.NotEmpty(t, in.Type)
}

func TestP06_Hello(t *testing.T) {
	h := protocol.Hello{
		ClientID: "tab-1", ConnectionID: "c1", Epoch: "k3", Resume: protocol.ResumeReplay, Floor: 100, Head: 412, Missed: ptr(uint64(212)), Lost: ptr(uint64(0)),
		PingIntervalMS: 25000, PongTimeoutMS: 35000, AckIntervalMS: 5000, MaxFrameBytes: 65536, MaxMessageBytes: 1048576,
	}
	const tail = `"snapshot":false,"ping_interval_ms":25000,"pong_timeout_ms":35000,"ack_interval_ms":5000,"max_frame_bytes":65536,"max_message_bytes":1048576}`
	exact(t, `{"type":"hello","client_id":"tab-1","connection_id":"c1","epoch":"k3","resume":"replay","floor":100,"head":412,"missed":212,"lost":0,`+tail, protocol.EncodeHello(h))
	h.Resume, h.Reason, h.Missed, h.Lost = protocol.ResumeTooOld, protocol.ReasonEpoch, nil, nil
	exact(t, `{"type":"hello","client_id":"tab-1","connection_id":"c1","epoch":"k3","resume":"too_old","reason":"epoch","floor":100,"head":412,`+tail, protocol.EncodeHello(h))
}

func TestP08_ReplayEnd(t *testing.T) {
	exact(t, `{"type":"replay_end","seq":412}`, protocol.EncodeReplayEnd(412))
}

func TestP16_PingAndPong(t *testing.T) {
	exact(t, `{"type":"ping","head":0}`, protocol.EncodePing(0))
	exact(t, `{"type":"ping","head":9007199254740991}`, protocol.EncodePing(protocol.MaxSeq))
	exact(t, `{"type":"pong"}`, protocol.EncodePong())
	protocol.EncodePong()[0] = 'x'
	exact(t, `{"type":"pong"}`, protocol.EncodePong())
}

func TestP23_Goaway(t *testing.T) {
	exact(t, `{"type":"goaway","retry_after_ms":1500}`, protocol.EncodeGoaway(1500))
}

func TestP18_Receipt(t *testing.T) {
	r := protocol.Receipt{ID: "a\"\\\n\t\r\x01é\u2028<&", Status: protocol.StatusStored, Epoch: "k3", Seq: 7}
	got := protocol.EncodeReceipt(r)
	exact(t, `{"type":"receipt","id":"a\"\\\n\t\r\u0001é`+"\u2028"+`<&","status":"stored","epoch":"k3","seq":7}`, got)
	var back protocol.Receipt
	require.NoError(t, json.Unmarshal(got, &back))
	r.Type = "receipt"
	require.Equal(t, r, back)
}

func TestP20_Error(t *testing.T) {
	e := protocol.Errorf(protocol.CodeBadFrame, "no %s", "<type>")
	exact(t, `{"type":"error","code":"bad_frame","message":"no <type>"}`, protocol.EncodeError(e))
	e.ID, e.RetryAfterMS, e.Line = "u1", 250, 3
	exact(t, `{"type":"error","code":"bad_frame","message":"no <type>","id":"u1","retry_after_ms":250}`, protocol.EncodeError(e))
	exact(t, `{"type":"error","code":"internal","message":"a�b"}`, protocol.EncodeError(protocol.Errorf(protocol.CodeInternal, "a\xffb")))
	require.Equal(t, "bad_frame: line 3: no <type>", e.Error())
	require.Same(t, e, protocol.AsError(fmt.Errorf("wrapped: %w", e)))
	require.Nil(t, protocol.AsError(nil))
	require.Equal(t, &protocol.Error{Code: protocol.CodeInternal, Message: "boom"}, protocol.AsError(errors.New("boom")))
}

func TestP29_Problem(t *testing.T) {
	for _, c := range protocol.Codes() {
		status := c.Info().Status
		var p protocol.Problem
		body := protocol.EncodeProblem(&protocol.Error{Code: c, Message: "a <b>", ID: "u1", Line: 3, RetryAfterMS: 250})
		require.NoError(t, json.Unmarshal(body, &p))
		require.Equal(t, protocol.Problem{
			Type: "about:blank", Title: http.StatusText(status), Status: status, Code: c, Detail: "a <b>", ID: "u1", Line: 3, RetryAfterMS: 250,
		}, p)
		require.NotContains(t, string(body), `\u003c`)
		require.NotContains(t, string(body), "\n")
	}
}

func TestP09_Snapshot(t *testing.T) {
	for _, c := range []struct {
		asOf     uint64
		in, want string
	}{
		{0, `null`, `null`}, {9, ` [ 1, "a b" ] `, `[1,"a b"]`}, {10, "\n{\"rows\": {}}", `{"rows":{}}`}, {protocol.MaxSeq, `"é"`, `"é"`}, {7, ` -1.50 `, `-1.50`},
		{7, strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 64) + strings.Repeat("]", 64)},
	} {
		data, err := protocol.ParseSnapshotData([]byte(c.in))
		require.NoError(t, err)
		require.Equal(t, c.want, string(data))
		got := protocol.EncodeSnapshot(c.asOf, data)
		exact(t, fmt.Sprintf(`{"type":"snapshot","as_of":%d,"data":%s}`, c.asOf, c.want), got)
		require.Len(t, got, protocol.SnapshotLen(c.asOf, len(data)))
	}
	for in, want := range map[string]protocol.Code{
		"": protocol.CodeBadJSON, "  ": protocol.CodeBadJSON, "{": protocol.CodeBadJSON, "1 2": protocol.CodeBadJSON, "\"\xff\"": protocol.CodeBadJSON, "nul": protocol.CodeBadJSON,
		strings.Repeat("[", 65) + strings.Repeat("]", 65): protocol.CodeBadFrame,
	} {
		_, err := protocol.ParseSnapshotData([]byte(in))
		require.Equal(t, want, code(t, err), "%q", in)
	}
}

func TestP20_AppendMessage(t *testing.T) {
	body := protocol.Body(`{"type":"say"}`)
	for _, c := range []struct {
		want string
		m    protocol.Message
	}{
		{`{"type":"ack","seq":7}`, protocol.Message{Type: protocol.TypeAck, Seq: 7, History: -1}},
		{`{"type":"ping"}`, protocol.Message{Type: protocol.TypePing, History: -1}},
		{`{"type":"pong"}`, protocol.Message{Type: protocol.TypePong, History: -1}},
		{`{"type":"send","id":"u\"1","to":"a","frame":{"type":"say"}}`, protocol.Message{Type: protocol.TypeSend, ID: `u"1`, To: "a", Frame: body, History: -1}},
		{`{"type":"subscribe","topic":"a.>"}`, protocol.Message{Type: protocol.TypeSubscribe, Topic: "a.>", History: -1}},
		{`{"type":"subscribe","topic":"a","history":0}`, protocol.Message{Type: protocol.TypeSubscribe, Topic: "a", History: 0}},
		{`{"type":"subscribe","topic":"a","since":"k3:9"}`, protocol.Message{Type: protocol.TypeSubscribe, Topic: "a", Since: &protocol.Cursor{Epoch: "k3", Seq: 9}, History: -1}},
		{`{"type":"unsubscribe","topic":"a"}`, protocol.Message{Type: protocol.TypeUnsubscribe, Topic: "a", History: -1}},
	} {
		got := protocol.AppendMessage([]byte("kept"), c.m)
		require.Equal(t, "kept"+c.want, string(got))
		back, err := protocol.ParseMessage(got[4:], 0)
		require.NoError(t, err)
		require.Equal(t, c.m, back)
	}
}

func TestEncodePublishedIsWhatEncodingJSONWrites(t *testing.T) {
	for _, p := range []protocol.Published{
		{},
		{ClientID: "agent:7@host", Epoch: "3k9x0c2m1p7qz-1", FirstSeq: 1, Seq: protocol.MaxSeq, Status: protocol.StatusStored, Duplicate: true},
		{ClientID: "a", Epoch: "e", FirstSeq: 7, Seq: 9, Status: protocol.StatusSent, Reason: protocol.ShortTimeout},
	} {
		want, err := json.Marshal(p)
		require.NoError(t, err)
		require.Equal(t, string(want), string(protocol.EncodePublished(p)))
	}
}
