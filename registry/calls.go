package registry

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
	"github.com/restante/restante/registry/store"
)

// Read is one GET …/frames: Limit is 1 to protocol.MaxPageFrames, Wait 0 for none.
type Read struct {
	Since *protocol.Cursor
	Limit int
	Wait  time.Duration
}

// Read returns the page after in.Since (P-7), making the client where there is none. Only up_to_date waits.
func (r *Registry) Read(ctx context.Context, clientID string, in Read) (protocol.Page, error) {
	w := new(waiter)
	m := &readMail{in: session.Read{To: w, Since: in.Since, Limit: in.Limit, Wait: in.Wait > 0}}
	c, e := r.tell(clientID, (*client).do, m)
	if e != nil {
		return protocol.Page{}, e
	}
	rep, err := w.wait(ctx, c, in.Wait)
	if err != nil {
		return protocol.Page{}, err
	}
	return *rep.Page, nil
}

// Ack is POST …/ack; connectionID "" acks without a connection (P-11). It returns the state after it.
func (r *Registry) Ack(ctx context.Context, clientID string, cursor protocol.Cursor, connectionID string) (protocol.State, error) {
	w := new(waiter)
	return r.stateOf(ctx, clientID, w, &ackMail{to: w, cursor: cursor, connectionID: connectionID})
}

// State describes one client, with its attachments.
func (r *Registry) State(ctx context.Context, clientID string) (protocol.State, error) {
	w := new(waiter)
	return r.stateOf(ctx, clientID, w, &stateMail{to: w, one: true})
}

func (r *Registry) stateOf(ctx context.Context, clientID string, w *waiter, m any) (protocol.State, error) {
	c, e := r.tellKnown(clientID, (*client).do, m)
	if e != nil {
		return protocol.State{}, e
	}
	if _, err := w.wait(ctx, c, 0); err != nil {
		return protocol.State{}, err
	}
	return *w.state, nil
}

// Delete closes the client's connections with 4504 and forgets it (P-28).
func (r *Registry) Delete(ctx context.Context, clientID string) error {
	return r.forget(ctx, clientID, nil)
}

func (r *Registry) forget(ctx context.Context, name string, followers []*client) error {
	w := new(waiter)
	c, e := r.tellKnown(name, (*client).do, &deleteMail{to: w, followers: followers})
	if e != nil {
		return e
	}
	_, err := w.wait(ctx, c, 0)
	return err
}

// Message handles one of the client's own messages outside a connection, and returns the frame to answer with, nil for none.
func (r *Registry) Message(ctx context.Context, clientID string, m protocol.Message) ([]byte, error) {
	switch m.Type {
	case protocol.TypeAck:
		_, err := r.Ack(ctx, clientID, protocol.Cursor{Seq: m.Seq}, "")
		return nil, err
	case protocol.TypeSend:
		receipt, err := r.Send(ctx, clientID, m.To, m.ID, m.Frame)
		if err != nil {
			return nil, err
		}
		return protocol.EncodeReceipt(receipt), nil
	case protocol.TypeSubscribe, protocol.TypeUnsubscribe:
		return r.subscribe(ctx, clientID, m)
	case protocol.TypePing, protocol.TypePong:
		return nil, protocol.Errorf(protocol.CodeBadRequest, "%s makes no sense without a connection", m.Type)
	}
	return nil, session.UnknownType(m.Type)
}

// List returns up to limit clients whose ids come after cursor, in byte order; its Cursor is "" on the last page. It wakes nobody.
func (r *Registry) List(ctx context.Context, cursor string, limit int) (protocol.List, error) {
	cursor = max(cursor, afterTopics)
	ids := r.idsAfter(cursor, "", limit+1)
	asleep := map[string]*store.State{}
	if r.disk != nil {
		err := r.disk.Scan(cursor, func(id string, st store.State) bool {
			if _, awake := slices.BinarySearch(ids, id); !awake {
				asleep[id] = &st
			}
			return len(asleep) <= limit
		})
		if err != nil {
			return protocol.List{}, err
		}
		ids = slices.Sorted(func(yield func(string) bool) {
			for _, id := range ids {
				yield(id)
			}
			for id := range asleep {
				yield(id)
			}
		})
	}
	list := protocol.List{Clients: make([]protocol.State, 0, min(limit, len(ids)))}
	if len(ids) > limit {
		ids = ids[:limit]
		list.Cursor = ids[limit-1]
	}
	for _, id := range ids {
		if st := asleep[id]; st != nil {
			list.Clients = append(list.Clients, r.sleeperState(id, st))
			continue
		}
		w := new(waiter)
		st, err := r.stateOf(ctx, id, w, &stateMail{to: w})
		if err == nil {
			list.Clients = append(list.Clients, st)
		} else if protocol.AsError(err).Code != protocol.CodeNotFound { // it has gone since: no reason to fail
			return protocol.List{}, err
		}
	}
	return list, nil
}

// idsAfter finds the most smallest ids in memory after cursor, and before before if that is not "", in order, whatever the number of clients, in memory for most of them.
func (r *Registry) idsAfter(cursor, before string, most int) []string {
	var largest idHeap
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		for c := range sh.clients.all() {
			id := c.id
			if id <= cursor || before != "" && id >= before {
				continue
			}
			if len(largest) < most {
				heap.Push(&largest, id)
			} else if id < largest[0] {
				largest[0] = id
				heap.Fix(&largest, 0)
			}
		}
		sh.mu.Unlock()
	}
	slices.Sort(largest)
	return largest
}

// idHeap has the greatest id on top.
type idHeap []string

func (h idHeap) Len() int           { return len(h) }
func (h idHeap) Less(i, j int) bool { return h[i] > h[j] }
func (h idHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *idHeap) Push(x any)        { *h = append(*h, x.(string)) }
func (h *idHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// Sweep asks the janitor for a sweep now.
func (r *Registry) Sweep(ctx context.Context) (protocol.Sweep, error) { return r.cfg.Sweep(ctx) }
