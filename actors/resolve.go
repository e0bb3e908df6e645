package actors

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// Addressed is an Owner that others can reach by a PID. An owner that embeds its Mailbox has Tell from it.
type Addressed interface {
	Supervised
	// Tell is Mailbox.Tell of the owner's own mailbox.
	Tell(o Owner, msg any) bool
}

// Request is a message that came with a sender who can be answered. A message sent without one arrives as it is.
type Request struct {
	Message any
	// Sender is who asked.
	Sender *actor.PID
	sys    *System
}

// Reply sends msg to the one who asked. It never blocks.
func (r Request) Reply(msg any) { r.sys.Root().Send(r.Sender, msg) }

// kinds maps an address to the kind of owner that is found there. It is read at each send to a PID that has not been
// resolved, and written a few times at the start.
type kinds struct{ byAddress sync.Map }

// resolve is the library's address resolver. Whether there is an owner of that id is asked at each send.
func (k *kinds) resolve(pid *actor.PID) (actor.Process, bool) {
	v, ok := k.byAddress.Load(pid.Address)
	if !ok {
		return nil, false
	}
	return v.(*process), true
}

// Resolve makes the owners that find knows by id reachable through PIDs: PID{Address: address, Id: id}. find is called at each
// send, from any goroutine, and must not block. An owner's Name must give the same address and id. The library's own
// actors keep their empty default address; address must not be "nonhost".
func (s *System) Resolve(address string, find func(id string) (Addressed, bool)) {
	s.kinds.byAddress.Store(address, &process{s, address, find})
}

// Closed tells the system that the mailbox of the owner of that name has closed, so that those who watch it hear of it. The
// owner's registry calls it once for each life, after find has stopped to find it. It costs one atomic read where nobody watches.
func (s *System) Closed(address, id string) {
	for _, watcher := range s.roll.remove(name{address, id}) {
		s.terminated(watcher, &actor.Terminated{Who: actor.NewPID(address, id)})
	}
}

// terminated sends msg to watcher as the system message that it is.
func (s *System) terminated(watcher *actor.PID, msg *actor.Terminated) {
	p, _ := s.lib.ProcessRegistry.Get(watcher) // the dead letters' process if there is none
	p.SendSystemMessage(watcher, msg)
}

// process is one kind of owner as the library sees it: one for all the owners of an address, so that an owner that
// nobody reaches by PID pays nothing, and a PID that the library has resolved once cannot hold a life that has ended.
type process struct {
	sys     *System
	address string
	find    func(id string) (Addressed, bool)
}

var _ actor.Process = (*process)(nil)

// SendUserMessage implements actor.Process.
func (p *process) SendUserMessage(pid *actor.PID, message any) {
	_, msg, sender := actor.UnwrapEnvelope(message)
	switch msg.(type) {
	case *actor.PoisonPill:
		msg = StopRequest{}
	default:
		if sender != nil {
			msg = Request{Message: msg, Sender: sender, sys: p.sys}
		}
	}
	if !p.tell(pid.Id, msg) {
		p.sys.lib.DeadLetter.SendUserMessage(pid, message)
	}
}

// SendSystemMessage implements actor.Process.
func (p *process) SendSystemMessage(pid *actor.PID, message any) {
	ok := true
	switch msg := message.(type) {
	case *actor.Watch:
		p.watch(pid, msg.Watcher)
	case *actor.Unwatch:
		p.sys.roll.unwatch(name{p.address, pid.Id}, msg.Watcher)
	case *actor.Stop:
		ok = p.tell(pid.Id, StopRequest{})
	case *actor.Restart:
		ok = p.tell(pid.Id, RestartRequest{})
	case *actor.Terminated:
		ok = p.tell(pid.Id, msg) // of one that the owner watches
	case *actor.SuspendMailbox, *actor.ResumeMailbox:
		// A turn never stops for a failure.
	default:
		ok = false
	}
	if !ok {
		p.sys.lib.DeadLetter.SendSystemMessage(pid, message)
	}
}

// Stop implements actor.Process.
func (p *process) Stop(pid *actor.PID) { p.SendSystemMessage(pid, &actor.Stop{}) }

// tell finds the owner and tells it; if that one closes at this moment, it tries the next life once.
func (p *process) tell(id string, msg any) bool {
	for range 2 {
		o, ok := p.find(id)
		if !ok {
			return false
		}
		if o.Tell(o, msg) {
			return true
		}
	}
	return false
}

// watch enters the watcher first and looks then, so that an end in between is told by one of the two.
func (p *process) watch(pid, watcher *actor.PID) {
	n := name{p.address, pid.Id}
	p.sys.roll.watch(n, watcher)
	if _, ok := p.find(pid.Id); !ok && p.sys.roll.unwatch(n, watcher) {
		p.sys.terminated(watcher, &actor.Terminated{Who: pid, Why: actor.TerminatedReason_NotFound})
	}
}
