package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// mostSaid is how many characters of what somebody says are read, mostName of the name that a page gave it.
const (
	mostSaid = 2000
	mostName = 128
)

// Devices are what the two clients are called; their client_ids begin with one of these and a dash.
var Devices = []string{"laptop", "phone"}

// said is what somebody said, and its number.
type said struct {
	user int
	text string
	// long says that it was cut.
	long bool
}

// letter is a frame that a page has sent to the agent: say, answer or stop.
type letter struct {
	Type string `json:"type"`
	// Text and Send are of a say; Send is the page's own name for it, which comes back with it.
	Text string `json:"text"`
	Send string `json:"send"`
	// Question and Choice are of an answer.
	Question int    `json:"question"`
	Choice   string `json:"choice"`
	// Turn may be of a stop: the one that is meant. Without it, it is the one under way.
	Turn int `json:"turn"`

	// device is where it came from, by the name of its sender, whatever else it says.
	device string
}

// read reads a frame of the outbox.
func read(f client.Frame) (letter, error) {
	var l letter
	if err := json.Unmarshal(f.Raw, &l); err != nil {
		return l, fmt.Errorf("it cannot be read: %w", err)
	}
	if len(l.Send) > mostName {
		return l, fmt.Errorf("its name has more than %d bytes", mostName)
	}
	for _, d := range Devices {
		if strings.HasPrefix(f.From, d+"-") {
			l.device = d
			return l, nil
		}
	}
	return l, fmt.Errorf("it comes from %q", f.From)
}

// handle takes one frame from the agent's outbox. A say waits for its turn; all else is dealt with at once. When it returns nil, the frame is taken: what it asks for
// is in the agent's hands, and nothing asks for it again.
func (a *Agent) handle(ctx context.Context, f client.Frame) error {
	cursor, err := a.cursor()
	if err != nil {
		return err
	}
	if cursor == "" {
		a.cfg.Logger.Warn("the agent has had this frame before", "seq", f.Seq)
		return nil
	}
	l, err := read(f)
	if err == nil {
		err = a.take(ctx, l)
	}
	if ctx.Err() != nil && err != nil {
		return err
	}
	if err != nil {
		a.cfg.Logger.Warn("the agent does nothing about a frame", "seq", f.Seq, "err", err)
	}
	a.at = cursor
	return nil
}

// cursor is that of the frame that is being handled; "" for one that the agent has had, which comes again when the outbox is read anew (P-10).
func (a *Agent) cursor() (string, error) {
	a.mu.Lock()
	c := a.client
	a.mu.Unlock()
	if c == nil {
		return "", context.Canceled // Run is ending
	}
	at := c.Cursor()
	now, err := protocol.ParseCursor(at)
	if err != nil {
		return "", err
	}
	if last, err := protocol.ParseCursor(a.at); err == nil && last.Epoch == now.Epoch && now.Seq <= last.Seq {
		return "", nil
	}
	return at, nil
}

// take does what a letter asks for. With an error that is ctx's nothing has been done.
func (a *Agent) take(ctx context.Context, l letter) error {
	switch l.Type {
	case "say":
		return a.hear(ctx, l)
	case "answer":
		if !a.answer(l.Question, l.Choice, l.device) { // mostly the other device was first, which the session tells
			a.cfg.Logger.Info("nobody waits for this answer", "question", l.Question, "choice", quoted(l.Choice))
		}
	case "stop":
		if !a.stop(l.Turn) { // the turn has ended by itself meanwhile
			a.cfg.Logger.Info("there is no such turn to stop", "turn", l.Turn)
		}
	default:
		return fmt.Errorf("%s is nothing that it knows", quoted(l.Type))
	}
	return nil
}

// hear has what was said published in its order, and answered in its turn. Where too much waits already it waits for room.
func (a *Agent) hear(ctx context.Context, l letter) error {
	select {
	case a.room <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s := said{user: a.users + 1, text: l.Text}
	if chars := []rune(l.Text); len(chars) > mostSaid {
		s.text, s.long = string(chars[:mostSaid])+"…", true
	}
	if err := a.pub.put(ctx, userFrame{"user", s.user, s.text, l.device, l.Send}); err != nil {
		<-a.room
		return err
	}
	a.users = s.user
	a.says <- s
	return nil
}

// respond is what a turn consists of.
func (t *turn) respond(s said) error {
	if s.long {
		if err := t.say("That was long: I have read its first %d characters. ", mostSaid); err != nil {
			return err
		}
	}
	return t.answer(understand(s.text))
}
