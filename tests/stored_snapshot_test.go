package tests

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func snapshotPath(id string) string { return "/v1/clients/" + url.PathEscape(id) + "/snapshot" }

// putSnapshot stores data as of a cursor, and holds the answer to what was stored.
func (e *endpoint) putSnapshot(id, epoch string, seq uint64, data string) {
	e.t.Helper()
	asOf := protocol.Cursor{Epoch: epoch, Seq: seq}.String()
	r := e.do("PUT", snapshotPath(id), fmt.Appendf(nil, `{"as_of":%q,"data":%s}`, asOf, data))
	require.Equal(e.t, 200, r.status, "%s", r)
	require.JSONEq(e.t, fmt.Sprintf(`{"client_id":%q,"as_of":%q}`, id, asOf), string(r.body), "a PUT is answered without the data")
}

// refusedSnapshot tries to store one, and returns the refusal.
func (e *endpoint) refusedSnapshot(id, body string) protocol.Problem {
	e.t.Helper()
	return e.do("PUT", snapshotPath(id), []byte(body)).problem(e.t)
}

// starts reads a snapshot as of seq with data, frames up to the replay's end at the head, and a later live frame exactly once.
func (s *socket) starts(id string, asOf uint64, data string, head uint64) {
	t := s.e.t
	t.Helper()
	require.True(t, s.hello.Snapshot)
	require.Equal(t, head, s.hello.Head)
	require.Equal(t, fmt.Sprintf(`{"type":"snapshot","as_of":%d,"data":%s}`, asOf, data), s.next().Raw)
	frames, end := s.until("replay_end")
	require.Len(t, frames, int(head-asOf))
	for i, m := range frames {
		require.EqualValues(t, asOf+uint64(i)+1, m.Seq)
		if m.Type == "n" {
			require.EqualValues(t, m.Seq, m.N)
		}
	}
	require.Equal(t, head, end.At)
	s.liveOnce(id)
}

func TestP9_AStoredSnapshotIsPutGotReplacedAndDeleted(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ep := s.publishN("a", 10, 10, 0).Epoch
	none := s.do("GET", snapshotPath("a"), nil).problem(t)
	require.Equal(t, protocol.CodeNotFound, none.Code, "a client without one")
	require.Equal(t, protocol.CodeNotFound, s.do("DELETE", snapshotPath("a"), nil).problem(t).Code)

	s.putSnapshot("a", ep, 4, " { \"sum\" : 1.0e1,\n \"text\":\"<a> \\/ b\" } ")
	r := s.do("GET", snapshotPath("a"), nil)
	require.Equal(t, 200, r.status)
	require.Equal(t, `{"client_id":"a","as_of":"`+ep+`:4","data":{"sum":1.0e1,"text":"<a> \/ b"}}`, string(r.body), "only white space is gone")
	for seq, data := range map[uint64]string{4: `null`, 9: `[1,"two"]`, 10: `""`} {
		s.putSnapshot("b", s.publishN("b", 10, 10, 0).Epoch, seq, data)
		require.Equal(t, data, string(get[protocol.StoredSnapshot](s.endpoint, snapshotPath("b")).Data))
		require.Equal(t, 204, s.do("DELETE", "/v1/clients/b", nil).status)
	}
	s.putSnapshot("a", ep, 4, `"the same seq again"`)
	s.putSnapshot("a", ep, 10, `"the head"`)
	require.Equal(t, protocol.StoredSnapshot{ClientID: "a", AsOf: ep + ":10", Data: json.RawMessage(`"the head"`)}, get[protocol.StoredSnapshot](s.endpoint, snapshotPath("a")))

	r = s.do("DELETE", snapshotPath("a"), nil)
	require.Equal(t, 204, r.status)
	require.Empty(t, r.body)
	require.Equal(t, 404, s.do("GET", snapshotPath("a"), nil).status)
	require.Equal(t, 404, s.do("DELETE", snapshotPath("a"), nil).status)
	c := s.attach("a")
	require.False(t, c.hello.Snapshot)
	frames, _ := c.until("replay_end")
	require.Len(t, frames, 10, "its frames are all there")
	c.liveOnce("a")
}

