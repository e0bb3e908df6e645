// Command handrolled is what a competent developer writes in an afternoon: gorilla/websocket, two goroutines and a ring of frames for each client, ?since=N for
// what was missed. It is what the broker is compared with, so it is written to be good at that: frames are built once, readers that are slow hold up nobody,
// write buffers are pooled.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/restante/restante/bench/stand"
)

const (
	pingEvery  = 25 * time.Second
	silentFor  = 60 * time.Second
	writeTime  = 10 * time.Second
	maxMessage = 64 << 10
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7481", "address to listen on")
	flag.Parse()
	log.Fatal(http.ListenAndServe(*listen, newHub().handler()))
}

// hub finds clients and topics.
type hub struct {
	mu      sync.RWMutex
	clients map[string]*client
	topics  map[string]*topic
}

func newHub() *hub { return &hub{clients: map[string]*client{}, topics: map[string]*topic{}} }

func (h *hub) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", h.serve)
	mux.HandleFunc("POST /publish", h.publish)
	mux.Handle("/bench/", stand.Handler("handrolled", "gorilla/websocket 1.5.3", h))
	return mux
}

// find returns the entry of a map, made where there is none.
func find[T any](mu *sync.RWMutex, all map[string]*T, id string) *T {
	mu.RLock()
	x := all[id]
	mu.RUnlock()
	if x != nil {
		return x
	}
	mu.Lock()
	defer mu.Unlock()
	if x = all[id]; x == nil {
		x = new(T)
		all[id] = x
	}
	return x
}

func (h *hub) client(id string) *client { return find(&h.mu, h.clients, id) }

func (h *hub) topic(name string) *topic { return find(&h.mu, h.topics, name) }

// Unicast publishes to one client. The frame is the program's own: what comes from outside is looked at where it comes in.
func (h *hub) Unicast(_ int, id string, frame []byte) error {
	h.client(id).publish(frame)
	return nil
}

// Fanout publishes to all who follow a topic.
func (h *hub) Fanout(name string, frame []byte) error {
	t := h.topic(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	b := envelope(make([]byte, 0, len(frame)+len(name)+60), `{"topic":"`+name+`","topic_seq":`, t.seq, frame)
	for c := range t.followers {
		c.share(b)
	}
	return nil
}

// publish is POST /publish?client_id=ID: one frame.
func (h *hub) publish(w http.ResponseWriter, r *http.Request) {
	frame, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err == nil && !json.Valid(frame) {
		err = errors.New("the body must be one JSON value")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.client(r.URL.Query().Get("client_id")).publish(frame)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"ok":true}`)
}

var upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{}}

// serve is GET /ws?client_id=ID&since=N&topic=T. It returns, so that nothing of the request stays in memory with the connection.
func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	since, err := strconv.ParseUint(q.Get("since"), 10, 64)
	if err != nil && q.Get("since") != "" {
		http.Error(w, "since is a number", http.StatusBadRequest)
		return
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := h.client(q.Get("client_id"))
	if name := q.Get("topic"); name != "" {
		h.topic(name).add(c)
	}
	s := &session{client: c, conn: conn, cursor: since, wake: make(chan struct{}, 1), gone: make(chan struct{})}
	go s.write()
	go s.read()
}
