package dialects

import (
	"testing"

	"github.com/restante/restante/bench"
)

// No message of a server makes a dialect panic, or its cursor in the stream go back.
func FuzzGoDialects(f *testing.F) {
	f.Add([]byte(`{"id":1,"connect":{"subs":{"c:id 1":{"epoch":"a","recovered":true,"publications":[{"data":{},"offset":1}]}}}}`), []byte(`{"push":{"channel":"c:id 1","pub":{"data":{},"offset":2}}}`), true)
	f.Add([]byte(`{"push":{"channel":1,"pub":1}}`), []byte(`{"connect":{"subs":{"t:news":{"epoch":1}}}}`), true)
	f.Add([]byte("INFO {}\r\nMSG a 3 12\r\n{\"name\":\"x\"}\r\n"), []byte("MSG a 2 $JS.ACK.F.x.1.4.1.1.0 1\r\nx\r\nHMSG a 2 16 16\r\nNATS/1.0 100 x\r\n\r\n\r\n"), false)
	f.Add([]byte("INFO {}\r\nMSG a 2 99999999999999999999 1\r\nx\r\n"), []byte("MSG a 1 5\r\nne"), true)
	f.Add([]byte(mqttConnected+"\x90\x03\x00\x01\x01"+mqttOne), []byte("\x32\xff\x01\x00\x03c/1"), false)
	f.Add([]byte(mqttResumed+"\x32\xff\xff"), []byte("\xff\x01"), true)
	f.Fuzz(func(t *testing.T, first, second []byte, follows bool) {
		for _, d := range []bench.Dialect{Centrifuge{}, NATS{}, Mochi{}} {
			topic := ""
			if follows {
				topic = "news"
			}
			r := rehearse(d, topic)
			_, text := d.(Centrifuge)
			_ = d.Message(r.Session, !text, first) // an error is as good as none
			had := r.Seq
			_ = d.Message(r.Session, !text, second)
			if r.Seq < had && !text {
				t.Errorf("%s: %d after %d", d.Name(), r.Seq, had)
			}
			d.Leaving(r.Session)
			d.Opened(r.Session)
		}
	})
}
