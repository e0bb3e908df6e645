package session_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// counted names the events that are drops or oddities. The others are seen in the effects themselves.
var counted = map[session.EventKind]string{
	session.EventPrunedAcked: "pruned_acked", session.EventPrunedCount: "pruned_count", session.EventPrunedBytes: "pruned_bytes",
	session.EventPrunedAge: "pruned_age", session.EventPrunedReaped: "pruned_reaped", session.EventPrunedDeleted: "pruned_deleted",
	session.EventDuplicate: "duplicate", session.EventStale: "stale", session.EventPingPending: "ping_pending",
	session.EventRecordPushed: "record_pushed", session.EventPlacePushed: "place_pushed", session.EventCommitFailed: "commit_failed",
	session.EventReaped: "reaped", session.EventDeleted: "deleted", session.EventRestarted: "restarted",
}

func (p *player) say(format string, args ...any) { fmt.Fprintf(p.out, "  "+format+"\n", args...) }

// obey writes what the session asks for, in the order in which a shell carries it out, and answers commits as the store would.
func (p *player) obey() {
	fx := &p.fx
	for i := 0; i < len(fx.Commits); i++ {
		p.commit(fx.Commits[i])
	}
	for _, a := range fx.Asks {
		p.say("ask #%d floor=%d head=%d", a.Token, a.Floor, a.Head)
	}
	for _, w := range fx.Writes {
		p.say("write %s %s", p.names[w.Gen], pieces(w.Batch))
	}
	for _, x := range fx.Pauses {
		p.say("%s %s", map[bool]string{true: "pause", false: "unpause"}[x.Stop], p.names[x.Gen])
	}
	for _, f := range fx.Forwards {
		p.say("forward from=%s to=%s id=%s %s", p.names[f.Gen], f.To, f.ID, f.Frame)
	}
	for _, to := range fx.Settled {
		p.say("settled %v", to)
	}
	for _, r := range fx.Replies {
		p.say("reply %v %s", r.To, outcome(r))
	}
	for _, c := range fx.Closes {
		p.say("close %s %d %s", p.names[c.Gen], c.Code, c.Code.Name())
	}
	for _, e := range fx.Events {
		if name, ok := counted[e.Kind]; ok {
			p.say("count %s %d", name, e.N)
		}
	}
	if fx.Next != p.next {
		p.next = fx.Next
		p.say("next %s", deadline(p.next))
	}
	if fx.Retire {
		p.retire()
	}
}

func (p *player) commit(k session.Commit) {
	what := fmt.Sprintf("%d..%d", k.First, k.Last)
	if k.Delete {
		what = "delete"
	}
	if k.Record != nil {
		what += " with its record"
	}
	p.say("commit #%d %s", k.Token, what)
	if p.late {
		p.owed = append(p.owed, k.Token)
		return
	}
	p.s.Confirmed(p.now, k.Token, nil, false, &p.fx)
}

// retire ends a life: the next begins at once where somebody waits for it, else with the transcript's next input.
func (p *player) retire() {
	p.say("retire")
	p.fx.Reset()
	if !p.s.Ended(&p.fx) {
		p.s = nil
		p.obey()
		return
	}
	p.obey()
	p.say("reborn")
	p.fx.Reset()
	p.s.Reborn(p.now, &p.fx)
	p.obey()
}

func deadline(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return d.String()
}

func outcome(r session.Reply) string {
	switch {
	case r.Err != nil:
		return fmt.Sprintf("error %s: %s", r.Err.Code, r.Err.Message)
	case r.Stored.Status != "":
		text := fmt.Sprintf("%s %d..%d epoch=%s", r.Stored.Status, r.Stored.First, r.Stored.Last, r.Stored.Epoch)
		if r.Stored.Duplicate {
			text += " duplicate"
		}
		if r.Stored.Reason != "" {
			text += " because=" + r.Stored.Reason
		}
		return text
	case r.Page != nil:
		return page(r.Page)
	}
	return "done"
}

func page(g *protocol.Page) string {
	text := fmt.Sprintf("page %s", g.Resume)
	if g.Reason != "" {
		text += " reason=" + string(g.Reason)
	}
	text += fmt.Sprintf(" floor=%d head=%d cursor=%s", g.Floor, g.Head, g.Cursor)
	if g.More {
		text += " more"
	}
	if g.Snapshot != nil {
		text += " snapshot=" + string(g.Snapshot)
	}
	for _, f := range g.Frames {
		text += " " + string(f)
	}
	return text
}

// pieces writes a batch: sequenced frames as seq:body, long runs of them as first..last, the broker's own without what is the same in each.
func pieces(batch []protocol.Piece) string {
	var out []string
	for i := 0; i < len(batch); i++ {
		run := i
		for run+1 < len(batch) && batch[i].Seq > 0 && batch[run+1].Seq == batch[run].Seq+1 {
			run++
		}
		if run-i >= 5 {
			out = append(out, fmt.Sprintf("%d..%d", batch[i].Seq, batch[run].Seq))
			i = run
			continue
		}
		text, same := piece(batch[i]), 1
		for i+1 < len(batch) && piece(batch[i+1]) == text {
			i++
			same++
		}
		if same > 1 {
			text = fmt.Sprintf("%d x %s", same, text)
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}
