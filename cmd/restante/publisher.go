package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/restante/restante/protocol"
)

// A batch is never larger than this, so that it stays below a tenth of the default outbox (P-2). Where the broker's outbox is smaller,
// its refusal teaches the publisher what goes.
const (
	maxBatchFrames = 500
	maxBatchBytes  = 256 << 10
)

// stateTimeout bounds a look at the client's state: the end of a run waits for one.
const stateTimeout = 5 * time.Second

// tally is what a run of publish has come to.
type tally struct {
	frames, bytes int
	refused       int // by the broker
	pruned        uint64
	epoch         string
	first, last   uint64
}

// target is where a publisher sends its frames.
type target struct {
	name string // as the user is told
	path string // of the call that publishes
	// state is the path of the state that says what has been acked; "" for a topic, which has no one reader.
	state string
}

// clientTarget is the outbox of a checked client_id.
func clientTarget(id string) target {
	return target{name: id, path: clientPath(id, "/frames"), state: clientPath(id, "")}
}

// publisher sends batches of frames to one target, one call at a time, in order.
type publisher struct {
	api    *api
	to     target
	show   *progress
	retry  *retrier
	strict bool
	window *window

	maxFrames int // of a batch; shrinks when the broker says that it takes less
	total     tally
}

func newPublisher(a *api, to target, show *progress, patience time.Duration) *publisher {
	return &publisher{api: a, to: to, show: show, maxFrames: maxBatchFrames, retry: &retrier{patience: patience, say: show.say}}
}

// errStrict ends a strict run at a line that the broker refused.
var errStrict = status(exitFailed)

// run publishes what in gathers, until its end.
func (p *publisher) run(ctx context.Context, in *gather) error {
	for {
		frames, weight := p.window.room()
		batch := in.take(min(p.maxFrames, frames), min(maxBatchBytes, weight))
		if batch == nil {
			return nil
		}
		before := p.total.frames + p.total.refused
		if err := p.send(ctx, batch); err != nil {
			in.end()
			if unsent := len(batch) - (p.total.frames + p.total.refused - before) + in.left(); unsent > 0 {
				p.show.say("%d frames that had been read are not known to be stored", unsent)
			}
			return err
		}
	}
}

// send publishes a batch. A line that the broker refuses is dropped from it and named; a batch that is too much for the broker goes in halves.
func (p *publisher) send(ctx context.Context, batch []frameLine) error {
	for len(batch) > 0 {
		sent := call{
			method: http.MethodPost, path: p.to.path, contentType: "application/x-ndjson",
			key: uuid.NewString(), body: joinLines(batch),
		}
		var stored protocol.Published
		err := p.retry.do(ctx, func() error { return p.api.call(ctx, sent, &stored) })
		var e *protocol.Error
		switch {
		case err == nil:
			p.stored(batch, stored)
			return p.held(ctx, batch, sent, stored)
		case !errors.As(err, &e) || !ofFrame(e.Code):
			return err
		case e.Line >= 1 && e.Line <= len(batch):
			if batch = p.refuse(batch, e.Line-1, e); p.strict {
				batch = batch[:e.Line-1]
				return p.lastOf(ctx, batch)
			}
		case len(batch) == 1:
			if p.refuse(batch, 0, e); p.strict {
				return errStrict
			}
			return nil
		default:
			half := len(batch) / 2
			p.maxFrames = max(half, 1)
			if err := p.send(ctx, batch[:half]); err != nil {
				return err
			}
			batch = batch[half:]
		}
	}
	return nil
}

// lastOf publishes what came before the line that ends a strict run.
func (p *publisher) lastOf(ctx context.Context, batch []frameLine) error {
	if err := p.send(ctx, batch); err != nil {
		return err
	}
	return errStrict
}

// refuse names line i of the batch and returns the batch without it.
func (p *publisher) refuse(batch []frameLine, i int, e *protocol.Error) []frameLine {
	p.total.refused++
	p.show.say("%v", &lineError{batch[i].number, protocol.Errorf(e.Code, "%s", e.Message)})
	return slices.Delete(slices.Clone(batch), i, i+1)
}

