package broker

import (
	"slices"
	"sync"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry"
)

// inboxPeer is one attachment of an Inbox: a connection without a wire. Its lock is held for an assignment only, so the
// client's turn never waits.
type inboxPeer struct {
	wake chan struct{} // has room for one; a token says "look"
	over func()        // called once, when nothing more of this attachment will be read

	mu    sync.Mutex
	link  *registry.Link
	batch []protocol.Piece // what is left of the batch under way
	busy  bool             // a batch is under way
	left  bool
	code  protocol.CloseCode
	ended bool
	said  bool // over has been called
}

var _ registry.Peer = (*inboxPeer)(nil)

func (p *inboxPeer) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Attached takes the Link.
func (p *inboxPeer) Attached(l *registry.Link) {
	p.mu.Lock()
	p.link = l
	left := p.left
	p.mu.Unlock()
	if left {
		l.Gone(true)
	}
}

// Refused ends the attach before it began.
func (p *inboxPeer) Refused(_ protocol.Piece, code protocol.CloseCode) { p.Close(code) }

// Write takes one batch.
func (p *inboxPeer) Write(batch []protocol.Piece) (written bool) {
	p.mu.Lock()
	p.batch, p.busy = batch, true
	p.mu.Unlock()
	p.poke()
	return false
}

// Close ends the attachment; what is left of the batch is still read.
func (p *inboxPeer) Close(code protocol.CloseCode) {
	p.mu.Lock()
	if !p.ended {
		p.ended, p.code = true, code
	}
	p.sayOver()
	p.mu.Unlock()
	p.poke()
}

// Pause has nothing to stop: an Inbox says nothing but acks.
func (p *inboxPeer) Pause(bool) {}

// Handled has nothing to count.
func (p *inboxPeer) Handled(int) {}

// pop takes the next piece; a batch that is used up is reported as written.
func (p *inboxPeer) pop() (protocol.Piece, bool) {
	p.mu.Lock()
	if len(p.batch) > 0 {
		piece := p.batch[0]
		p.batch = p.batch[1:]
		p.mu.Unlock()
		return piece, true
	}
	busy, link := p.busy, p.link
	p.busy, p.batch = false, nil
	p.sayOver()
	p.mu.Unlock()
	if busy && link != nil {
		link.Written()
	}
	return protocol.Piece{}, false
}

// sayOver calls over once the attachment has ended, or was left, and no frame of it is left to read. p.mu is held.
func (p *inboxPeer) sayOver() {
	unread := slices.ContainsFunc(p.batch, func(x protocol.Piece) bool { return x.Seq > 0 })
	if !p.said && (p.left || p.ended && !unread) {
		p.said = true
		p.over()
	}
}

func (p *inboxPeer) theLink() *registry.Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link
}

// end reports how the attachment ended, once its last batch has been read.
func (p *inboxPeer) end() (protocol.CloseCode, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code, p.ended && len(p.batch) == 0
}

// leave gives up the place.
func (p *inboxPeer) leave() {
	p.mu.Lock()
	p.left = true
	p.sayOver()
	link := p.link
	p.mu.Unlock()
	if link != nil {
		link.Gone(true)
	}
}
