package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/restante/restante/broker"
)

const (
	// idleTimeout is how long a kept-alive HTTP connection may wait for its next request.
	idleTimeout = 2 * time.Minute
	// maxHeaderBytes bounds a request's header.
	maxHeaderBytes = 32 << 10
	// failTime is what connections get to be told to come back later, after the store has failed: there is nothing else to give them.
	failTime = 3 * time.Second
	// answerTime is what answers that are being written get after a drain.
	answerTime = time.Second
	// defaultHandshake stands in for --handshake-timeout 0.
	defaultHandshake = 10 * time.Second
)

// serveCmd runs the broker until a signal ends it.
type serveCmd struct {
	Listen      string       `default:"127.0.0.1:7480" help:"Address to listen on; port 0 takes a free one."`
	AllowOrigin []string     `placeholder:"ORIGIN" help:"Further origin that browsers may call from, such as https://app.example; may be repeated."`
	Insecure    bool         `help:"Let everybody who can reach the broker do everything; needed for an address that is not loopback."`
	DrainTime   duration     `default:"10s" help:"How long connections get to end in order at SIGTERM or SIGINT."`
	UntilEOF    bool         `name:"until-stdin-closes" hidden:"" help:"Drain when standard input ends: a parent that holds the other end of a pipe takes the broker along, however it dies."`
	Storage     storageFlags `embed:""`
	Limits      limitFlags   `embed:""`
}

// Help is shown below the flags.
func (serveCmd) Help() string {
	return "The first line on standard output is the broker's URL. SIGTERM or SIGINT drains and exits 0; a second one ends at once. " +
		"Sizes are bytes or like 64KiB, durations like 30s; the word off takes a limit away where the broker can do without."
}

// Run serves until a signal comes or the listener fails.
func (c *serveCmd) Run(p *process, log *slog.Logger) error {
	if c.DrainTime < 0 {
		return usageError{errors.New("--drain-time cannot be off: give 0s to end at once")}
	}
	for _, o := range c.AllowOrigin {
		if err := broker.CheckOrigin(o); err != nil {
			return usageError{fmt.Errorf("--allow-origin: %w", err)}
		}
	}
	cfg := c.Limits.config()
	cfg.Insecure, cfg.AllowOrigins, cfg.Logger = c.Insecure, c.AllowOrigin, log
	if err := c.Storage.into(&cfg); err != nil {
		return err
	}
	return c.run(p, cfg, log)
}

// run serves what cfg says, at --listen.
func (c *serveCmd) run(p *process, cfg broker.Config, log *slog.Logger) error {
	addr, err := c.address()
	if err != nil {
		return err
	}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	signals := p.signals()
	ln, err := net.Listen("tcp", addr.String())
	if err != nil {
		return err
	}
	b, err := broker.New(cfg)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	srv := &http.Server{
		Handler:           b.Handler(),
		ReadHeaderTimeout: c.headerTimeout(),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	listening := make(chan error, 1)
	go func() { listening <- srv.Serve(ln) }()
	fmt.Fprintln(p.out, baseURL(ln.Addr().(*net.TCPAddr)))
	log.Info("serving", append([]any{"address", ln.Addr().String(), "insecure", c.Insecure}, storeAttrs(cfg)...)...)
	return c.until(b, srv, listening, signals, p.in, log)
}

// ending is a *broker.Broker as its end needs it.
type ending interface {
	Failed() <-chan struct{}
	Err() error
	Drain(ctx context.Context) error
	Close() error
}

// until waits for the end of the broker, whoever brings it, and ends it in order.
func (c *serveCmd) until(b ending, srv *http.Server, listening <-chan error, signals <-chan os.Signal, in io.Reader, log *slog.Logger) error {
	within := time.Duration(c.DrainTime)
	select {
	case err := <-listening:
		return errors.Join(err, b.Close())
	case s := <-signals:
		log.Info("draining", "signal", s.String(), "within", within)
	case <-orphaned(c.UntilEOF, in):
		log.Info("draining", "reason", "end of standard input", "within", within)
	case <-b.Failed():
		within = min(within, failTime)
		log.Error("draining", "reason", "the store has failed", "err", b.Err(), "within", within)
	}
	err := end(b, srv, within, signals, log)
	if cause := b.Err(); cause != nil {
		return cause // also where it failed while it drained: not every frame got to where it should
	}
	return err
}

// orphaned returns what is closed when in ends; nil, which never is, unless that was asked for.
func orphaned(asked bool, in io.Reader) <-chan struct{} {
	if !asked {
		return nil
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in) // an input that fails has ended too
	}()
	return ended
}

// end drains, then closes; a further signal ends the process without waiting for either.
func end(b ending, srv *http.Server, within time.Duration, signals <-chan os.Signal, log *slog.Logger) error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := b.Drain(ctx); err != nil {
			log.Warn("the drain time was over before every connection had ended", "err", err)
		}
		answers, stop := context.WithTimeout(context.Background(), answerTime)
		defer stop()
		if err := srv.Shutdown(answers); err != nil {
			srv.Close()
		}
		done <- b.Close()
	}()
	select {
	case err := <-done:
		log.Info("ended")
		return err
	case s := <-signals:
		log.Warn("ended at once", "signal", s.String())
		return signalStatus(s)
	}
}

// address resolves --listen, and refuses one that strangers can reach unless --insecure was given (P-25).
func (c *serveCmd) address() (*net.TCPAddr, error) {
	addr, err := net.ResolveTCPAddr("tcp", c.Listen)
	if err != nil {
		return nil, usageError{fmt.Errorf("--listen: %w", err)}
	}
	if !addr.IP.IsLoopback() && !c.Insecure {
		return nil, usageError{fmt.Errorf("--listen %s is not a loopback address, and there is no authentication: anybody who reaches it could read and write everything; "+
			"put a proxy that authenticates in front of a loopback address, or say --insecure", c.Listen)}
	}
	return addr, nil
}

func (c *serveCmd) headerTimeout() time.Duration {
	switch t := time.Duration(c.Limits.HandshakeTimeout); {
	case t < 0:
		return 0
	case t == 0:
		return defaultHandshake
	default:
		return t
	}
}

// baseURL is a URL by which this machine reaches a listener at addr.
func baseURL(addr *net.TCPAddr) string {
	if addr.IP.IsUnspecified() {
		addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: addr.Port}
	}
	return "http://" + addr.String()
}
