package dialects

import (
	"slices"
	"testing"
)

func TestSocketIOResumesByItsOffset(t *testing.T) {
	d := SocketIO{}
	r := rehearse(d, "news")
	if err := r.plays(t, d, `0{"sid":"a"}`); err != nil {
		t.Fatal(err)
	}
	r.says(t, `40{"client_id":"id 1","serverOffset":0,"topic":"news"}`)
	if err := r.plays(t, d, `40{"sid":"b"}`, `2`, `6`); err != nil || r.ready != 0 {
		t.Fatalf("ready %d times before it follows: %v", r.ready, err)
	}
	r.says(t, `3`)
	if err := r.plays(t, d, `42["following",7]`, `42["frame",{"k":"1"},1]`, `42["topic",{"k":"8"},8]`); err != nil || r.ready != 1 || len(r.frames) != 2 {
		t.Fatalf("ready %d times with %q: %v", r.ready, r.frames, err)
	}
	d.Leaving(r.Session)
	r.says(t, `41`)
	d.Opened(r.Session)
	// What the server no longer has is a hole.
	if err := r.plays(t, d, `0{"sid":"a"}`, `40{"sid":"b"}`, `42["frame",{},9]`, `42["topic",{},20]`); err != nil || r.ready != 2 || r.Seq != 9 {
		t.Fatalf("ready %d times, offset %d: %v", r.ready, r.Seq, err)
	}
	r.says(t, `40{"client_id":"id 1","serverOffset":1,"topic":"news","topicOffset":8}`)
}

func TestSocketIORecovers(t *testing.T) {
	d := SocketIO{Recovery: true}
	r := rehearse(d, "")
	if err := r.plays(t, d, `0{"sid":"a"}`, `40{"sid":"b","pid":"secret"}`); err != nil || r.ready != 0 {
		t.Fatalf("ready %d times before it is attached: %v", r.ready, err)
	}
	if err := r.plays(t, d, `42["attached","o1"]`, `42["frame",{"k":"1"},"o2"]`); err != nil || r.ready != 1 || len(r.frames) != 1 {
		t.Fatalf("ready %d times with %q: %v", r.ready, r.frames, err)
	}
	r.says(t, `40{"client_id":"id 1"}`)
	d.Leaving(r.Session)
	r.says(t)
	// What was missed comes before the answer to CONNECT.
	d.Opened(r.Session)
	if err := r.plays(t, d, `0{"sid":"a"}`, `42["frame",{},"o3"]`, `40{"sid":"b","pid":"secret"}`); err != nil || r.ready != 2 || len(r.frames) != 2 {
		t.Fatalf("ready %d times with %q: %v", r.ready, r.frames, err)
	}
	r.says(t, `40{"client_id":"id 1","pid":"secret","offset":"o2"}`)
	// A session that is too old is not recovered: there is another one.
	d.Opened(r.Session)
	if err := r.plays(t, d, `0{"sid":"a"}`, `40{"sid":"c","pid":"other"}`); err != nil || r.ready != 2 {
		t.Fatalf("ready %d times before it is attached: %v", r.ready, err)
	}
	r.says(t, `40{"client_id":"id 1","pid":"secret","offset":"o3"}`)
	if err := r.plays(t, d, `42["attached","o4"]`); err != nil || r.ready != 3 || r.Epoch != "other" {
		t.Fatalf("ready %d times in %q: %v", r.ready, r.Epoch, err)
	}
}

func TestSocketIORefusesWhatIsOutOfPlace(t *testing.T) {
	open := []string{`0{"sid":"a"}`, `40{"sid":"b","pid":"p"}`}
	for _, messages := range [][]string{
		{``}, {`1`}, {`4`}, {`5`}, {`40`}, {`40{}`}, {`41`}, {`44{"message":"no"}`}, {`45-["binary"]`}, {`42["frame",{},1]`},
		append(slices.Clone(open), `42["refused","no"]`),
		append(slices.Clone(open), `42["frame",{},"x"`),
		append(slices.Clone(open), `42["frame",{}]`),
		append(slices.Clone(open), `42["frame",{},0]`),
		append(slices.Clone(open), `42`),
	} {
		for _, d := range []SocketIO{{}, {Recovery: true}} {
			if err := rehearse(d, "").plays(t, d, messages...); err == nil {
				t.Errorf("%+v %q: no error", d, messages)
			}
		}
	}
}
