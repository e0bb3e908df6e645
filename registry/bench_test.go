package registry

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// unbounded is a registry with the documented defaults, and without those bounds that many clients or a large backlog would meet.
func unbounded(tb testing.TB) *Registry {
	cfg := testConfig()
	cfg.MaxClients, cfg.MaxTotalBytes = 0, 0
	return start(tb, cfg, nil)
}

// longID is a client_id of 36 characters, as long as a UUID.
func longID(i int) string { return fmt.Sprintf("%036d", i) }

// frameOf is the text of a frame of so many bytes as it is published.
func frameOf(bytes int) []byte {
	return fmt.Appendf(nil, `{"type":"x","fill":"%s"}`, strings.Repeat("x", bytes-len(`{"type":"x","fill":""}`)))
}

// publishText publishes one frame the way a request does: it is parsed, and the call waits for its receipt.
func publishText(b *testing.B, r *Registry, id string, text []byte) {
	body, err := protocol.ParseBody(text, protocol.DefaultMaxFrameBytes)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.Publish(context.Background(), id, Publish{Bodies: []protocol.Body{body}}); err != nil {
		b.Fatal(err)
	}
}

func heapNow() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// reportHeap says what n things have added to the heap since before.
func reportHeap(b *testing.B, before runtime.MemStats, n int, what string) {
	after := heapNow()
	b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/float64(n), "heap-B/"+what)
	b.ReportMetric((float64(after.HeapObjects)-float64(before.HeapObjects))/float64(n), "objects/"+what)
}

// BenchmarkIdleClient measures what one idle client with an empty outbox costs: heap bytes and objects, map entry and
// 36-character id included, and the processor seconds of one collection of all of them.
func BenchmarkIdleClient(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				r := unbounded(b)
				before := heapNow()
				for i := range n {
					if _, err := r.find(longID(i)); err != nil {
						b.Fatal(err)
					}
				}
				reportHeap(b, before, n, "client")
				reportGC(b)
				runtime.KeepAlive(r)
			}
		})
	}
}

// BenchmarkOfflineClient measures what one client that is away costs with one frame of 256 bytes, all in.
func BenchmarkOfflineClient(b *testing.B) {
	const clients = 100_000
	text := frameOf(256)
	for range b.N {
		r := unbounded(b)
		before := heapNow()
		for i := range clients {
			publishText(b, r, longID(i), text)
		}
		reportHeap(b, before, clients, "client")
		runtime.KeepAlive(r)
	}
}

// BenchmarkBacklog measures what a retained frame costs in a deep backlog, its share of the client included: bytes of the heap and of the
// process, and the processor seconds of one collection of all. The resident bytes are those after free memory was given back to the system; run alone they are right.
func BenchmarkBacklog(b *testing.B) {
	const clients = 10_000
	for _, size := range []int{64, 256, 257, 1024} {
		for _, depth := range []int{10, 100} {
			b.Run(fmt.Sprintf("%d-frames-of-%d-bytes", depth, size), func(b *testing.B) {
				text := frameOf(size)
				for range b.N {
					r := unbounded(b)
					before, resident := heapNow(), residentNow(b)
					for range depth { // in turns, as they come: neighbours in time are no neighbours in an outbox
						for i := range clients {
							publishText(b, r, longID(i), text)
						}
					}
					reportHeap(b, before, clients*depth, "frame")
					b.ReportMetric((residentNow(b)-resident)/float64(clients*depth), "RSS-B/frame")
					reportGC(b)
					runtime.KeepAlive(r)
				}
			})
		}
	}
}

// BenchmarkAppendOffline measures one append to a client that nobody reads, its actor in hand, without the body: a turn of its mailbox. One is a visit, which is
// what a publish does where it can; the other the turn of a mail, which it is where somebody reads or something is under way.
func BenchmarkAppendOffline(b *testing.B) {
	for _, way := range []string{"visit", "mail"} {
		b.Run(way, func(b *testing.B) {
			r := start(b, testConfig(), nil)
			c, err := r.find("offline")
			if err != nil {
				b.Fatal(err)
			}
			one := []protocol.Body{body(b, `{"type":"progress","pct":40}`)}
			m := &publishMail{session.Publish{Bodies: one}}
			b.ReportAllocs()
			for b.Loop() {
				if way == "mail" {
					c.do(m)
				} else if done, err := c.append(one, new(taken)); !done || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPublish measures a whole call with its receipt, to a client that nobody reads, without the body.
func BenchmarkPublish(b *testing.B) {
	r := start(b, testConfig(), nil)
	p := Publish{Bodies: []protocol.Body{body(b, `{"type":"progress","pct":40}`)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Publish(context.Background(), "offline", p); err != nil {
			b.Fatal(err)
		}
	}
}

// eagerPeer is a connection that writes at once whatever it is given, and acks now and then.
type eagerPeer struct {
	link *Link
	seq  uint64
}

func (p *eagerPeer) Attached(l *Link) { p.link = l }
func (p *eagerPeer) Write(batch []protocol.Piece) (written bool) {
	p.seq = batch[len(batch)-1].Seq
	if p.seq%500 == 0 && p.seq > 0 {
		p.link.Message(protocol.Message{Type: protocol.TypeAck, Seq: p.seq}, nil)
	}
	return true
}
func (*eagerPeer) Refused(protocol.Piece, protocol.CloseCode) {}
func (*eagerPeer) Close(protocol.CloseCode)                   {}
func (*eagerPeer) Pause(bool)                                 {}
func (*eagerPeer) Handled(int)                                {}

// BenchmarkPublishToReader measures a whole call with its receipt to a client that one connection reads, without the body and the write.
func BenchmarkPublishToReader(b *testing.B) {
	r := start(b, testConfig(), nil)
	r.Attach("online", Attach{ConnectionID: "1", Transport: "test"}, &eagerPeer{})
	p := Publish{Bodies: []protocol.Body{body(b, `{"type":"progress","pct":40}`)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Publish(context.Background(), "online", p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPublishToMany is BenchmarkPublish over so many clients in turn, whose memory is in no cache.
func BenchmarkPublishToMany(b *testing.B) {
	const clients = 100_000
	r := unbounded(b)
	ids := make([]string, clients)
	for i := range ids {
		ids[i] = longID(i)
	}
	p := Publish{Bodies: []protocol.Body{body(b, `{"type":"progress","pct":40}`)}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := r.Publish(context.Background(), ids[i%clients], p); err != nil {
			b.Fatal(err)
		}
	}
}
