package dialects

import (
	"slices"
	"strings"
	"testing"
)

// hearsBytes plays one binary message.
func (r *rehearsal) hearsBytes(t *testing.T, m string) {
	t.Helper()
	if err := (Mochi{}).Message(r.Session, true, []byte(m)); err != nil {
		t.Fatalf("%q: %v", m, err)
	}
}

const (
	mqttConnected = "\x20\x02\x00\x00"
	mqttResumed   = "\x20\x02\x01\x00"
	mqttOne       = "\x32\x0a\x00\x03c/1\x01\x02one"
)

func TestMochiSubscribesOnce(t *testing.T) {
	r := rehearse(Mochi{}, "news")
	r.says(t, "\x10\x10\x00\x04MQTT\x04\x00\x00\x3c\x00\x04id 1")
	r.hearsBytes(t, mqttConnected)
	r.says(t, "\x82\x14\x00\x01\x00\x06c/id 1\x01\x00\x06t/news\x01")
	r.hearsBytes(t, "\x90\x04\x00\x01\x01\x01")
	if r.ready != 1 {
		t.Fatalf("ready %d times", r.ready)
	}
	long := strings.Repeat("x", 200)
	all := mqttOne + "\x32\xcf\x01\x00\x03t/n\x00\x07" + long + "\xd0\x00" + mqttOne
	for part := range slices.Chunk([]byte(all), 3) {
		r.hearsBytes(t, string(part))
	}
	if want := []string{"one", long, "one"}; !slices.Equal(r.frames, want) {
		t.Errorf("%q", r.frames)
	}
	r.says(t, "\x40\x02\x01\x02", "\x40\x02\x00\x07", "\x40\x02\x01\x02")
	for range mqttQuiet {
		Mochi{}.Tick(r.Session)
	}
	Mochi{}.Leaving(r.Session)
	r.says(t, "\xc0\x00", "\xe0\x00")

	Mochi{}.Opened(r.Session)
	r.hearsBytes(t, mqttResumed+mqttOne)
	if r.ready != 2 || len(r.frames) != 4 {
		t.Errorf("ready %d times with %d frames", r.ready, len(r.frames))
	}
	if said := r.sent(); len(said) != 2 {
		t.Errorf("it comes back with %q", said)
	}
}

func TestMochiRefusesWhatIsOutOfPlace(t *testing.T) {
	for _, m := range []string{
		"\x20\x02\x00\x05", "\x20\x01\x00", mqttConnected + mqttConnected, mqttResumed + mqttResumed, "\x90\x03\x00\x01\x01",
		mqttConnected + "\x90\x03\x00\x01\x80", mqttConnected + "\x90\x04\x00\x01\x01\x01", mqttConnected + "\x90\x03\x00\x01\x01\x90\x03\x00\x01\x01",
		"\x30\x08\x00\x03c/1one", "\x32\x06\x00\x03c/1\x01", "\x32\x01\x00", "\x32\xff\xff\xff\xff\x01", "\x32\xff\xff\xff\x7f", "\xe0\x00", "\x00\x00",
	} {
		r := rehearse(Mochi{}, "")
		if err := (Mochi{}).Message(r.Session, true, []byte(m)); err == nil {
			t.Errorf("%q: no error", m)
		}
	}
	if err := (Mochi{}).Message(rehearse(Mochi{}, "").Session, false, []byte("\xd0\x00")); err == nil {
		t.Error("a text message: no error")
	}
}
