package broker

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry"
)

// InboxOptions say how to read a client's outbox from within the process. The zero value starts fresh.
type InboxOptions struct {
	// Since is the last frame that the reader holds, "" for none; a bad one is refused with bad_cursor (P-5).
	Since string
	// Takeover makes this reader the client's only one (P-15).
	Takeover bool
	// OnResume is told what each attach came to, before any frame of it (P-6). At too_old and fresh the reader starts over: it discards what it had.
	OnResume func(protocol.Hello)
	// OnSnapshot is given the application's snapshot, where a provider has one (P-9): everything up to asOf is in it.
	OnSnapshot func(asOf uint64, data json.RawMessage)
	// OnTopicSnapshot is given a topic's snapshot, which a subscription asked for (P-19): everything up to its frame asOf is in it.
	OnTopicSnapshot func(topic string, asOf uint64, data json.RawMessage)
}

// Frame is one sequenced frame. Raw is the whole message as a socket would carry it, and the receiver's own.
//
// Topic and TopicSeq are there for a frame that came through a topic (P-19); "" and 0 else.
type Frame struct {
	Seq      uint64
	Topic    string
	TopicSeq uint64
	Raw      []byte
}

const (
	firstBackOff = 500 * time.Millisecond
	lastBackOff  = 30 * time.Second
)

// ErrInboxClosed is what Next returns after Close.
var ErrInboxClosed = errors.New("broker: the inbox is closed")

// Inbox is a reader of one client's outbox within the process: an attachment as any socket's, with a cursor, acks and a place.
// One goroutine calls Next; Close may come from another.
type Inbox struct {
	c *Client
	o InboxOptions

	cursor protocol.Cursor // the last frame handed out; belongs to Next's goroutine
	acked  uint64          // the last ack of this attachment
	has    bool            // there is a cursor to come back with
	fails  int             // attaches in a row that came to no hello

	mu     sync.Mutex
	at     *inboxPeer // the attachment of now; nil before the first and after Close
	closed bool
	quit   chan struct{} // closed by Close
}

// Inbox makes a reader; it attaches at the first Next. The caller closes it.
func (c *Client) Inbox(o InboxOptions) (*Inbox, error) {
	if err := protocol.CheckClientID(c.id); err != nil {
		return nil, err
	}
	in := &Inbox{c: c, o: o, quit: make(chan struct{})}
	if o.Since != "" {
		cur, err := protocol.ParseCursor(o.Since)
		if err != nil {
			return nil, err
		}
		in.cursor, in.has = cur, true
	}
	return in, nil
}

// Cursor is the last frame handed out, as epoch:seq; "" before the first attach of a fresh reader. It belongs to Next's goroutine.
func (in *Inbox) Cursor() string {
	if !in.has {
		return ""
	}
	return in.cursor.String()
}

// Next returns the next frame, once each and in order per epoch. Calling it says that the frame before has been applied; it is
// acked before Next waits. It comes back by itself from any close below 4500; else the error is a *protocol.Error, ErrInboxClosed or ctx's.
func (in *Inbox) Next(ctx context.Context) (Frame, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Frame{}, err
		}
		at, err := in.attached()
		if err != nil {
			return Frame{}, err
		}
		p, ok := at.pop()
		switch {
		case ok && p.Seq == 0:
			if err := in.control(p.Body); err != nil {
				return Frame{}, err
			}
		case ok && p.Seq <= in.cursor.Seq: // held already (P-3)
		case ok:
			in.cursor.Seq = p.Seq
			f := Frame{Seq: p.Seq, Raw: protocol.AppendFrame(make([]byte, 0, protocol.FrameLen(p.Seq, p.Body)), p.Seq, p.Body)}
			if protocol.OfTopic(p.Body) {
				f.Topic, f.TopicSeq, err = protocol.TopicOf(p.Body)
			}
			return f, err
		default:
			in.ack(at)
			if err := in.wait(ctx, at); err != nil {
				return Frame{}, err
			}
		}
	}
}

