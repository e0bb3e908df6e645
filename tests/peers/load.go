package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gobwas/ws"
)

// loadNDJSON publishes to a client for each connection, so many frames a call.
func loadNDJSON(length time.Duration, args []string) (r result, err error) {
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
		var body []byte
		for n := range size {
			body = append(append(body, frame(w, n)...), '\n')
		}
		kind := "application/x-ndjson"
		if size == 1 {
			kind = "application/json"
		}
		c.bytes = fmt.Appendf(nil, "POST /v1/clients/c%d/frames HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", w, args[0], kind, len(body), body)
	}
	return together(length, func(w, _ int) (int, error) {
		c := &all[w]
		if _, err := c.Write(c.bytes); err != nil {
			return 0, err
		}
		return size, stored(c.in)
	})
}

// stored reads one answer and holds it to a 200; it looks at no more of it, as the other side's load does.
func stored(in *bufio.Reader) error {
	length, first := -1, true
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			rest, _ := in.Peek(in.Buffered())
			return fmt.Errorf("the broker says %s: %s", line, rest)
		}
		first = false
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length:")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the broker's answer has no length")
	}
	_, err := in.Discard(length)
	return err
}

// loadSends sends from a client for each connection to another, and waits for each receipt.
func loadSends(length time.Duration, args []string) (r result, err error) {
	type connection struct {
		net.Conn
		in *bufio.Reader
	}
	all := make([]connection, workers)
	for w := range all {
		c := &all[w]
		if c.Conn, c.in, err = dial(args[0]); err != nil {
			return r, err
		}
		defer c.Close()
		if err := attach(c, c.in, args[0], fmt.Sprintf("s%d", w)); err != nil {
			return r, err
		}
	}
	return together(length, func(w, n int) (int, error) {
		c := &all[w]
		msg := fmt.Appendf(nil, `{"type":"send","id":"%d","to":"t%d","frame":%s}`, n, w, frame(w, n))
		if _, err := c.Write(ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame(msg)))); err != nil {
			return 0, err
		}
		for {
			m, err := text(c.in)
			switch {
			case err != nil:
				return 0, err
			case bytes.HasPrefix(m, []byte(`{"type":"receipt"`)):
				return 1, nil
			case bytes.HasPrefix(m, []byte(`{"type":"error"`)):
				return 0, fmt.Errorf("the broker says %s", m)
			}
		}
	})
}

// attach makes a WebSocket of a connection and reads hello.
func attach(c net.Conn, in *bufio.Reader, host, id string) error {
	if _, err := fmt.Fprintf(c, "GET /v1/ws?client_id=%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", id, host); err != nil {
		return err
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the broker says %s", res.Status)
	}
	m, err := text(in)
	if err == nil && !bytes.HasPrefix(m, []byte(`{"type":"hello"`)) {
		err = fmt.Errorf("the broker says %s", m)
	}
	return err
}

// text reads one message of the broker.
func text(in *bufio.Reader) ([]byte, error) {
	h, err := ws.ReadHeader(in)
	if err != nil {
		return nil, err
	}
	m := make([]byte, h.Length)
	if _, err := io.ReadFull(in, m); err != nil {
		return nil, err
	}
	if h.OpCode == ws.OpClose {
		return nil, fmt.Errorf("the broker closed: %q", m)
	}
	return m, nil
}
