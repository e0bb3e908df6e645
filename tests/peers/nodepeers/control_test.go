package nodepeers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the load generator asks of a stand.

func monotonic(t *testing.T) int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano()
}

func TestReadySaysWhatItIs(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		var m struct{ Name, Version string }
		s.call(200, "GET", "/bench/ready", "", nil, &m)
		if m.Name != s.dialect.Name() || !strings.Contains(m.Version, ", Node v") {
			t.Errorf("ready says %+v", m)
		}
	})
}

// Frames by credit are dated when they are published, by the clock that the load generator reads, and their numbers go on over jobs.
func TestCredits(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		v := s.visitor("c-000000", "")
		v.connect()
		began := monotonic(t)
		s.start("unicast", "c-", 2, 0)
		s.credit(4)
		v.has(1, 2)
		if n := s.stop(); n != 4 {
			t.Errorf("4 credits published %d", n)
		}
		s.start("unicast", "c-", 2, 0)
		s.fill("c-", 2, 3)
		s.credit(2)
		v.has(1, 6)
		last := began
		for _, f := range v.frames {
			if f.t < last {
				t.Fatalf("frame %d was published %d ns before what came before it", f.k, last-f.t)
			}
			last = f.t
		}
		if now := monotonic(t); last > now {
			t.Errorf("the last frame is dated %d ns from now", last-now)
		}
		s.stop()
		if n := s.stop(); n != 0 {
			t.Errorf("a stop without a publisher says %d", n)
		}

		// What was not published when it stopped never is: the next frames are those that are published otherwise.
		const many = 1_000_000_000
		s.start("unicast", "c-", 1, 0)
		s.credit(many)
		n := s.stop()
		if n >= many {
			t.Errorf("a stop at once after %d credits let %d be published", many, n)
		}
		end := 6 + n + 1
		s.publish("c-000000", object(end))
		v.until(func() bool { return v.frames[len(v.frames)-1].t == int64(end) }) // it is dated by its number
		v.has(1, int64(end))
	})
}

// At 2,500 a second there are two frames a tick and three in turn, each dated by its tick, however late the timer was.
func TestRate(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		var all []*visitor
		for i := range 2 {
			v := s.visitor(fmt.Sprintf("t-%06d", i), "")
			v.connect()
			all = append(all, v)
		}
		const enough = 500
		began := monotonic(t)
		s.start("unicast", "t-", 2, 2500)
		for _, v := range all {
			v.has(1, enough)
		}
		took := monotonic(t) - began
		n := int64(s.stop())
		for i, v := range all {
			v.has(1, (n+1-int64(i))/2)
		}
		frames := append(slices.Clone(all[0].frames), all[1].frames...)
		slices.SortStableFunc(frames, func(a, b frame) int { return cmp.Or(cmp.Compare(a.k, b.k), cmp.Compare(a.t, b.t)) })
		tick := int64(time.Millisecond)
		zero := frames[0].t - tick // the moment of the start: the first tick is a millisecond after it
		for i, f := range frames {
			due := (int64(i)*2 + 2 + 4) / 5 // the first tick by whose end i+1 frames are due: ceil((i+1) / 2.5)
			if got := f.t - zero; got != due*tick {
				t.Fatalf("frame %d of all is dated %d ns after the start, not %d ms", i+1, got, due)
			}
		}
		if least := 2 * enough * int64(time.Second) / 2500; took < least-tick {
			t.Errorf("%d frames took %d ns, less than the rate says", 2*enough, took)
		}
		// Nothing comes after the stop: the next one is that of a fill.
		s.fill("t-", 2, 1)
		all[0].has(1, (n+1)/2+1)
	})
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.call(409, "POST", "/bench/credit?n=1", "", nil, nil)
		for _, body := range []string{
			`{`, `[]`, `null`, `{}`,
			`{"work":"other","prefix":"x-","clients":1,"bytes":240,"rate":0}`,
			`{"work":"unicast","prefix":"x y","clients":1,"bytes":240,"rate":0}`,
			`{"work":"fanout","prefix":"-","clients":1,"bytes":240,"rate":0}`,
			`{"work":"unicast","prefix":"x-","clients":0,"bytes":240,"rate":0}`,
			`{"work":"unicast","prefix":"x-","clients":1000001,"bytes":240,"rate":0}`,
			`{"work":"unicast","prefix":"x-","clients":1,"bytes":10,"rate":0}`,
			`{"work":"unicast","prefix":"x-","clients":1,"bytes":240,"rate":-1}`,
			`{"work":"unicast","prefix":"x-","clients":1,"bytes":240,"rate":0,"more":1}`,
		} {
			var m struct{ Error string }
			s.call(400, "POST", "/bench/start", "", []byte(body), &m)
			if m.Error == "" {
				t.Errorf("%s is refused without a word", body)
			}
		}
		s.call(400, "POST", "/bench/fill", "", []byte(`{"prefix":"x-","clients":1,"per":0,"bytes":240}`), nil)
		s.start("unicast", "x-", 1, 1)
		s.call(409, "POST", "/bench/credit?n=1", "", nil, nil)
		s.start("unicast", "x-", 1, 0)
		s.call(400, "POST", "/bench/credit?n=0", "", nil, nil)
		s.call(400, "POST", "/bench/credit?n=x", "", nil, nil)
		s.call(404, "GET", "/bench/credit", "", nil, nil)
		s.call(400, "POST", "/publish?client_id=x-000000", "", []byte(`{"typ":"b"}`), nil)
		s.call(400, "POST", "/publish", "", []byte(`{"type":"b"}`), nil)
		if n := s.stop(); n != 0 {
			t.Errorf("%d frames were published by what was refused", n)
		}
	})
}

func TestSettleSaysHowMuchIsInUse(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		heap := func() (m struct {
			HeapBytes int64 `json:"heap_bytes"`
		}) {
			s.post("/bench/settle", "", &m)
			return m
		}
		before := heap().HeapBytes
		s.fill("m-", 1000, 100)
		if before < 1<<20 || heap().HeapBytes-before < 100_000*240 {
			t.Errorf("%d bytes before and %d after 100,000 frames are kept", before, heap().HeapBytes)
		}
	})
}

// One frame a request, and several.
func TestPublishByHTTP(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		v := s.visitor("p-000000", "")
		v.connect()
		s.publish("p-000000", object(1))
		var many [][]byte
		for k := 2; k <= 51; k++ {
			many = append(many, object(k))
		}
		s.publish("p-000000", many...)
		v.has(1, 51)
		// All or none.
		target, contentType, body, _ := s.dialect.Publish(v.session.ID, [][]byte{object(52), []byte(`{"type":1}`)})
		s.call(400, "POST", target, contentType, body, nil)
		s.publish("p-000000", object(52))
		v.has(1, 52)
	})
}

func TestItEndsWhenAsked(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		v := s.visitor("e-000000", "")
		v.connect()
		s.start("unicast", "e-", 1, 1000)
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			if err != nil {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("it goes on after SIGTERM")
		}
	})
}
