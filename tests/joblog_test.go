package tests

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// TestP32_TheJobLog plays the agent's job log: a reader from the beginning, a late joiner, and one who is offline when the job ends; and the result,
// read over HTTP when all sockets are gone and the broker has been restarted.
func TestP32_TheJobLog(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	e := h.start()
	first := e.follow("first", nil)
	first.subscribe("job.42", client.SubscribeOptions{})
	away := e.follow("away", nil)
	away.subscribe("job.42", client.SubscribeOptions{})
	e.tellNumbered("job.42", 1, 150)
	first.hears("job.42", 1, 150)
	away.hears("job.42", 1, 150)
	require.NoError(t, away.c.Close(t.Context())) // the laptop is shut

	history := 50
	late := e.follow("late", nil)
	late.subscribe("job.42", client.SubscribeOptions{History: &history})
	late.hears("job.42", 101, 150)
	e.tellNumbered("job.42", 151, 300)
	r := e.do("POST", topicPath("job.42", "/close"), nil)
	require.Equal(t, 200, r.status, "%s", r)
	for _, a := range []*app{first, late} {
		a.hears("job.42", 151, 300)
		require.Equal(t, protocol.TypeTopicClosed, a.next().Type, "the end comes after all others")
	}
	again := e.do("POST", topicPath("job.42", "/close"), nil)
	var closed, closedAgain protocol.TopicPublished
	require.NoError(t, json.Unmarshal(r.body, &closed))
	require.NoError(t, json.Unmarshal(again.body, &closedAgain))
	require.EqualValues(t, 301, closed.Seq)
	require.Equal(t, closed.Seq, closedAgain.Seq)
	require.Equal(t, 409, e.do("POST", topicPath("job.42", "/frames"), []byte(numbered(1, 1))).status)

	back := e.follow("away", func(cfg *client.Config) { cfg.Cursor = away.c.Cursor() })
	back.hears("job.42", 151, 300)
	require.Equal(t, protocol.TypeTopicClosed, back.next().Type, "also for who was away")
	h.stop()

	// The result, page by page, from the next process.
	e = h.start()
	frames, end := e.log("job.42", "")
	require.Len(t, frames, 301)
	require.True(t, end.Closed)
	require.Equal(t, closed.Epoch, end.Epoch)
	page := e.do("GET", topicPath("job.42", "/frames?limit=100&since=")+end.Epoch+":200", nil)
	require.Equal(t, 200, page.status, "%s", page)
	tag := page.header.Get("ETag")
	require.NotEmpty(t, tag)
	same := e.do("GET", topicPath("job.42", "/frames?limit=100&since=")+end.Epoch+":200", nil, "If-None-Match", tag)
	require.Equal(t, http.StatusNotModified, same.status)
	require.Empty(t, same.body)
	other := e.do("GET", topicPath("job.42", "/frames?limit=100&since=")+end.Epoch+":201", nil, "If-None-Match", tag)
	require.Equal(t, 200, other.status)

	lines := e.do("GET", topicPath("job.42", "/frames?limit=1000"), nil, "Accept", "application/x-ndjson")
	require.Equal(t, "application/x-ndjson", lines.header.Get("Content-Type"))
	text := strings.Split(strings.TrimSuffix(string(lines.body), "\n"), "\n")
	require.Len(t, text, 301)
	require.Equal(t, 300, readTopicFrame(t, []byte(text[299])).N)
	require.Equal(t, end.Cursor, lines.header.Get("Restante-Cursor"))
	require.Equal(t, "true", lines.header.Get("Restante-Closed"))
	require.Equal(t, "false", lines.header.Get("Restante-More"))
	h.stop()
	h.check()
}
