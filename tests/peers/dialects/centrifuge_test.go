package dialects

import (
	"slices"
	"testing"
)

func TestCentrifugeResumesByItsOffsets(t *testing.T) {
	d := Centrifuge{}
	r := rehearse(d, "news")
	r.says(t, `{"id":1,"connect":{"data":{"client_id":"id 1","topic":"news"},"subs":{"c:id 1":{"recover":true}}}}`)
	err := r.plays(t, d, `{"id":1,"connect":{"client":"x","subs":{"t:news":{"epoch":"b","offset":7},"c:id 1":{"epoch":"a","recovered":true,"publications":[`+
		`{"data":{"k":"1"},"offset":1},{"data":{"k":"2"},"offset":2}]}},"ping":25,"pong":true}}`)
	if err != nil || r.ready != 1 || len(r.frames) != 2 {
		t.Fatalf("ready %d times with %q: %v", r.ready, r.frames, err)
	}
	err = r.plays(t, d, "{}\n"+`{"push":{"channel":"c:id 1","pub":{"data":{"k":"3\""},"offset":3}}}`+"\n"+`{"push":{"channel":"t:news","pub":{"data":{"k":"8"},"offset":8}}}`+"\n")
	if want := []string{`{"k":"1"}`, `{"k":"2"}`, `{"k":"3\""}`, `{"k":"8"}`}; err != nil || !slices.Equal(r.frames, want) {
		t.Fatalf("%q, not %q: %v", r.frames, want, err)
	}
	r.says(t, `{}`)
	d.Opened(r.Session)
	r.says(t, `{"id":1,"connect":{"data":{"client_id":"id 1","topic":"news"},"subs":{"c:id 1":{"recover":true,"epoch":"a","offset":3},"t:news":{"recover":true,"epoch":"b","offset":8}}}}`)
	// What cannot be recovered is gone.
	err = r.plays(t, d, `{"id":1,"connect":{"client":"x","subs":{"t:news":{"epoch":"b","offset":8,"recovered":true},"c:id 1":{"epoch":"z","offset":4}}}}`,
		`{"push":{"channel":"c:id 1","pub":{"data":{"k":"5"},"offset":5}}}`)
	if err != nil || r.ready != 2 || len(r.frames) != 5 || r.Epoch != "z" {
		t.Fatalf("ready %d times with %q: %v", r.ready, r.frames, err)
	}
}

func TestCentrifugeRefusesWhatIsOutOfPlace(t *testing.T) {
	connected := `{"id":1,"connect":{"client":"x","subs":{"c:id 1":{"epoch":"a"}}}}`
	for _, messages := range [][]string{
		{`{"id":1,"error":{"code":107,"message":"bad request"}}`},
		{`{"id":1,"connect":{"client":"x"}}`},
		{`{"id":1,"connect":{"subs":{"c:other":{"epoch":"a"}}}}`},
		{connected, `{"push":{"channel":"c:id 1","pub":{"data":{},"offset":2}}}`},
		{connected, `{"push":{"channel":"c:id 1","pub":{"offset":1}}}`},
		{connected, `{"push":{"channel":"c:other","pub":{"data":{},"offset":1}}}`},
		{connected, `{"push":{"pub":{"data":{},"offset":1}}}`},
		{connected, `{"push":{"disconnect":{"code":3000}}}`},
		{connected, `{"push":{"channel":"c:id 1","pub":{"data":{`},
		{connected, `[]`},
		{connected, `{"other":1}`},
	} {
		if err := rehearse(Centrifuge{}, "").plays(t, Centrifuge{}, messages...); err == nil {
			t.Errorf("%q: no error", messages)
		}
	}
}
