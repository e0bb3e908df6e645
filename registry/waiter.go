package registry

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// waiter is a caller that waits on its own goroutine for exactly one answer. Most answers are there before the caller looks, since it ran the turn
// itself; only who really has to wait makes a channel.
type waiter struct {
	inFlight
	stage  atomic.Uint32
	reply  session.Reply            // written before the stage is waiterAnswered
	ch     chan struct{}            // made before the stage is waiterAsleep; closed by the answer
	state  *protocol.State          // filled before the answer to a stateMail or ackMail
	stored *protocol.StoredSnapshot // the same for a snapshotMail

	unheard  bool // perhaps nobody waits for the answer: an error is counted
	answered bool // belongs to the client's turn
}

// The stages of a waiter.
const (
	waiterAwake uint32 = iota
	waiterAsleep
	waiterAnswered
)

func (w *waiter) answer(c *client, r session.Reply) {
	if w.answered {
		return
	}
	w.answered = true
	if w.unheard && r.Err != nil && r.Err.Code != protocol.CodeOverloaded { // which was counted where it was decided
		c.reg.counters.Refused.Add(string(r.Err.Code))
	}
	w.reply = r
	if w.stage.Swap(waiterAnswered) == waiterAsleep {
		close(w.ch)
	}
}

// here reports whether the answer has come.
func (w *waiter) here() bool { return w.stage.Load() == waiterAnswered }

// wait returns the answer. After timeout, if there is one, the client is asked to answer with what there is; c took the mail.
func (w *waiter) wait(ctx context.Context, c *client, timeout time.Duration) (*session.Reply, error) {
	if !w.here() {
		if e := w.sleep(ctx, c, timeout); e != nil {
			return nil, e
		}
	}
	if w.reply.Err != nil {
		return nil, w.reply.Err
	}
	return &w.reply, nil
}

// sleep returns when the answer has come, or ctx has ended, which the error says.
func (w *waiter) sleep(ctx context.Context, c *client, timeout time.Duration) *protocol.Error {
	w.ch = make(chan struct{})
	if !w.stage.CompareAndSwap(waiterAwake, waiterAsleep) {
		return nil
	}
	var late <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	for {
		select {
		case <-w.ch:
			return nil
		case <-late:
			late = nil
			c.tell(&giveUpMail{w}) // a life that is over has answered already
		case <-ctx.Done():
			c.tell(&giveUpMail{w})
			return protocol.Errorf(protocol.CodeInternal, "the caller gave up: %s", context.Cause(ctx))
		}
	}
}
