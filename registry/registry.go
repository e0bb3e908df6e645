// Package registry is the client actors and the map that finds them: client_id → actor, sharded; creating, reaping,
// deleting. A client actor is a thin shell round a session: it owns the session's time, store, connections and waiters.
package registry

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"hash/maphash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

// Config is what a Registry is made with. Defaults were filled in by the broker; a bound of zero or less is off.
type Config struct {
	// Session is shared by all clients, Topic by the logs of all topics (P-32). NewEpoch may be nil: the registry's own is used.
	Session, Topic session.Config
	// MaxClients, MaxTopics, MaxTotalBytes and MaxInFlightBytes answer overloaded when they are reached (P-29).
	MaxClients, MaxTopics           int64
	MaxTotalBytes, MaxInFlightBytes int64
	// MemoryLimit is from how many bytes of bodies in memory on clients spill and sleep early, where a store keeps them.
	MemoryLimit int64
	// Snapshot is the provider of P-9; nil for none. It runs on a goroutine of its own, one at a time per client, and its ctx
	// ends after Session.SnapshotTimeout.
	Snapshot func(ctx context.Context, clientID string, floor, head uint64) (asOf uint64, data []byte, err error)
	// TopicSnapshot is the same for topics, one call at a time per topic (P-19).
	TopicSnapshot func(ctx context.Context, topic string, floor, head uint64) (asOf uint64, data []byte, err error)
	// Sweep answers POST /v1/janitor/sweep; the janitor's.
	Sweep func(ctx context.Context) (protocol.Sweep, error)
}

// shardCount spreads the locks; a lock is held for a map look-up only.
const shardCount = 64

// Registry finds and makes client actors. It is safe for concurrent use. Errors of its methods are *protocol.Error.
type Registry struct {
	cfg      Config
	sys      *actors.System
	store    store.Store
	disk     store.Keeper // the store, where it keeps clients that are not in memory; else nil
	counters *actors.Counters
	started  time.Time // the wall clock at sys.Now() == 0

	seed   maphash.Seed
	shards [shardCount]shard
	gens   atomic.Uint64 // the last generation given to a connection

	flushers []flusher // one for every two cores: who publishes needs some, too
	crowd    crowd
	cores    int

	allHead  atomic.Uint64 // of protocol.AllTopic
	patterns patterns
	sharing  bool // bodies of topics are kept once for all that have them

	draining  atomic.Pointer[draining]
	squeezing atomic.Bool     // a round is under way
	base      context.Context // ends with Close
	cancel    context.CancelFunc
}

type shard struct {
	mu      sync.Mutex
	clients table
}

// draining is what a client that is met at the door while the broker drains is told (P-23).
type draining struct {
	by   time.Duration
	over time.Duration   // the herd is to come back spread over this
	why  *protocol.Error // what new work is refused with; nil for the plain draining
}

// New makes a Registry that keeps its clients' frames in st. Close ends it; sys and st stay the caller's.
func New(sys *actors.System, st store.Store, cfg Config) *Registry {
	r := &Registry{
		cfg: cfg, sys: sys, store: st, counters: sys.Counters(), seed: maphash.MakeSeed(),
		started: time.Now().Add(-sys.Now()), cores: runtime.GOMAXPROCS(0), flushers: make([]flusher, max(runtime.GOMAXPROCS(0)/2, 1)),
	}
	if r.cfg.Session.NewEpoch == nil {
		r.cfg.Session.NewEpoch = newEpoch
	}
	r.cfg.Session.AllHead = r.allHead.Load
	r.cfg.Session.Generation = st.Generation()
	if r.disk, _ = st.(store.Keeper); r.disk != nil {
		r.cfg.Session.Kept = true // so that a session never asks for a store that there is not
		all := r.disk.Totals()
		r.counters.Clients.Store(all.Clients)
		r.counters.Topics.Store(all.Topics)
		r.counters.OutboxFrames.Store(all.Frames)
		r.counters.OutboxBytes.Store(all.Bytes)
	}
	_, r.cfg.Session.Instant = st.(store.Instant)
	r.cfg.Session.Snapshots = cfg.Snapshot != nil
	r.cfg.Topic.Topic, r.cfg.Topic.Snapshots = true, cfg.TopicSnapshot != nil
	r.cfg.Topic.NewEpoch, r.cfg.Topic.Generation = r.cfg.Session.NewEpoch, r.cfg.Session.Generation
	r.cfg.Topic.Kept, r.cfg.Topic.Instant = r.cfg.Session.Kept, r.cfg.Session.Instant
	r.sharing = r.disk != nil && r.cfg.Session.Bounds.Age > 0 && r.cfg.Topic.Bounds.Age > 0
	r.base, r.cancel = context.WithCancel(context.Background())
	sys.Resolve(Address, r.resolve)
	if r.disk != nil {
		if st, err := r.disk.Stat(allName); err == nil { // else the store has failed, and everything with it
			r.allHead.Store(st.Head)
		}
		sys.Go(r.recoverNews)
	}
	return r
}

