package transport

import (
	"strings"

	"github.com/restante/restante/protocol"
)

// topic returns the topic of the path, if it is the name of one (P-32) and the credential may do verb with it.
func (c *call) topic(verb Verb) (string, error) {
	name := strings.Clone(c.name)
	if err := protocol.CheckTopic(name); err != nil {
		return "", err
	}
	return name, c.may(verb, name)
}

// publishTopic is POST /v1/topics/{topic}/frames, with a body as for a client's outbox. It makes the topic where there is none (P-29).
func (h *Handler) publishTopic(c *call) (answer, error) {
	topic, err := c.topic(VerbPublishTopic)
	if err != nil {
		return answer{}, err
	}
	p, err := c.topicFrames()
	if err != nil {
		return answer{}, err
	}
	out, err := h.reg.PublishTopic(c.r.Context(), topic, p)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(out)
}

// broadcast is POST /v1/broadcast: a publish to the topic that every client follows (P-32).
func (h *Handler) broadcast(c *call) (answer, error) {
	if err := c.may(VerbBroadcast, ""); err != nil {
		return answer{}, err
	}
	p, err := c.topicFrames()
	if err != nil {
		return answer{}, err
	}
	out, err := h.reg.Broadcast(c.r.Context(), p)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(out)
}

// topicFrames are the frames of a call that publishes to a topic.
func (c *call) topicFrames() (p Publish, err error) {
	p.Credential = c.grant.Credential
	if p.Key, err = c.idempotencyKey(); err != nil {
		return p, err
	}
	if p.Wait, err = c.level(); err != nil {
		return p, err
	}
	if p.Wait != protocol.StatusStored {
		return p, badRequest("a topic has no one reader to wait for: its frames are stored, and wait is absent or stored")
	}
	p.Bodies, err = c.frames()
	return p, err
}

// closeTopic is POST /v1/topics/{topic}/close, whose body is empty or an empty object. What else may stand there was meant to be the last frame or an option; a
// close cannot be undone, so it is refused rather than passed over.
func (h *Handler) closeTopic(c *call) (answer, error) {
	topic, err := c.topic(VerbPublishTopic)
	if err != nil {
		return answer{}, err
	}
	if err := c.nothing(); err != nil {
		return answer{}, err
	}
	out, err := h.reg.CloseTopic(c.r.Context(), topic)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(out)
}

// topicState is GET /v1/topics/{topic}: the log's state, and who follows it, a page at a time.
func (h *Handler) topicState(c *call) (answer, error) {
	topic, err := c.topic(VerbReadTopic)
	if err != nil {
		return answer{}, err
	}
	cursor, limit, err := c.listPage("followers", protocol.CheckClientID)
	if err != nil {
		return answer{}, err
	}
	state, err := h.reg.Topic(c.r.Context(), topic, cursor, limit)
	if err != nil {
		return answer{}, err
	}
	if state.Followers == nil {
		state.Followers = []protocol.Follower{}
	}
	return jsonAnswer(state)
}

// listTopics is GET /v1/topics: one page, after ?cursor=.
func (h *Handler) listTopics(c *call) (answer, error) {
	if err := c.may(VerbListTopics, ""); err != nil {
		return answer{}, err
	}
	cursor, limit, err := c.listPage("list", protocol.CheckTopic)
	if err != nil {
		return answer{}, err
	}
	list, err := h.reg.Topics(c.r.Context(), cursor, limit)
	if err != nil {
		return answer{}, err
	}
	if list.Topics == nil {
		list.Topics = []protocol.TopicState{}
	}
	return jsonAnswer(list)
}

// deleteTopic is DELETE /v1/topics/{topic}: its subscriptions end with it.
func (h *Handler) deleteTopic(c *call) (answer, error) {
	topic, err := c.topic(VerbDeleteTopic)
	if err != nil {
		return answer{}, err
	}
	if err := h.reg.DeleteTopic(c.r.Context(), topic); err != nil {
		return answer{}, err
	}
	return noContent()
}
