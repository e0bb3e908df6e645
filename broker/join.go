package broker

import (
	"context"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry"
	"github.com/restante/restante/transport"
)

// joined is the registry as the transport asks for it. The two rooms do not know each other; here their types meet.
type joined struct{ *registry.Registry }

var _ transport.Registry = joined{}

// Attach starts an attach.
func (j joined) Attach(clientID string, a transport.Attach, p transport.Peer) {
	j.Registry.Attach(clientID, registry.Attach(a), peer{p})
}

// Publish appends p's frames.
func (j joined) Publish(ctx context.Context, clientID string, p transport.Publish) (protocol.Published, error) {
	return j.Registry.Publish(ctx, clientID, registry.Publish(p))
}

// PublishTopic appends p's frames to a topic's log.
func (j joined) PublishTopic(ctx context.Context, topic string, p transport.Publish) (protocol.TopicPublished, error) {
	return j.Registry.PublishTopic(ctx, topic, registry.Publish(p))
}

// Broadcast publishes to every client.
func (j joined) Broadcast(ctx context.Context, p transport.Publish) (protocol.TopicPublished, error) {
	return j.Registry.Broadcast(ctx, registry.Publish(p))
}

// ReadTopic returns one page of a topic's log.
func (j joined) ReadTopic(ctx context.Context, topic string, r transport.Read) (protocol.TopicPage, error) {
	return j.Registry.ReadTopic(ctx, topic, registry.Read(r))
}

// Read returns one page.
func (j joined) Read(ctx context.Context, clientID string, r transport.Read) (protocol.Page, error) {
	return j.Registry.Read(ctx, clientID, registry.Read(r))
}

// Ack moves the mark without a connection.
func (j joined) Ack(ctx context.Context, clientID string, a transport.Ack) (protocol.State, error) {
	return j.Registry.Ack(ctx, clientID, a.Cursor, a.ConnectionID)
}

// Ready says why the broker cannot serve; nil when it can.
func (j joined) Ready() error {
	if err := j.Err(); err != nil {
		return err
	}
	if j.Draining() {
		return protocol.Errorf(protocol.CodeDraining, "the broker is draining")
	}
	return nil
}

// peer is a transport.Peer as the registry asks for it.
type peer struct{ transport.Peer }

// Attached hands over the Link.
func (p peer) Attached(l *registry.Link) { p.Peer.Attached(link{l}) }

// link is a registry.Link as the transport asks for it.
type link struct{ *registry.Link }

// Gone is the connection's last word.
func (l link) Gone(how transport.Gone) { l.Link.Gone(how == transport.GoneLeft) }
