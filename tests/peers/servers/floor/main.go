// Command floor is what the kernel sets: sockets, and nothing behind them. It upgrades connections, forgets all about resuming, and writes what is published
// straight to the sockets from the publisher's own goroutine, one write a frame. What a broker needs beyond that is its own doing.
package main

import (
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/restante/restante/bench/stand"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7482", "address to listen on")
	flag.Parse()
	f := &floor{clients: map[string]*client{}, topics: map[string][]*client{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", f.serve)
	mux.Handle("/bench/", stand.Handler("floor", "write(2)", f))
	log.Fatal(http.ListenAndServe(*listen, mux))
}

// floor has the sockets. Its publisher is one goroutine.
type floor struct {
	mu      sync.RWMutex
	clients map[string]*client
	topics  map[string][]*client
	buf     []byte // the publisher's
}

// client is a socket. It is never read: what the client says, and that it is gone, shows when it is written to.
type client struct {
	fd int
}

var errNobody = errors.New("no such client")

// serve upgrades a connection and keeps its socket. No goroutine stays behind.
func (f *floor) serve(w http.ResponseWriter, r *http.Request) {
	nc, rw, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	_ = rw.Flush()
	file, err := nc.(*net.TCPConn).File()
	if err != nil {
		_ = nc.Close()
		return
	}
	fd, err := syscall.Dup(int(file.Fd()))
	_, _ = file.Close(), nc.Close()
	if err != nil || syscall.SetNonblock(fd, true) != nil {
		return
	}
	c := &client{fd: fd}
	f.mu.Lock()
	if id := r.URL.Query().Get("client_id"); f.clients[id] == nil {
		f.clients[id] = c
	} else {
		_ = syscall.Close(f.clients[id].fd)
		*f.clients[id] = *c
		c = f.clients[id]
	}
	if t := r.URL.Query().Get("topic"); t != "" {
		f.topics[t] = append(f.topics[t], c)
	}
	f.mu.Unlock()
	_ = c.write(ws.MustCompileFrame(ws.NewTextFrame([]byte(`{"ready":true}`))))
}

// Unicast writes to one client.
func (f *floor) Unicast(_ int, id string, frame []byte) error {
	f.mu.RLock()
	c := f.clients[id]
	f.mu.RUnlock()
	if c == nil {
		return errNobody
	}
	f.buf = append(header(f.buf[:0], len(frame)), frame...)
	return c.write(f.buf)
}

// Fanout writes to all who follow a topic, one after the other.
func (f *floor) Fanout(topic string, frame []byte) error {
	f.buf = append(header(f.buf[:0], len(frame)), frame...)
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, c := range f.topics[topic] {
		if err := c.write(f.buf); err != nil {
			return err
		}
	}
	return nil
}

// header is that of a text frame of 126 to 65,535 bytes.
func header(b []byte, n int) []byte { return append(b, 0x81, 126, byte(n>>8), byte(n)) }

// write writes all of b, and waits where the socket is full.
func (c *client) write(b []byte) error {
	for len(b) > 0 {
		n, err := syscall.Write(c.fd, b)
		switch err {
		case nil:
			b = b[n:]
		case syscall.EAGAIN:
			time.Sleep(100 * time.Microsecond)
		case syscall.EINTR:
		default:
			return err
		}
	}
	return nil
}