func TestP9_AStoredSnapshotAndWhatFollowsIt(t *testing.T) {
	t.Parallel()
	const data = `{"sum":21,"text":"<a> b"}`
	s := serve(t)
	ep := s.publishN("a", 10, 10, 0).Epoch
	s.putSnapshot("a", ep, 6, data)
	fresh := s.attach("a")
	require.Equal(t, protocol.ResumeFresh, fresh.hello.Resume)
	require.EqualValues(t, 10, *fresh.hello.Missed)
	require.Zero(t, *fresh.hello.Lost)
	fresh.starts("a", 6, data, 10)
	require.EqualValues(t, 6, s.state("a").Attachments[0].Acked, "a snapshot that was written lifts the marks to A")

	// At the head nothing follows but the end.
	s.putSnapshot("head", s.publishN("head", 10, 10, 0).Epoch, 10, data)
	s.attach("head").starts("head", 10, data, 10)
	// An outbox that has never held a frame has a state too.
	s.page("empty", "")
	s.putSnapshot("empty", s.state("empty").Epoch, 0, data)
	s.attach("empty").starts("empty", 0, data, 0)

	// too_old gets it as well; replay and up_to_date do not.
	s.putSnapshot("old", s.publishN("old", 10, 10, 0).Epoch, 6, data)
	old := s.attach("old", "since", "other:3")
	require.Equal(t, protocol.ReasonEpoch, old.hello.Reason)
	old.starts("old", 6, data, 10)
	head := s.state("a").Head
	for _, since := range []uint64{2, 6, 8, head} {
		c := s.attach("a", "since", fmt.Sprintf("%s:%d", ep, since))
		require.False(t, c.hello.Snapshot, since)
		c.upTo(head)
		c.liveOnce("a")
		head += 2
	}
}

func TestP9_AStoredSnapshotCoversWhatIsTooOld(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "20")
	ep := s.publishN("a", 30, 1, 0).Epoch
	s.putSnapshot("a", ep, 25, `[25]`)
	c := s.attach("a", "since", ep+":5")
	require.Equal(t, protocol.ResumeTooOld, c.hello.Resume)
	require.Equal(t, protocol.ReasonPruned, c.hello.Reason)
	require.EqualValues(t, 10, c.hello.Floor)
	require.EqualValues(t, 25, *c.hello.Missed)
	require.Zero(t, *c.hello.Lost, "the snapshot covers it")
	c.starts("a", 25, `[25]`, 30)
	ahead := s.attach("a", "since", ep+":1000")
	require.Equal(t, protocol.ReasonAhead, ahead.hello.Reason)
	require.Equal(t, `{"type":"snapshot","as_of":25,"data":[25]}`, ahead.next().Raw)
	ahead.liveOnce("a")
}

// The snapshot is asked for by every kind of reader: a page of frames carries it too, and a second attach gets it again.
func TestP9_AStoredSnapshotInAPage(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ep := s.publishN("a", 10, 10, 0).Epoch
	s.putSnapshot("a", ep, 6, `{"sum":21}`)
	for range 2 {
		p := s.page("a", "")
		require.Equal(t, protocol.ResumeFresh, p.Resume)
		require.Equal(t, `{"as_of":6,"data":{"sum":21}}`, string(p.Snapshot))
		require.Len(t, p.Frames, 4)
		require.True(t, strings.HasPrefix(string(p.Frames[0]), `{"seq":7,`), string(p.Frames[0]))
		require.Equal(t, ep+":10", p.Cursor)
	}
	p := s.page("a", "limit=3")
	require.Equal(t, `{"as_of":6,"data":{"sum":21}}`, string(p.Snapshot))
	require.Len(t, p.Frames, 3)
	require.True(t, p.More)
	require.Equal(t, ep+":9", p.Cursor)
	p = s.page("a", "since="+p.Cursor)
	require.Empty(t, p.Snapshot)
	require.Len(t, p.Frames, 1)
	require.NotEmpty(t, s.page("a", "since=other:1").Snapshot)
	require.Empty(t, s.page("a", "since="+ep+":10").Snapshot)
}

