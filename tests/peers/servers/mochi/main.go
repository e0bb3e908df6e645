// Command mochi is a mochi MQTT server in this process with its WebSocket listener. The frames of a client are published to c/ID, which it is subscribed to with
// QoS 1 in a session that stays when it is away; a topic t/NAME is such a subscription as well. Settings are the library's own, but that a session keeps as many
// frames as the other servers do.
//
// The publisher is the library's inline client, which returns when the frame is with each subscriber. A frame that a session has no room for is dropped by the
// library without an error: it shows as lost.
//
// The library's listener has an HTTP server of its own. So that the control calls can be made at the same address, its handler is got by reflection and
// wrapped before it serves: sockets are handled by the library alone.
package main

import (
	"bytes"
	"errors"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"os"
	"reflect"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/restante/restante/bench/stand"
)

// kept is how many frames of a session are kept.
const kept = 10_000

func main() {
	listen := flag.String("listen", "127.0.0.1:7485", "address to listen on")
	flag.Parse()
	if err := run(*listen); err != nil {
		log.Fatal(err)
	}
	select {} // it serves
}

func run(listen string) error {
	limits := mqtt.NewDefaultServerCapabilities()
	limits.MaximumInflight = kept
	s := mqtt.New(&mqtt.Options{
		InlineClient: true, Capabilities: limits,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil { // without one nobody may connect
		return err
	}
	l := listeners.NewWebsocket(listeners.Config{ID: "ws", Address: listen})
	if err := s.AddListener(l); err != nil {
		return err
	}
	h, err := httpServer(l)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", h.Handler)
	mux.Handle("/bench/", stand.Handler("mochi", "mochi-mqtt "+mqtt.Version, publisher{s}))
	h.Handler = mux
	h.ReadTimeout, h.WriteTimeout = 0, 0 // a control call may take long; a socket has them no more once it is upgraded
	return s.Serve()
}

// httpServer is what a listener that has been added serves with: the listen of listeners.Websocket, which is a *http.Server.
func httpServer(l *listeners.Websocket) (*http.Server, error) {
	f := reflect.ValueOf(l).Elem().FieldByName("listen")
	if !f.IsValid() || f.Type() != reflect.TypeFor[*http.Server]() || f.IsNil() {
		return nil, errors.New("this version of mochi-mqtt has its HTTP server elsewhere")
	}
	return (*http.Server)(f.UnsafePointer()), nil
}

// publisher publishes by the inline client.
type publisher struct{ s *mqtt.Server }

// qos is at least once.
const qos = 1

// Unicast publishes to one client.
func (p publisher) Unicast(_ int, id string, frame []byte) error {
	return p.s.Publish("c/"+id, bytes.Clone(frame), false, qos) // sessions keep it
}

// Fanout publishes to all who follow a topic.
func (p publisher) Fanout(topic string, frame []byte) error {
	return p.s.Publish("t/"+topic, bytes.Clone(frame), false, qos)
}
