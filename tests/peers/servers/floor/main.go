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
	epoll, err := syscall.EpollCreate1(0)
	if err != nil {
		log.Fatal(err)
	}
	f.epoll = epoll
	go f.read()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", f.serve)
	mux.Handle("/bench/", stand.Handler("floor", "write(2)", f))
	log.Fatal(http.ListenAndServe(*listen, mux))
}

// floor has the sockets. Its publisher is one goroutine.
type floor struct {
	epoll int

	mu      sync.RWMutex
	clients map[string]*client
	topics  map[string][]*client
	buf     []byte // the publisher's
}

// read reads all sockets. What clients say is thrown away, but for their goodbye.
func (f *floor) read() {
	var events [256]syscall.EpollEvent
	b := make([]byte, 64<<10)
	for {
		n, err := syscall.EpollWait(f.epoll, events[:], -1)
		if err != nil && err != syscall.EINTR {
			log.Fatal(err)
		}
		for _, e := range events[:max(n, 0)] {
			fd := int(e.Fd)
			n, err := syscall.Read(fd, b)
			if n > 0 && b[0]&0x0f != byte(ws.OpClose) || err == syscall.EAGAIN {
				continue
			}
			if n > 0 {
				_, _ = syscall.Write(fd, ws.CompiledCloseNormalClosure)
			}
			_ = syscall.EpollCtl(f.epoll, syscall.EPOLL_CTL_DEL, fd, nil)
			_ = syscall.Close(fd)
		}
	}
}

// client is a socket.
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
	_ = syscall.EpollCtl(f.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
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
