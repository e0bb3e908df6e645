package tests

import (
	"fmt"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP15_SixteenReadTheWholeOutboxAndTheSeventeenthIsLetIn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var all []*socket
	for range 16 {
		all = append(all, s.attach("phone"))
	}
	// Every one speaks, the third last of all: the first is the one silent longest.
	for _, i := range []int{1, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2} {
		all[i].sync()
	}
	newcomer := s.attach("phone")
	all[1].closed(protocol.CloseTooManyConnections)
	require.Equal(t, 16, s.state("phone").Connections)
	p := s.publishN("phone", 30, 30, 100)
	for i, c := range append(all[:1:1], append(all[2:], newcomer)...) {
		frames := c.upTo(p.Seq)
		require.Len(t, frames, 30, "connection %d", i)
	}
	newcomer.liveOnce("phone")
	require.Equal(t, 1., s.metric("restante_closed_total", `"too_many_connections"`))
}

func TestP15_APhoneThatRedialsSeventeenTimes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	cursor := ""
	sent := 0
	for n := range 17 { // every old socket is still there: its radio went without a word
		var q []string
		if cursor != "" {
			q = []string{"since", cursor}
		}
		c := s.attach("phone", q...)
		if n > 0 {
			require.Contains(t, []protocol.Resume{protocol.ResumeReplay, protocol.ResumeUpToDate}, c.hello.Resume)
		}
		sent++
		p := s.publish("phone", numbered(sent, 50))
		frames := c.upTo(p.Seq)
		require.Equal(t, sent, frames[len(frames)-1].N)
		cursor = c.cursor()
	}
	require.Equal(t, 16, s.state("phone").Connections)
	last := s.attach("phone", "since", cursor)
	last.liveOnce("phone")
	require.EqualValues(t, sent+2, last.last)
	require.Zero(t, s.state("phone").Floor, "the places of the silent ones hold their frames")
}

func TestP15_Takeover(t *testing.T) {
	t.Parallel()
	s := serve(t)
	a, b := s.attach("c"), s.attach("c")
	s.publishN("c", 10, 10, 0)
	a.upTo(10)
	b.upTo(4)
	n := s.attach("c", "since", a.cursor(), "attach", "takeover")
	a.closed(protocol.CloseReplaced)
	before := b.closed(protocol.CloseReplaced)
	require.LessOrEqual(t, len(before), 7)
	st := s.state("c")
	require.Equal(t, 1, st.Connections)
	require.Zero(t, lost(st), "a takeover takes the places")
	n.liveOnce("c")
	n.ack(12)
	require.EqualValues(t, 12, s.state("c").Floor)
	s.refused(query("c", "attach", "sideways"), protocol.CodeBadRequest, protocol.CloseBadRequest)
	// After every other check: a takeover that is refused replaces nobody.
	s.refused(query("c", "attach", "takeover", "since", "x"), protocol.CodeBadCursor, protocol.CloseBadRequest)
	n.liveOnce("c")
}

func TestP15_LateCloseAckAndTimerOfTheReplacedTouchNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "1s", "--pong-timeout", "1s", "--resume-window", "1h")
	old := s.attach("c")
	s.publishN("c", 10, 10, 0)
	old.upTo(10)
	n := s.attach("c", "since", old.hello.Epoch+":4", "attach", "takeover")
	// The old one acks everything, sends, and says goodbye, all after it has been replaced.
	for {
		ev, err := old.read()
		require.NoError(t, err)
		if ev.op == ws.OpClose {
			require.EqualValues(t, protocol.CloseReplaced, ev.code)
			break
		}
	}
	_ = old.text(`{"type":"ack","seq":10}`)
	_ = old.text(`{"type":"send","id":"late","to":"other","frame":{"type":"late"}}`)
	_ = old.raw(ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))))
	_, err := old.read()
	require.True(t, isEnd(err), "%v", err)
	_ = old.conn.Close()
	n.upTo(10)
	st := s.state("c")
	require.Equal(t, 1, st.Connections)
	require.LessOrEqual(t, st.Floor, uint64(4), "the late ack pruned nothing above the newcomer's mark")
	require.EqualValues(t, 4, st.Attachments[0].Acked)
	require.Equal(t, 404, s.do("GET", "/v1/clients/other", nil).status, "the late send stored nothing")
	// Its silence timer, two to four seconds later, does not end the newcomer, who answers its pings.
	deadline := time.Now().Add(5 * time.Second)
	for pings := 0; time.Now().Before(deadline) || pings < 2; {
		ev, err := n.read()
		require.NoError(t, err)
		require.NotEqual(t, ws.OpClose, ev.op, "%d %s", ev.code, ev.reason)
		if ev.msg != nil && ev.msg.Type == "ping" {
			pings++
			n.send(`{"type":"pong"}`)
		}
	}
	require.EqualValues(t, 4, s.state("c").Attachments[0].Acked)
	n.liveOnce("c")
}

func TestP15_ManyTakeoversAtOnceLeaveOne(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publishN("c", 5, 5, 0)
	type got struct {
		c   *socket
		err error
	}
	results := make(chan got, 20)
	for range 20 {
		go func() {
			c, err := s.upgrade(dialing{query: query("c", "attach", "takeover")})
			results <- got{c, err}
		}()
	}
	var all []*socket
	for range 20 {
		r := <-results
		require.NoError(t, r.err)
		t.Cleanup(func() { _ = r.c.conn.Close() })
		all = append(all, r.c)
	}
	s.eventually("c", "down to one connection", func(st protocol.State) bool { return st.Connections == 1 })
	survivor := s.state("c").Attachments[0].ConnectionID
	alive := 0
	for _, c := range all {
		ev, err := c.read()
		require.NoError(t, err)
		require.Equal(t, "hello", ev.msg.Type, string(ev.data))
		if ev.msg.ConnectionID == survivor {
			alive++
			c.liveOnce("c")
			continue
		}
		c.closed(protocol.CloseReplaced)
	}
	require.Equal(t, 1, alive, fmt.Sprint("survivor ", survivor))
}
