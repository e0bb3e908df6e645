package tests

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP13_BoundByCount(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "50")
	s.publishN("a", 120, 5, 0)
	st := s.state("a")
	require.EqualValues(t, 50, st.Frames)
	require.EqualValues(t, 70, st.Floor)
	require.EqualValues(t, 120, st.Head)
	require.EqualValues(t, 70, s.metric("restante_pruned_frames_total", `reason="count"`))
	c := s.attach("a")
	frames, _ := c.until("replay_end")
	require.Equal(t, 71, frames[0].N)
	require.Len(t, frames, 50)
	c.liveOnce("a")
}

func TestP13_BoundByBytesCountsTheOverhead(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-outbox-bytes", "100KiB")
	s.publishN("a", 200, 1, 1000-protocol.FrameOverhead)
	st := s.state("a")
	require.LessOrEqual(t, st.Bytes, int64(100<<10))
	require.EqualValues(t, 102, st.Frames)
	require.EqualValues(t, 98, s.metric("restante_pruned_frames_total", `reason="bytes"`))
	s.attach("a").liveOnce("a")
}

func TestP13_TheNewestFrameIsAlwaysRetained(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-outbox-bytes", "1000", "--max-age", "500ms", "--client-ttl", "1h")
	s.publish("a", numbered(1, 5000))
	p := s.publish("a", numbered(2, 5000))
	require.EqualValues(t, 1, s.state("a").Frames)
	wait := time.NewTimer(1500 * time.Millisecond) // age itself is what is tested
	<-wait.C
	c := s.attach("a")
	require.Equal(t, 2, c.next().N)
	require.Equal(t, p.Epoch, c.hello.Epoch)
	c.liveOnce("a")
}

func TestP13_AgePrunesNothingAboveTheLowestAttachedCursor(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-age", "400ms", "--client-ttl", "1h", "--resume-window", "1h")
	last := s.publishN("a", 40, 10, 16<<10)
	slow := s.stuck("a", "since", last.Epoch+":0") // its kernel takes about half of it
	wait := time.NewTimer(1200 * time.Millisecond)
	<-wait.C
	s.publish("a", numbered(41, 0)) // bounds are applied at each publish and attach
	other := s.attach("a", "since", last.Epoch+":0")
	at := s.state("a").Attachments[0].Cursor
	require.LessOrEqual(t, other.hello.Floor, at, "what an attached reader still needs does not age")
	slow.upTo(41)
	slow.liveOnce("a")
	require.Equal(t, 43, int(slow.last))
}

func TestP13_AgeReachesAnIdleClient(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-age", "300ms", "--client-ttl", "1h")
	s.publishN("a", 10, 10, 0)
	require.Eventually(t, func() bool {
		require.Equal(t, 200, s.do("POST", "/v1/janitor/sweep", nil).status)
		return s.state("a").Frames == 1
	}, patience, 100*time.Millisecond, "the janitor's sweep applies the age bound")
	require.EqualValues(t, 9, s.metric("restante_pruned_frames_total", `reason="age"`))
	require.EqualValues(t, 9, s.state("a").Floor)
}

func TestP13_PublishingNeverBlocksOnAReader(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "1000")
	slow := s.stuck("a")
	for n := range 60 {
		batch := make([]string, 100)
		for i := range batch {
			batch[i] = numbered(n*100+i+1, 1000)
		}
		s.publish("a", batch...)
	}
	require.EqualValues(t, 6000, s.state("a").Head)
	slow.closed(protocol.CloseSlowConsumer)
	back := s.attach("a", "since", slow.cursor())
	require.Equal(t, protocol.ReasonPruned, back.hello.Reason)
	frames, _ := back.until("replay_end")
	require.Len(t, frames, 1000)
	back.liveOnce("a")
}

func TestP13_BoundsSurviveManyRounds(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "30")
	c := s.attach("a")
	for round := range 40 {
		p := s.publishN("a", 3, 3, 0)
		c.upTo(p.Seq)
		if round%3 == 0 {
			c.ack(p.Seq)
		}
		st := s.state("a")
		require.Equal(t, st.Head-st.Floor, st.Frames, "retained is (floor, head]: round %s", strconv.Itoa(round))
		require.LessOrEqual(t, st.Frames, uint64(30))
	}
	c.liveOnce("a")
}
