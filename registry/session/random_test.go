package session_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/session"
)

func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.steps": "250", "rapid.shrinktime": "10s", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestP26_P3_P11_RandomOperations tells two clients, which share one Effects, whatever may happen to a client, and holds them to the model.
func TestP26_P3_P11_RandomOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fx, gens, serial, past := &session.Effects{}, uint64(0), 0, map[string]bool{}
		var worlds []*world
		for range 2 {
			worlds = append(worlds, newWorld(t, fx, &gens, &serial, past))
		}
		actions := map[string]func(*rapid.T){}
		for _, d := range doings {
			for i := range d.often {
				actions[strings.Repeat(" ", i)+d.name] = func(t *rapid.T) {
					w := worlds[rapid.IntRange(0, 1).Draw(t, "client")]
					w.t = t
					d.do(w)
				}
			}
		}
		t.Repeat(actions)
		for _, w := range worlds {
			w.t = t
			w.finish()
		}
	})
}

func newWorld(t *rapid.T, fx *session.Effects, gens *uint64, serial *int, past map[string]bool) *world {
	one := func(name string, of ...int) int { return rapid.SampledFrom(of).Draw(t, name) }
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	epochs := uint64(len(past))*1e6 + *gens + uint64(*serial)
	*serial += 1000
	w := &world{
		t: t, fx: fx, gens: gens, serial: serial, past: past, byGen: map[uint64]*conn{}, calls: map[*caller]bool{}, now: time.Second,
		cfg: &session.Config{
			Bounds:      outbox.Bounds{Frames: one("frames", 0, 0, 3, 30), Bytes: int64(one("bytes", 0, 0, 1500, 100_000)), Age: seconds(one("age", 0, 20, 600))},
			RetainAcked: uint64(one("retain", 0, 0, 3)), ResumeWindow: seconds(one("window", 0, 60)), MaxConnections: one("connections", 0, 2, 4),
			RecordTTL: seconds(one("record ttl", 0, 60)), MaxRecords: one("records", 0, 2), ClientTTL: time.Hour,
			Snapshots: one("snapshots", 0, 1) == 1, SnapshotTimeout: 5 * time.Second,
			AckInterval: 5 * time.Second, MaxFrameBytes: 64 << 10, MaxMessageBytes: 1 << 20,
			NewEpoch: func() uint64 { epochs++; return epochs }, Generation: 1,
		},
	}
	keeping(t, w.cfg)
	w.s, w.active = session.New(w.cfg, w.now), w.now
	w.learnEpoch()
	return w
}

func (w *world) chance(of string) bool { return rapid.Bool().Draw(w.t, of) }

func (w *world) draw(name string, low, high int) int {
	return rapid.IntRange(low, high).Draw(w.t, name)
}

// pick returns one of xs; false if there is none.
func pick[T any](w *world, name string, xs []T) (x T, ok bool) {
	if len(xs) == 0 {
		return x, false
	}
	return xs[w.draw(name, 0, len(xs)-1)], true
}

func (w *world) caller(kind string) *caller {
	*w.serial++
	p := &caller{kind: kind, n: *w.serial}
	w.calls[p] = true
	return p
}

var padding = strings.Repeat("x", 40_000)

// doings is whatever may happen to a client, and how often.
var doings = []struct {
	name  string
	often int
	do    func(*world)
}{
	{"publish", 4, (*world).publish},
	{"pump", 3, (*world).pump},
	{"publish again", 1, (*world).publishAgain},
	{"the store confirms", 4, (*world).storeConfirms},
	{"the store fails", 1, (*world).storeFails},
	{"attach", 2, (*world).attach},
	{"written", 5, (*world).written},
	{"gone", 1, (*world).leave},
	{"ack", 3, (*world).ack},
	{"ack over HTTP", 1, (*world).ackBy},
	{"read", 2, (*world).read},
	{"give up", 1, (*world).giveUpOne},
	{"ping", 1, (*world).ping},
	{"messages", 1, (*world).messages},
	{"provider", 2, (*world).provider},
	{"time", 2, (*world).time},
	{"judge", 1, (*world).judge},
	{"put a snapshot", 1, (*world).putSnapshot},
	{"drop the snapshot", 1, (*world).dropSnapshot},
	{"bodies", 3, (*world).bodies},
	{"squeeze", 1, (*world).squeeze},
	{"crash", 1, (*world).crash},
	{"end", 1, (*world).end},
}

func (w *world) body() protocol.Body {
	*w.serial++
	pad := padding[:rapid.SampledFrom([]int{0, 10, 60, 60, len(padding)}).Draw(w.t, "pad")]
	return protocol.Body(fmt.Sprintf(`{"type":"f","n":%d,"pad":%q}`, *w.serial, pad))
}

