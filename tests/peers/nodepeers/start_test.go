package nodepeers

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// parentOf has this program be a parent that starts the server of that name on that address, says so, and waits to be killed.
const parentOf = "NODEPEERS_TEST_PARENT_OF"

func TestMain(m *testing.M) {
	name, listen, ok := strings.Cut(os.Getenv(parentOf), "@")
	if !ok {
		os.Exit(m.Run())
	}
	if _, err := Start(name, listen); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started")
	select {}
}

func TestItDiesWithItsParent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	parent := exec.Command(os.Args[0])
	parent.Env, parent.Stderr = append(os.Environ(), parentOf+"=ws@"+addr), os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); said != "started\n" {
		t.Fatalf("%q, %v", said, err)
	}
	var conn net.Conn
	for tries, last := time.NewTicker(20*time.Millisecond), time.After(patience); conn == nil; {
		select {
		case <-tries.C:
			if conn, err = net.Dial("tcp", addr); err != nil {
				conn = nil
			}
		case <-last:
			t.Fatal(err)
		}
	}
	defer conn.Close()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	// Its socket ends when the process does; an HTTP server would wait for a request for longer than this.
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Read(make([]byte, 1))
	if late, ok := err.(net.Error); err == nil || ok && late.Timeout() {
		t.Errorf("it lives without its parent: %v", err)
	}
}

func TestWhatCannotBeStartedIsSaid(t *testing.T) {
	if _, err := Start("other", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("a server that there is not: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Start("ws", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "no node on the PATH") || strings.Contains(err.Error(), "\n") {
		t.Errorf("without node: %v", err)
	}
}
