// Command nats is a NATS server with JetStream in this process, as it is, and its WebSocket listener without TLS. The frames of clients are in one stream in
// memory, with a subject c.ID each; a client reads its own by an ordered consumer, from the sequence that it has. A topic is a plain subject t.NAME: NATS keeps
// nothing of it, so who is away misses what is published.
//
// The publisher is a client of that server over an in-process connection. It publishes to the stream without waiting for each answer, but has all of them before
// it says that frames are published.
//
// The server's own listener serves WebSockets only, at a port of its own, and has no way to be given another address's connections. So that the control calls
// can be made at the same address as well, this program listens itself, and hands what is none of them to the very http.Handler of that listener, got from the
// server by reflection. That handler takes the connection over for good: from then on there is nothing of this program between the socket and NATS.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/restante/restante/bench/stand"
)

const (
	// kept is how many frames of a client are kept.
	kept = 10_000
	// pending is how many publishes may wait for their answers.
	pending = 4_000
	// startTime is what the server may take to start, ackTime what an answer may take.
	startTime = 10 * time.Second
	ackTime   = 60 * time.Second
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7484", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen string) error {
	dir, err := os.MkdirTemp("", "nats-") // JetStream wants one, in memory as well
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := server.NewServer(&server.Options{
		JetStream: true, StoreDir: dir, DontListen: true, NoSigs: true, NoLog: true,
		JetStreamLimits: server.JSLimitOpts{DefaultMaxConsumers: -1}, // one a client that is there
		// Clients that come all at once ask for their consumers all at once. Beyond its own bound of 10,000 the server throws all such requests away.
		JetStreamRequestQueueLimit: 100_000,
		Websocket:                  server.WebsocketOpts{Host: "127.0.0.1", Port: -1, NoTLS: true},
	})
	if err != nil {
		return err
	}
	s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(startTime) {
		return fmt.Errorf("the NATS server has not started in %s", startTime)
	}
	sockets, err := socketHandler(s)
	if err != nil {
		return err
	}
	p, err := newPublisher(s)
	if err != nil {
		return err
	}
	defer p.nc.Close()
	mux := http.NewServeMux()
	mux.Handle("/", sockets)
	mux.Handle("/bench/", stand.Handler("nats", "nats-server "+server.VERSION, p))
	config := net.ListenConfig{KeepAlive: -1} // NATS does without as well
	l, err := config.Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- http.Serve(l, mux) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// socketHandler is what the server's WebSocket listener serves with: the handler of server.Server's websocket.server, which is a *http.Server.
func socketHandler(s *server.Server) (http.Handler, error) {
	f := reflect.ValueOf(s).Elem().FieldByName("websocket")
	if f.IsValid() {
		f = f.FieldByName("server")
	}
	if !f.IsValid() || f.Type() != reflect.TypeFor[*http.Server]() || f.IsNil() {
		return nil, errors.New("this version of nats-server has its WebSocket listener elsewhere")
	}
	return (*http.Server)(f.UnsafePointer()).Handler, nil
}

// publisher publishes to the server that it is in.
type publisher struct {
	nc     *nats.Conn
	js     nats.JetStreamContext
	failed atomic.Pointer[error] // of a publish that was under way
}

func newPublisher(s *server.Server) (p *publisher, err error) {
	p = new(publisher)
	if p.nc, err = nats.Connect("", nats.InProcessServer(s)); err != nil {
		return nil, err
	}
	fails := func(_ nats.JetStream, _ *nats.Msg, err error) { p.failed.CompareAndSwap(nil, &err) }
	if p.js, err = p.nc.JetStream(nats.PublishAsyncMaxPending(pending), nats.PublishAsyncErrHandler(fails), nats.MaxWait(ackTime)); err == nil {
		_, err = p.js.AddStream(&nats.StreamConfig{Name: "FRAMES", Subjects: []string{"c.*"}, Storage: nats.MemoryStorage, MaxMsgsPerSubject: kept})
	}
	if err != nil {
		p.nc.Close()
		return nil, err
	}
	return p, nil
}

// Unicast publishes to one client. An id is one token of a subject: it has no dot.
func (p *publisher) Unicast(_ int, id string, frame []byte) error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	_, err := p.js.PublishAsync("c."+id, bytes.Clone(frame), nats.StallWait(ackTime)) // it keeps the frame until it is answered
	return err
}

// Fanout publishes to all who follow a topic.
func (p *publisher) Fanout(topic string, frame []byte) error { return p.nc.Publish("t."+topic, frame) }

// Gather is 1: frames go out one by one.
func (p *publisher) Gather() int { return 1 }

// Flush returns when the server has taken everything.
func (p *publisher) Flush() error {
	select {
	case <-p.js.PublishAsyncComplete():
	case <-time.After(ackTime):
		return fmt.Errorf("%d frames have had no answer for %s", p.js.PublishAsyncPending(), ackTime)
	}
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return nil
}
