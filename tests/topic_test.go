package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

func topicPath(topic, rest string) string { return "/v1/topics/" + url.PathEscape(topic) + rest }

// tryTell publishes frames to a topic, several as NDJSON.
func (e *endpoint) tryTell(ctx context.Context, topic string, frames ...string) (p protocol.TopicPublished, err error) {
	headers := []string{"Content-Type", "application/x-ndjson"}
	if len(frames) == 1 {
		headers = nil
	}
	r, err := e.try(ctx, "POST", topicPath(topic, "/frames"), []byte(strings.Join(frames, "\n")), headers...)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("publishing to %s: %s", topic, r)
	}
	if err == nil {
		err = json.Unmarshal(r.body, &p)
	}
	return p, err
}

func (e *endpoint) tell(topic string, frames ...string) protocol.TopicPublished {
	e.t.Helper()
	p, err := e.tryTell(e.t.Context(), topic, frames...)
	require.NoError(e.t, err)
	return p
}

// tellNumbered publishes the frames first to last, whose n is their number, a hundred a call.
func (e *endpoint) tellNumbered(topic string, first, last int) (p protocol.TopicPublished) {
	e.t.Helper()
	for n := first; n <= last; n += 100 {
		var frames []string
		for i := n; i <= min(n+99, last); i++ {
			frames = append(frames, numbered(i, 10))
		}
		p = e.tell(topic, frames...)
	}
	return p
}

// log reads a topic's log from since on, to its end as it is now.
func (e *endpoint) log(topic, since string) (frames []topicFrame, end protocol.TopicPage) {
	e.t.Helper()
	for {
		q := ""
		if since != "" {
			q = "?since=" + url.QueryEscape(since)
		}
		end = get[protocol.TopicPage](e, topicPath(topic, "/frames"+q))
		for _, f := range end.Frames {
			frames = append(frames, readTopicFrame(e.t, f))
		}
		if since = end.Cursor; !end.More {
			return frames, end
		}
	}
}

// topicFrame is one frame of a topic.
type topicFrame struct {
	Topic    string `json:"topic"`
	TopicSeq uint64 `json:"topic_seq"`
	Type     string `json:"type"`
	N        int    `json:"n"`
}

func readTopicFrame(t *testing.T, raw []byte) (f topicFrame) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, &f), "%s", raw)
	return f
}

// heard reads the next n frames of topics from a socket; broker frames are passed over.
func (s *socket) heard(n int) (frames []topicFrame) {
	s.e.t.Helper()
	for len(frames) < n {
		if m := s.next(); m.Seq > 0 {
			frames = append(frames, readTopicFrame(s.e.t, []byte(m.Raw)))
		}
	}
	return frames
}

// hears holds the next frames of the socket to be those of the topic from first to last.
func (s *socket) hears(topic string, first, last int) {
	s.e.t.Helper()
	for i, f := range s.heard(last - first + 1) {
		require.Equal(s.e.t, topic, f.Topic)
		require.EqualValues(s.e.t, first+i, f.TopicSeq)
	}
}

func (s *socket) subscribe(format string, args ...any) *message {
	s.e.t.Helper()
	s.send(`{"type":"subscribe",`+format+`}`, args...)
	return s.nextOf("subscribed")
}

// follow runs the Go library as a client that hands its frames to the test.
func (e *endpoint) follow(id string, change func(*client.Config)) *app {
	e.t.Helper()
	cfg := client.Config{URL: e.url, ClientID: id}
	if change != nil {
		change(&cfg)
	}
	return runApp(e.t, cfg)
}

// reader attaches, and reads what a fresh attach brings.
func (e *endpoint) reader(id string, more ...string) *socket {
	e.t.Helper()
	c := e.attach(id, more...)
	c.until("replay_end")
	return c
}

// subscribe has the library subscribe, and waits for the answer.
func (a *app) subscribe(topic string, o client.SubscribeOptions) protocol.Subscribed {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	s, err := a.c.Subscribe(ctx, topic, o)
	require.NoError(a.t, err)
	return s
}

// hears holds the next frames that the application is handed to be the topic's from first to last.
func (a *app) hears(topic string, first, last int) {
	a.t.Helper()
	for n := first; n <= last; n++ {
		f := a.next()
		require.Equal(a.t, topic, f.Topic, "%s", f.Raw)
		require.EqualValues(a.t, n, f.TopicSeq, "%s", f.Raw)
	}
}

