package ui

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/restante/restante/broker"
	"github.com/restante/restante/cmd/restante/demo/agent"
	"github.com/restante/restante/transport"
)

// topicFrames is how much of the session the topic's log holds: more than comes in a tunnel's time.
const topicFrames = 20_000

// Keys are the two credentials of a demo's broker. They are secrets of one run.
type Keys struct {
	// Page is that of the page, and of the buttons: it is the key in the URL. Agent is the agent's.
	Page, Agent string
}

// newKeys draws both, of 192 bits each.
func newKeys() Keys { return Keys{Page: newKey(), Agent: newKey()} }

func newKey() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// same compares two secrets without telling by its time where they differ.
func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// BrokerConfig is what the demo's broker is to be: its outboxes are in dir, and pages of origins may call it, with one of keys (P-25, P-31).
func BrokerConfig(dir string, keys Keys, origins []string) broker.Config {
	return broker.Config{
		DataDir: dir, AllowOrigins: origins, TopicFrames: topicFrames, TopicBytes: 32 << 20,
		Authorize: func(r *http.Request) (broker.Grant, error) {
			switch token := transport.Token(r); {
			case same(token, keys.Page):
				return broker.Grant{Credential: "page", Allow: pageMay}, nil
			case same(token, keys.Agent):
				return broker.Grant{Credential: "agent", Allow: agentMay}, nil
			}
			return broker.Grant{}, errors.New("it has neither of the keys")
		},
	}
}

// pageMay is what the page may: be one of the devices, follow the session, and speak to the agent.
func pageMay(v broker.Verb, name string) bool {
	switch v {
	case transport.VerbAttach, transport.VerbRead, transport.VerbAck, transport.VerbMessage:
		for _, d := range agent.Devices {
			if strings.HasPrefix(name, d+"-") {
				return true
			}
		}
	case transport.VerbSubscribe:
		return name == agent.Topic
	case transport.VerbSend:
		return name == agent.ID
	}
	return false
}

// agentMay is what the agent may: read what it is sent, and write the session.
func agentMay(v broker.Verb, name string) bool {
	switch v {
	case transport.VerbAttach, transport.VerbRead, transport.VerbAck, transport.VerbMessage:
		return name == agent.ID
	case transport.VerbPublishTopic, transport.VerbTopicSnapshot:
		return name == agent.Topic
	}
	return false
}
