package pebble_test

import (
	"strings"
	"testing"

	crdb "github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/registry/store/pebble"
)

// TestP19_CheckTopics: a topic's log and a follower of it hold the same frames, which have the topic in front; the log has none but its own.
func TestP19_CheckTopics(t *testing.T) {
	for name, c := range map[string]struct{ second, want string }{
		"good":            {"", ""},
		"of no topic":     {`{"type":"x"}`, `topic jobs.7: frame 2: it is the frame "" 0`},
		"another's":       {`{"topic":"jobs.8","topic_seq":2,"type":"x"}`, `topic jobs.7: frame 2: it is the frame "jobs.8" 2`},
		"another number":  {`{"topic":"jobs.7","topic_seq":3,"type":"x"}`, `topic jobs.7: frame 2: it is the frame "jobs.7" 3`},
		"a broken topic":  {`{"topic":"jobs.7","topic_seq":0,"type":"x"}`, `topic jobs.7: frame 2: its topic_seq is none`},
		"a broken frame":  {`{"topic":"jobs.7","topic_seq":2,"type":1}`, `topic jobs.7: frame 2: the frame's "type" is not a string`},
		"a topic's twice": {`{"topic":"jobs.7","topic_seq":2,"topic":"a","type":"x"}`, `topic jobs.7: frame 2: the member`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := pebble.Open(pebble.Options{Dir: dir})
			require.NoError(t, err)
			for _, o := range []*client{newClient(store.TopicMark + "jobs.7"), newClient("tab-1")} {
				u := store.Update{Was: o.is, Is: o.is, At: 1, First: 1}
				for seq := range uint64(3) {
					b := protocol.WithTopic(protocol.Body(`{"type":"x"}`), "jobs.7", seq+1)
					u.Bodies = append(u.Bodies, b)
					u.Is.Bytes += int64(len(b)) + protocol.FrameOverhead
				}
				u.Is.Epoch, u.Is.Head = 5, 3
				o.give(s, u)
				require.NoError(t, o.wait(t))
			}
			if c.second != "" {
				require.NoError(t, s.Raw().Set(pebble.NumberedKey('f', store.TopicMark+"jobs.7", 2), []byte("\x01\x02"+c.second), crdb.Sync))
			}
			require.NoError(t, s.Close())
			r, err := pebble.Check(dir)
			require.NoError(t, err)
			require.Equal(t, []int64{1, 1, 6}, []int64{r.Totals.Topics, r.Totals.Clients, r.Totals.Frames})
			if c.want == "" {
				require.Empty(t, r.Problems)
			} else {
				require.Contains(t, strings.Join(r.Problems, "\n"), c.want)
			}
		})
	}
}
