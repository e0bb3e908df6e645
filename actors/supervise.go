package actors

import (
	"github.com/asynkron/protoactor-go/actor"
)

// What the system asks of an Owner, as messages in its mailbox. It is the owner's to answer: nothing is taken from it.
type (
	// StopRequest asks the owner to end its life by its own handshake. Reason is what it failed with if supervision
	// decided so, and nil if somebody stopped or poisoned its PID.
	StopRequest struct{ Reason any }
	// RestartRequest asks the owner to begin anew with what it can rebuild, and to keep what it cannot. Reason is as in
	// StopRequest.
	RestartRequest struct{ Reason any }
)

// resuming is the default strategy: the actor goes on with its state, whatever failed and however often.
var resuming = actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.ResumeDirective })

// supervise lets the strategy decide on a failure of o, the owner of m, in o's own turn.
func (s *System) supervise(m *Mailbox, o Supervised, address, id string, msg, reason any) {
	name := name{address, id}
	stats := s.roll.failures(name)
	s.supervisor.HandleFailure(s.lib, ownerSupervisor{s, m, o, reason}, actor.NewPID(address, id), stats, reason, msg)
	s.roll.keepFailures(name, stats)
}

// ownerSupervisor is the supervisor of one Owner as the library's strategies see it. They may keep it and use it later.
type ownerSupervisor struct {
	sys     *System
	mailbox *Mailbox
	owner   Supervised
	reason  any
}

// Children implements actor.Supervisor. The system keeps no list of owners, so each is an only child, and
// an all-for-one strategy does the same as a one-for-one.
func (v ownerSupervisor) Children() []*actor.PID {
	address, id := v.owner.Name()
	return []*actor.PID{actor.NewPID(address, id)}
}

// ResumeChildren implements actor.Supervisor. The turn has never stopped.
func (v ownerSupervisor) ResumeChildren(...*actor.PID) {}

// RestartChildren implements actor.Supervisor.
func (v ownerSupervisor) RestartChildren(...*actor.PID) { v.tell(RestartRequest{v.reason}) }

// StopChildren implements actor.Supervisor.
func (v ownerSupervisor) StopChildren(...*actor.PID) { v.tell(StopRequest{v.reason}) }

// EscalateFailure implements actor.Supervisor.
func (v ownerSupervisor) EscalateFailure(reason, _ any) {
	if !v.sys.escalate(reason) {
		v.tell(StopRequest{reason})
	}
}

// tell asks the owner for something. If its mailbox has closed meanwhile there is nobody left to be asked.
func (v ownerSupervisor) tell(msg any) { v.mailbox.Tell(v.owner, msg) }

// escalate reports whether there is somebody above the system, who has then been told.
func (s *System) escalate(reason any) bool {
	if s.escalated == nil {
		return false
	}
	s.logger.Error("failure escalated", "reason", reason)
	s.recovering("Escalated", func() { s.escalated(reason) })
	return true
}

// rootStrategy supervises the ordinary actors below the root: as Options.Supervisor says, except that an escalation does
// not restart the root, which would end every actor below it.
type rootStrategy struct{ sys *System }

// HandleFailure implements actor.SupervisorStrategy.
func (r rootStrategy) HandleFailure(lib *actor.ActorSystem, v actor.Supervisor, who *actor.PID, rs *actor.RestartStatistics, reason, msg any) {
	r.sys.supervisor.HandleFailure(lib, rootSupervisor{v, r.sys, who}, who, rs, reason, msg)
}

// rootSupervisor is the root supervisor as the strategies see it.
type rootSupervisor struct {
	actor.Supervisor
	sys *System
	who *actor.PID
}

// EscalateFailure implements actor.Supervisor.
func (v rootSupervisor) EscalateFailure(reason, _ any) {
	if v.sys.escalate(reason) {
		v.ResumeChildren(v.who)
		return
	}
	v.StopChildren(v.who)
}
