package client

import (
	"slices"

	"github.com/restante/restante/protocol"
)

// mostTopics bounds the topics whose count is kept without a subscription to their name. Those without a frame for the longest time are forgotten first: their
// count begins anew with their next frame.
const mostTopics = 10_000

// topics are the positions in the topics whose frames have been handed over. Like the position in the outbox they are moved only by what is taken out of the inbox.
type topics struct {
	at map[string]*topicAt
	// others is how many of them are not named, used counts frames.
	others int
	used   uint64
}

// topicAt is where the application stands in one topic.
type topicAt struct {
	// cursor is the last frame handed over. Its epoch is "" as long as only frames have told of the topic.
	cursor protocol.Cursor
	// begun says that cursor.Seq is known: the frame after it is next.
	begun bool
	// loose takes the next frame even if it is not above the cursor.
	loose bool
	// read is the last topic_seq that was met in the order of the outbox. What is not above the cursor has been handed over before, where the epoch is known: its
	// change is announced. Where it is not, what is not above read is of another life of the topic.
	read uint64
	// await drops frames: the subscription is about to be made anew, which brings them again or covers them by a snapshot.
	await bool
	// named says that the client has subscribed to the topic's own name.
	named bool
	used  uint64
}

// verdict is what becomes of a topic's frame.
type verdict uint8

const (
	passes verdict = iota
	repeats
	tells // there is something to tell before it
)

// judge holds a frame, which is the next one of the outbox, to its topic's count.
func (t *topics) judge(f Frame) (verdict, *news) {
	if f.Topic == "" || f.TopicSeq == 0 {
		return passes, nil
	}
	p := t.at[f.Topic]
	if p == nil {
		p = t.add(f.Topic)
	}
	t.used++
	p.used = t.used
	if p.await {
		return repeats, nil
	}
	before := f.TopicSeq - 1
	if !p.begun || p.loose && before < p.cursor.Seq {
		p.begun, p.cursor.Seq, p.read = true, before, before
	}
	p.loose = false
	switch {
	case f.TopicSeq <= p.read && p.cursor.Epoch == "":
		p.cursor, p.read = protocol.Cursor{Seq: before}, before
		return tells, &news{topic: f.Topic, reset: protocol.ReasonEpoch}
	case f.TopicSeq <= p.cursor.Seq:
		p.read = f.TopicSeq
		return repeats, nil
	case before > p.cursor.Seq:
		missing := &TopicHole{Topic: f.Topic, From: p.cursor.Seq + 1, To: before}
		p.cursor.Seq = before
		return tells, &news{topic: f.Topic, hole: missing}
	}
	p.cursor.Seq, p.read = f.TopicSeq, f.TopicSeq
	if f.Type == protocol.TypeTopicClosed && !p.named {
		t.forget(f.Topic) // else when the end of the subscription is told
	}
	return passes, nil
}

// add makes room for a topic that is not there.
func (t *topics) add(topic string) *topicAt {
	if t.at == nil {
		t.at = make(map[string]*topicAt)
	}
	if t.others >= mostTopics {
		t.halve()
	}
	p := &topicAt{}
	t.at[topic] = p
	t.others++
	return p
}

// halve forgets the half of the topics that are not named whose last frame is the oldest.
func (t *topics) halve() {
	var times []uint64
	for _, p := range t.at {
		if !p.named {
			times = append(times, p.used)
		}
	}
	slices.Sort(times)
	for topic, p := range t.at {
		if !p.named && p.used < times[len(times)/2] {
			t.forget(topic)
		}
	}
}

// name returns the position in a topic that the client subscribes to by its name.
func (t *topics) name(topic string) *topicAt {
	p := t.at[topic]
	if p == nil {
		p = t.add(topic)
	}
	if !p.named {
		p.named = true
		t.others--
	}
	return p
}

func (t *topics) forget(topic string) {
	if p := t.at[topic]; p != nil {
		if !p.named {
			t.others--
		}
		delete(t.at, topic)
	}
}

// tell moves the position as n says.
func (t *topics) tell(n *news) {
	switch {
	case n.begins():
		t.begin(n)
	case protocol.IsPattern(n.topic):
		for topic, p := range t.at {
			if !p.named && protocol.Matches(n.topic, topic) {
				t.forget(topic)
			}
		}
	default:
		t.forget(n.topic)
	}
}

func (t *topics) begin(n *news) {
	p := t.name(n.topic)
	p.await = false
	if n.unknown {
		p.cursor.Epoch = n.cursor.Epoch
		return
	}
	if n.keep && p.begun && p.cursor.Epoch == n.cursor.Epoch && p.cursor.Seq >= n.cursor.Seq {
		p.read = n.cursor.Seq
		return
	}
	p.cursor, p.begun, p.loose, p.read = n.cursor, true, n.loose, n.cursor.Seq
}

// rebased takes note that the outbox is read from another place on. Where it is read again its frames come again: those of a topic that was subscribed to by its name
// are known as repeats, since the answer to the next subscribe says whether its epoch is still the same. Of other topics nothing says that, and they are forgotten.
func (t *topics) rebased(why protocol.Reason) {
	if why == protocol.ReasonPruned {
		return // the same frames go on, further up: what is missing shows as a hole
	}
	for topic, p := range t.at {
		if p.read = 0; !p.named {
			t.forget(topic)
		}
	}
}
