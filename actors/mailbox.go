package actors

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Owner owns the state behind one Mailbox; Receive is the only place that touches it.
type Owner interface {
	// Receive handles one message. It runs on at most one goroutine at a time and must not block.
	Receive(msg any)
	// Failed is called in the same turn after Receive panicked with reason while handling msg, or after the goroutine
	// was ended by runtime.Goexit (reason is then ErrGoexit). The state is kept as it is, and the turn goes on.
	Failed(msg, reason any)
}

const (
	// turnBudget is how many messages one goroutine handles before it hands the mailbox to a new one, so that a hot
	// actor gives way to the others.
	turnBudget = 128
	// doBudget is the same for a goroutine that called Do: it came to deliver one message, not to work for others.
	doBudget = 16
	// maxInline is how many turns may run on their callers' goroutines at once in this process. Since every turn of a
	// nest counts, it is also the deepest nest: beyond it Do starts a goroutine, so that no stack grows without bound.
	maxInline = 64
)

// inline counts the turns that run on goroutines of callers of Do.
var inline atomic.Int64

// The states of a mailbox. A turn begins and ends without the lock where nothing waits: from idle to running and back.
const (
	mailboxIdle    uint32 = iota
	mailboxRunning        // nothing waits
	mailboxBusy           // a turn runs, and mail waits
	mailboxHeld
	mailboxClosed
)

// Mailbox queues messages for one Owner and runs its turns, one at a time, on no goroutine of its own. The zero value is
// ready. Embed it by value in the owner's struct: it is 24 bytes, and has no queue while nothing waits. It must not be copied.
//
// Messages of one sender are handled in the order sent. The queue itself has no bound: what feeds it has (outbox, batches
// in flight, publishers' bytes in flight).
type Mailbox struct {
	mu    sync.Mutex // held for a push or a pop, never while a message is handled
	queue *ring      // nil while nothing waits
	state atomic.Uint32
}

// Tell queues msg for o, which must be the owner of m, and returns at once. It starts a turn on a new goroutine when none
// runs. It returns false when m is closed: msg was not taken, and is still the caller's.
func (m *Mailbox) Tell(o Owner, msg any) bool {
	switch m.offer(msg) {
	case mailboxIdle:
		go m.turn(o, msg, turnBudget)
		return true
	case mailboxClosed:
		return false
	default:
		return true
	}
}

// Do is Tell, except that where no turn runs the caller's own goroutine runs it: for msg, and for some of what comes
// meanwhile, after which a goroutine goes on. It saves the wake-up at the edge, on the goroutine of a request or of a socket.
// Inside another actor's turn it is allowed, but makes that turn wait for this one; prefer Tell there. However it is
// nested, at most 64 turns run so at once; further ones get their goroutine as with Tell.
func (m *Mailbox) Do(o Owner, msg any) bool {
	taken, _ := m.DoNow(o, msg)
	return taken
}

// DoNow is Do, and says besides whether msg has been handled when it returns: its owner is done with it, whatever it did or failed at.
func (m *Mailbox) DoNow(o Owner, msg any) (taken, handled bool) {
	switch m.offer(msg) {
	case mailboxIdle:
		if inline.Add(1) > maxInline {
			inline.Add(-1)
			go m.turn(o, msg, turnBudget)
			return true, false
		}
		defer inline.Add(-1)
		m.turn(o, msg, doBudget)
		return true, true
	case mailboxClosed:
		return false, false
	default:
		return true, false
	}
}

// Enter begins a turn on the caller's goroutine without a message, if no turn runs and nothing waits; else it returns false. Who has entered has the owner's
// state to itself for a few words, and defers Leave at once. It must not block nor call another actor, for this turn is not counted among those that run
// inline, nor end the goroutine.
func (m *Mailbox) Enter() bool { return m.state.CompareAndSwap(mailboxIdle, mailboxRunning) }

