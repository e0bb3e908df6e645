package servers

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/tests/peers/dialects"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "servers-")
	if err != nil {
		panic(err)
	}
	built.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func TestFramesArriveInOrder(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		var all []*visitor
		for i := range 3 {
			v := s.visitor(fmt.Sprintf("o-%06d", i), "")
			v.connect()
			all = append(all, v)
		}
		s.start("unicast", "o-", 3)
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
		s.start("fanout", "f-", 20)
		s.credit(100)
		for _, v := range all {
			v.has(1, 100)
		}
		// What follows on the stranger's connection is his own: nothing of the topic came before it.
		s.fill("stranger-", 1, 3)
		stranger.has(1, 3)
		// Own frames and those of a topic come on one connection.
		s.fill("f-", 20, 1)
		for _, v := range all {
			v.numbers = nil
			v.has(1, 1)
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
		v.returned(110)
		s.fill("r-", 1, 1)
		v.returned(111)
		v.leave()
		s.fill("r-", 1, 100)
		v.connect()
		v.returned(211)
		v.leave()
		v.connect()
		s.fill("r-", 1, 1)
		v.returned(212)
	})
}

// returned waits for the frames that a client has missed. MQTT promises each at least once; mochi sends them again in no order within a second, and so their
// order is not looked at.
func (v *visitor) returned(k int) {
	v.t.Helper()
	if v.s.dialect != (bench.Dialect)(dialects.Mochi{}) {
		v.has(1, k)
		return
	}
	each := func() []int {
		slices.Sort(v.numbers)
		return slices.Compact(v.numbers)
	}
	v.until(func() bool { v.numbers = each(); return len(v.numbers) >= k })
	v.has(1, k)
}

// Who was never there has what was published before, where the dialect says so.
func TestFramesFromBeforeTheFirstVisit(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.fill("n-", 1, 5)
		v := s.visitor("n-000000", "")
		v.connect()
		s.fill("n-", 1, 1)
		first := 1
		if !s.dialect.Introduced() {
			first = 6
		}
		v.has(first, 6)
	})
}

func TestPublishByHTTP(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		var one, many [][]byte
		for k := 1; k <= 51; k++ {
			many = append(many, object(k))
		}
		one, many = many[:1], many[1:]
		if _, _, _, ok := s.dialect.Publish("p-000000", one); !ok {
			t.Log("there is no publishing by HTTP")
			return
		}
		v := s.visitor("p-000000", "")
		v.connect()
		for _, frames := range [][][]byte{one, many} {
			target, contentType, body, _ := s.dialect.Publish("p-000000", frames)
			s.call("POST", target, contentType, body, nil)
		}
		v.has(1, 51)
	})
}

// object is what the stand publishes, with the number k.
func object(k int) []byte {
	head := fmt.Sprintf(`{"type":"b","k":"%010d","t":"%019d","p":"`, k, k)
	return []byte(head + strings.Repeat("x", bench.Frame-len(head)-len(`"}`)) + `"}`)
}
