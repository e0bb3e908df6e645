package tests

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// lost is how many places are held for connections that are gone: a client's places are those and its connections'.
func lost(st protocol.State) int { return st.Places - st.Connections }

func TestP11_TwoSocketsWithDifferentAcksOneGoneForEightSeconds(t *testing.T) {
	t.Parallel()
	s := serve(t)
	a, b := s.attach("c"), s.attach("c")
	s.publishN("c", 20, 20, 100)
	a.upTo(20)
	b.upTo(20)
	a.ack(15)
	b.ack(5)
	require.EqualValues(t, 5, s.state("c").Floor, "the least of the two")
	b.ack(8)
	require.EqualValues(t, 8, s.state("c").Floor)
	b.cut()
	s.eventually("c", "with one connection", func(st protocol.State) bool { return st.Connections == 1 && lost(st) == 1 })
	// Eight seconds of a train in a tunnel, with frames and acks all the while.
	tick := time.NewTicker(400 * time.Millisecond)
	defer tick.Stop()
	for n := range 20 {
		<-tick.C
		p := s.publish("c", numbered(21+n, 100))
		a.upTo(p.Seq)
		a.ack(p.Seq)
		require.EqualValues(t, 8, s.state("c").Floor, "the lost one's place holds its frames")
	}
	back := s.attach("c", "since", b.hello.Epoch+":8")
	require.Equal(t, protocol.ResumeReplay, back.hello.Resume)
	frames, end := back.until("replay_end")
	require.EqualValues(t, 40, end.At)
	require.Len(t, frames, 32)
	require.Equal(t, 9, frames[0].N)
	back.liveOnce("c")
	a.upTo(back.last)
}

func TestP11_APlaceEndsWithTheResumeWindow(t *testing.T) {
	t.Parallel()
	s := serve(t, "--resume-window", "1s")
	a, b := s.attach("c"), s.attach("c")
	s.publishN("c", 10, 10, 0)
	a.upTo(10)
	b.upTo(10)
	b.ack(3)
	a.ack(10)
	b.cut()
	s.eventually("c", "rid of the place and its frames", func(st protocol.State) bool { return lost(st) == 0 && st.Floor == 10 })
	back := s.attach("c", "since", a.hello.Epoch+":3")
	require.Equal(t, protocol.ReasonPruned, back.hello.Reason)
	back.liveOnce("c")
	a.upTo(back.last)
}

func TestP11_WhoKeepsItsPlace(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, c := range []struct {
		name   string
		end    func(*socket)
		places int
	}{
		{"left-1000", func(c *socket) { c.leave(1000) }, 0},
		{"left-1001", func(c *socket) { c.leave(1001) }, 0},
		{"left-3001", func(c *socket) { c.leave(3001) }, 1},
		{"reset", func(c *socket) { c.cut() }, 1},
		{"fin", func(c *socket) { _ = c.conn.Close() }, 1},
		{"half-closed", func(c *socket) { _ = c.conn.CloseWrite() }, 1},
		{"fin-in-mid-frame", func(c *socket) { _ = c.raw([]byte{0x81, 0xfe, 0x01}); _ = c.conn.Close() }, 1},
		{"protocol-error", func(c *socket) { _ = c.raw([]byte{0xff, 0x80, 0, 0, 0, 0}) }, 1},
		{"takeover", func(c *socket) { c.e.attach("takeover", "attach", "takeover").leave(1000) }, 0},
	} {
		k := s.attach(c.name)
		s.publishN(c.name, 5, 5, 0)
		k.upTo(5)
		k.ack(2)
		c.end(k)
		s.eventually(c.name, fmt.Sprintf("left with %d places", c.places), func(st protocol.State) bool { return st.Connections == 0 && st.Places == c.places })
		// Another reader's ack prunes what no place holds.
		other := s.attach(c.name)
		other.upTo(5)
		other.ack(5)
		require.EqualValues(t, 5-3*c.places, s.state(c.name).Floor, c.name)
	}
}

func TestP11_AtMostSixteenPlaces(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.publishN("c", 10, 10, 0)
	for n := range 17 {
		c := s.attach("c")
		c.upTo(10)
		if n > 0 {
			c.ack(10)
		}
		c.cut()
		st := s.eventually("c", "rid of the connection", func(st protocol.State) bool { return st.Connections == 0 })
		require.Equal(t, min(n+1, 16), st.Places)
		if n < 16 {
			require.Zero(t, st.Floor, "the first place holds at 0")
		}
	}
	require.NotZero(t, s.metric("dropped_total", `reason="place_bound"`))
	last := s.attach("c", "since", s.state("c").Epoch+":10")
	last.ack(10)
	require.EqualValues(t, 10, s.state("c").Floor)
	last.liveOnce("c")
}

