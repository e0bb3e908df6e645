package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/restante/restante/bench/stand"
	"github.com/restante/restante/broker"
)

// benchStandCmd is a broker with a publisher inside, which a load generator drives: so what brings frames to it costs every server that is compared the same.
type benchStandCmd struct {
	Listen  string     `default:"127.0.0.1:0" help:"Loopback address to listen on; port 0 takes a free one."`
	Profile bool       `help:"Serve /debug/pprof as well."`
	DataDir string     `type:"path" placeholder:"DIR" help:"Keep outboxes in this folder; by default they are in memory."`
	Sync    string     `default:"always" help:"When a frame on disk counts as stored; see restante serve."`
	Limits  limitFlags `embed:""`

	UntilEOF bool `name:"until-stdin-closes" hidden:"" help:"End when standard input does: so that it ends with its parent, however that ends."`
}

// published is the broker as the stand publishes to it.
type published struct{ b *broker.Broker }

// Unicast publishes to one client.
func (p published) Unicast(_ int, client string, frame []byte) error {
	_, err := p.b.Client(client).Publish(context.Background(), frame)
	return err
}

// Fanout publishes to a topic.
func (p published) Fanout(topic string, frame []byte) error {
	_, err := p.b.Topic(topic).Publish(context.Background(), frame)
	return err
}

// Run serves until a signal comes. The first line on standard output is the broker's URL.
func (c *benchStandCmd) Run(p *process, log *slog.Logger) error {
	cfg := c.Limits.config()
	cfg.Logger = log
	if c.DataDir != "" {
		cfg.DataDir, cfg.Sync = c.DataDir, c.Sync
	}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	if !ln.Addr().(*net.TCPAddr).IP.IsLoopback() {
		_ = ln.Close()
		return usageError{fmt.Errorf("%s is not a loopback address: whoever reaches a stand can fill it", c.Listen)}
	}
	b, err := broker.New(cfg)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	defer b.Close()
	mux := http.NewServeMux()
	mux.Handle("/", b.Handler())
	mux.Handle("/bench/", stand.Handler("restante", versionLine(debug.ReadBuildInfo()), published{b}))
	if c.Profile {
		mux.Handle("/debug/pprof/", profiles())
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTimeout}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	fmt.Fprintln(p.out, baseURL(ln.Addr().(*net.TCPAddr)))
	select {
	case err := <-ended:
		return err
	case <-p.signals():
		return srv.Close()
	case <-orphaned(c.UntilEOF, p.in):
		return srv.Close()
	}
}
