// Package broker is the composition root and the embedding API: it joins the registry, the transport, the janitor and the
// actor system, and is all that an embedding program needs.
package broker

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/janitor"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry"
	"github.com/restante/restante/registry/store"
	"github.com/restante/restante/transport"
	"github.com/restante/restante/web"
)

// Grant is what one credential may do; Verb is what a call wants to do. See transport.
type (
	Grant = transport.Grant
	Verb  = transport.Verb
)

// Broker is one running broker. It is safe for concurrent use. Its maker closes it.
type Broker struct {
	cfg      Config
	sys      *actors.System
	store    store.Store
	registry *registry.Registry
	handler  *transport.Handler
	readers  readers // attachments within the process

	failed chan struct{} // closed when a store has failed and everybody is being told; nil for a broker in memory
	watch  sync.WaitGroup
	closed chan struct{} // closed when Close begins

	closeOnce sync.Once
	closeErr  error
}

// New starts a broker. It opens no socket: mount Handler in a server. The error is of Config.Validate, or says what could not be started:
// a DataDir that another broker uses, or that is damaged, in a sentence with the remedy.
func New(cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	st, err := cfg.openStore()
	if err != nil {
		return nil, err
	}
	b := &Broker{cfg: cfg, store: st, closed: make(chan struct{})}
	b.sys = actors.Start(actors.Options{Logger: cfg.Logger, Counters: &actors.Counters{}, Tick: cfg.tick()})
	var sweeper *janitor.Janitor
	rc := cfg.registry()
	rc.Sweep = func(ctx context.Context) (protocol.Sweep, error) { return sweeper.Sweep(ctx) }
	b.registry = registry.New(b.sys, b.store, rc)
	sweeper, err = janitor.Start(b.sys, b.registry, janitor.Options{Interval: cfg.JanitorInterval})
	if err != nil {
		return nil, errors.Join(err, b.sys.Stop(context.Background()), st.Close())
	}
	tc := cfg.transport()
	tc.Files = web.Client()
	k, kept := st.(store.Keeper)
	if kept {
		tc.Store = func() transport.StoreMetrics { return transport.StoreMetrics(k.Metrics()) }
	}
	b.handler = transport.New(b.sys, joined{b.registry}, tc)
	if kept {
		b.failed = make(chan struct{})
		b.watch.Go(func() { b.watchStore(k) })
	}
	return b, nil
}

// watchStore waits for the store to fail. Nothing can be confirmed any more then, so everybody is told to come back later, and why.
func (b *Broker) watchStore(k store.Keeper) {
	select {
	case <-k.Failed():
		b.sys.Logger().Error("the store has failed, and the broker with it", "err", k.Err())
		b.registry.Drain(failTime, protocol.AsError(k.Err()))
		close(b.failed)
	case <-b.closed:
	}
}

// Handler serves the whole HTTP side, WebSocket included. It mounts in any mux, also under a prefix with http.StripPrefix.
func (b *Broker) Handler() http.Handler { return b.handler }

// Publish appends frame, a JSON object with a string type (P-2), to clientID's outbox, making the client where there is none, and
// returns when the store has confirmed it (P-26). frame is copied. Errors are *protocol.Error.
func (b *Broker) Publish(ctx context.Context, clientID string, frame []byte) (protocol.Published, error) {
	return b.Client(clientID).Publish(ctx, frame)
}

// Failed is closed when the store has failed, and with it the broker (P-26): Err says why, every call is answered with that, connections
// are told to come back later, and Close is all that is left to do. It is nil, which is never closed, for a broker in memory.
func (b *Broker) Failed() <-chan struct{} { return b.failed }

// Err is why the broker failed, and what to do about it; nil while it has not.
func (b *Broker) Err() error { return b.registry.Err() }

// Counters returns the broker's counters; they are live.
func (b *Broker) Counters() *actors.Counters { return b.sys.Counters() }

// Logger returns the log that the broker writes to.
func (b *Broker) Logger() *slog.Logger { return b.sys.Logger() }

// Drain lets everybody go in order (P-23): new work is refused, every connection gets what there is for it, a goaway and 4002.
// It returns nil when the last connection has ended and every Inbox has read what there was for it, or ctx's error once the time is over, when those still there have been reset.
// The broker stays up for reading until Close.
func (b *Broker) Drain(ctx context.Context) error {
	within := b.cfg.drainWithin(ctx)
	b.registry.Drain(within, nil)
	err := b.handler.WaitConns(ctx)
	if err != nil {
		b.handler.CloseAll()
		return err
	}
	return b.readers.wait(ctx)
}

// Close ends the broker at once: connections still open are closed with 1001, and no goroutine of it is left when it returns.
// Further calls return what the first did.
func (b *Broker) Close() error {
	b.closeOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		close(b.closed)
		b.watch.Wait()
		b.registry.Drain(0, nil)
		b.handler.CloseAll()
		err := errors.Join(b.handler.WaitConns(ctx), b.registry.Settle(ctx))
		b.registry.Flush()
		b.registry.Close()
		b.closeErr = errors.Join(err, b.sys.Stop(ctx), b.store.Close())
	})
	return b.closeErr
}
