package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that a pass is run against.
type process struct {
	cmd  *exec.Cmd
	addr string
}

// launch starts a server that listens on addr, and waits until it does.
func launch(addr string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), addr: addr}
	p.cmd.Stderr, p.cmd.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			return p, c.Close()
		}
	}
	p.stop()
	return nil, fmt.Errorf("%s does not listen on %s", name, addr)
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait() // what it came to does not matter any more
}

// cpu is what the process has used so far, in seconds.
func (p *process) cpu() (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The fields behind the name, which stands in brackets and may hold anything; utime and stime are the 14th and 15th of all.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	ticks := 0.0
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return ticks / 100, nil // USER_HZ, which is 100 on every Linux that Go runs on
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// against runs a pass of load in a child, against a server that is started for it: the result's CPU is the server's.
func (b *bench) against(start func(addr, dir string) (*process, error), load string, args ...string) (r result, err error) {
	dir, err := os.MkdirTemp(b.dir, "pass-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	addr, err := freeAddress()
	if err != nil {
		return r, err
	}
	p, err := start(addr, dir)
	if err != nil {
		return r, err
	}
	defer p.stop()
	before, err := p.cpu()
	if err != nil {
		return r, err
	}
	if r, err = b.child(nil, load, append([]string{addr}, args...)...); err != nil {
		return r, err
	}
	after, err := p.cpu()
	r.CPU = after - before
	return r, err
}

// ours starts the broker with flags.
func (b *bench) ours(flags ...string) func(addr, dir string) (*process, error) {
	return func(addr, dir string) (*process, error) {
		args := append([]string{"serve", "--log-level", "error", "--listen", addr}, flags...)
		if len(flags) == 0 || flags[0] != "--memory" {
			args = append(args, "--data-dir", dir)
		}
		return launch(addr, b.restante, args...)
	}
}

// dial opens a connection to a server, with a reader for what it answers.
func dial(addr string) (net.Conn, *bufio.Reader, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	return c, bufio.NewReaderSize(c, 16<<10), nil
}
