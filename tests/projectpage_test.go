package tests

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/transport"
)

// TestP19_TheProjectPage plays the project dashboard: the token is checked first; subscribe, subscribed, the state as a snapshot, what happens from then on, and
// the heartbeat; subscribing again, a snapshot that fails, one that is slow, unsubscribing, and a project that is none of the reader's business.
func TestP19_TheProjectPage(t *testing.T) {
	t.Parallel()
	var fails atomic.Bool
	var calls atomic.Int64
	slow := make(chan struct{})
	e, b := embed(t, broker.Config{
		TopicSnapshot: func(ctx context.Context, topic string, _, head uint64) (uint64, []byte, error) {
			calls.Add(1)
			switch {
			case topic == "project.slow":
				select {
				case <-slow:
				case <-ctx.Done():
				}
			case fails.Load():
				return 0, nil, errors.New("the database is away")
			}
			data, err := json.Marshal(map[string]any{"project": topic, "tasks": head})
			return head, data, err
		},
		Authorize: func(r *http.Request) (broker.Grant, error) {
			if transport.Token(r) != "ada" {
				return broker.Grant{}, errors.New("who are you")
			}
			return broker.Grant{Credential: "ada", Allow: func(v broker.Verb, name string) bool {
				return v != transport.VerbSubscribe || name == "project.7" || name == "project.slow"
			}}, nil
		},
	})
	e.refused(query("page", "token", "mallory"), protocol.CodeUnauthorized, protocol.CloseUnauthorized)
	tell := func(topic string, n int) {
		_, err := b.Topic(topic).Publish(t.Context(), []byte(numbered(n, 10)))
		require.NoError(t, err)
	}
	for n := 1; n <= 3; n++ {
		tell("project.7", n)
	}
	c := e.reader("page", "token", "ada")

	c.send(`{"type":"subscribe","topic":"project.8","history":0}`)
	refused := c.nextOf("error")
	require.Equal(t, protocol.CodeForbidden, refused.Code)
	require.Contains(t, refused.Raw, `"topic":"project.8"`)
	_, err := b.Topic("project.8").State(t.Context(), "", 1)
	require.Equal(t, protocol.CodeNotFound, protocol.AsError(err).Code, "nothing is created before it is allowed")

	said := c.subscribe(`"topic":"project.7","history":0`)
	require.Contains(t, said.Raw, `"snapshot":true`)
	require.Equal(t, `{"type":"snapshot","topic":"project.7","as_of":3,"data":{"project":"project.7","tasks":3}}`, c.nextOf("snapshot").Raw)
	tell("project.7", 4)
	c.hears("project.7", 4, 4)
	require.Equal(t, protocol.ResumeUpToDate, c.subscribe(`"topic":"project.7","history":0`).Resume, "subscribing again changes nothing")
	require.EqualValues(t, 1, calls.Load())
	c.send(`{"type":"ping"}`)
	c.nextOf("pong")

	// A slow provider holds up nobody else, not even the same reader.
	require.Contains(t, c.subscribe(`"topic":"project.slow","history":0`).Raw, `"snapshot":true`)
	tell("project.slow", 1)
	tell("project.7", 5)
	c.hears("project.7", 5, 5) // while the provider still thinks
	close(slow)
	require.Contains(t, c.nextOf("snapshot").Raw, `"topic":"project.slow","as_of":0`)
	c.hears("project.slow", 1, 1)

	c.send(`{"type":"unsubscribe","topic":"project.7"}`)
	c.nextOf("unsubscribed")
	tell("project.7", 6)
	require.Empty(t, c.sync())

	fails.Store(true)
	require.Contains(t, c.subscribe(`"topic":"project.7","history":2`).Raw, `"snapshot":true`)
	failed := c.nextOf("error")
	require.Equal(t, protocol.CodeSnapshotUnavailable, failed.Code)
	require.Contains(t, failed.Raw, `"topic":"project.7"`)
	c.hears("project.7", 5, 6) // the last two all the same
	tell("project.7", 7)
	c.hears("project.7", 7, 7)
}
