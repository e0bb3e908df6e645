package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/restante/restante/protocol"
)

// Config says what a Client attaches to and whom it calls. Zero means the documented default, negative means off.
//
// Handler, OnReset, OnSnapshot, OnResume and what concerns topics are called one at a time and in the order of the outbox: by Run's goroutines, or
// inside Next where Handler is nil. OnState, OnError and OnSent are called one at a time too, but beside those. None of them
// may call Close or Next, and the last three should return soon: the connection waits for them.
type Config struct {
	// URL is the broker's, with http, https, ws or wss; /v1/ws is appended where it is absent.
	URL string
	// ClientID names the client (P-4). "" lets the server mint one, which Client.ClientID tells after the first hello.
	ClientID string
	// Cursor is where to go on: what Client.Cursor said when the application's state was last saved (P-30). "" where the state
	// is empty. It needs a ClientID.
	Cursor string

	// Handler is given each frame. Its frame is applied when it returns; a failing handler is reported to OnError and its frame
	// counts as applied, unless ctx had ended: then it is left unapplied. nil: the application calls Next.
	Handler func(ctx context.Context, f Frame) error
	// OnReset says that the application is to discard what it has built from frames so far: a snapshot, if there is one, and then
	// every retained frame follow (P-30). Client.Cursor has been moved already. It does not concern what was built from a topic that the client has subscribed to by its
	// name: that has a cursor of its own, so none of its frames comes again, and those that went with the outbox show as a hole.
	OnReset func(Reset)
	// OnSnapshot is given the application's own summary as of a seq; the frames after it follow (P-9). An error is reported to OnError.
	OnSnapshot func(asOf uint64, data []byte) error
	// OnTopicReset, OnTopicSnapshot and OnTopicHole are for topics (P-19): the application is to discard what it has built of one, is given its summary as of a
	// topic_seq, or is told before the next frame of the topic is handed over which ones are missing. A hole goes to OnError where OnTopicHole is nil.
	OnTopicReset    func(TopicReset)
	OnTopicSnapshot func(topic string, asOf uint64, data []byte) error
	OnTopicHole     func(TopicHole)
	// OnUnsubscribed is told the end of a subscription that the application did not ask for, after the last frame that it brought. It may call Subscribe.
	OnUnsubscribed func(Unsubscribed)
	// OnResume is told after the last frame that was missed what an attach has come to.
	OnResume func(ResumeReport)
	// OnState is told each change of the connection.
	OnState func(State)
	// OnError is told what went wrong and did not end the client: a *HandlerError or *SnapshotError, a *protocol.Error that the broker sent or that
	// describes what it should not have sent, or what a dial, a Token or a SendStore failed with.
	OnError func(error)
	// OnSent is told the end of each send, also of those that were found in Sends or whose caller waits no more.
	OnSent func(SendResult)

	// Token is asked for a token before each attach, so also after one has expired (4401); it travels in the Authorization header.
	// An error counts as an attach that failed. nil: no token.
	Token func(ctx context.Context) (string, error)
	// Takeover makes each attach the client's only one (P-15).
	Takeover bool
	// Ping asks the server for another interval between its pings, in whole seconds, rounded up; it is moved into 25–300 s (P-16).
	Ping time.Duration
	// Backoff rules the delays between attaches.
	Backoff Backoff

	// Sends keeps the sends that have no receipt yet; nil keeps them in memory.
	Sends SendStore
	// MaxPending (1,000) bounds the sends without a receipt.
	MaxPending int

	// MaxSubscriptions (1,000) bounds the topics and patterns that the client subscribes to.
	MaxSubscriptions int

	// Dial (net.Dialer) opens the connection below the WebSocket, for proxies and pipes.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is for wss; its ServerName may be empty.
	TLS *tls.Config
	// HandshakeTimeout (10 s) bounds dialing and the upgrade together.
	HandshakeTimeout time.Duration
	// WriteTimeout (10 s) bounds a write that makes no end.
	WriteTimeout time.Duration
	// QueueFrames (1,024) and QueueBytes (1 MiB) bound what has been received and waits for the handler. When one of them is reached
	// the client reads the connection no faster than the handler takes frames; while that takes none for a second it reads on and
	// drops frames, and fetches them by a new attach once the queue has run empty.
	QueueFrames int
	QueueBytes  int
}

// The defaults of Config.
const (
	defaultMaxPending       = 1000
	defaultMaxSubscriptions = 1000
	defaultHandshake        = 10 * time.Second
	defaultWrite            = 10 * time.Second
	defaultQueueFrames      = 1024
	defaultQueueBytes       = 1 << 20
)

// settings is a Config that has been checked, with its defaults filled in.
type settings struct {
	Config
	address *url.URL
	since   *protocol.Cursor
}

func (c Config) settings() (settings, error) {
	s := settings{Config: c}
	var err error
	if s.address, err = parseAddress(c.URL); err != nil {
		return s, err
	}
	if c.ClientID != "" {
		if err := protocol.CheckClientID(c.ClientID); err != nil {
			return s, fmt.Errorf("client: %w", err)
		}
	}
	if c.Cursor != "" {
		cur, err := protocol.ParseCursor(c.Cursor)
		if err != nil {
			return s, fmt.Errorf("client: %w", err)
		}
		if c.ClientID == "" {
			return s, errors.New("client: a Cursor needs the ClientID whose outbox it is of")
		}
		s.since = &cur
	}
	if s.Backoff, err = c.Backoff.filled(); err != nil {
		return s, err
	}
	s.MaxPending = limit(c.MaxPending, defaultMaxPending)
	s.MaxSubscriptions = limit(c.MaxSubscriptions, defaultMaxSubscriptions)
	s.QueueFrames = limit(c.QueueFrames, defaultQueueFrames)
	s.QueueBytes = limit(c.QueueBytes, defaultQueueBytes)
	s.HandshakeTimeout = limit(c.HandshakeTimeout, defaultHandshake)
	s.WriteTimeout = limit(c.WriteTimeout, defaultWrite)
	if s.Sends == nil {
		s.Sends = newMemoryStore()
	}
	return s, nil
}

// limit reads a bound: zero is the default, negative none, which 0 stands for from here on.
func limit[T int | time.Duration](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return 0
	}
	return v
}
