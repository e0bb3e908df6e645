package registry

import (
	"sync"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// What a client actor is told. Mail that asks for an answer carries who is answered.
type (
	attachMail struct {
		peer Peer
		in   session.Attach
	}
	messageMail struct {
		gen uint64
		m   protocol.Message
		err *protocol.Error
	}
	pingMail    uint64 // the connection's generation
	writtenMail uint64
	goneMail    struct {
		gen  uint64
		left bool
	}
	// outcomeMail answers a send of connection gen.
	outcomeMail struct {
		gen uint64
		b   protocol.Body
	}
	publishMail struct{ in session.Publish }
	// flushedMail is the flusher's: what has gathered for the connections goes out.
	flushedMail struct{}
	readMail    struct {
		in    session.Read
		known bool // it makes nothing
	}
	ackMail struct {
		to           *waiter
		cursor       protocol.Cursor
		connectionID string
	}
	stateMail struct {
		to  *waiter
		one bool
	}
	snapshotMail struct {
		to   *waiter
		do   snapshotCall
		asOf protocol.Cursor
		data []byte
	}
	deleteMail struct {
		to        *waiter
		followers []*client // of a topic: those that may be awake, which it may not know after a sleep
	}
	touchMail struct{}
	// giveUpMail: the waiter's time is over.
	giveUpMail struct{ to *waiter }
	tickMail   struct{}
	judgeMail  struct {
		round    *round
		judged   bool            // belongs to the turn
		followed bool            // of a topic: somebody follows it
		woken    <-chan struct{} // of a sleeper: what there is a place in until it is judged; else nil
	}
	// settleMail has been handled when done says so.
	settleMail struct{ done *sync.WaitGroup }
	drainMail  struct{ d *draining }
	// flushMail: the process is about to end. squeezeMail: memory is short.
	flushMail   struct{}
	squeezeMail struct{}
	bodiesMail  struct {
		token  uint64
		bodies []protocol.Body
		err    error
	}
	confirmedMail struct {
		token uint64
		err   error
	}
	answeredMail struct {
		token, asOf uint64
		data        []byte
		err         error
	}
)

// sender is whoever is answered about a publish: a waiting caller or another client's connection.
type sender interface {
	// answer is called once, from the client's turn, and must not block.
	answer(c *client, r session.Reply)
	// release gives back what the publish had in flight, the first time it is called.
	release(r *Registry)
}

// inFlight is what a publisher has in flight, in bytes; changed only in the turn of the client that it went to.
type inFlight int64

func (n *inFlight) release(r *Registry) {
	r.counters.InFlightBytes.Add(-int64(*n))
	*n = 0
}

// sendBack is a send of another client's connection; its answer is a receipt or an error for that connection (P-18).
type sendBack struct {
	inFlight
	from     *client
	gen      uint64
	id       string
	answered bool
}

func (s *sendBack) answer(c *client, r session.Reply) {
	if s.answered {
		return
	}
	s.answered = true
	s.from.tell(&outcomeMail{s.gen, sendAnswer(s.id, r)})
}

// sendAnswer is a send's receipt, or its error with the id.
func sendAnswer(id string, r session.Reply) protocol.Body {
	if r.Err != nil {
		e := *r.Err
		e.ID = id
		return protocol.EncodeError(&e)
	}
	status := protocol.StatusStored
	if r.Stored.Duplicate {
		status = protocol.StatusDuplicate
	}
	return protocol.EncodeReceipt(protocol.Receipt{ID: id, Status: status, Epoch: r.Stored.Epoch.String(), Seq: r.Stored.Last})
}