// Err is why the store has failed; nil while it has not.
func (r *Registry) Err() error {
	if r.disk == nil {
		return nil
	}
	return r.disk.Err()
}

// Close gives up the provider calls under way. It is called after the last connection has ended.
func (r *Registry) Close() { r.cancel() }

// newEpoch draws 64 random bits, not all 0; crypto/rand does not fail.
func newEpoch() uint64 {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:])
		if bits := binary.BigEndian.Uint64(b[:]); bits != 0 {
			return bits
		}
	}
}

// shard returns that of id, and the hash that id has there.
func (r *Registry) shard(id string) (*shard, uint32) {
	h := maphash.String(r.seed, id)
	return &r.shards[h%shardCount], uint32(h >> 32)
}

// look returns the actor of id, or nil.
func (r *Registry) look(id string) *client {
	sh, h := r.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.clients.get(h, id)
}

// find returns the actor of id, making it where there is none (P-29).
func (r *Registry) find(id string) (*client, *protocol.Error) {
	if c := r.look(id); c != nil {
		return c, nil
	}
	if d := r.draining.Load(); d != nil {
		return nil, d.refusal()
	}
	if r.disk != nil {
		return r.wake(id), nil
	}
	sh, h := r.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if c := sh.clients.get(h, id); c != nil {
		return c, nil
	}
	if e := r.admitActor(id); e != nil {
		return nil, e
	}
	c := r.newClient(id)
	c.begin()
	sh.put(h, c)
	return c, nil
}

// newClient makes an actor. Its name is often part of a request's memory; the client outlives that.
func (r *Registry) newClient(id string) *client {
	c := &client{reg: r, id: strings.Clone(id)}
	if c.isTopic() {
		c.more = &more{topic: newTopicSide(r.disk != nil)}
	}
	if r.disk != nil {
		if c.more == nil {
			c.more = &more{}
		}
		c.more.kept = &kept{}
	}
	return c
}

// place returns the actor of id, and a fresh one where there is none, whose mailbox is held: the caller sees to its release.
func (r *Registry) place(id string) (c *client, fresh bool) {
	sh, h := r.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if c := sh.clients.get(h, id); c != nil {
		return c, false
	}
	c = r.newClient(id)
	c.Hold()
	sh.put(h, c)
	return c, true
}

// tell passes m to the actor of id, in this life or the next, making it where there is none; post says how. It returns the actor that took it.
func (r *Registry) tell(id string, post func(*client, any) bool, m any) (*client, *protocol.Error) {
	for {
		c, err := r.find(id)
		if err != nil {
			return nil, err
		}
		if post(c, m) {
			return c, nil
		}
	}
}

// tellKnown is tell for what makes no client.
func (r *Registry) tellKnown(id string, post func(*client, any) bool, m any) (*client, *protocol.Error) {
	for {
		c := r.look(id)
		if c == nil && r.disk != nil {
			c = r.wake(id)
		}
		if c == nil {
			return nil, notFound(id)
		}
		if post(c, m) {
			return c, nil
		}
	}
}

// retire ends c's actor, unless mail has come meanwhile that wanted wants it to go on for: mailbox and map change under the shard's
// lock, so that whoever finds the mailbox closed finds the map without it, and makes the next actor (P-28). rest is the mail that nobody lives to handle.
func (r *Registry) retire(c *client, wanted func(any) bool) (rest []any, done bool) {
	sh, h := r.shard(c.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if rest, done = c.CloseUnless(wanted); done {
		sh.clients.remove(h, c)
		r.counters.Awake.Add(-1)
	}
	return rest, done
}

// put adds c to the table. mu is held.
func (sh *shard) put(h uint32, c *client) {
	sh.clients.put(h, c)
	c.reg.counters.Awake.Add(1)
}

// all returns the actors of one shard as they are now.
func (sh *shard) all() []*client {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	all := make([]*client, 0, sh.clients.n)
	return slices.AppendSeq(all, sh.clients.all())
}

func notFound(id string) *protocol.Error {
	if t, is := topicOf(id); is {
		return protocol.Errorf(protocol.CodeNotFound, "there is no topic %q", t)
	}
	return protocol.Errorf(protocol.CodeNotFound, "there is no client %q", id)
}

func overloaded(why string) *protocol.Error {
	return &protocol.Error{Code: protocol.CodeOverloaded, Message: why, RetryAfterMS: 1000}
}

// refusal is what new work is told.
func (d *draining) refusal() *protocol.Error {
	if d.why != nil {
		return d.why
	}
	return &protocol.Error{Code: protocol.CodeDraining, Message: "the broker is draining; come back to the next one", RetryAfterMS: 1000}
}
