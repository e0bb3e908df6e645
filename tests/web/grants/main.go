// Command grants is a program that embeds the broker, as an application would, and lets browsers in for seconds only: what tests/web needs to see a grant
// expire in the middle of a replay. Its first line on standard output is its URL. It serves, besides the broker's API,
//
//	GET /token?client_id=ID[&expires=1]   {"token":…[,"expiresAt":…]}: a token for one client, of --grant's length
//
// and everything to who has the publisher's key: Authorization: Bearer publisher.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/restante/restante/broker"
)

func main() {
	origin := flag.String("allow-origin", "", "the origin of the page")
	length := flag.Duration("grant", 3*time.Second, "how long a token is good for")
	flag.Parse()
	if err := run(*origin, *length); err != nil {
		log.Fatal(err)
	}
}

// run serves until the process is killed.
func run(origin string, length time.Duration) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	desk := newDesk(length)
	b, err := broker.New(broker.Config{
		Authorize:      desk.authorize,
		AllowOrigins:   []string{origin},
		MaxOutboxBytes: 64 << 20, // more than the kernel holds for a socket: the replay is still under way when the grant expires
	})
	if err != nil {
		return err
	}
	defer b.Close()
	mux := http.NewServeMux()
	mux.Handle("/", b.Handler())
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(desk.issue(r.FormValue("client_id"), r.FormValue("expires") != ""))
	})
	if _, err := fmt.Fprintf(os.Stdout, "http://%s\n", ln.Addr()); err != nil {
		return err
	}
	return http.Serve(ln, mux)
}
