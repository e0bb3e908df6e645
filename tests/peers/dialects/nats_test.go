package dialects

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// natsRehearsal has been answered INFO, and knows its inbox.
func natsRehearsal(t *testing.T, topic string) (r *rehearsal, inbox string) {
	t.Helper()
	r = rehearse(NATS{}, topic)
	r.ID = "a-1"
	r.hears(t, "INFO {\"max_payload\":1048576}\r\n")
	said := strings.Join(r.sent(), "")
	inbox = regexp.MustCompile(`_INBOX\.\w+`).FindString(said)
	if inbox == "" || !strings.Contains(said, `"deliver_policy":"all"`) || !strings.HasPrefix(said, "CONNECT {") {
		t.Fatalf("it says %q", said)
	}
	if strings.Contains(said, "SUB t."+topic+" 1\r\n") != (topic != "") {
		t.Fatalf("it says %q of the topic %q", said, topic)
	}
	return r, inbox
}

// hears plays what is one message each.
func (r *rehearsal) hears(t *testing.T, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := (NATS{}).Message(r.Session, true, []byte(m)); err != nil {
			t.Fatalf("%q: %v", m, err)
		}
	}
}

// natsFrame is a message of a consumer.
func natsFrame(inbox string, sid, stream, consumer int, data string) string {
	return fmt.Sprintf("MSG %s.%d %d $JS.ACK.FRAMES.x.1.%d.%d.1700000000.0 %d\r\n%s\r\n", inbox, sid, sid, stream, consumer, len(data), data)
}

func natsCreated(inbox string, sid int) string {
	return fmt.Sprintf("MSG %s.%d %d 12\r\n{\"name\":\"x\"}\r\n", inbox, sid+1, sid+1)
}

func TestNATSResumesByTheStreamsSequence(t *testing.T) {
	r, inbox := natsRehearsal(t, "news")
	all := "PONG\r\n" + natsCreated(inbox, 2) + natsFrame(inbox, 2, 4, 1, "one") + "MSG t.news 1 4\r\nnews\r\n" + "PING\r\n" + natsFrame(inbox, 2, 9, 2, "t\r\nwo")
	for part := range slices.Chunk([]byte(all), 7) { // operations are where they are, whatever the messages
		r.hears(t, string(part))
	}
	if want := []string{"one", "news", "t\r\nwo"}; r.ready != 1 || !slices.Equal(r.frames, want) {
		t.Fatalf("ready %d times with %q", r.ready, r.frames)
	}
	r.says(t, "PONG\r\n")
	NATS{}.Leaving(r.Session)
	if said := strings.Join(r.sent(), ""); !strings.Contains(said, "PUB $JS.API.CONSUMER.DELETE.FRAMES.") {
		t.Errorf("it leaves with %q", said)
	}
	NATS{}.Opened(r.Session)
	r.hears(t, "INFO {}\r\n", "INFO {}\r\n")
	if said := r.sent(); len(said) != 3 || !strings.Contains(said[2], `"opt_start_seq":10`) {
		t.Errorf("it comes back with %q", said)
	}
}

func TestNATSMakesAConsumerAnewAfterAHole(t *testing.T) {
	for _, hole := range []func(inbox string) string{
		func(inbox string) string { return natsFrame(inbox, 2, 9, 3, "three") },
		func(inbox string) string {
			h := "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 2\r\nNats-Last-Stream: 9\r\n\r\n"
			return fmt.Sprintf("HMSG %s.2 2 %d %d\r\n%s\r\n", inbox, len(h), len(h), h)
		},
	} {
		r, inbox := natsRehearsal(t, "")
		r.hears(t, natsCreated(inbox, 2)+natsFrame(inbox, 2, 4, 1, "one"), hole(inbox))
		if said := strings.Join(r.sent(), ""); !strings.Contains(said, `"opt_start_seq":5`) || !strings.HasPrefix(said, "UNSUB 2\r\nUNSUB 3\r\n") {
			t.Errorf("after a hole it says %q", said)
		}
		r.hears(t, natsFrame(inbox, 2, 10, 4, "old"), natsCreated(inbox, 4), natsFrame(inbox, 4, 7, 1, "two"))
		if want := []string{"one", "two"}; r.ready != 1 || !slices.Equal(r.frames, want) {
			t.Errorf("ready %d times with %q", r.ready, r.frames)
		}
	}
}

func TestNATSAnswersItsConsumer(t *testing.T) {
	r, inbox := natsRehearsal(t, "")
	flow := "NATS/1.0 100 FlowControl Request\r\n\r\n"
	stalled := "NATS/1.0 100 Idle Heartbeat\r\nNats-Consumer-Stalled: $JS.FC.b\r\n\r\n"
	r.hears(t, fmt.Sprintf("HMSG %s.2 2 $JS.FC.a %d %d\r\n%s\r\n", inbox, len(flow), len(flow), flow),
		fmt.Sprintf("HMSG %s.2 2 %d %d\r\n%s\r\n", inbox, len(stalled), len(stalled), stalled))
	r.says(t, "PUB $JS.FC.a 0\r\n\r\n", "PUB $JS.FC.b 0\r\n\r\n")
}

func TestNATSRefusesWhatIsOutOfPlace(t *testing.T) {
	for _, m := range []string{
		"-ERR 'Authorization Violation'\r\n", "\r\n", "MSG\r\n", "MSG a 2 x y z 1\r\n", "MSG a 2 1048577\r\n", "HMSG a 2 5 4\r\n",
		"MSG a 2 1\r\nx\r\n", "MSG a 2 $JS.ACK.F.x.1.4.y.1.0 1\r\nx\r\n", "MSG a 2 $JS.ACK.F.x.1.0.1.1.0 1\r\nx\r\n",
		"MSG a 3 1\r\nx\r\n", "MSG a 3 38\r\n{\"error\":{\"description\":\"no stream...\"}}\r\n", "HMSG a 2 16 16\r\nNATS/1.0 409 x\r\n\r\n\r\n",
		strings.Repeat("x", natsMost+1),
	} {
		r, _ := natsRehearsal(t, "")
		if err := (NATS{}).Message(r.Session, true, []byte(m)); err == nil {
			t.Errorf("%.40q: no error", m)
		}
	}
	r := rehearse(NATS{}, "")
	if err := (NATS{}).Message(r.Session, false, []byte("PING\r\n")); err == nil {
		t.Error("a text message: no error")
	}
}
