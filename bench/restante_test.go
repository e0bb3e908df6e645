package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// rehearsed is one Restante client without a socket.
type rehearsed struct {
	*Session
	t      *testing.T
	ready  int
	frames int
}

func rehearse(t *testing.T, topic string) *rehearsed {
	r := &rehearsed{t: t}
	r.Session = NewSession("tab-1", topic, func() { r.ready++ }, func([]byte) { r.frames++ })
	Restante{}.Opened(r.Session)
	require.Empty(t, r.said(), "hello comes first")
	return r
}

// said takes what the client has said so far.
func (r *rehearsed) said() (all []string) {
	in := bytes.NewReader(r.Out)
	for in.Len() > 0 {
		f, err := ws.ReadFrame(in)
		require.NoError(r.t, err)
		require.Equal(r.t, ws.OpText, f.Header.OpCode)
		all = append(all, string(ws.UnmaskFrame(f).Payload))
	}
	r.Out = nil
	return all
}

func (r *rehearsed) is(payload []byte) {
	r.t.Helper()
	require.NoError(r.t, Restante{}.Message(r.Session, false, payload))
}

func (r *rehearsed) hello(resume protocol.Resume, floor, head uint64) {
	r.t.Helper()
	r.is(protocol.EncodeHello(protocol.Hello{ClientID: r.ID, Epoch: "e1", Resume: resume, Floor: floor, Head: head}))
}

// get has frames first to last come.
func (r *rehearsed) get(first, last uint64) {
	r.t.Helper()
	for seq := first; seq <= last; seq++ {
		r.is(protocol.AppendFrame(nil, seq, protocol.Body(`{"type":"x"}`)))
	}
}

func ackOf(seq uint64) string { return fmt.Sprintf(`{"type":"ack","seq":%d}`, seq) }

func TestP8_RestanteIsReadyAfterItsReplay(t *testing.T) {
	r := rehearse(t, "")
	require.Equal(t, "/v1/ws?client_id=tab-1", Restante{}.Target(r.Session))
	r.hello(protocol.ResumeFresh, 4, 6)
	require.Zero(t, r.ready)
	r.get(5, 6)
	require.Zero(t, r.ready)
	r.is(protocol.EncodeReplayEnd(6))
	require.Equal(t, 1, r.ready)
	require.Equal(t, 2, r.frames)
	require.Equal(t, "/v1/ws?client_id=tab-1&since=e1:6", Restante{}.Target(r.Session))
}

func TestP7_RestanteIsReadyAtOnceWhereItLacksNothing(t *testing.T) {
	r := rehearse(t, "")
	r.Epoch, r.Seq = "e1", 6
	r.hello(protocol.ResumeUpToDate, 4, 6)
	require.Equal(t, 1, r.ready)
	r.get(7, 7)
}

func TestP3_RestanteTakesNoHoleAndNoRepeat(t *testing.T) {
	for _, seq := range []uint64{0, 6, 8} {
		r := rehearse(t, "")
		r.Epoch, r.Seq = "e1", 6
		r.hello(protocol.ResumeUpToDate, 4, 6)
		require.Error(t, Restante{}.Message(r.Session, false, protocol.AppendFrame(nil, seq, protocol.Body(`{"type":"x"}`))), "seq %d after 6", seq)
		require.Zero(t, r.frames)
	}
}

func TestP7_RestanteGoesOnBehindWhatIsPruned(t *testing.T) {
	r := rehearse(t, "")
	r.Epoch, r.Seq = "e0", 90
	r.hello(protocol.ResumeTooOld, 4, 5)
	r.get(5, 5)
	r.is(protocol.EncodeReplayEnd(5))
	require.Equal(t, "/v1/ws?client_id=tab-1&since=e1:5", Restante{}.Target(r.Session))
}

func TestP19_RestanteIsReadyWhenItFollows(t *testing.T) {
	r := rehearse(t, "jobs")
	r.hello(protocol.ResumeFresh, 0, 0)
	r.is(protocol.EncodeReplayEnd(0))
	require.Zero(t, r.ready)
	require.Equal(t, []string{`{"type":"subscribe","topic":"jobs"}`}, r.said(), "live only: no history")
	r.is(protocol.EncodeSubscribed(protocol.Subscribed{Topic: "jobs", Resume: protocol.ResumeFresh}))
	require.Equal(t, 1, r.ready)
}

