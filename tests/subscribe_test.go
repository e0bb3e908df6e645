package tests

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// goesOn publishes one more frame to a topic whose head is given, and holds it to arrive once, behind all that was published before.
func (s *socket) goesOn(topic string, head int) {
	s.e.t.Helper()
	p := s.e.tell(topic, numbered(head+1, 10))
	require.EqualValues(s.e.t, head+1, p.Seq)
	s.hears(topic, head+1, head+1)
	require.Empty(s.e.t, s.sync(), "nothing comes twice")
}

// TestP19_WhereASubscriptionBegins: by since, by history, and with neither, decided as an attach is by P-7, on a log of 15 frames that retains 10.
func TestP19_WhereASubscriptionBegins(t *testing.T) {
	t.Parallel()
	e := serve(t, "--topic-frames", "10")
	for i, c := range []struct {
		from   string // EPOCH stands for the topic's
		resume protocol.Resume
		reason protocol.Reason
		first  int // the first retained frame that comes; 16 for none
	}{
		{``, protocol.ResumeFresh, "", 16},
		{`,"history":0`, protocol.ResumeFresh, "", 16},
		{`,"history":3`, protocol.ResumeFresh, "", 13},
		{`,"history":10`, protocol.ResumeFresh, "", 6},
		{`,"history":100000`, protocol.ResumeFresh, "", 6},
		{`,"since":"EPOCH:15"`, protocol.ResumeUpToDate, "", 16},
		{`,"since":"EPOCH:12"`, protocol.ResumeReplay, "", 13},
		{`,"since":"12"`, protocol.ResumeReplay, "", 13},
		{`,"since":"EPOCH:5"`, protocol.ResumeReplay, "", 6},
		{`,"since":"EPOCH:4"`, protocol.ResumeTooOld, protocol.ReasonPruned, 6},
		{`,"since":"EPOCH:0"`, protocol.ResumeTooOld, protocol.ReasonPruned, 6},
		{`,"since":"EPOCH:16"`, protocol.ResumeTooOld, protocol.ReasonAhead, 6},
		{`,"since":"other:12"`, protocol.ResumeTooOld, protocol.ReasonEpoch, 6},
	} {
		topic := fmt.Sprintf("t%d", i)
		p := e.tellEach(topic, 1, 15)
		r := e.reader(topic + "-reader")
		from := replaceEpoch(c.from, p.Epoch)
		m := r.subscribe(`"topic":"%s"%s`, topic, from)
		require.Equal(t, c.resume, m.Resume, m.Raw)
		require.Equal(t, c.reason, m.Reason, m.Raw)
		require.Equal(t, p.Epoch, m.Epoch)
		require.EqualValues(t, 5, m.Floor, m.Raw)
		require.EqualValues(t, 15, m.Head, "the boundary between what is replayed and what is live: %s", m.Raw)
		require.Zero(t, m.Seq, "it is the broker's frame")
		r.hears(topic, c.first, 15)
		r.goesOn(topic, 15)

		// Also where a subscription is on another connection of the client, and one that comes back: it is held.
		again := e.attach(topic+"-reader", "since", r.cursor())
		held := again.subscribe(`"topic":"%s"%s`, topic, from)
		require.Equal(t, protocol.ResumeUpToDate, held.Resume, "subscribing to what is held changes nothing")
		again.goesOn(topic, 16)
		r.hears(topic, 17, 17)
	}
}

// tellEach is tellNumbered with a call for each frame: one call may hold a tenth of the log.
func (e *endpoint) tellEach(topic string, first, last int) (p protocol.TopicPublished) {
	e.t.Helper()
	for n := first; n <= last; n++ {
		p = e.tell(topic, numbered(n, 10))
	}
	return p
}

func replaceEpoch(from, epoch string) string {
	const stands = "EPOCH"
	for i := 0; i+len(stands) <= len(from); i++ {
		if from[i:i+len(stands)] == stands {
			return from[:i] + epoch + from[i+len(stands):]
		}
	}
	return from
}

