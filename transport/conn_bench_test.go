package transport

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobwas/ws"
)

func BenchmarkFeed(b *testing.B) {
	for _, x := range []struct {
		name string
		size int
		read int // bytes of one read
	}{{"ack", 24, 64 << 10}, {"256B", 256, 64 << 10}, {"64KiB", 64 << 10, 64 << 10}, {"64KiB-in-4KiB-reads", 64 << 10, 4 << 10}} {
		b.Run(x.name, func(b *testing.B) {
			frame := masked(true, ws.OpText, bytes.Repeat([]byte("x"), x.size))
			stream := bytes.Repeat(frame, max(1, (64<<10)/len(frame)))
			buf := make([]byte, len(stream))
			p := parser{limit: 1 << 20}
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, stream)
				for at := 0; at < len(buf); at += x.read {
					if _, f := p.Feed(buf[at:min(at+x.read, len(buf))], nothing{}); f != nil {
						b.Fatal(f)
					}
				}
			}
		})
	}
}

// BenchmarkBatch measures a batch from Peer.Write to Written, over a loopback socket whose other end reads as fast as it can.
func BenchmarkBatch(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("%dx256B", n), func(b *testing.B) {
			_, f, s := wsServer(b, Config{})
			c := dial(b, s, "?client_id=a")
			require.NoError(b, c.nc.SetReadDeadline(time.Time{}))
			l := f.link(b)
			go func() { _, _ = io.Copy(io.Discard, c.br) }()
			batch := pieces(1000, n, 256)
			b.ReportAllocs()
			for b.Loop() {
				l.peer.Write(batch)
				if e := <-l.events; e.call != "written" {
					b.Fatalf("%+v", e)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/frame")
		})
	}
}

// BenchmarkMessage measures a client's ack from its socket to the Link.
func BenchmarkMessage(b *testing.B) {
	_, f, s := wsServer(b, Config{})
	c := dial(b, s, "?client_id=a")
	l := f.link(b)
	const each = 64
	stream := bytes.Repeat(masked(true, ws.OpText, []byte(`{"type":"ack","seq":1234567}`)), each)
	b.ReportAllocs()
	for b.Loop() {
		c.raw(stream)
		for range each {
			<-l.events
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*each), "ns/message")
}

// BenchmarkIdleConnection measures what a connection costs that has said hello and acked, and now says nothing: heap, stacks, and the growth of
// the process's resident memory. Both ends are in this process; the other end is a bare socket without a goroutine, of which
// the heap has a net.Conn, measured beforehand and taken off.
func BenchmarkIdleConnection(b *testing.B) {
	const n = 2000
	for b.Loop() {
		_, f, s := wsServer(b, Config{PingInterval: 5 * time.Minute})
		f.room = 2
		plain := plainSockets(b, n)
		before, residentBefore := memory()
		clients := make([]net.Conn, n)
		links := make([]*fakeLink, n)
		for i := range n {
			c := dial(b, s, "?client_id=c"+strconv.Itoa(i))
			l := f.link(b)
			l.peer.Write(pieces(1, 1, 300))
			l.next(b, "written")
			c.text(`{"type":"ack","seq":1}`)
			l.next(b, "message")
			c.frame()
			clients[i], links[i] = c.nc, l
		}
		eventually(b, "net/http's goroutines are gone", func() bool { return runtime.NumGoroutine() < n+100 })
		after, residentAfter := memory()
		heap := int64(after.HeapAlloc) - int64(before.HeapAlloc) - n*plain
		b.ReportMetric(float64(heap)/n, "heap-B/conn")
		b.ReportMetric(float64(after.HeapObjects-before.HeapObjects)/n, "objects/conn")
		b.ReportMetric(float64(after.StackInuse-before.StackInuse)/n, "stack-B/conn")
		b.ReportMetric(float64(residentAfter-residentBefore)/n, "rss-B/conn(both-ends)")
		for _, l := range links {
			go func() {
				for e := range l.events {
					if e.call == "gone" {
						return
					}
				}
			}()
		}
		for _, c := range clients {
			_ = c.Close()
		}
	}
}

// plainSockets measures the heap of the client's end of a connection, in bytes.
func plainSockets(b *testing.B, n int) int64 {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer func() { _ = ln.Close() }()
	before, _ := memory()
	ends := make([]net.Conn, 0, 2*n)
	for range n {
		c, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(b, err)
		a, err := ln.Accept()
		require.NoError(b, err)
		ends = append(ends, c, a)
	}
	after, _ := memory()
	for _, c := range ends {
		_ = c.Close()
	}
	return (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / int64(2*n)
}

// memory collects the garbage until stacks have shrunk, too, and returns what is left, and the resident memory in bytes.
func memory() (runtime.MemStats, int64) {
	for range 6 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return m, 0
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	return m, pages * int64(os.Getpagesize())
}
