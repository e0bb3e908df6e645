package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/restante/restante/protocol"
)

// tailWait is how long one long-poll waits for something new.
const tailWait = 30 * time.Second

// tailCmd prints a client's frames.
type tailCmd struct {
	API      apiFlags `embed:""`
	Client   string   `arg:"" help:"The client_id to read."`
	Since    string   `placeholder:"CURSOR" help:"Start after this cursor, epoch:seq or a bare seq; without it, with everything that is retained."`
	Ack      bool     `xor:"how" help:"Attach as the client: hold a place, and ack each frame once it is printed."`
	NoFollow bool     `xor:"how" help:"End when everything that is there has been printed."`
}

// Help is shown below the flags.
func (tailCmd) Help() string {
	return "Without --ack it holds no place in the outbox and acks nothing. What was lost is said on standard error, and at the end the cursor to go on " +
		"from. SIGINT or SIGTERM ends it with exit status 0."
}

// Run prints until a signal comes.
func (c *tailCmd) Run(p *process) error {
	if err := checkClient(c.Client); err != nil {
		return err
	}
	if c.Since != "" {
		if _, err := protocol.ParseCursor(c.Since); err != nil {
			return usageError{fmt.Errorf("--since: %w", err)}
		}
	}
	a, err := c.API.open()
	if err != nil {
		return err
	}
	ctx, cancel := untilSignal(p.signals())
	defer cancel()
	say := newProgress(p.err, c.Client, true).say
	out := bufio.NewWriterSize(p.out, 64<<10)
	var cursor string
	if c.Ack {
		cursor, err = c.attach(ctx, out, say)
	} else {
		t := &tail{api: a, path: clientPath(c.Client, "/frames"), follow: !c.NoFollow, cursor: c.Since, out: out, say: say, retry: &retrier{patience: -1, say: say}}
		err = t.run(ctx)
		cursor = t.cursor
	}
	if cursor != "" {
		say("to go on from here: --since %s", cursor)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// tail reads a client's outbox, or a topic's log, page by page.
type tail struct {
	api    *api
	path   string
	follow bool
	out    *bufio.Writer
	say    func(format string, args ...any)
	retry  *retrier

	cursor string // the last frame printed, as the broker names it
}

func (t *tail) run(ctx context.Context) error {
	for idle := 0; ; {
		began := time.Now()
		page, err := t.page(ctx)
		if err != nil {
			return err
		}
		t.note(page.Page)
		if err := writePage(t.out, page.Page); err != nil {
			return err
		}
		t.cursor = page.Cursor
		switch {
		case page.More:
			idle = 0
		case !t.follow, page.Closed:
			return nil
		case len(page.Frames) == 0 && time.Since(began) < time.Second && page.Resume == protocol.ResumeUpToDate:
			// The broker did not let us wait: it is draining, or the client is being deleted.
			if err := sleep(ctx, t.retry.delay(idle, nil)); err != nil {
				return err
			}
			idle++
		default:
			idle = 0
		}
	}
}

// logPage is a page of either; Closed is a topic's.
type logPage struct {
	protocol.Page
	Closed bool `json:"closed"`
}

// page reads what comes after the cursor; while nothing does, it waits.
func (t *tail) page(ctx context.Context) (page logPage, err error) {
	query := url.Values{}
	if t.cursor != "" {
		query.Set("since", t.cursor)
	}
	c := call{method: http.MethodGet, path: t.path, query: query}
	if t.follow {
		query.Set("wait", tailWait.String())
		c.timeout = tailWait + callTimeout
	}
	err = t.retry.do(ctx, func() error {
		page = logPage{}
		return t.api.call(ctx, c, &page)
	})
	return page, err
}

// note says what a page that does not follow on from the cursor has to say for itself.
func (t *tail) note(page protocol.Page) {
	if page.Resume != protocol.ResumeTooOld {
		return
	}
	var why string
	switch page.Reason {
	case protocol.ReasonEpoch:
		why = "it is of another epoch, its numbering has begun anew"
	case protocol.ReasonAhead:
		why = "it is ahead of the last frame"
	case protocol.ReasonPruned:
		why = "frames after it are no longer retained"
		if at, err := protocol.ParseCursor(t.cursor); err == nil && at.Seq < page.Floor {
			why = fmt.Sprintf("the %d frames after it are no longer retained", page.Floor-at.Seq)
		}
	}
	t.say("too_old (%s): the cursor %s cannot be resumed, %s; going on after %s:%d", page.Reason, t.cursor, why, page.Epoch, page.Floor)
}

// writePage writes the page's snapshot, if it has one, and its frames, a line each.
func writePage(w *bufio.Writer, page protocol.Page) error {
	if s := page.Snapshot; len(s) > 1 && s[0] == '{' {
		if _, err := w.WriteString(`{"type":"snapshot",`); err != nil {
			return err
		}
		if err := writeLine(w, s[1:]); err != nil {
			return err
		}
	}
	for _, f := range page.Frames {
		if err := writeLine(w, f); err != nil {
			return err
		}
	}
	return w.Flush()
}

func writeLine(w io.Writer, line []byte) error {
	if _, err := w.Write(line); err != nil {
		return err
	}
	_, err := w.Write([]byte{'\n'})
	return err
}
