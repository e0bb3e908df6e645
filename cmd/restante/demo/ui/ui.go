package ui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/restante/restante/cmd/restante/demo/agent"
)

const (
	// Command is the hidden subcommand of the executable that runs the broker. It is called with --folder, --allow-origin for each origin, and the keys in its
	// environment, where no other user can read them.
	Command = "demo-broker"
	// PageKey is the variable with the page's key, AgentKey that with the agent's.
	PageKey = "RESTANTE_DEMO_PAGE_KEY"
	// AgentKey is the other.
	AgentKey = "RESTANTE_DEMO_AGENT_KEY"

	// outboxes and leavings are the folders in a demo's own: what the broker keeps, and what the agent's commands leave behind.
	outboxes = "outboxes"
	leavings = "leavings"

	// headerTime bounds the header of a request, goodbye what calls that are being answered get at the end.
	headerTime = 10 * time.Second
	goodbye    = time.Second
)

// DataDir is where the broker keeps its outboxes in the folder that Command is given.
func DataDir(folder string) string { return filepath.Join(folder, outboxes) }

// Run runs the demo until ctx ends, which is its orderly end, or something of it cannot go on, which is the error. It says on o.Out where the page is, in the first line.
// Nothing that it started runs on when it returns, and its folder is gone. A UsageError is a mistake in o.
func Run(ctx context.Context, o Options) (err error) {
	o, err = o.filled()
	if err != nil {
		return err
	}
	ln, err := o.listen(ctx)
	if err != nil {
		return err
	}
	defer ln.Close()
	folder, err := os.MkdirTemp("", "restante-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := os.Mkdir(filepath.Join(folder, leavings), 0o700); err != nil {
		return err
	}
	d := &running{Options: o, folder: folder, keys: newKeys(), networks: map[string]*network{}}
	defer func() { err = errors.Join(err, d.close()) }()
	return d.run(ctx, ln)
}

// running is one demo.
type running struct {
	Options
	folder   string
	keys     Keys
	networks map[string]*network
	broker   *lives
	agent    *agent.Agent
}

// run starts everything, in the order in which one needs the other, and ends it in the opposite one.
func (d *running) run(ctx context.Context, ln net.Listener) error {
	for _, device := range devices() {
		n, err := newNetwork(d.tunnel)
		if err != nil {
			return err
		}
		d.networks[device] = n
	}
	d.broker = newLives(d.Executable, d.brokerArgs(ln.Addr()), []string{"RESTANTE_LOG_LEVEL=warn", PageKey + "=" + d.keys.Page, AgentKey + "=" + d.keys.Agent}, d.Log, d.moved)
	var err error
	d.agent, err = agent.New(agent.Config{
		Dir: d.Dir, Temp: filepath.Join(d.folder, leavings), Dial: d.broker.dial, Secret: d.keys.Agent, Pace: d.pace,
		Logger: slog.New(slog.NewTextHandler(d.Log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return UsageError{fmt.Errorf("--dir: %w", err)}
	}
	first, err := d.broker.start(ctx)
	if err != nil {
		return err
	}
	// The broker outlives those who use it.
	living, stop := context.WithCancel(context.WithoutCancel(ctx))
	go d.broker.keep(living, first)
	defer func() {
		stop()
		<-d.broker.ended
	}()
	return d.serve(ctx, ln)
}

// serve lets the agent work and the page be served until ctx ends or one of them fails.
func (d *running) serve(ctx context.Context, ln net.Listener) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	srv := &http.Server{
		Handler:           newServer(d.keys.Page, filepath.Base(d.agent.Folder()), d.networks, d.broker, d.agent),
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // what browsers do to their connections
	}
	var tasks sync.WaitGroup
	failed := make(chan error, 2)
	tasks.Go(func() {
		if err := d.agent.Run(ctx); err != nil {
			failed <- fmt.Errorf("the agent: %w", err)
			end(err)
		}
	})
	tasks.Go(func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
			end(err)
		}
	})
	fmt.Fprintf(d.Out, "http://%s/#key=%s\n", ln.Addr(), d.keys.Page)
	fmt.Fprintf(d.Out, "An agent at work in %s, on two devices: open the address above, which is the key to it as well. Ctrl-C ends it.\n", d.agent.Folder())
	<-ctx.Done()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if srv.Shutdown(within) != nil {
		srv.Close()
	}
	tasks.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// brokerArgs are the arguments of the broker's process.
func (d *running) brokerArgs(page net.Addr) []string {
	args := []string{Command, "--folder", d.folder}
	for _, o := range origins(page) {
		args = append(args, "--allow-origin", o)
	}
	return args
}

// moved leads everybody to where the broker is now.
func (d *running) moved(addr string) {
	for _, n := range d.networks {
		n.proxy.Retarget(addr)
	}
	if addr != "" {
		d.agent.Online()
	}
}

// close ends what has no goroutine that ends with ctx.
func (d *running) close() error {
	var err error
	for _, n := range d.networks {
		err = errors.Join(err, n.close())
	}
	if d.agent != nil {
		err = errors.Join(err, d.agent.Close())
	}
	return err
}