// TestP19_WhatCannotBeSubscribedTo is refused with the topic that it is about, and makes none; the connection stays open.
func TestP19_WhatCannotBeSubscribedTo(t *testing.T) {
	t.Parallel()
	e := serve(t)
	c := e.reader("c")
	for body, code := range map[string]protocol.Code{
		`"topic":"t","since":"1","history":1`:    protocol.CodeBadRequest,
		`"topic":"t.*","since":"1"`:              protocol.CodeBadRequest,
		`"topic":"t.>","history":1`:              protocol.CodeBadRequest,
		`"topic":"t","history":-1`:               protocol.CodeBadFrame,
		`"topic":"t","history":1.5`:              protocol.CodeBadFrame,
		`"topic":"t","since":"epoch:01"`:         protocol.CodeBadCursor,
		`"topic":"t","since":"epoch:-1"`:         protocol.CodeBadCursor,
		`"topic":"t","since":"9007199254740992"`: protocol.CodeBadCursor,
		`"topic":"_all"`:                         protocol.CodeBadRequest,
		`"topic":"_mine"`:                        protocol.CodeBadRequest,
		`"topic":"t..u"`:                         protocol.CodeBadRequest,
		`"topic":".t"`:                           protocol.CodeBadRequest,
		`"topic":"t."`:                           protocol.CodeBadRequest,
		`"topic":"t.>.u"`:                        protocol.CodeBadRequest,
		`"topic":"t.u*"`:                         protocol.CodeBadRequest,
		`"topic":"t u"`:                          protocol.CodeBadRequest,
		`"topic":""`:                             protocol.CodeBadRequest,
		`"history":1`:                            protocol.CodeBadFrame,
		`"topic":"` + string(make129()) + `"`:    protocol.CodeBadRequest,
		`"topic":7`:                              protocol.CodeBadFrame,
	} {
		c.send(`{"type":"subscribe",%s}`, body)
		m := c.nextOf("error")
		require.Equal(t, code, m.Code, "%s: %s", body, m.Raw)
		require.NotEmpty(t, m.Message)
	}
	require.Empty(t, get[protocol.TopicList](e.endpoint, "/v1/topics").Topics, "nothing was made")
	c.subscribe(`"topic":"t"`)
	c.goesOn("t", 0)
}

// make129 is one character more than a name may have.
func make129() []byte {
	b := make([]byte, 129)
	for i := range b {
		b[i] = 'a'
	}
	return b
}

// TestP19_ASubscriptionIsTheClients: it is asked for on one connection, answered there, and read on all; what ends it is written on all, behind the
// frames that the outbox held.
func TestP19_ASubscriptionIsTheClients(t *testing.T) {
	t.Parallel()
	e := serve(t)
	first, second := e.reader("c"), e.reader("c")
	first.subscribe(`"topic":"t"`)
	require.Empty(t, second.sync(), "the answer is for who asked") // sync holds broker frames to be a replay_end
	e.tellNumbered("t", 1, 5)
	first.hears("t", 1, 5)
	second.hears("t", 1, 5)

	// Both are cut off; the subscription is not.
	first.cut()
	second.cut()
	e.tellNumbered("t", 6, 300)
	first = e.attach("c", "since", first.cursor())
	second = e.attach("c", "since", second.cursor())
	first.hears("t", 6, 300)
	second.hears("t", 6, 300)

	e.tellNumbered("t", 301, 400)
	second.send(`{"type":"unsubscribe","topic":"t"}`)
	var lasts []uint64
	for _, c := range []*socket{first, second} {
		for m := c.next(); m.Type != "unsubscribed"; m = c.next() {
			require.True(t, m.Seq > 0 || m.Type == "replay_end", m.Raw)
		}
		lasts = append(lasts, c.last)
	}
	require.Equal(t, lasts[0], lasts[1], "both have what the outbox held")
	require.Equal(t, lasts[0], e.state("c").Head, "and no later one is put in")
	e.tellNumbered("t", 401, 402)
	e.publish("c", `{"type":"own"}`)
	for _, c := range []*socket{first, second} {
		m := c.next()
		require.Equal(t, "own", m.Type, "nothing of the topic comes any more: %s", m.Raw)
	}
	require.Empty(t, get[protocol.TopicState](e.endpoint, topicPath("t", "")).Followers)

	// What is not held can be let go all the same, and what was let go be held again, from where one likes.
	first.send(`{"type":"unsubscribe","topic":"never"}`)
	require.Equal(t, `{"type":"unsubscribed","topic":"never"}`, first.nextOf("unsubscribed").Raw)
	require.Equal(t, http.StatusNotFound, e.do("GET", topicPath("never", ""), nil).status, "to unsubscribe makes no topic")
	second.nextOf("unsubscribed")
	second.subscribe(`"topic":"t","since":"400"`)
	second.hears("t", 401, 402)
	second.goesOn("t", 402)
}

