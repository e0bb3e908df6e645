package registry

import (
	"sync"

	"github.com/restante/restante/protocol"
)

// fakePeer is a connection without a wire: it keeps what it is written, and reports it as written when asked to.
type fakePeer struct {
	mu      sync.Mutex
	pieces  []protocol.Piece
	link    *Link
	refused protocol.CloseCode
	panics  bool // the next Write fails the client actor
	writes  int
	hold    bool // batches stay under way

	closed chan protocol.CloseCode
	wrote  chan struct{} // a token for each Write; has room for many
}

func newFakePeer() *fakePeer {
	return &fakePeer{closed: make(chan protocol.CloseCode, 1), wrote: make(chan struct{}, 1024)}
}

func (p *fakePeer) Attached(l *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = l
}

func (p *fakePeer) Refused(_ protocol.Piece, code protocol.CloseCode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = code
	p.closed <- code
}

func (p *fakePeer) Write(batch []protocol.Piece) (written bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.panics {
		p.panics = false
		panic("a connection's fault")
	}
	p.pieces = append(p.pieces, batch...)
	p.writes++
	p.wrote <- struct{}{}
	if !p.hold && p.writes%2 == 0 {
		p.link.Written()
		return false
	}
	return !p.hold
}

func (p *fakePeer) Close(code protocol.CloseCode) {
	select {
	case p.closed <- code:
	default:
	}
}

func (p *fakePeer) Pause(bool)  {}
func (p *fakePeer) Handled(int) {}

// seqs are those of the frames written so far.
func (p *fakePeer) seqs() (all []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.pieces {
		if x.Seq > 0 {
			all = append(all, x.Seq)
		}
	}
	return all
}

// texts are the broker's frames written so far.
func (p *fakePeer) texts() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.pieces {
		if x.Seq == 0 {
			all = append(all, string(x.Body))
		}
	}
	return all
}
