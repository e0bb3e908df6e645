package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/restante/restante/protocol"
)

// Client reads one client's outbox, and sends as that client. Make it with New; its methods are safe for concurrent use.
type Client struct {
	set   settings
	inbox *inbox
	sends *sends
	subs  *subscriptions
	// keeping is held while a send is put into the store and the list.
	keeping chan struct{}
	// taking is held by the one Next that is under way.
	taking chan struct{}
	online chan struct{}
	// closing is closed when the client begins to end, abandoned when a Close had no time for the handler that runs, detached
	// when there is no connection and will be none, handled when no handler runs any more, ended when Run returns.
	closing, abandoned, detached, handled, ended chan struct{}
	abandonOnce                                  sync.Once
	running                                      atomic.Bool
	lives                                        atomic.Uint64

	// calls is held over OnState, OnError and OnSent, so that they come one at a time.
	calls sync.Mutex

	mu     sync.Mutex
	id     string
	state  State
	link   *link
	closed bool
	// undial cancels the dial that is under way; nil before the first.
	undial   context.CancelFunc
	attaches uint64
}

// Stats counts what a Client has seen since New.
type Stats struct {
	// Frames have been handed over, Duplicates were dropped because they had been before (P-3).
	Frames, Duplicates uint64
	// TopicRepeats were dropped because they had been handed over under another seq, or are covered by a subscription that is made anew; TopicHoles is how many frames of
	// topics were missing (P-19).
	TopicRepeats, TopicHoles uint64
	// Attaches is how often an attach was tried.
	Attaches uint64
	// Resets is how often the application was told to discard.
	Resets uint64
	// Acked is the last seq that was acknowledged.
	Acked uint64
}

// New checks cfg and returns a Client that does nothing until Run is called.
func New(cfg Config) (*Client, error) {
	set, err := cfg.settings()
	if err != nil {
		return nil, err
	}
	return &Client{
		set:       set,
		inbox:     newInbox(set),
		sends:     newSends(set),
		subs:      newSubscriptions(set),
		keeping:   make(chan struct{}, 1),
		taking:    make(chan struct{}, 1),
		online:    make(chan struct{}, 1),
		closing:   make(chan struct{}),
		abandoned: make(chan struct{}),
		detached:  make(chan struct{}),
		ended:     make(chan struct{}),
		handled:   make(chan struct{}),
		id:        cfg.ClientID,
	}, nil
}

// Next returns the next frame, and says that the one which it returned before has been applied. It returns ErrClosed once the client
// has ended, and ctx's error if ctx ends first. It is for clients without a Handler, and one goroutine.
func (c *Client) Next(ctx context.Context) (Frame, error) {
	if c.set.Handler != nil {
		return Frame{}, errors.New("client: Next and Config.Handler exclude each other")
	}
	select {
	case c.taking <- struct{}{}:
		defer func() { <-c.taking }()
	case <-ctx.Done():
		return Frame{}, ctx.Err()
	}
	c.applied()
	return c.take(ctx)
}

// take hands over everything up to the next frame, and returns that.
func (c *Client) take(ctx context.Context) (Frame, error) {
	for {
		it, err := c.inbox.take(ctx)
		if c.inbox.thirsty() {
			c.refill()
		}
		switch {
		case err != nil:
			return Frame{}, err
		case it.rebase != nil:
			c.rebased(it.rebase)
		case it.report != nil:
			if c.set.OnResume != nil {
				c.set.OnResume(*it.report)
			}
		case it.news != nil:
			c.topicNews(it.news)
		case it.frame.Seq == 0: // the queue has run empty, which is dealt with
		default:
			if it.frame.Topic != "" && it.frame.Type == protocol.TypeTopicClosed {
				c.topicClosed(it.frame.Topic)
			}
			return it.frame, nil
		}
	}
}

// refill ends a connection whose frames have not found room, so that the next one brings them. The code is one after which the
// broker keeps the client's place (P-11).
func (c *Client) refill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != nil {
		c.link.writer.end(ending{code: protocol.CloseSlowConsumer, ack: true})
	}
}

// rebased tells the application to discard, and gives it the snapshot.
func (c *Client) rebased(r *rebase) {
	if r.reason != "" && c.set.OnReset != nil {
		c.set.OnReset(Reset{Reason: r.reason, Cursor: r.cursor.String(), Snapshot: r.snapshot})
	}
	if r.snapshot && c.set.OnSnapshot != nil {
		if err := c.set.OnSnapshot(r.cursor.Seq, r.data); err != nil {
			c.report(&SnapshotError{AsOf: r.cursor.Seq, Err: err})
		}
	}
}

// applied takes note that the last frame has been applied.
func (c *Client) applied() {
	if c.inbox.applied() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.link != nil {
			c.link.writer.ackNow()
		}
	}
}

// handle hands frames to the Handler until the client ends.
func (c *Client) handle(ctx context.Context) {
	for {
		f, err := c.take(ctx)
		if err != nil {
			return
		}
		if err := c.set.Handler(ctx, f); err != nil {
			if ctx.Err() != nil {
				return // it gave up because it was told to: the frame is not applied
			}
			c.report(&HandlerError{Frame: f, Err: err})
		}
		c.applied()
	}
}

// Cursor returns the cursor of the last frame handed over, which is to be kept with the state that the frames have built: inside the
// Handler it is that of the handler's frame. "" before there is one.
func (c *Client) Cursor() string { return c.inbox.cursor() }

// ClientID returns the client_id, "" before the server has minted one.
func (c *Client) ClientID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// State returns what the client is doing about its connection.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	c.inbox.mu.Lock()
	defer c.inbox.mu.Unlock()
	return c.inbox.stats
}

// Online says that the network is back: a client that waits for its next try makes it now (P-24).
func (c *Client) Online() { signal(c.online) }

// greeted takes note of a hello: the id that the server may have minted, and that the network is there.
func (c *Client) greeted(h *protocol.Hello) {
	c.mu.Lock()
	c.id = h.ClientID
	c.mu.Unlock()
	select {
	case <-c.online:
	default:
	}
}

func (c *Client) newLife() uint64 { return c.lives.Add(1) }

func (c *Client) setState(s State) {
	c.mu.Lock()
	c.state = s
	c.mu.Unlock()
	if c.set.OnState != nil {
		c.calls.Lock()
		defer c.calls.Unlock()
		c.set.OnState(s)
	}
}

// report tells OnError.
func (c *Client) report(err error) {
	if c.set.OnError != nil {
		c.calls.Lock()
		defer c.calls.Unlock()
		c.set.OnError(err)
	}
}

// wakeWriter lets the writer see a send or a subscription.
func (c *Client) wakeWriter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != nil {
		signal(c.link.writer.wake)
	}
}
