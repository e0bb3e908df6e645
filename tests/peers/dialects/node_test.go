package dialects

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/restante/restante/bench"
)

// rehearsal is a session without an engine, and what its dialect has found.
type rehearsal struct {
	*bench.Session
	ready  int
	frames []string
}

func rehearse(d bench.Dialect, topic string) *rehearsal {
	r := new(rehearsal)
	r.Session = bench.NewSession("id 1", topic, func() { r.ready++ }, func(data []byte) { r.frames = append(r.frames, string(data)) })
	d.Opened(r.Session)
	return r
}

// plays hands messages over, and returns the error of the last one: none before it may have one.
func (r *rehearsal) plays(t *testing.T, d bench.Dialect, messages ...string) error {
	t.Helper()
	for i, m := range messages {
		if err := d.Message(r.Session, false, []byte(m)); err != nil {
			if i < len(messages)-1 {
				t.Fatalf("%s: %v", m, err)
			}
			return err
		}
	}
	return nil
}

// sent is what the dialect has said since it was asked last, of short messages only.
func (r *rehearsal) sent() (all []string) {
	for out := r.Out; len(out) > 0; {
		n, at := int(out[1]&0x7f), 2
		if n == 126 {
			n, at = int(out[2])<<8|int(out[3]), 4
		}
		text := make([]byte, n)
		for i := range text {
			text[i] = out[at+4+i] ^ out[at+i%4]
		}
		all, out = append(all, string(text)), out[at+4+n:]
	}
	r.Out = nil
	return all
}

func (r *rehearsal) says(t *testing.T, want ...string) {
	t.Helper()
	if got := r.sent(); !slices.Equal(got, want) {
		t.Errorf("it says %q, not %q", got, want)
	}
}

func TestPublishIsOneCall(t *testing.T) {
	for _, d := range []bench.Dialect{WS{}, SocketIO{}, SocketIO{Recovery: true}} {
		for _, frames := range [][]string{{`{"a":1}`}, {`{"a":1}`, `{"b":2}`}} {
			var all [][]byte
			for _, f := range frames {
				all = append(all, []byte(f))
			}
			target, contentType, body, ok := d.Publish("id 1", all)
			want := []string{"/publish?client_id=id+1", "application/json", `{"a":1}`}
			if len(frames) == 2 {
				want[1], want[2] = "application/x-ndjson", "{\"a\":1}\n{\"b\":2}"
			}
			if got := []string{target, contentType, string(body)}; !ok || !slices.Equal(got, want) {
				t.Errorf("%s: %q, not %q", d.Name(), got, want)
			}
		}
	}
}

// No message makes a dialect panic, and none takes its cursor back but a hello.
func FuzzNodeDialects(f *testing.F) {
	for _, m := range []string{
		`{"head":1,"lost":0}`, `{"head":3,"lost":1,"topic_head":2,"topic_lost":0}`, `{"seq":1,"data":{}}`, `{"topic":"news","topic_seq":1,"data":{}}`,
		`0{"sid":"a"}`, `40{"sid":"b","pid":"p"}`, `42["frame",{},1]`, `42["topic",{},1]`, `42["following",7]`, `42["attached","o"]`, `42["frame",{},"o"]`, `2`, `41`,
		fmt.Sprintf(`{"seq":%d0}`, uint64(math.MaxUint64)), `42["`, `42"]`,
	} {
		f.Add([]byte(m), []byte(`{"seq":2,"data":{}}`), true)
		f.Add([]byte(`40{"sid":"b","pid":"p"}`), []byte(m), false)
	}
	f.Fuzz(func(t *testing.T, first, second []byte, follows bool) {
		for _, d := range []bench.Dialect{WS{}, SocketIO{}, SocketIO{Recovery: true}} {
			topic := ""
			if follows {
				topic = "news"
			}
			r := rehearse(d, topic)
			_ = d.Message(r.Session, false, first) // an error is as good as none
			had := r.Seq
			ready := r.ready
			_ = d.Message(r.Session, false, second)
			if _, ws := d.(WS); r.Seq < had && !ws {
				t.Errorf("%s: %d after %d", d.Name(), r.Seq, had)
			}
			if r.ready > ready+1 {
				t.Errorf("%s: ready %d times by one message", d.Name(), r.ready-ready)
			}
			_ = d.Target(r.Session)
			d.Leaving(r.Session)
		}
	})
}