func TestP9_AStoredSnapshotBelowTheFloorDoesNotCount(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "20")
	ep := s.publishN("a", 10, 1, 0).Epoch
	s.putSnapshot("a", ep, 5, `[5]`)
	for n := 11; n <= 30; n++ {
		s.publish("a", numbered(n, 0)) // it holds no frame against the bounds
	}
	require.EqualValues(t, 10, s.state("a").Floor)
	require.EqualValues(t, 10, s.metric("restante_pruned_frames_total", `reason="count"`))
	for _, since := range []string{"", ep + ":5", "other:1"} {
		more := []string{}
		if since != "" {
			more = []string{"since", since}
		}
		c := s.attach("a", more...)
		require.False(t, c.hello.Snapshot, since)
		frames, end := c.until("replay_end")
		require.Len(t, frames, 20, since)
		require.Equal(t, 11, frames[0].N)
		require.EqualValues(t, 30, end.At)
	}
	require.Empty(t, s.page("a", "").Snapshot)
	s.putSnapshot("a", ep, 12, `[12]`)
	s.attach("a").starts("a", 12, `[12]`, 30)
}

func TestP9_AStoredSnapshotHasToFitItsOutbox(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "20")
	ep := s.publishN("a", 30, 1, 0).Epoch
	s.attach("a").upTo(30) // a bare seq that nobody was sent could be of another epoch (P-5)
	s.putSnapshot("a", ep, 20, `"kept"`)
	for name, c := range map[string]struct {
		asOf string
		code protocol.Code
	}{
		"another epoch":                 {"other:20", protocol.CodeEpochMismatch},
		"another epoch, above the head": {"other:31", protocol.CodeEpochMismatch},
		"above the head":                {ep + ":31", protocol.CodeConflict},
		"below the floor":               {ep + ":9", protocol.CodeConflict},
		"below the stored one":          {ep + ":19", protocol.CodeConflict},
		"below the stored one, bare":    {"19", protocol.CodeConflict},
	} {
		p := s.refusedSnapshot("a", `{"as_of":"`+c.asOf+`","data":"refused"}`)
		require.Equal(t, c.code, p.Code, name)
		require.Equal(t, 409, p.Status, name)
	}
	require.Equal(t, 409, s.refusedSnapshot("a", `{"as_of":"31","data":"refused"}`).Status, "a bare seq is not above the head either")
	require.Equal(t, protocol.StoredSnapshot{ClientID: "a", AsOf: ep + ":20", Data: json.RawMessage(`"kept"`)}, get[protocol.StoredSnapshot](s.endpoint, snapshotPath("a")))
	s.attach("a").starts("a", 20, `"kept"`, 30)
}

func TestP9_ABareSeqOfAStoredSnapshotIsOfTheEpochNow(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ep := s.publishN("a", 10, 10, 0).Epoch
	s.attach("a").upTo(10)
	r := s.do("PUT", snapshotPath("a"), []byte(`{"as_of":"7","data":7}`))
	require.Equal(t, 200, r.status, "%s", r)
	require.Equal(t, `{"client_id":"a","as_of":"`+ep+`:7"}`, string(r.body))
	s.attach("a").starts("a", 7, `7`, 10)
}

func TestP9_AcksPruneNothingAboveAStoredSnapshot(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ep := s.publishN("a", 10, 10, 0).Epoch
	s.putSnapshot("a", ep, 4, `[4]`)
	c := s.attach("a", "since", ep+":0")
	c.upTo(10)
	c.ack(3)
	require.EqualValues(t, 3, s.state("a").Floor, "below A acks prune as ever")
	c.ack(10)
	st := s.state("a")
	require.EqualValues(t, 4, st.Floor)
	require.EqualValues(t, 10, st.Acked)
	require.EqualValues(t, 6, st.Frames)
	require.Equal(t, 200, s.do("POST", "/v1/clients/a/ack", []byte(`{"cursor":"`+ep+`:10"}`)).status)
	require.EqualValues(t, 4, s.state("a").Floor, "an ack over HTTP does not either")
	fresh := s.attach("a")
	fresh.starts("a", 4, `[4]`, 10)
	fresh.leave(1000)
	c.upTo(12)
	c.ack(12)
	require.EqualValues(t, 4, s.state("a").Floor)
	// A newer one lets go of what is below it, and a deletion of all that was acked.
	s.putSnapshot("a", ep, 9, `[9]`)
	c.ack(12)
	require.EqualValues(t, 9, s.state("a").Floor)
	require.Equal(t, 204, s.do("DELETE", snapshotPath("a"), nil).status)
	c.ack(12)
	st = s.state("a")
	require.EqualValues(t, 12, st.Floor)
	require.Zero(t, st.Frames)
	c.liveOnce("a")
}

