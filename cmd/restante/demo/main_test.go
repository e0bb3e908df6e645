package demo

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/restante/restante/broker"
)

// TestMain is the tests, or, called as the demo calls the restante binary, a broker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func serve() error {
	var cfg broker.Config
	if i := slices.Index(os.Args, "--data-dir"); i > 0 {
		cfg.DataDir = os.Args[i+1]
	}
	b, err := broker.New(cfg)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	return http.Serve(ln, b.Handler())
}
