package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// mustReceipt reads the next receipt, past frames and replay_end.
func (s *socket) mustReceipt() *message {
	s.e.t.Helper()
	for {
		m := s.next()
		if m.Seq > 0 || m.Type == "replay_end" {
			continue
		}
		require.Equal(s.e.t, "receipt", m.Type, m.Raw)
		return m
	}
}

func TestP18_SendAppendsWithFrom(t *testing.T) {
	t.Parallel()
	s := serve(t)
	user, agent := s.attach("user"), s.attach("agent")
	agent.until("replay_end")
	user.send(`{"type":"send","id":"1","to":"agent","frame":{ "type" : "chat", "text":"hi <b>" }}`)
	r := user.mustReceipt()
	require.Equal(t, fmt.Sprintf(`{"type":"receipt","id":"1","status":"stored","epoch":%q,"seq":1}`, agent.hello.Epoch), r.Raw)
	require.Equal(t, `{"seq":1,"from":"user","type":"chat","text":"hi <b>"}`, agent.next().Raw)
	// To itself, and to one that does not exist yet.
	user.send(`{"type":"send","id":"2","to":"user","frame":{"type":"note"}}`)
	require.Equal(t, user.hello.Epoch, user.mustReceipt().Epoch)
	require.Equal(t, `{"seq":1,"from":"user","type":"note"}`, string(s.page("user", "limit=5").Frames[0]))
	user.send(`{"type":"send","id":"3","to":"sleeper","frame":{"type":"wake"}}`)
	require.EqualValues(t, 1, user.mustReceipt().At)
	late := s.attach("sleeper")
	require.Equal(t, "user", late.next().From)
	late.liveOnce("sleeper")
	agent.liveOnce("agent")
}

func TestP18_ARepeatIsADuplicateAndAnotherFrameIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, d := s.attach("a"), s.attach("d")
	c.send(`{"type":"send","id":"x","to":"b","frame":{"type":"m","n":1}}`)
	first := c.mustReceipt()
	require.Equal(t, "stored", first.Status)
	c.send(`{"type":"send","id":"x","to":"b","frame":{ "type":"m", "n":1 }}`)
	again := c.mustReceipt()
	require.Equal(t, "duplicate", again.Status)
	require.Equal(t, first.At, again.At)
	require.Equal(t, first.Epoch, again.Epoch)
	c.send(`{"type":"send","id":"x","to":"b","frame":{"type":"m","n":2}}`)
	e := c.nextOf("error")
	require.Equal(t, protocol.CodeIDReused, e.Code)
	require.Equal(t, "x", e.ID)
	// Another sender, another target: other ids. A reconnect does not change the sender.
	d.send(`{"type":"send","id":"x","to":"b","frame":{"type":"m","n":1}}`)
	require.Equal(t, "stored", d.mustReceipt().Status)
	c.send(`{"type":"send","id":"x","to":"e","frame":{"type":"m","n":1}}`)
	require.Equal(t, "stored", c.mustReceipt().Status)
	c.cut()
	c = s.attach("a")
	c.send(`{"type":"send","id":"x","to":"b","frame":{"type":"m","n":1}}`)
	require.Equal(t, "duplicate", c.mustReceipt().Status)
	require.EqualValues(t, 2, s.state("b").Head)
	// The frame may be acked and gone: the record still knows it.
	b := s.attach("b")
	b.upTo(2)
	b.ack(2)
	require.Zero(t, s.state("b").Frames)
	c.send(`{"type":"send","id":"x","to":"b","frame":{"type":"m","n":1}}`)
	require.Equal(t, first.At, c.mustReceipt().At)
	b.liveOnce("b")
	c.liveOnce("a")
}

func TestP18_ARecordDiesWithItsEpoch(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	c.send(`{"type":"send","id":"x","to":"b","frame":{"type":"m"}}`)
	first := c.mustReceipt()
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/b", nil).status)
	c.send(`{"type":"send","id":"x","to":"b","frame":{"type":"m"}}`)
	second := c.mustReceipt()
	require.Equal(t, "stored", second.Status)
	require.NotEqual(t, first.Epoch, second.Epoch)
}

func TestP18_BadSendsAreAnsweredWithTheirID(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, other := s.attach("a"), s.attach("b")
	other.until("replay_end")
	c.until("replay_end")
	ask := func(code protocol.Code, id, msg string) {
		t.Helper()
		c.send("%s", msg)
		e := c.nextOf("error")
		requireCode(t, code, e.Code, msg)
		require.Equal(t, id, e.ID, msg)
	}
	ask(protocol.CodeBadFrame, "1", `{"type":"send","id":"1","to":"b","frame":{"a":1}}`)
	ask(protocol.CodeBadFrame, "2", `{"type":"send","id":"2","to":"b","frame":{"type":"x","seq":1}}`)
	ask("", "3", `{"type":"send","id":"3","to":"b","frame":[1]}`)
	ask("", "4", `{"type":"send","id":"4","to":"b","frame":{"type":"x","type":"x"}}`)
	ask(protocol.CodeTooLarge, "5", `{"type":"send","id":"5","to":"b","frame":`+numbered(1, protocol.DefaultMaxFrameBytes+1)+`}`)
	long := strings.Repeat("i", 129)
	for _, bad := range []string{
		`{"type":"send","id":"","to":"b","frame":{"type":"x"}}`,
		`{"type":"send","to":"b","frame":{"type":"x"}}`,
		`{"type":"send","id":7,"to":"b","frame":{"type":"x"}}`,
		`{"type":"send","id":"` + long + `","to":"b","frame":{"type":"x"}}`,
		`{"type":"send","id":"6","frame":{"type":"x"}}`,
		`{"type":"send","id":"6","to":"","frame":{"type":"x"}}`,
		`{"type":"send","id":"6","to":"a b","frame":{"type":"x"}}`,
		`{"type":"send","id":"6","to":"b"}`,
	} {
		c.send("%s", bad)
		e := c.nextOf("error")
		require.Contains(t, []protocol.Code{protocol.CodeBadRequest, protocol.CodeBadFrame, protocol.CodeBadJSON}, e.Code, bad)
	}
	c.send(`{"type":"send","id":"%s","to":"b","frame":{"type":"x"}}`, strings.Repeat("é", 128))
	require.Equal(t, "stored", c.mustReceipt().Status, "128 characters, not bytes")
	require.EqualValues(t, 1, other.next().Seq)
	other.liveOnce("b")
	c.liveOnce("a")
}