// stored counts a batch that the broker has taken.
func (p *publisher) stored(batch []frameLine, s protocol.Published) {
	t := &p.total
	if t.epoch != "" && t.epoch != s.Epoch {
		p.show.say("%s has begun anew (epoch %s after %s): what was still held of the frames before is gone", p.to.name, s.Epoch, t.epoch)
		t.epoch = ""
	}
	if t.epoch == "" {
		t.epoch, t.first = s.Epoch, s.FirstSeq
	}
	t.last = s.Seq
	t.frames += len(batch)
	for _, l := range batch {
		t.bytes += len(l.body)
	}
	p.show.update(t)
}

// finish says what the run came to.
func (p *publisher) finish(ctx context.Context) {
	if p.to.state != "" && p.total.frames > 0 && ctx.Err() == nil {
		if state, err := p.state(ctx); err == nil {
			p.notePruned(state)
		}
	}
	p.show.finish(&p.total)
}

func (p *publisher) state(ctx context.Context) (protocol.State, error) {
	var s protocol.State
	err := p.api.call(ctx, call{method: http.MethodGet, path: p.to.state, timeout: stateTimeout}, &s)
	return s, err
}

// held keeps the run within its window: each time half a window has been published, it waits until the half before it has been acked.
func (p *publisher) held(ctx context.Context, batch []frameLine, sent call, stored protocol.Published) error {
	if p.to.state == "" {
		return nil
	}
	due := p.window.add(batch, barrier{sent, stored.Epoch, stored.Seq})
	if due == nil {
		return nil
	}
	for {
		var state protocol.State
		err := p.retry.do(ctx, func() (err error) { state, err = p.state(ctx); return err })
		var e *protocol.Error
		if errors.As(err, &e) && e.Code == protocol.CodeNotFound {
			return nil // the client was reaped or deleted: nobody will ack
		}
		if err != nil {
			return err
		}
		p.notePruned(state)
		passed := state.Epoch != due.epoch || state.Acked >= due.seq || state.Floor >= due.seq
		if passed || state.Connections+state.Places == 0 {
			return nil
		}
		p.show.update(&p.total)
		if err := p.awaitAck(ctx, due); err != nil {
			return err
		}
	}
}

// awaitAck repeats the call that stored the barrier, which the broker knows by its key, and waits with it for the ack.
func (p *publisher) awaitAck(ctx context.Context, b *barrier) error {
	again := b.call
	again.query = url.Values{"wait": {protocol.StatusAcked}, "timeout": {ackPatience.String()}}
	again.timeout = ackPatience + callTimeout
	var reached protocol.Published
	err := p.retry.do(ctx, func() error { return p.api.call(ctx, again, &reached) })
	if err == nil && reached.Reason == protocol.ShortDraining {
		return sleep(ctx, firstBackoff)
	}
	return err
}

// notePruned says when bounds have taken frames of this run that nobody had acked.
func (p *publisher) notePruned(s protocol.State) {
	t := &p.total
	if n := p.window.pruned(s, t.epoch, t.first); n > 0 {
		t.pruned += n
		p.show.sayAtMost(10*time.Second, "the bounds of %s's outbox have pruned %d frames that nobody had acked", p.to.name, t.pruned)
	}
}

// ofFrame reports whether a refusal with this code is about frames, so that the run can go on without them.
func ofFrame(c protocol.Code) bool {
	return c == protocol.CodeBadJSON || c == protocol.CodeBadFrame || c == protocol.CodeTooLarge
}

// joinLines is the batch as NDJSON.
func joinLines(batch []frameLine) []byte {
	n := 0
	for _, l := range batch {
		n += len(l.body) + 1
	}
	b := make([]byte, 0, n)
	for _, l := range batch {
		b = append(append(b, l.body...), '\n')
	}
	return b
}
