package registry

import (
	"sync/atomic"
	"time"
)

// alarm is one entry of the keepalive actor's wheel. Entries cannot be taken back, so that a client which ends or sleeps lets go of its alarm:
// what waits in the wheel for minutes yet are a few words, and not a client.
type alarm struct {
	client atomic.Pointer[client]
	at     time.Duration
}

// Due is the keepalive actor's call (actors.Timed).
func (a *alarm) Due(time.Duration) {
	if c := a.client.Load(); c != nil {
		c.tell(tickMail{})
	}
}

// disarm lets go of the alarm, if there is one.
func (c *client) disarm() {
	if c.alarm != nil {
		c.alarm.client.Store(nil)
		c.alarm = nil
	}
}
