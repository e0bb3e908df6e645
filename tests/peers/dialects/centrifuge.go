package dialects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/restante/restante/bench"
)

// Centrifuge is the dialect of servers/centrifuge: the JSON protocol of the centrifuge library, with all subscriptions made by the server at connect. What was
// missed comes in the answer to that.
type Centrifuge struct{}

// centrifugeClient is what a client knows besides the position in its own channel, which is Epoch and Seq.
type centrifugeClient struct {
	own, topic string // its channels; no topic: ""
	followed   place  // where it is in that of the topic
	known      bool   // it has been there
}

// place is a position in a channel's stream.
type place struct {
	epoch  string
	offset uint64
}

var centrifugePing = []byte("{}")

// Name is the library's.
func (Centrifuge) Name() string { return "centrifuge" }

// Target is the same for all: who the client is comes with connect.
func (Centrifuge) Target(*bench.Session) string { return "/connection/websocket" }

// Subprotocol is none, which is JSON.
func (Centrifuge) Subprotocol() string { return "" }

// Opened sends connect. The own channel is recovered from the beginning by who has never been there.
func (Centrifuge) Opened(s *bench.Session) {
	c, ok := s.State.(*centrifugeClient)
	if !ok {
		c = &centrifugeClient{own: "c:" + s.ID}
		if s.Topic != "" {
			c.topic = "t:" + s.Topic
		}
		s.State = c
	}
	type recovery struct {
		Recover bool   `json:"recover"`
		Epoch   string `json:"epoch,omitempty"`
		Offset  uint64 `json:"offset,omitempty"`
	}
	var m struct {
		ID      int `json:"id"`
		Connect struct {
			Data struct {
				ClientID string `json:"client_id"`
				Topic    string `json:"topic,omitempty"`
			} `json:"data"`
			Subs map[string]recovery `json:"subs"`
		} `json:"connect"`
	}
	m.ID = 1
	m.Connect.Data.ClientID, m.Connect.Data.Topic = s.ID, s.Topic
	m.Connect.Subs = map[string]recovery{c.own: {true, s.Epoch, s.Seq}}
	if c.known {
		m.Connect.Subs[c.topic] = recovery{true, c.followed.epoch, c.followed.offset}
	}
	command, err := json.Marshal(m)
	if err != nil {
		panic("strings and numbers have no JSON: " + err.Error())
	}
	s.Out = bench.AppendText(s.Out, command)
}

// Message handles the replies of one message, one a line.
func (d Centrifuge) Message(s *bench.Session, binary bool, payload []byte) error {
	c, ok := s.State.(*centrifugeClient)
	if binary || !ok {
		return errors.New("a binary message, or one before the handshake")
	}
	for len(payload) > 0 {
		var reply []byte
		reply, payload, _ = bytes.Cut(payload, []byte("\n"))
		switch {
		case len(reply) == 0:
		case bytes.Equal(reply, centrifugePing):
			s.Out = bench.AppendText(s.Out, centrifugePing)
		default:
			if err := d.reply(s, c, reply); err != nil {
				return fmt.Errorf("%w: %.200s", err, reply)
			}
		}
	}
	return nil
}

func (d Centrifuge) reply(s *bench.Session, c *centrifugeClient, reply []byte) error {
	return members(reply, func(name, v []byte) error {
		switch string(name) {
		case "id":
			return nil
		case "push":
			return d.push(s, c, v)
		case "connect":
			return d.connected(s, c, v)
		case "error":
			return errors.New("the server has refused the client")
		}
		return errors.New("an unknown reply")
	})
}

// push is a frame, or what ends the connection.
func (Centrifuge) push(s *bench.Session, c *centrifugeClient, push []byte) error {
	var to *uint64
	return members(push, func(name, v []byte) error {
		switch string(name) {
		case "channel":
			switch unquoted(v) {
			case c.own:
				to = &s.Seq
			case c.topic:
				to = &c.followed.offset
			}
			return nil
		case "pub":
			if to == nil {
				return errors.New("a frame of a channel that nobody has asked for")
			}
			return c.publication(s, to, v)
		}
		return errors.New("an unknown push")
	})
}

// publication is one frame; last is the number before it in its channel.
func (*centrifugeClient) publication(s *bench.Session, last *uint64, pub []byte) error {
	var data []byte
	offset := uint64(0)
	err := members(pub, func(name, v []byte) error {
		switch string(name) {
		case "data":
			data = v
		case "offset":
			offset, _ = number(v)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case offset != *last+1 || data == nil:
		return fmt.Errorf("offset %d after %d", offset, *last)
	}
	*last = offset
	s.Frame(data)
	return nil
}

// connected is the answer to connect, with what was missed. What the server had no more shows as a hole: the client goes on behind it.
func (Centrifuge) connected(s *bench.Session, c *centrifugeClient, v []byte) error {
	found := 0
	err := members(v, func(name, v []byte) error {
		if string(name) != "subs" {
			return nil
		}
		return members(v, func(channel, sub []byte) error {
			found++
			switch string(channel) {
			case c.own:
				return c.subscribed(s, &s.Epoch, &s.Seq, sub)
			case c.topic:
				c.known = true
				return c.subscribed(s, &c.followed.epoch, &c.followed.offset, sub)
			}
			return errors.New("a channel that nobody has asked for")
		})
	})
	if err != nil {
		return err
	}
	if found == 0 || c.topic != "" && found < 2 {
		return errors.New("the server has not subscribed the client")
	}
	s.Ready()
	return nil
}

// subscribed is what the answer says of one channel.
func (c *centrifugeClient) subscribed(s *bench.Session, epoch *string, offset *uint64, sub []byte) error {
	var pubs []byte
	was, at := false, uint64(0)
	err := members(sub, func(name, v []byte) error {
		switch string(name) {
		case "epoch":
			*epoch = unquoted(v)
		case "offset":
			at, _ = number(v)
		case "recovered":
			was = string(v) == "true"
		case "publications":
			pubs = v
		}
		return nil
	})
	if err != nil || !was {
		*offset = at
		return err
	}
	if pubs == nil {
		return nil
	}
	return elements(pubs, func(pub []byte) error { return c.publication(s, offset, pub) })
}

// Leaving says nothing: the close frame is enough.
func (Centrifuge) Leaving(*bench.Session) {}

// Introduced is true: a channel's history is there with the first frame.
func (Centrifuge) Introduced() bool { return true }

// Publish is the application's call, as that of the servers in node/ is.
func (Centrifuge) Publish(client string, frames [][]byte) (target, contentType string, body []byte, ok bool) {
	return publish(client, frames)
}