// TestP19_TheBoundaryUnderAFlood subscribes while a publisher never rests: the history ends at the head that was said, and what is live begins behind it.
func TestP19_TheBoundaryUnderAFlood(t *testing.T) {
	t.Parallel()
	e := serve(t, "--topic-frames", "100000", "--max-frames", "100000", "--max-outbox-bytes", "64MiB")
	e.tellNumbered("t", 1, 200)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := 201; ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if _, err := e.tryTell(t.Context(), "t", numbered(n, 10)); err != nil {
				done <- err
				return
			}
		}
	}()
	for i := range 30 {
		history := i * 7 % 100
		c := e.reader(fmt.Sprintf("c%d", i))
		m := c.subscribe(`"topic":"t","history":%d`, history)
		head := int(m.Head)
		c.hears("t", head-history+1, head+20)
		c.send(`{"type":"unsubscribe","topic":"t"}`)
		_, _ = c.until("unsubscribed")
		c.cut()
	}
	close(stop)
	require.NoError(t, <-done)
}

// TestP19_AStoredSnapshotOfATopic comes where history was asked for and where since is too old, and then the frames behind it; else it does not.
func TestP19_AStoredSnapshotOfATopic(t *testing.T) {
	t.Parallel()
	e := serve(t, "--topic-frames", "10")
	require.Equal(t, http.StatusNotFound, e.do("GET", topicPath("t", "/snapshot"), nil).status)
	p := e.tellEach("t", 1, 15)
	put := func(asOf string) reply {
		return e.do("PUT", topicPath("t", "/snapshot"), []byte(`{"as_of":"`+asOf+`","data":{ "sum" : 120 }}`))
	}
	require.Equal(t, protocol.CodeEpochMismatch, put("other:12").problem(t).Code)
	for _, at := range []int{4, 16} { // below the floor, above the head
		require.Equal(t, http.StatusConflict, put(fmt.Sprintf("%s:%d", p.Epoch, at)).status, at)
	}
	require.Less(t, put(p.Epoch+":12").status, 300)
	require.Equal(t, http.StatusConflict, put(p.Epoch+":11").status, "below the stored one's")
	require.Contains(t, string(e.do("GET", topicPath("t", "/snapshot"), nil).body), `"sum":120`)
	for i, from := range []string{`,"history":0`, `,"history":9`, `,"since":"other:3"`, `,"since":"` + p.Epoch + `:2"`} {
		c := e.reader(fmt.Sprintf("with-%d", i))
		require.Contains(t, c.subscribe(`"topic":"t"%s`, from).Raw, `"snapshot":true`, from)
		require.Equal(t, `{"type":"snapshot","topic":"t","as_of":12,"data":{"sum":120}}`, c.nextOf("snapshot").Raw)
		c.hears("t", 13, 15)
		require.Empty(t, c.sync())
	}
	for i, from := range []string{``, `,"since":"` + p.Epoch + `:15"`, `,"since":"` + p.Epoch + `:14"`} {
		c := e.reader(fmt.Sprintf("without-%d", i))
		require.NotContains(t, c.subscribe(`"topic":"t"%s`, from).Raw, `"snapshot"`, from)
		c.sync() // which holds what comes to be frames
	}
	require.Equal(t, http.StatusNoContent, e.do("DELETE", topicPath("t", "/snapshot"), nil).status)
	c := e.reader("after")
	require.NotContains(t, c.subscribe(`"topic":"t","history":2`).Raw, `"snapshot"`)
	c.hears("t", 14, 15)
	c.goesOn("t", 15)
}