func TestP11_AckMarks(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("c")
	s.publishN("c", 10, 10, 0)
	c.upTo(10)
	c.ack(6)
	require.EqualValues(t, 6, s.state("c").Floor)
	c.ack(3) // below the mark: nothing
	c.ack(6)
	require.EqualValues(t, 6, s.state("c").Floor)
	require.EqualValues(t, 6, s.state("c").Attachments[0].Acked)
	c.send(`{"type":"ack","seq":11}`)
	require.Equal(t, protocol.CodeAckAhead, c.nextOf("error").Code)
	c.send(`{"type":"ack","seq":9007199254740991}`)
	require.Equal(t, protocol.CodeAckAhead, c.nextOf("error").Code)
	require.EqualValues(t, 6, s.state("c").Floor)
	// The marks begin at since for a replay: what it held it need not ack, and its ack below is nothing.
	d := s.attach("c", "since", c.hello.Epoch+":8")
	st := s.state("c")
	require.EqualValues(t, 8, st.Attachments[1].Acked)
	d.upTo(10)
	d.ack(7)
	c.ack(10)
	require.EqualValues(t, 8, s.state("c").Floor)
	// The newcomer's equal ack only takes the least anew.
	d.ack(8)
	require.EqualValues(t, 8, s.state("c").Floor)
	d.ack(10)
	require.EqualValues(t, 10, s.state("c").Floor)
	c.liveOnce("c")
	d.upTo(c.last)
}

func TestP11_AnAckOfWhatIsStoredButWasNotSentHereIsAhead(t *testing.T) {
	t.Parallel()
	s := serve(t, "--write-timeout", "60s")
	slow, quick := s.stuck("a"), s.attach("a")
	s.publishN("a", 200, 10, 16<<10)
	quick.upTo(200)
	quick.ack(200)
	slow.send(`{"type":"ack","seq":200}`)
	slow.send(`{"type":"send","id":"1","to":"witness","frame":{"type":"x"}}`)
	s.eventually("witness", "told", func(st protocol.State) bool { return st.Head == 1 })
	require.Zero(t, s.state("a").Floor)
	refused := false
	for slow.last < 200 {
		if m := slow.next(); m.Seq == 0 && m.Type == "error" {
			require.Equal(t, protocol.CodeAckAhead, m.Code)
			require.Less(t, slow.last, uint64(200))
			refused = true
		}
	}
	require.True(t, refused)
	slow.liveOnce("a")
}

func TestP11_AckWithoutASocket(t *testing.T) {
	t.Parallel()
	s := serve(t)
	post := func(id, body string) reply { return s.do("POST", "/v1/clients/"+id+"/ack", []byte(body)) }
	ep := s.publishN("c", 10, 10, 0).Epoch
	require.Equal(t, protocol.CodeNotFound, post("nobody", `{"cursor":"x:1"}`).problem(t).Code)
	require.Equal(t, 404, s.do("GET", "/v1/clients/nobody", nil).status, "an ack creates nothing")
	require.Equal(t, protocol.CodeEpochMismatch, post("c", `{"cursor":"other:1"}`).problem(t).Code)
	require.Equal(t, protocol.CodeAckAhead, post("c", `{"cursor":"`+ep+`:11"}`).problem(t).Code)
	require.Equal(t, protocol.CodeBadCursor, post("c", `{"cursor":"`+ep+`:-1"}`).problem(t).Code)
	require.Equal(t, 400, post("c", `{}`).status)
	require.Equal(t, 400, post("c", `[]`).status)
	require.Zero(t, s.state("c").Floor)
	require.Equal(t, 200, post("c", `{"cursor":"`+ep+`:4"}`).status)
	require.EqualValues(t, 4, s.state("c").Floor)
	c := s.attach("c", "since", ep+":6")
	c.upTo(10)
	require.Equal(t, 200, post("c", `{"cursor":"`+ep+`:10"}`).status)
	require.EqualValues(t, 6, s.state("c").Floor, "the place held is at 6")
	require.Equal(t, 200, post("c", `{"cursor":"`+ep+`:9","connection_id":"`+c.hello.ConnectionID+`"}`).status)
	require.EqualValues(t, 9, s.state("c").Floor)
	require.Equal(t, protocol.CodeNotFound, post("c", `{"cursor":"`+ep+`:10","connection_id":"none"}`).problem(t).Code)
	c.liveOnce("c")
}

func TestP14_RetainAcked(t *testing.T) {
	t.Parallel()
	s := serve(t, "--retain-acked", "5")
	c := s.attach("c")
	s.publishN("c", 20, 20, 0)
	c.upTo(20)
	c.ack(3)
	require.Zero(t, s.state("c").Floor)
	c.ack(12)
	require.EqualValues(t, 7, s.state("c").Floor)
	c.ack(20)
	require.EqualValues(t, 15, s.state("c").Floor)
	fresh := s.attach("c")
	frames, _ := fresh.until("replay_end")
	require.Len(t, frames, 5)
	require.Equal(t, 16, frames[0].N)
	fresh.liveOnce("c")
	c.upTo(fresh.last)
}
