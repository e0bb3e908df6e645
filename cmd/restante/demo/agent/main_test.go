package agent

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/restante/restante/broker"
)

// TestMain is the tests, or a broker that they start and kill: "serve" and its folder.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		if err := serve(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func serve(dir string) error {
	b, err := broker.New(broker.Config{DataDir: dir, TopicFrames: 20_000, TopicBytes: 32 << 20})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the tests end, however they do
		os.Exit(0)
	}()
	return http.Serve(ln, b.Handler())
}