// Leave, deferred, ends the turn of an Enter. A panic since then ends here, and is told to o.Failed with a nil message. That, and what has come meanwhile, is
// handled on a goroutine of its own.
func (m *Mailbox) Leave(o Owner) {
	if reason := recover(); reason != nil {
		go m.takeOver(o, nil, reason, debug.Stack())
		return
	}
	if msg, more := m.next(); more {
		go m.turn(o, msg, turnBudget)
	}
}

// Run handles msg between Enter and Leave, as a message of the turn: with its panics kept to it. What it does may call other actors, as in any turn; the caller's
// goroutine waits for it.
func (m *Mailbox) Run(o Owner, msg any) { m.receive(o, msg) }

// offer returns the state that it found: idle, and the caller has won the turn and starts it with msg; running or held, and msg
// is queued; closed, and msg is not taken.
func (m *Mailbox) offer(msg any) (found uint32) {
	if m.Enter() {
		return mailboxIdle
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		switch found = m.state.Load(); found {
		case mailboxIdle:
			if m.Enter() {
				return found
			}
		case mailboxRunning:
			if m.state.CompareAndSwap(mailboxRunning, mailboxBusy) { // else the turn has ended meanwhile
				m.push(msg)
				return found
			}
		case mailboxBusy, mailboxHeld:
			m.push(msg)
			return found
		default:
			return found
		}
	}
}

// push queues msg, with m.mu held.
func (m *Mailbox) push(msg any) {
	if m.queue == nil {
		m.queue = rings.Get().(*ring)
	}
	m.queue.push(msg)
}

// Hold keeps messages back until Release: the owner is not ready for them. It is called before anybody else knows m.
func (m *Mailbox) Hold() {
	m.state.Store(mailboxHeld)
}

// Release ends a Hold, once: o, on a new goroutine, is given first and then what has come meanwhile, in order.
func (m *Mailbox) Release(o Owner, first any) {
	m.mu.Lock()
	if m.queue != nil {
		m.state.Store(mailboxBusy)
	} else {
		m.state.Store(mailboxRunning)
	}
	m.mu.Unlock()
	go m.turn(o, first, turnBudget)
}

// turn handles msg and what follows it, until nothing waits, m is closed, or the budget is used up.
func (m *Mailbox) turn(o Owner, msg any, budget int) {
	for {
		m.receive(o, msg)
		var ok bool
		if msg, ok = m.next(); !ok {
			return
		}
		if budget--; budget == 0 {
			go m.turn(o, msg, turnBudget)
			return
		}
	}
}

// next takes the next message, or ends the turn.
func (m *Mailbox) next() (msg any, more bool) {
	if m.state.CompareAndSwap(mailboxRunning, mailboxIdle) {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queue == nil { // closed
		return nil, false
	}
	msg = m.queue.pop()
	if m.queue.n == 0 {
		m.queue.giveBack()
		m.queue = nil
		m.state.Store(mailboxRunning)
	}
	return msg, true
}

// CloseUnless closes m for ever and hands back what was queued, in order, unless wanted says of one of the queued messages that the
// owner must go on for it: then nothing changes and closed is false. It may be called only inside a turn of m. It is the owner's
// half of retiring without losing a message: whoever tells afterwards is told false and finds the next life. wanted is called with the mailbox held.
func (m *Mailbox) CloseUnless(wanted func(msg any) bool) (rest []any, closed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.queue; q != nil {
		for i := range q.n {
			if wanted(q.at(i)) {
				return nil, false
			}
		}
	}
	return m.close(), true
}

// Close closes m for ever and hands back what was still queued, in order; the caller answers for it. It may be called only
// inside a turn of m, which ends when Receive returns.
func (m *Mailbox) Close() (rest []any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.close()
}

// close is Close with m.mu held.
func (m *Mailbox) close() (rest []any) {
	m.state.Store(mailboxClosed)
	if m.queue == nil {
		return nil
	}
	rest = make([]any, 0, m.queue.n)
	for m.queue.n > 0 {
		rest = append(rest, m.queue.pop())
	}
	m.queue.giveBack()
	m.queue = nil
	return rest
}

// Len returns how many messages wait, without the one being handled.
func (m *Mailbox) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queue == nil {
		return 0
	}
	return m.queue.n
}
