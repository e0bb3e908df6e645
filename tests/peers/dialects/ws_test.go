package dialects

import "testing"

func TestWSIsReadyWithWhatItMissed(t *testing.T) {
	d := WS{}
	r := rehearse(d, "")
	if got, want := d.Target(r.Session), "/ws?client_id=id+1"; got != want {
		t.Errorf("target %s, not %s", got, want)
	}
	if err := r.plays(t, d, `{"head":2,"lost":0}`, `{"seq":1,"data":{"k":"1"}}`); err != nil || r.ready != 0 {
		t.Fatalf("ready %d times before all has come: %v", r.ready, err)
	}
	if err := r.plays(t, d, `{"seq":2,"data":{}}`, `{"seq":3,"data":{}}`); err != nil || r.ready != 1 || len(r.frames) != 3 {
		t.Fatalf("ready %d times with %q: %v", r.ready, r.frames, err)
	}
	if got, want := d.Target(r.Session), "/ws?client_id=id+1&since=3"; got != want {
		t.Errorf("target %s, not %s", got, want)
	}
	// What is lost for good is skipped; the server's next life begins anew.
	d.Opened(r.Session)
	if err := r.plays(t, d, `{"head":12,"lost":7}`, `{"seq":11,"data":{}}`, `{"seq":12,"data":{}}`); err != nil || r.ready != 2 {
		t.Fatalf("ready %d times: %v", r.ready, err)
	}
	d.Opened(r.Session)
	if err := r.plays(t, d, `{"head":1,"lost":0}`, `{"seq":1,"data":{}}`); err != nil || r.ready != 3 {
		t.Fatalf("ready %d times: %v", r.ready, err)
	}
}

func TestWSFollowsATopic(t *testing.T) {
	d := WS{}
	r := rehearse(d, "news")
	if err := r.plays(t, d, `{"head":0,"lost":0,"topic_head":5,"topic_lost":0}`, `{"topic":"news","topic_seq":6,"data":{}}`, `{"seq":1,"data":{}}`); err != nil || r.ready != 1 || len(r.frames) != 2 {
		t.Fatalf("ready %d times with %q: %v", r.ready, r.frames, err)
	}
	if got, want := d.Target(r.Session), "/ws?client_id=id+1&since=1&topic=news&topic_since=6"; got != want {
		t.Errorf("target %s, not %s", got, want)
	}
	d.Opened(r.Session)
	if err := r.plays(t, d, `{"head":1,"lost":0,"topic_head":20,"topic_lost":12}`, `{"topic":"news","topic_seq":19,"data":{}}`); err != nil || r.ready != 1 {
		t.Fatalf("ready %d times before all has come: %v", r.ready, err)
	}
	if err := r.plays(t, d, `{"topic":"news","topic_seq":20,"data":{}}`); err != nil || r.ready != 2 {
		t.Fatalf("ready %d times: %v", r.ready, err)
	}
}

func TestWSRefusesWhatIsOutOfPlace(t *testing.T) {
	for _, messages := range [][]string{
		{`{"seq":1,"data":{}}`},
		{`{"head":x}`},
		{`{"head":0,"lost":0}`, `{"seq":2,"data":{}}`},
		{`{"head":0,"lost":0}`, `{"seq":1,"data":{}}`, `{"seq":1,"data":{}}`},
		{`{"head":0,"lost":0}`, `{"seq":}`},
		{`{"head":0,"lost":0}`, `{"topic":"t"}`},
		{`{"head":0,"lost":0}`, `{"head":0,"lost":0}`},
		{`{"head":0,"lost":0}`, ``},
	} {
		if err := rehearse(WS{}, "").plays(t, WS{}, messages...); err == nil {
			t.Errorf("%q: no error", messages)
		}
	}
	if err := rehearse(WS{}, "t").plays(t, WS{}, `{"head":0,"lost":0}`); err == nil {
		t.Error("a hello without the topic that is followed: no error")
	}
}
