package main

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/tests/peers/dialects"
)

// served starts a floor, whose HTTP side ends with the test. Its reader has no end.
func served(t *testing.T, gather int) (*floor, string) {
	f, err := newFloor(gather)
	if err != nil {
		t.Fatal(err)
	}
	go func() { panic(f.read()) }()
	srv := httptest.NewServer(f.handler())
	t.Cleanup(srv.Close)
	return f, srv.URL
}

// TestTheWorksAreDone has the load generator check that nothing is lost or out of order.
func TestTheWorksAreDone(t *testing.T) {
	for _, gather := range []int{1, 16} {
		for _, profile := range []string{bench.ProfileUnicast, bench.ProfileRate, bench.ProfileFanout, bench.ProfileFanoutOne, bench.ProfileChurn} {
			t.Run(fmt.Sprintf("%s by %d", profile, gather), func(t *testing.T) {
				_, url := served(t, gather)
				r, err := bench.Run{
					URL: url, PID: os.Getpid(), Dialect: dialects.Floor{}, Profile: profile, Clients: 50,
					Duration: 300 * time.Millisecond, Warmup: 50 * time.Millisecond,
				}.Do(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if r.Failed != "" || r.Lost+r.Doubled+r.Disordered > 0 {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// TestADescriptorIsNobodyElses ends connections and opens others, which get their numbers: what is written to who is gone must reach nobody.
func TestADescriptorIsNobodyElses(t *testing.T) {
	f, url := served(t, 1)
	url = strings.Replace(url, "http", "ws", 1) + "/ws?topic=t&client_id="
	frame := []byte(strings.Repeat("x", 200))
	for n := range 20 {
		id := fmt.Sprintf("c%d", n)
		conn, in, _, err := ws.Dial(t.Context(), url+id)
		if err != nil {
			t.Fatal(err)
		}
		from := struct {
			io.Reader
			io.Writer
		}{conn, conn}
		if in != nil { // the greeting came with the handshake's answer
			from.Reader = io.MultiReader(io.LimitReader(in, int64(in.Buffered())), conn)
		}
		for _, want := range []string{`{"ready":true}`, id, string(frame)} {
			switch want {
			case id:
				err = f.Unicast(0, id, []byte(id))
			case string(frame):
				err = f.Fanout("t", frame)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := wsutil.ReadServerText(from); err != nil || string(got) != want {
				t.Fatalf("%s, %v instead of %s", got, err, want)
			}
		}
		if n%2 == 0 {
			conn.Close()
		} else if err := wsutil.WriteClientMessage(conn, ws.OpClose, nil); err != nil {
			t.Fatal(err)
		} else if _, err := wsutil.ReadServerText(from); err == nil {
			t.Fatal("a goodbye is not answered")
		}
		conn.Close()
		for tries := time.NewTicker(time.Millisecond); f.Unicast(0, id, frame) != errNobody; <-tries.C {
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.clients)+len(f.sockets) > 0 {
		t.Errorf("%d clients and %d sockets are left", len(f.clients), len(f.sockets))
	}
}

func TestHeaderIsWebSockets(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 240, 65535} {
		got := append(header(nil, n), make([]byte, n)...)
		if want := ws.MustCompileFrame(ws.NewTextFrame(make([]byte, n))); string(got) != string(want) {
			t.Errorf("%x instead of %x", got[:min(len(got), 6)], want[:min(len(want), 6)])
		}
	}
}