func TestP20_AStoredSnapshotOverTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 16 << 10
	s := serve(t, "--max-message-bytes", fmt.Sprint(limit))
	ep := s.publishN("a", 10, 10, 0).Epoch
	fits := `"` + strings.Repeat("x", limit-protocol.SnapshotLen(6, 2)) + `"`
	p := s.refusedSnapshot("a", `{"as_of":"`+ep+`:6","data":[`+fits+`]}`)
	require.Equal(t, protocol.CodeTooLarge, p.Code)
	require.Equal(t, 413, p.Status)
	p = s.refusedSnapshot("a", `{"as_of":"`+ep+`:6","data":"`+strings.Repeat("x", 2*limit)+`"}`)
	require.Equal(t, protocol.CodeTooLarge, p.Code)
	require.Equal(t, 404, s.do("GET", snapshotPath("a"), nil).status, "nothing of it was stored")
	s.putSnapshot("a", ep, 6, fits)
	s.attach("a").starts("a", 6, fits, 10)
	for name, c := range map[string]struct {
		body string
		code protocol.Code
	}{
		"no JSON":      {`{"as_of":"` + ep + `:6","data":`, protocol.CodeBadJSON},
		"no data":      {`{"as_of":"` + ep + `:6"}`, protocol.CodeBadRequest},
		"a bad cursor": {`{"as_of":"` + ep + `:-6","data":1}`, protocol.CodeBadCursor},
	} {
		require.Equal(t, c.code, s.refusedSnapshot("a", c.body).Code, name)
	}
	require.Equal(t, fits, string(get[protocol.StoredSnapshot](s.endpoint, snapshotPath("a")).Data))
}

// Looking and deleting create nothing; putting does, and goes with the client (P-28, P-29).
func TestP29_AStoredSnapshotIsItsClients(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, method := range []string{"GET", "DELETE"} {
		require.Equal(t, protocol.CodeNotFound, s.do(method, snapshotPath("x"), nil).problem(t).Code)
	}
	require.Empty(t, get[protocol.List](s.endpoint, "/v1/clients").Clients)
	r := s.do("PUT", snapshotPath("x"), []byte(`{"as_of":"0","data":{"lines":[]}}`))
	require.Equal(t, 200, r.status, "%s", r)
	ep := s.state("x").Epoch
	require.Equal(t, `{"client_id":"x","as_of":"`+ep+`:0"}`, string(r.body))
	s.attach("x").starts("x", 0, `{"lines":[]}`, 0)

	require.Equal(t, 204, s.do("DELETE", "/v1/clients/x", nil).status)
	require.Equal(t, 404, s.do("GET", snapshotPath("x"), nil).status)
	s.publish("x", `{"type":"next life"}`)
	c := s.attach("x")
	require.NotEqual(t, ep, c.hello.Epoch)
	require.False(t, c.hello.Snapshot, "it went with the life that it was of")
	c.liveOnce("x")
	require.Equal(t, protocol.CodeEpochMismatch, s.refusedSnapshot("x", `{"as_of":"`+ep+`:0","data":1}`).Code)
}

// With a store on disk a snapshot outlives the process like a frame, and what acks left above it as well.
func TestP9_AStoredSnapshotOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.start()
	ep := s.publishN("a", 10, 10, 0).Epoch
	s.putSnapshot("a", ep, 6, `{"sum":21}`)
	c := s.attach("a", "since", ep+":0")
	c.upTo(10)
	c.ack(10)
	s.putSnapshot("gone", s.publishN("gone", 3, 3, 0).Epoch, 2, `1`)
	require.Equal(t, 204, s.do("DELETE", snapshotPath("gone"), nil).status)
	s.kill()

	s = h.start()
	require.Equal(t, `{"sum":21}`, string(get[protocol.StoredSnapshot](s.endpoint, snapshotPath("a")).Data))
	require.Equal(t, protocol.CodeConflict, s.refusedSnapshot("a", `{"as_of":"`+ep+`:5","data":1}`).Code)
	require.Equal(t, `{"as_of":6,"data":{"sum":21}}`, string(s.page("a", "").Snapshot))
	fresh := s.attach("a")
	require.Equal(t, ep, fresh.hello.Epoch)
	fresh.starts("a", 6, `{"sum":21}`, 10)
	require.Equal(t, 404, s.do("GET", snapshotPath("gone"), nil).status)
	require.False(t, s.attach("gone").hello.Snapshot)
	s.kill()

	s = h.start()
	s.putSnapshot("a", ep, 8, `"newer"`)
	s.attach("a").starts("a", 8, `"newer"`, 12)
}
