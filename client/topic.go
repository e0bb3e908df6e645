package client

import (
	"fmt"

	"github.com/restante/restante/protocol"
)

// TopicReset tells the application to discard what it has built from the frames of one topic (P-19): its cursor there was too old, or the topic was deleted
// and born again. A snapshot, if there is one, and then every frame that the topic's log still holds follow. Of other topics and of the outbox it says nothing.
type TopicReset struct {
	Topic string
	// Reason is one of P-7's, or ReasonFresh.
	Reason protocol.Reason
	// Cursor is where the topic is read from now on; "" where its epoch is not known.
	Cursor string
	// Snapshot says that OnTopicSnapshot is called next.
	Snapshot bool
}

// TopicHole says that frames of a topic are missing, since topic_seq rises by one from frame to frame (P-19): the topic's log, or the client's outbox, has lost
// them. What the log still holds can be had by Unsubscribe and then Subscribe with Since.
type TopicHole struct {
	Topic string
	// From and To are the first and the last topic_seq that is missing.
	From, To uint64
}

// String is a sentence for people, like "the frames 58 to 99 of the topic jobs.7 are missing".
func (h TopicHole) String() string {
	if h.From == h.To {
		return fmt.Sprintf("the frame %d of the topic %s is missing", h.From, h.Topic)
	}
	return fmt.Sprintf("the frames %d to %d of the topic %s are missing", h.From, h.To, h.Topic)
}

// Unsubscribed says that a subscription has ended which the application had not asked to end. It is not asked for again.
type Unsubscribed struct {
	// Topic is the topic or pattern as it was subscribed to.
	Topic string
	// Closed says that the topic is closed and that all of its frames have been handed over (P-32).
	Closed bool
	// Err is the *protocol.Error with which the broker has refused it, at a time when no Subscribe waited for the answer. It is nil where the topic was deleted or
	// somebody else has unsubscribed the client.
	Err error
}

// news is what there is to tell of one topic besides its frames. It waits apart from the frames, since a new connection does not bring it again, and is told
// when the frames that came before it have been handed over.
type news struct {
	topic string
	// life and after say behind which frame of the outbox it comes, epoch which outbox that is.
	life, after uint64
	epoch       string

	// At most one of these is set; else the topic begins anew at the cursor, which is all that there is to know.
	hole *TopicHole
	end  *Unsubscribed
	// forget is the end of a subscription of which there is nothing to tell.
	forget bool

	cursor protocol.Cursor
	// keep leaves the position alone if it is ahead of the cursor: what the client had asked for again comes a second time.
	keep bool
	// loose takes the first frame even if it is not above the cursor.
	loose bool
	// unknown says that only the cursor's epoch is known: the count begins with the first frame, where it has not begun.
	unknown bool
	// reset is why the application must discard; "" where it holds nothing.
	reset    protocol.Reason
	snapshot bool
	data     []byte
	// closedAt is the last topic_seq of a topic that is closed; 0 for one that is open.
	closedAt uint64
}

// begins reports whether n says where the topic's frames begin.
func (n *news) begins() bool { return n.hole == nil && n.end == nil && !n.forget }