// attached returns the attachment of now, beginning one where there is none.
func (in *Inbox) attached() (*inboxPeer, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return nil, ErrInboxClosed
	}
	if in.at != nil {
		return in.at, nil
	}
	a := registry.Attach{ConnectionID: uuid.NewString(), Transport: inProcess, Takeover: in.o.Takeover}
	if in.has {
		since := in.cursor
		a.Since = &since
	}
	in.c.b.readers.add()
	in.at = &inboxPeer{wake: make(chan struct{}, 1), over: in.c.b.readers.done}
	in.c.b.registry.Attach(in.c.id, a, in.at)
	return in.at, nil
}

// control handles one of the broker's own frames.
func (in *Inbox) control(b protocol.Body) error {
	var kind struct {
		Type  string          `json:"type"`
		Topic string          `json:"topic"`
		AsOf  uint64          `json:"as_of"`
		Data  json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return protocol.Errorf(protocol.CodeInternal, "a broker frame cannot be read: %s", err)
	}
	switch {
	case kind.Topic != "":
		if kind.Type == protocol.TypeSnapshot && in.o.OnTopicSnapshot != nil {
			in.o.OnTopicSnapshot(kind.Topic, kind.AsOf, kind.Data)
		}
	case kind.Type == protocol.TypeHello:
		var h protocol.Hello
		if err := json.Unmarshal(b, &h); err != nil {
			return protocol.Errorf(protocol.CodeInternal, "hello cannot be read: %s", err)
		}
		if h.Resume == protocol.ResumeFresh || h.Resume == protocol.ResumeTooOld {
			in.cursor.Seq = h.Floor
		}
		in.cursor.Epoch, in.has, in.acked, in.fails = h.Epoch, true, in.cursor.Seq, 0
		if in.o.OnResume != nil {
			in.o.OnResume(h)
		}
	case kind.Type == protocol.TypeSnapshot:
		in.cursor.Seq = kind.AsOf
		if in.o.OnSnapshot != nil {
			in.o.OnSnapshot(kind.AsOf, kind.Data)
		}
	}
	return nil
}

// ack says that everything handed out has been applied.
func (in *Inbox) ack(at *inboxPeer) {
	if in.cursor.Seq <= in.acked {
		return
	}
	if l := at.theLink(); l != nil {
		in.acked = in.cursor.Seq
		l.Message(protocol.Message{Type: protocol.TypeAck, Seq: in.cursor.Seq}, nil)
	}
}

// wait returns when there is something to look at, having dealt with an attachment that has ended.
func (in *Inbox) wait(ctx context.Context, at *inboxPeer) error {
	code, ended := at.end()
	if !ended {
		select {
		case <-at.wake:
			return nil
		case <-in.quit:
			return ErrInboxClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if code.Stops() || code == protocol.CloseDraining {
		return &protocol.Error{Code: verdict(code), Message: "the reader was closed: " + code.Name()}
	}
	if err := in.backOff(ctx); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.at = nil // the next round attaches anew, with the cursor
	return nil
}

// backOff waits before an attach that follows failed ones: the first try comes at once, then full jitter from 0.5 to 30 s (P-24).
func (in *Inbox) backOff(ctx context.Context) error {
	in.fails++
	if in.fails == 1 {
		return nil
	}
	most := min(firstBackOff<<min(in.fails-2, 6), lastBackOff)
	t := time.NewTimer(rand.N(most))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-in.quit:
		return ErrInboxClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// verdict is the error code for a close that ends an Inbox.
func verdict(c protocol.CloseCode) protocol.Code {
	switch c {
	case protocol.CloseDraining:
		return protocol.CodeDraining
	case protocol.CloseClientDeleted:
		return protocol.CodeNotFound
	case protocol.CloseTooManyConnections:
		return protocol.CodeTooManyConnections
	}
	return protocol.CodeConflict
}

// Close gives up the place. What Next has handed out last counts as applied only if Next was called again.
func (in *Inbox) Close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return nil
	}
	in.closed = true
	close(in.quit)
	if in.at != nil {
		in.at.leave()
	}
	return nil
}
