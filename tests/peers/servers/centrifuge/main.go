// Command centrifuge is a server on the centrifuge library, as its users write one: a channel with history for each client, to which it is subscribed by the
// server when it connects, and recovery of what it missed. A topic is such a channel as well. The engine is the library's own in memory. Settings are the library's
// defaults, but that write buffers are pooled, which saves memory.
//
// The library has no publishing by HTTP (Centrifugo, the product, has): POST /publish is the application's, and as short as it can be.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/restante/restante/bench/stand"
)

const (
	// kept is how many frames of a channel are kept, for keptFor at most.
	kept    = 10_000
	keptFor = 24 * time.Hour

	// maxBody is the longest body of a publish, in bytes.
	maxBody = 1 << 20
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7483", "address to listen on")
	flag.Parse()
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(connecting)
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	p := publisher{node}
	mux := http.NewServeMux()
	mux.Handle("GET /connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{UseWriteBufferPool: true}))
	mux.HandleFunc("POST /publish", p.serve)
	mux.Handle("/bench/", stand.Handler("centrifuge", "centrifuge 0.40.1", p))
	log.Fatal(http.ListenAndServe(*listen, mux))
}

// connecting subscribes a client to its own channel, and to that of the topic that it follows.
func connecting(_ context.Context, e centrifuge.ConnectEvent) (reply centrifuge.ConnectReply, err error) {
	var who struct {
		ClientID string `json:"client_id"`
		Topic    string `json:"topic"`
	}
	if err := json.Unmarshal(e.Data, &who); err != nil || who.ClientID == "" {
		return reply, centrifuge.ErrorBadRequest
	}
	reply.Credentials = &centrifuge.Credentials{UserID: who.ClientID}
	reply.Subscriptions = map[string]centrifuge.SubscribeOptions{"c:" + who.ClientID: {EnableRecovery: true}}
	if who.Topic != "" {
		reply.Subscriptions["t:"+who.Topic] = centrifuge.SubscribeOptions{EnableRecovery: true}
	}
	return reply, nil
}

// publisher publishes to channels.
type publisher struct{ node *centrifuge.Node }

// Unicast publishes to one client.
func (p publisher) Unicast(_ int, id string, frame []byte) error {
	return p.publish("c:"+id, bytes.Clone(frame)) // the history keeps it
}

// Fanout publishes to all who follow a topic.
func (p publisher) Fanout(topic string, frame []byte) error {
	return p.publish("t:"+topic, bytes.Clone(frame))
}

var errNotJSON = errors.New("not JSON")

// publish keeps frame. It must be JSON: the library puts it into its own messages as it is.
func (p publisher) publish(channel string, frame []byte) error {
	if !json.Valid(frame) {
		return errNotJSON
	}
	_, err := p.node.Publish(channel, frame, centrifuge.WithHistory(kept, keptFor))
	return err
}

// serve is POST /publish?client_id=ID: one frame, or several with a line each.
func (p publisher) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	channel := "c:" + r.URL.Query().Get("client_id")
	switch {
	case err != nil:
	case r.Header.Get("Content-Type") == "application/x-ndjson":
		for frame := range bytes.SplitSeq(bytes.TrimSuffix(body, []byte("\n")), []byte("\n")) {
			if err = p.publish(channel, bytes.Clone(frame)); err != nil { // each has its own, so that one can go without the others
				break
			}
		}
	default:
		err = p.publish(channel, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"ok":true}`)
}
