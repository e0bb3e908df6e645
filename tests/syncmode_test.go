package tests

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// An end in order loses nothing, however the store syncs: epochs, frames, acks, records and cursors are those of the life before.
func TestP26_AnEndInOrderKeepsEverything(t *testing.T) {
	for _, mode := range []string{"always", "interval:10s", "never"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "--sync", mode)
			s := h.start()
			c := s.attach("a")
			first := s.keyed("a", "k", numbered(1, 100))
			s.publishN("a", 299, 20, 200)
			c.upTo(300)
			c.ack(100)
			c.cut()
			s.publish("never-attached", numbered(1, 10))
			h.stop()
			h.check()

			s = h.start()
			st := s.state("a")
			require.Equal(t, c.hello.Epoch, st.Epoch)
			require.EqualValues(t, 300, st.Head)
			require.EqualValues(t, 100, st.Floor)
			require.EqualValues(t, 100, st.Acked)
			again := s.keyed("a", "k", numbered(1, 100))
			require.True(t, again.Duplicate, "%+v", again)
			require.Equal(t, first.Seq, again.Seq)
			require.Equal(t, first.Epoch, again.Epoch)
			require.EqualValues(t, 1, s.state("never-attached").Head)

			back := s.attach("a", "since", fmt.Sprintf("%s:250", c.hello.Epoch))
			require.Equal(t, protocol.ResumeReplay, back.hello.Resume, back.hello.Raw)
			require.Len(t, back.upTo(300), 50)
			back.liveOnce("a")
			late := s.attach("a")
			require.Equal(t, protocol.ResumeFresh, late.hello.Resume)
			require.EqualValues(t, 100, late.hello.Floor)
			require.Len(t, late.upTo(302), 202)
			late.liveOnce("a")
		})
	}
}

// A kill of a store that does not sync each group may have lost the end of what it confirmed: every reader is told by a new epoch, no
// number of the old one is used again, and what is there is given to them.
func TestP26_AKillWithoutSyncIsToldAsANewEpoch(t *testing.T) {
	for _, mode := range []string{"interval:10s", "never"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "--sync", mode)
			s := h.start()
			c := s.attach("a")
			s.keyed("a", "k", numbered(1, 100))
			s.publishN("a", 299, 20, 200)
			c.upTo(300)
			epochs := map[string]bool{c.hello.Epoch: true}
			for range 3 {
				s.kill()
				h.check()
				s = h.start()
				back := s.attach("a", "since", c.cursor())
				require.Equal(t, protocol.ResumeTooOld, back.hello.Resume, back.hello.Raw)
				require.Equal(t, protocol.ReasonEpoch, back.hello.Reason, back.hello.Raw)
				require.False(t, epochs[back.hello.Epoch], "the epoch %s was there before", back.hello.Epoch)
				epochs[back.hello.Epoch] = true
				frames, end := back.until("replay_end")
				for _, m := range frames {
					require.Contains(t, m.Raw, `"pad":"`, "what is left is what was published")
				}
				require.EqualValues(t, back.last, end.At)
				// What the publisher was told in the old epoch is no receipt in this one: its repeat is stored anew.
				require.False(t, s.keyed("a", "k", numbered(1, 100)).Duplicate)
				back.liveOnce("a")
				c = back
			}
		})
	}
}

// With --sync always a kill changes no epoch, and what a lost ack or a lost attach leaves behind only repeats.
func TestP26_AKillWithSyncKeepsTheEpochOfAClientThatHasNothing(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.start()
	empty, full := s.attach("empty"), s.attach("full")
	s.publishN("full", 50, 10, 100)
	full.upTo(50)
	full.ack(50)
	s.kill()
	h.check()
	s = h.start()
	for id, was := range map[string]*socket{"empty": empty, "full": full} {
		back := s.attach(id, "since", was.cursor())
		require.Equal(t, protocol.ResumeUpToDate, back.hello.Resume, back.hello.Raw)
		require.Equal(t, was.hello.Epoch, back.hello.Epoch)
		back.liveOnce(id)
	}
}

// keyed publishes one frame with an idempotency key.
func (e *endpoint) keyed(id, key, frame string) (p protocol.Published) {
	e.t.Helper()
	r := e.do("POST", framesPath(id), []byte(frame), "Idempotency-Key", key)
	require.Equal(e.t, 200, r.status, r)
	require.NoError(e.t, json.Unmarshal(r.body, &p))
	return p
}
