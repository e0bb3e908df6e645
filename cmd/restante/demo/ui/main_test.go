package ui

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/restante/restante/broker"
)

// TestMain is the tests, or, called as the demo calls the restante binary, a broker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		if err := serve(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func serve(args []string) error {
	var origins []string
	f := flag.NewFlagSet(Command, flag.ContinueOnError)
	folder := f.String("folder", "", "")
	f.Bool("until-stdin-closes", true, "")
	f.Func("allow-origin", "", func(o string) error {
		origins = append(origins, o)
		return nil
	})
	if err := f.Parse(args); err != nil {
		return err
	}
	b, err := broker.New(BrokerConfig(DataDir(*folder), Keys{Page: os.Getenv(PageKey), Agent: os.Getenv(AgentKey)}, origins))
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the tests end, however they do
		os.Exit(0)
	}()
	return http.Serve(ln, b.Handler())
}
