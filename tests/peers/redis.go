package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// redis compares over loopback, each server in a process of its own and the load in another.
func (b *bench) redis() error {
	if err := needRedis(); err != nil {
		return err
	}
	redis := func(addr, dir string) (*process, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return launch(addr, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--appendonly", "yes", "--appendfsync", "always",
			"--save", "", "--daemonize", "no", "--logfile", "/dev/null")
	}
	ndjson := contestant{fmt.Sprintf("broker, NDJSON batches of %d", batch), func() (result, error) { return b.against(b.ours(), "ndjson", strconv.Itoa(batch)) }}
	pipes := contestant{fmt.Sprintf("Redis, pipelines of %d XADD", batch), func() (result, error) { return b.against(redis, "xadd", strconv.Itoa(batch)) }}
	results, err := b.alternate(ndjson, pipes)
	if err != nil {
		return err
	}
	rates := show(fmt.Sprintf("Over loopback, %d connections, %d-byte frames in batches, each synced before its answer", workers, frameBytes), results, ndjson, pipes)
	goal("the broker, times Redis", rates[ndjson.name]/rates[pipes.name], 0.5)

	sends := contestant{"broker, single sends on WebSockets", func() (result, error) { return b.against(b.ours(), "sends") }}
	single := contestant{"broker, single frames over HTTP", func() (result, error) { return b.against(b.ours(), "ndjson", "1") }}
	xadd := contestant{"Redis, single XADD", func() (result, error) { return b.against(redis, "xadd", "1") }}
	if results, err = b.alternate(sends, single, xadd); err != nil {
		return err
	}
	rates = show(fmt.Sprintf("Over loopback, %d connections, one by one", workers), results, sends, single, xadd)
	fmt.Printf("  sends to single XADDs: %.2f ×\n", rates[sends.name]/rates[xadd.name])
	return nil
}

// needRedis sees to it that there is a redis-server.
func needRedis() error {
	if _, err := exec.LookPath("redis-server"); err == nil {
		return nil
	}
	install := exec.Command("apt-get", "install", "-y", "-q", "--no-install-recommends", "redis-server")
	// The package starts a server of its own, unless it is told that it may not.
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("redis-server is not installed, and apt-get install redis-server says: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// loadXADD adds to a stream for each connection, so many entries a pipeline. The stream is bounded as an outbox is.
func loadXADD(length time.Duration, args []string) (r result, err error) {
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return r, err
	}
	type connection struct {
		net.Conn
		in    *bufio.Reader
		bytes []byte
	}
	all := make([]connection, workers)
	for w := range all {
		c := &all[w]
		if c.Conn, c.in, err = dial(args[0]); err != nil {
			return r, err
		}
		defer c.Close()
		for n := range size {
			words := []string{"XADD", fmt.Sprintf("c%d", w), "MAXLEN", "~", "10000", "*", "f", string(frame(w, n))}
			c.bytes = fmt.Appendf(c.bytes, "*%d\r\n", len(words))
			for _, word := range words {
				c.bytes = fmt.Appendf(c.bytes, "$%d\r\n%s\r\n", len(word), word)
			}
		}
	}
	return together(length, func(w, _ int) (int, error) {
		c := &all[w]
		if _, err := c.Write(c.bytes); err != nil {
			return 0, err
		}
		for range size {
			if err := bulk(c.in); err != nil {
				return 0, err
			}
		}
		return size, nil
	})
}

// bulk reads one bulk string.
func bulk(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if line[0] != '$' {
		return fmt.Errorf("redis says %q", line)
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
	if err != nil {
		return err
	}
	_, err = in.Discard(n + 2)
	return err
}