func (w *world) publish() {
	p := w.caller("publish")
	for range max(1, w.draw("frames", -4, 3)) {
		p.bodies = append(p.bodies, w.body())
	}
	p.key = rapid.SampledFrom([]string{"", "", "", "k1", "k2", "k3"}).Draw(w.t, "key")
	w.tell(p)
}

// pump has what was deferred written: nothing may be left after it.
func (w *world) pump() {
	w.turn(func() { w.s.Pump(w.now, w.fx) }, func() { w.deferred = false }, nil)
}

// publishAgain repeats what was published under a key, or what failed.
func (w *world) publishAgain() {
	r, ok := pick(w, "record", w.records)
	if !ok {
		return
	}
	p := w.caller("publish")
	p.key = r.key
	if r.write != nil {
		for _, f := range r.write.frames {
			p.bodies = append(p.bodies, protocol.Body(f.body))
		}
	} else {
		for _, f := range w.frames[r.first-1 : r.last] {
			p.bodies = append(p.bodies, protocol.Body(f.body))
		}
	}
	w.tell(p)
}

func (w *world) tell(p *caller) {
	p.level = session.Level(w.draw("level", 0, 2))
	in := session.Publish{To: p, Bodies: p.bodies, Level: p.level}
	if p.key != "" {
		k := session.IdempotencyKey("me", p.key)
		in.Record, in.Sum = &k, session.SumOf(p.bodies)
	}
	w.turn(func() { w.s.Publish(w.now, in, w.fx) }, func() { w.accept(p) }, nil)
}

func (w *world) since() *protocol.Cursor {
	c := &protocol.Cursor{Epoch: w.epoch, Seq: uint64(w.draw("since", max(0, int(w.floor)-1), int(w.head())+1))}
	switch w.draw("cursor", 0, 5) {
	case 0:
		return nil
	case 1:
		c.Epoch = ""
	case 2:
		c.Epoch = "another"
	}
	return c
}

func (w *world) attach() {
	*w.gens++
	c := &conn{gen: *w.gens, seen: w.now}
	c.in = session.Attach{
		Gen: c.gen, ClientID: "c", ConnectionID: fmt.Sprint(c.gen), Transport: "ws", Since: w.since(),
		Takeover: w.draw("takeover", 0, 6) == 0, PingMS: 25_000, PongMS: 35_000,
	}
	w.turn(func() { w.s.Attach(w.now, c.in, w.fx) }, func() { w.attached(c) }, nil)
}

// writing are the connections with a batch under way.
func (w *world) writing() []*conn {
	return slices.DeleteFunc(slices.Clone(w.conns), func(c *conn) bool { return c.batch == nil })
}

func (w *world) written() {
	if c, ok := pick(w, "batch", w.writing()); ok {
		w.writtenOf(c)
	}
}

func (w *world) writtenOf(c *conn) {
	if string(flat(c.batch)) != string(c.copied) {
		w.fail("the batch under way to connection %d has changed", c.gen)
	}
	had := c.pings
	w.turn(func() { w.s.Written(w.now, c.gen, w.fx) }, func() {
		c.batch = nil
		if c.pings -= had; had > 0 {
			c.pinging = false
		}
		c.acked, c.lift = max(c.acked, c.lift), 0
		w.handed = max(w.handed, c.handed)
	}, nil)
}

var errStoreFailed = errors.New("the disk is full")

func (w *world) storeConfirms() {
	for range w.draw("commits", 1, 4) {
		if len(w.writes) == 0 {
			return
		}
		w.word()
	}
}

// word is the store's word on the oldest commit.
func (w *world) word() {
	x := w.writes[0]
	if x.failing {
		w.turn(func() { w.s.Confirmed(w.now, x.token, errStoreFailed, x.unknown, w.fx) }, func() {
			w.failed(x, x.unknown)
			w.writes = w.writes[1:]
			for _, y := range w.writes {
				y.failing = y.failing || y.lost && !y.void // the store's promise
			}
		}, nil)
		return
	}
	w.turn(func() { w.s.Confirmed(w.now, x.token, nil, false, w.fx) }, func() {
		w.writes = w.writes[1:]
		if x.lost { // given up with its epoch: what the store says of it matters no more
			w.disk.is = x.is
			return
		}
		if x.deletes {
			return
		}
		w.confirmed(x)
		w.applied(x)
		if w.ending != nil {
			w.deleteIfIdle()
		}
	}, func() {
		if !x.lost && len(x.frames) > 0 {
			w.prune()
			w.spill(w.cfg.SpillAbove)
		}
	})
}

// storeFails: the oldest commit fails, and all that are under way behind it, each with its own word when its time comes (the store's promise).
func (w *world) storeFails() {
	if len(w.writes) == 0 || w.writes[0].failing || w.cfg.Kept { // a store that keeps clients is at its end then
		return
	}
	for _, x := range w.writes {
		x.failing, x.unknown = true, w.draw("unknown", 0, 3) == 0
	}
	w.word()
}