func TestP18_IdempotencyKey(t *testing.T) {
	t.Parallel()
	s := serve(t)
	post := func(id, key string, frames ...string) reply {
		t.Helper()
		return s.do("POST", framesPath(id), []byte(strings.Join(frames, "\n")), "Content-Type", "application/x-ndjson", "Idempotency-Key", key)
	}
	decode := func(r reply) (p protocol.Published) {
		t.Helper()
		require.Equal(t, 200, r.status, r)
		require.NoError(t, json.Unmarshal(r.body, &p))
		return p
	}
	first := decode(post("a", "k1", `{"type":"x","n":1}`, `{"type":"x","n":2}`))
	require.False(t, first.Duplicate)
	again := decode(post("a", "k1", `{"type":"x","n":1}`, `{"type":"x","n":2}`))
	require.True(t, again.Duplicate)
	require.Equal(t, first.FirstSeq, again.FirstSeq)
	require.Equal(t, first.Seq, again.Seq)
	require.Equal(t, first.Epoch, again.Epoch)
	p := post("a", "k1", `{"type":"x","n":1}`, `{"type":"x","n":3}`).problem(t)
	require.Equal(t, protocol.CodeIDReused, p.Code)
	require.Equal(t, 422, p.Status)
	require.Equal(t, protocol.CodeIDReused, post("a", "k1", `{"type":"x","n":1}`).problem(t).Code)
	require.False(t, decode(post("b", "k1", `{"type":"x","n":9}`)).Duplicate, "another client, another key")
	require.Equal(t, 400, post("a", strings.Repeat("k", 129), `{"type":"x"}`).status)
	require.EqualValues(t, 2, s.state("a").Head)
}

func TestP18_RepeatsAtTheSameTimeStoreOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	var wg sync.WaitGroup
	results := make(chan protocol.Published, 40)
	failures := make(chan string, 40)
	for range 40 {
		wg.Go(func() {
			r, err := s.try(t.Context(), "POST", framesPath("a"), []byte(`{"type":"once"}`), "Idempotency-Key", "k")
			var p protocol.Published
			if err != nil || r.status != 200 || json.Unmarshal(r.body, &p) != nil {
				failures <- fmt.Sprint(err, r)
				return
			}
			results <- p
		})
	}
	wg.Wait()
	close(results)
	close(failures)
	for f := range failures {
		require.Fail(t, f)
	}
	stored := 0
	for p := range results {
		require.EqualValues(t, 1, p.Seq)
		if !p.Duplicate {
			stored++
		}
	}
	require.Equal(t, 1, stored)
	require.EqualValues(t, 1, s.state("a").Head)
	require.EqualValues(t, 39, s.metric("restante_duplicates_total"))
	c.upTo(1)
	c.liveOnce("a")
}

func TestP18_RecordsAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-records", "20")
	for n := range 50 {
		r := s.do("POST", framesPath("a"), []byte(`{"type":"x"}`), "Idempotency-Key", fmt.Sprint("k", n))
		require.Equal(t, 200, r.status)
	}
	require.EqualValues(t, 30, s.metric("restante_dropped_total", `reason="record_bound"`))
	var p protocol.Published
	require.NoError(t, json.Unmarshal(s.do("POST", framesPath("a"), []byte(`{"type":"x"}`), "Idempotency-Key", "k49").body, &p))
	require.True(t, p.Duplicate, "the youngest are kept")
}

func TestP18_MessagesWithoutASocket(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := "/v1/clients/a/messages"
	post := func(msg string) reply { return s.do("POST", path, []byte(msg)) }
	r := post(`{"type":"send","id":"1","to":"b","frame":{"type":"x"}}`)
	require.Equal(t, 200, r.status, r)
	var m message
	require.NoError(t, json.Unmarshal(r.body, &m))
	require.Equal(t, "receipt", m.Type)
	require.Equal(t, "stored", m.Status)
	require.Contains(t, string(post(`{"type":"send","id":"1","to":"b","frame":{"type":"x"}}`).body), `"duplicate"`)
	require.Equal(t, 422, post(`{"type":"send","id":"1","to":"b","frame":{"type":"y"}}`).problem(t).Status)
	require.Equal(t, `{"seq":1,"from":"a","type":"x"}`, string(s.page("b", "").Frames[0]))
	s.publishN("a", 5, 5, 0)
	require.Contains(t, []int{200, 204}, post(`{"type":"ack","seq":3}`).status)
	require.EqualValues(t, 3, s.state("a").Floor)
	require.Equal(t, protocol.CodeAckAhead, post(`{"type":"ack","seq":30}`).problem(t).Code)
	require.Equal(t, protocol.CodeUnknownType, post(`{"type":"dance"}`).problem(t).Code)
	require.Equal(t, protocol.CodeBadJSON, post(`{"type":`).problem(t).Code)
	require.Equal(t, protocol.CodeBadRequest, post(`{"type":"ping"}`).problem(t).Code)
}
