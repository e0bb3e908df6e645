package nodepeers

import (
	"fmt"
	"testing"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/tests/peers/dialects"
)

// What the servers promise: order, fan-out, and that who comes back lacks nothing.

func TestFramesArriveInOrder(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		var all []*visitor
		for i := range 3 {
			v := s.visitor(fmt.Sprintf("o-%06d", i), "")
			v.connect()
			all = append(all, v)
		}
		s.start("unicast", "o-", 3, 0)
		s.credit(1000)
		s.credit(2000)
		for _, v := range all {
			v.has(1, 1000)
		}
		if n := s.stop(); n != 3000 {
			t.Errorf("%d were published by 3000 credits", n)
		}
	})
}

func TestFanOutArrives(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		var all []*visitor
		for i := range 20 {
			v := s.visitor(fmt.Sprintf("f-%06d", i), "f")
			v.connect()
			all = append(all, v)
		}
		stranger := s.visitor("stranger-000000", "other")
		stranger.connect()
		s.start("fanout", "f-", 20, 0)
		s.credit(100)
		for _, v := range all {
			v.has(1, 100)
		}
		// What follows on the stranger's connection is his own: nothing of the topic came before it.
		s.fill("stranger-", 1, 1)
		stranger.has(1, 1)
		if stranger.frames[0].t <= all[0].frames[99].t {
			t.Error("who does not follow the topic has its frames")
		}
	})
}

func TestWhoComesBackLacksNothing(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		v := s.visitor("r-000000", "r")
		v.connect()
		s.fill("r-", 1, 10)
		v.has(1, 10)
		v.reset()
		s.fill("r-", 1, 100)
		v.connect()
		v.has(1, 110)
		s.fill("r-", 1, 1)
		v.has(1, 111)
		v.leave()
		s.fill("r-", 1, 100)
		v.connect()
		v.has(1, 211)

		// The same with what a topic has had, for one who has received nothing of it before.
		v = s.visitor("w-000000", "w")
		v.connect()
		v.reset()
		s.start("fanout", "w-", 1, 0)
		s.credit(50)
		s.fill("other-", 1, 1) // the credits have been used by then
		v.connect()
		v.has(1, 50)
	})
}

// Who was never there has what was published before, unless the server recovers sessions alone: then it is lost, and the dialect says so.
func TestFramesFromBeforeTheFirstVisit(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.fill("n-", 1, 5)
		v := s.visitor("n-000000", "")
		v.connect()
		s.fill("n-", 1, 1)
		first := int64(1)
		if !s.dialect.Introduced() {
			first = 6
		}
		v.has(first, 6)
	})
}

// kept is how many frames the application's outbox keeps.
const kept = 10_000

// Who lacks more has the newest of them, and sees by their numbers that there is a hole. Recovery keeps all for two
// minutes.
func TestTheOldestAreGoneAtTheBound(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		v := s.visitor("b-000000", "")
		v.connect()
		s.fill("b-", 1, 10)
		v.has(1, 10)
		v.reset()
		s.fill("b-", 1, kept+500)
		v.frames = nil
		v.connect()
		first := int64(10 + 500 + 1)
		if s.dialect == (bench.Dialect)(dialects.SocketIO{Recovery: true}) {
			first = 11
		}
		v.has(first, 10+kept+500)
	})
}

// A client that reads nothing makes no queue without end: its connection goes, and it resumes.
func TestWhoDoesNotReadIsLetGo(t *testing.T) {
	for _, d := range []bench.Dialect{dialects.WS{}, dialects.SocketIO{}} {
		t.Run(d.Name(), func(t *testing.T) {
			s := serve(t, d)
			v := s.visitor("s-000000", "")
			v.connect()
			const published = 100_000 // 25 MB, which is more than the kernel takes for a socket
			s.fill("s-", 1, published)
			for len(v.frames) < published && v.read() == nil {
			}
			if n := len(v.frames); n >= published {
				t.Fatalf("all %d frames waited for a client that did not read", n)
			}
			v.has(1, int64(len(v.frames)))
			v.frames = nil
			v.connect()
			v.has(published-kept+1, published)
		})
	}
}