func TestP12_RestanteAcks(t *testing.T) {
	attached := func(t *testing.T) *rehearsed {
		r := rehearse(t, "")
		r.Epoch = "e1"
		r.hello(protocol.ResumeUpToDate, 0, 0)
		return r
	}
	t.Run("at once after 500 frames", func(t *testing.T) {
		r := attached(t)
		r.get(1, 499)
		require.Empty(t, r.said())
		r.get(500, 500)
		require.Equal(t, []string{ackOf(500)}, r.said())
		r.get(501, 999)
		require.Empty(t, r.said(), "it counts from the last ack on")
	})
	t.Run("at once after 256 KiB", func(t *testing.T) {
		r := attached(t)
		big, err := json.Marshal(map[string]string{"type": "x", "p": string(bytes.Repeat([]byte("x"), 60<<10))})
		require.NoError(t, err)
		for seq := range uint64(4) {
			require.Empty(t, r.said())
			r.is(protocol.AppendFrame(nil, seq+1, protocol.Body(big)))
		}
		require.Empty(t, r.said())
		r.is(protocol.AppendFrame(nil, 5, protocol.Body(big)))
		require.Equal(t, []string{ackOf(5)}, r.said())
	})
	t.Run("within five seconds, and only what is new", func(t *testing.T) {
		r := attached(t)
		for range 10 {
			Restante{}.Tick(r.Session)
		}
		r.get(1, 2)
		ticks := 0
		for ; len(r.Out) == 0; ticks++ {
			Restante{}.Tick(r.Session)
		}
		require.LessOrEqual(t, ticks, 5)
		require.Equal(t, []string{ackOf(2)}, r.said())
		for range 10 {
			Restante{}.Tick(r.Session)
		}
		require.Empty(t, r.said())
	})
	t.Run("when it leaves", func(t *testing.T) {
		r := attached(t)
		Restante{}.Leaving(r.Session)
		require.Empty(t, r.said())
		r.get(1, 3)
		Restante{}.Leaving(r.Session)
		require.Equal(t, []string{ackOf(3)}, r.said())
	})
	t.Run("for each connection anew", func(t *testing.T) {
		r := attached(t)
		r.get(1, 499)
		Restante{}.Opened(r.Session)
		r.hello(protocol.ResumeUpToDate, 0, 499)
		r.get(500, 500)
		require.Empty(t, r.said(), "the connection begins at its cursor")
	})
}

func TestP16_RestanteAnswersPings(t *testing.T) {
	r := rehearse(t, "")
	r.is(protocol.EncodePing(7))
	require.Equal(t, []string{`{"type":"pong"}`}, r.said())
}

func TestP20_RestanteEndsWithAnError(t *testing.T) {
	r := rehearse(t, "")
	err := Restante{}.Message(r.Session, false, protocol.EncodeError(protocol.Errorf(protocol.CodeOverloaded, "too much")))
	require.ErrorContains(t, err, "overloaded: too much")
	require.Error(t, Restante{}.Message(r.Session, false, []byte("{")))
	require.Error(t, Restante{}.Message(r.Session, true, protocol.EncodePing(7)), "binary")
}

func TestRestantePublishesOverHTTP(t *testing.T) {
	target, kind, body, ok := Restante{}.Publish("a~b", [][]byte{[]byte(`{"a":1}`)})
	require.True(t, ok)
	require.Equal(t, []string{"/v1/clients/a~b/frames", "application/json", `{"a":1}`}, []string{target, kind, string(body)})
	_, kind, body, _ = Restante{}.Publish("a", [][]byte{[]byte(`{"a":1}`), []byte(`{"a":2}`)})
	require.Equal(t, []string{"application/x-ndjson", "{\"a\":1}\n{\"a\":2}\n"}, []string{kind, string(body)})
}

// FuzzRestanteMessage: what a server sends is taken or refused, and no frame passes without its turn.
func FuzzRestanteMessage(f *testing.F) {
	for _, b := range [][]byte{
		protocol.EncodeHello(protocol.Hello{Epoch: "e1", Resume: protocol.ResumeFresh}), protocol.EncodePing(1), protocol.EncodeReplayEnd(1), []byte(`{"seq":1,"type":"x"}`), []byte(`{"seq":`),
		protocol.EncodeSnapshot(3, []byte(`{}`)), []byte(`{"type":"subscribed"}`), []byte(`{"seq":18446744073709551617,"type":"x"}`), nil,
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frames := 0
		s := NewSession("a", "", func() {}, func([]byte) { frames++ })
		Restante{}.Opened(s)
		err := Restante{}.Message(s, false, b)
		if frames > 0 && (err != nil || s.Seq != 1) {
			t.Fatalf("%q was taken as a frame: %v, seq %d", b, err, s.Seq)
		}
	})
}
