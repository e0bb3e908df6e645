package agent

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"os/exec"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/restante/restante/client"
)

const (
	// brokerURL is what the broker is called; Config.Dial knows where it is.
	brokerURL = "http://broker.localhost"
	// wordPace is how long a word takes.
	wordPace = 25 * time.Millisecond
	// waitingSays bounds what people have said and the agent has not begun to answer. The rest waits in the agent's outbox.
	waitingSays = 16
)

// Config says where an Agent works and how it reaches its broker.
type Config struct {
	// Dir is the folder that it works in, and Temp one for what its commands leave behind; both exist, and Temp is not the agent's to remove.
	Dir, Temp string
	// Dial connects to the broker, wherever that is now; its arguments are net.Dialer's, and the address means nothing.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Secret is the token with which it attaches as ID, and publishes to Topic.
	Secret string
	// Pace (25 ms) is how long each word takes that it says; negative is none.
	Pace time.Duration
	// Logger (slog.Default()) takes the log.
	Logger *slog.Logger
}

func (c Config) pace() time.Duration { return max(c.Pace, 0) }

// Agent is the agent of one session. Make it with New, let it work with Run, and Close it. Flood, Online and their like are safe for concurrent use.
type Agent struct {
	cfg   Config
	shop  *shop
	pub   *publisher
	flood flood
	// says are what people have said, each of which holds an element of room.
	says chan said
	room chan struct{}
	next *said // has been taken from says, and is not begun; the worker's

	// numbers are given out by the handler (users) and by the worker (all others), which are one each.
	users, turns, calls, questions int
	// at is the cursor of the last frame that was taken from the outbox; the handler's.
	at string

	mu sync.Mutex
	// running ends with Run; nil outside of it. tasks are what Run waits for.
	running context.Context
	tasks   sync.WaitGroup
	client  *client.Client
	now     *turn     // under way
	asked   *question // open
}

// question is one that waits for its first answer.
type question struct {
	number int
	answer chan string // has room for it
}

// New opens the folder and makes an agent that does nothing yet.
func New(cfg Config) (*Agent, error) {
	if cfg.Dial == nil || cfg.Temp == "" {
		return nil, errors.New("agent: a Config needs Dial and Temp")
	}
	cfg.Pace = cmp.Or(cfg.Pace, wordPace)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	f, err := openFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	return &Agent{
		cfg: cfg, shop: &shop{folder: f, temp: cfg.Temp, path: exec.LookPath}, pub: newPublisher(cfg, uuid.NewString()),
		says: make(chan said, waitingSays), room: make(chan struct{}, waitingSays),
	}, nil
}

// Folder is the absolute path of the folder that it works in.
func (a *Agent) Folder() string { return a.shop.folder.path }

// Run lets the agent work until ctx ends, and returns when nothing that it started runs any more. The error is the broker's, where that refuses it for good. It may be called again
// when it has returned: the agent goes on where it was, with what it has been sent meanwhile, but for the turn that was under way, which is stopped.
func (a *Agent) Run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	c, err := a.connect()
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.running, a.client = ctx, c
	a.mu.Unlock()
	failed := make(chan error, 2)
	work := func(run func(context.Context) error) {
		a.tasks.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				failed <- err
				end(err)
			}
		})
	}
	work(a.pub.run)
	work(c.Run)
	a.tasks.Go(func() { a.work(ctx) })
	<-ctx.Done()
	a.mu.Lock()
	a.running, a.client = nil, nil
	a.mu.Unlock()
	a.tasks.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// connect makes the client of this run.
func (a *Agent) connect() (*client.Client, error) {
	return client.New(client.Config{
		URL: brokerURL, ClientID: ID, Cursor: a.at, Dial: a.cfg.Dial,
		Token:            func(context.Context) (string, error) { return a.cfg.Secret, nil },
		HandshakeTimeout: 3 * time.Second,
		// The broker is on this machine, and is killed for show.
		Backoff: client.Backoff{Min: 50 * time.Millisecond, Max: 500 * time.Millisecond},
		Handler: a.handle,
		OnReset: func(r client.Reset) {
			a.cfg.Logger.Warn("the agent's outbox has begun anew", "reason", r.Reason, "cursor", r.Cursor)
		},
		OnError: func(err error) { a.cfg.Logger.Debug("the agent's connection", "err", err) },
	})
}

// Close lets go of the folder. Run must have returned.
func (a *Agent) Close() error { return a.shop.folder.close() }

// Online says that the broker is there again, so that nothing waits for its next try.
func (a *Agent) Online() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != nil {
		a.client.Online()
	}
}

// Flood begins to publish 2,500 frames into the topic, 500 a second. The error is ErrFlooding or ErrNotRunning.
func (a *Agent) Flood() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	ctx := a.running
	if ctx == nil || ctx.Err() != nil {
		return ErrNotRunning
	}
	if err := a.flood.begin(); err != nil {
		return err
	}
	a.tasks.Go(func() { a.flood.run(ctx, a.pub.put) })
	return nil
}

// Flooding says how far the last flood is.
func (a *Agent) Flooding() FloodState { return a.flood.look() }

// work answers what people have said, one turn after the other, until ctx ends.
func (a *Agent) work(ctx context.Context) {
	for {
		if a.next == nil {
			select {
			case s := <-a.says:
				a.next = &s
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() != nil {
			return // it is for the next Run
		}
		s := *a.next
		a.next = nil
		<-a.room
		a.turn(ctx, s)
	}
}

// turn is one answer from its beginning to its end.
func (a *Agent) turn(ctx context.Context, s said) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a.turns++
	t := &turn{a: a, number: a.turns, ctx: ctx, cancel: cancel}
	a.mu.Lock()
	a.now = t
	a.mu.Unlock()
	a.pub.must(turnFrame{"turn", t.number, turnStart, s.user})
	err := t.respond(s)
	a.mu.Lock()
	a.now = nil
	a.mu.Unlock()
	state := turnDone
	if err != nil {
		state = turnStopped
	}
	a.pub.must(turnFrame{"turn", t.number, state, s.user})
}

// stop ends the turn under way: the one of that number, or whichever it is for 0. It says whether there was one.
func (a *Agent) stop(number int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now == nil || number != 0 && a.now.number != number {
		return false
	}
	a.now.cancel(errStop)
	return true
}

func (a *Agent) nextCall() int {
	a.calls++
	return a.calls
}

// open makes the one question that there is at a time, which shut takes away again.
func (a *Agent) open() *question {
	a.questions++
	q := &question{number: a.questions, answer: make(chan string, 1)}
	a.mu.Lock()
	a.asked = q
	a.mu.Unlock()
	return q
}

func (a *Agent) shut(q *question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked == q {
		a.asked = nil
	}
}

// answer gives the open question its first answer, and says whether it was one. The frame that tells it is put before the turn can go on.
func (a *Agent) answer(number int, choice, device string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.asked
	if q == nil || q.number != number || choice != allow && choice != deny {
		return false
	}
	a.asked = nil
	a.pub.must(answeredFrame{"answered", number, choice, device})
	q.answer <- choice
	return true
}
