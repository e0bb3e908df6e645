package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"

	"github.com/restante/restante/protocol"
)

// topicTailCmd prints a topic's log.
type topicTailCmd struct {
	API      apiFlags `embed:""`
	Topic    string   `arg:"" help:"The topic to read."`
	History  *int     `xor:"from" placeholder:"N" help:"Start with the last N frames; 0: with what comes from now on."`
	Since    string   `xor:"from" placeholder:"CURSOR" help:"Start after this cursor, epoch:topic_seq or a bare topic_seq; without either, with everything that is retained."`
	NoFollow bool     `help:"End when everything that is there has been printed."`
}

// Help is shown below the flags.
func (topicTailCmd) Help() string {
	return "It reads the topic's log and follows it as no client. After the frame topic_closed it ends with exit status 0. What was lost is said on " +
		"standard error, and at the end the cursor to go on from. SIGINT or SIGTERM ends it with exit status 0."
}

func (c *topicTailCmd) check() error {
	if err := checkTopic(c.Topic); err != nil {
		return err
	}
	if c.History != nil && *c.History < 0 {
		return usageError{fmt.Errorf("--history: %d is below 0", *c.History)}
	}
	if c.Since != "" {
		if _, err := protocol.ParseCursor(c.Since); err != nil {
			return usageError{fmt.Errorf("--since: %w", err)}
		}
	}
	return nil
}

// Run prints until the topic is closed or a signal comes.
func (c *topicTailCmd) Run(p *process) error {
	if err := c.check(); err != nil {
		return err
	}
	a, err := c.API.open()
	if err != nil {
		return err
	}
	ctx, cancel := untilSignal(p.signals())
	defer cancel()
	say := newProgress(p.err, c.Topic, true).say
	t := &tail{
		api: a, path: topicPath(c.Topic, "/frames"), follow: !c.NoFollow, cursor: c.Since, out: bufio.NewWriterSize(p.out, 64<<10), say: say,
		retry: &retrier{patience: -1, say: say},
	}
	if c.History != nil {
		t.cursor, err = c.last(ctx, t)
	}
	if err == nil {
		err = t.run(ctx)
	}
	if t.cursor != "" {
		say("to go on from here: --since %s", t.cursor)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// last is the cursor that the last frames come after, as many as --history asks for.
func (c *topicTailCmd) last(ctx context.Context, t *tail) (string, error) {
	var s protocol.TopicState
	err := t.retry.do(ctx, func() error {
		return t.api.call(ctx, call{method: http.MethodGet, path: topicPath(c.Topic, "")}, &s)
	})
	if err != nil {
		return "", err
	}
	from := s.Floor
	if n := uint64(*c.History); s.Head-s.Floor > n {
		from = s.Head - n
	}
	return protocol.Cursor{Epoch: s.Epoch, Seq: from}.String(), nil
}
