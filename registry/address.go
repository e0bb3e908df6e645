package registry

import (
	"fmt"
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/registry/session"
)

// Address is the address of client actors: actor.PID{Address: Address, Id: client_id} reaches one, in whatever life it is.
const Address = "clients"

// GetState is what another actor may request of a client's PID; the reply is its protocol.State.
type GetState struct{}

var _ actors.Addressed = (*client)(nil)

// System is the one the actor lives in (actors.Supervised).
func (c *client) System() *actors.System { return c.reg.sys }

// Name is where the actor is found (actors.Supervised).
func (c *client) Name() (address, id string) { return Address, c.id }

// resolve finds a client actor for a PID, and wakes one that sleeps; it makes no client.
func (r *Registry) resolve(id string) (actors.Addressed, bool) {
	if r.disk != nil {
		return r.wake(id), true
	}
	if c := r.look(id); c != nil {
		return c, true
	}
	return nil, false
}

// foreign handles what reaches the actor through its PID and what supervision asks. A stop that somebody asked for deletes the
// client. After a failure the outbox is all that counts, and Failed has seen to it: stop and restart change nothing more.
func (c *client) foreign(now time.Duration, m any, fx *session.Effects) {
	switch m := m.(type) {
	case actors.StopRequest:
		if m.Reason == nil {
			c.session.Delete(now, nil, fx)
		}
	case actors.RestartRequest:
	case actors.Request:
		if _, ok := m.Message.(GetState); ok {
			m.Reply(c.state(true))
			return
		}
		c.unknown(m.Message)
	default:
		c.unknown(m)
	}
}

func (c *client) unknown(m any) {
	c.reg.counters.Dropped[actors.DropStale].Add(1)
	c.reg.sys.Logger().Warn("a client actor was told something that it does not know", "client_id", c.id, "message", fmt.Sprintf("%T", m))
}