func TestP1_ATopicsFrameOnTheWire(t *testing.T) {
	t.Parallel()
	e := serve(t)
	c := e.reader("c")
	c.subscribe(`"topic":"a.b"`)
	e.tell("a.b", `{ "q" : 1.50, "type":"x", "s":"é<" }`)
	require.Equal(t, `{"seq":1,"topic":"a.b","topic_seq":1,"q":1.50,"type":"x","s":"é<"}`, c.nextOf2("x").Raw)
	page := get[protocol.TopicPage](e.endpoint, topicPath("a.b", "/frames"))
	require.Equal(t, `{"topic":"a.b","topic_seq":1,"q":1.50,"type":"x","s":"é<"}`, string(page.Frames[0]))
	again := e.reader("c")
	e.tell("a.b", `{"type":"later"}`)
	require.EqualValues(t, 2, again.next().Seq, "a later live frame arrives exactly once")
}

func TestP32_NamesClosingAndDeleting(t *testing.T) {
	t.Parallel()
	e := serve(t)
	for _, bad := range []string{"_all", "_x", "a..b", ".a", "a.", "a b", "a.*", ">"} {
		p := e.do("POST", topicPath(bad, "/frames"), []byte(`{"type":"x"}`))
		require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, p.status, "%s: %s", bad, p)
	}
	require.Equal(t, protocol.CodeNotFound, e.do("GET", topicPath("none", "/frames"), nil).problem(t).Code)
	require.Equal(t, protocol.CodeNotFound, e.do("POST", topicPath("none", "/close"), nil).problem(t).Code)
	c := e.reader("c")
	c.subscribe(`"topic":"job"`)
	e.tellNumbered("job", 1, 3)
	require.Equal(t, 200, e.do("POST", topicPath("job", "/close"), nil).status)
	require.Equal(t, 409, e.do("POST", topicPath("job", "/frames"), []byte(`{"type":"x"}`)).status)
	require.Equal(t, protocol.CodeConflict, e.do("POST", topicPath("job", "/frames"), []byte(`{"type":"x"}`)).problem(t).Code)
	frames := c.heard(4)
	require.Equal(t, topicFrame{Topic: "job", TopicSeq: 4, Type: "topic_closed"}, frames[3])

	state := get[protocol.TopicState](e.endpoint, topicPath("job", ""))
	require.True(t, state.Closed)
	require.Equal(t, []protocol.Follower{{ClientID: "c"}}, state.Followers)
	require.Equal(t, 204, e.do("DELETE", topicPath("job", ""), nil).status)
	c.nextOf("unsubscribed")
	e.tell("job", `{"type":"again"}`)
	c.sync()
	require.Equal(t, 404, e.do("GET", topicPath("nobody", ""), nil).status)
}

func TestP19_SubscriptionsSurviveSocketsAndTheProcess(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	e := h.start()
	a := e.follow("c", nil)
	a.subscribe("named", client.SubscribeOptions{})
	a.subscribe("jobs.>", client.SubscribeOptions{})
	e.tellNumbered("named", 1, 5)
	a.hears("named", 1, 5)
	require.NoError(t, a.c.Close(t.Context()))
	e.tellNumbered("named", 6, 8)
	h.stop()

	e = h.start()
	e.tellNumbered("jobs.7.log", 1, 4) // not yet born when it was subscribed to
	e.tellNumbered("named", 9, 9)
	b := e.follow("c", func(cfg *client.Config) { cfg.Cursor = a.c.Cursor() })
	got := map[string][]uint64{}
	for range 8 {
		f := b.next()
		got[f.Topic] = append(got[f.Topic], f.TopicSeq)
	}
	require.Equal(t, map[string][]uint64{"named": {6, 7, 8, 9}, "jobs.7.log": {1, 2, 3, 4}}, got)
	e.tellNumbered("named", 10, 10)
	b.hears("named", 10, 10)
	require.NoError(t, b.c.Close(t.Context()))
	h.stop()
	h.check()
}

func TestP19_TheLibraryGoesOnWhereTheBrokerForgot(t *testing.T) {
	t.Parallel()
	e := serve(t)
	a := e.follow("c", nil)
	a.subscribe("t", client.SubscribeOptions{})
	e.tellNumbered("t", 1, 3)
	a.hears("t", 1, 3)
	require.Equal(t, 204, e.do("DELETE", "/v1/clients/c", nil).status) // 4504: it stops
	require.Error(t, <-a.ended)
	e.tellNumbered("t", 4, 6)
	b := e.follow("c", nil)
	since, err := protocol.ParseCursor(a.c.TopicCursor("t"))
	require.NoError(t, err)
	b.subscribe("t", client.SubscribeOptions{Since: since.String()})
	b.hears("t", 4, 6)
	e.tellNumbered("t", 7, 7)
	b.hears("t", 7, 7)
}
