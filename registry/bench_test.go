package registry

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// BenchmarkIdleClient measures what one idle client with an empty outbox costs: heap bytes and objects, map entry and
// 36-character id included.
func BenchmarkIdleClient(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				cfg := testConfig()
				cfg.MaxClients = 0
				r := start(b, cfg, nil)
				before := heapNow()
				for i := range n {
					if _, err := r.find(fmt.Sprintf("%036d", i)); err != nil {
						b.Fatal(err)
					}
				}
				after := heapNow()
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/client")
				b.ReportMetric(float64(after.HeapObjects-before.HeapObjects)/float64(n), "objects/client")
				runtime.KeepAlive(r)
			}
		})
	}
}

func heapNow() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// BenchmarkAppendOffline measures one append to a client that nobody reads, its actor in hand, without the body.
func BenchmarkAppendOffline(b *testing.B) {
	r := start(b, testConfig(), nil)
	c, err := r.find("offline")
	if err != nil {
		b.Fatal(err)
	}
	one := []protocol.Body{body(b, `{"type":"progress","pct":40}`)}
	b.ReportAllocs()
	for b.Loop() {
		c.do(&publishMail{session.Publish{Bodies: one}})
	}
}

// BenchmarkPublish measures a whole call with its receipt.
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
