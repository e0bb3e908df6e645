// Command floor is what the kernel sets: sockets, and nothing behind them. It upgrades connections, forgets all about resuming, and writes what is published
// straight to the sockets from the publisher's own goroutine: one write a frame, or one for -gather frames to the same client. What a broker needs beyond
// that is its own doing.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"sync"

	"github.com/restante/restante/bench/stand"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7482", "address to listen on")
	gather := flag.Int("gather", 1, "frames to one client that go into one write; the publisher stays with a client for as many")
	flag.Parse()
	if *gather < 1 || *gather > 1000 {
		log.Fatalf("-gather is %d: it must be from 1 to 1000 frames a write", *gather)
	}
	f, err := newFloor(*gather)
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(f.read()) }()
	log.Fatal(http.ListenAndServe(*listen, f.handler()))
}

// floor has the sockets.
type floor struct {
	epoll, gather int

	mu      sync.Mutex
	clients map[string]*client // the last connection of each
	topics  map[string][]*client
	sockets map[int]*client // by descriptor

	// The publisher's own: what has been gathered for whom.
	out []byte
	n   int
	to  *client
}

func (f *floor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", f.serve)
	mux.Handle("/bench/", stand.Handler("floor", fmt.Sprintf("%d a write", f.gather), f))
	return mux
}

var errNobody = errors.New("the client is not connected, and a floor keeps nothing")

// Unicast writes to one client, when there is enough to write.
func (f *floor) Unicast(_ int, id string, frame []byte) error {
	if f.to == nil || f.to.id != id {
		if err := f.Flush(); err != nil {
			return err
		}
		f.mu.Lock()
		f.to = f.clients[id]
		f.mu.Unlock()
		if f.to == nil {
			return errNobody
		}
	}
	f.out = append(header(f.out, len(frame)), frame...)
	if f.n++; f.n < f.gather {
		return nil
	}
	return f.Flush()
}

// Gather is how many frames one write takes.
func (f *floor) Gather() int { return f.gather }

// Flush writes what has been gathered.
func (f *floor) Flush() (err error) {
	if f.n > 0 {
		err = f.to.write(f.out)
	}
	f.out, f.n, f.to = f.out[:0], 0, nil
	return err
}

// Fanout writes to all who follow a topic, one after the other.
func (f *floor) Fanout(topic string, frame []byte) error {
	f.out = append(header(f.out[:0], len(frame)), frame...)
	defer func() { f.out = f.out[:0] }()
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.topics[topic]
	here := all[:0]
	for _, c := range all {
		if err := c.write(f.out); err == nil {
			here = append(here, c)
		} else if !errors.Is(err, errNobody) {
			return err
		}
	}
	clear(all[len(here):])
	f.topics[topic] = here
	return nil
}

// header appends that of a text frame of 0 to 65,535 bytes.
func header(b []byte, n int) []byte {
	if n < 126 {
		return append(b, 0x81, byte(n))
	}
	return append(b, 0x81, 126, byte(n>>8), byte(n))
}
