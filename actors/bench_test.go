package actors

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"
)

type tally struct {
	Mailbox
	n    int
	done chan struct{}
	want int
}

func (c *tally) Receive(any) {
	if c.n++; c.n == c.want {
		close(c.done)
	}
}

func (c *tally) Failed(_, _ any) {}

// BenchmarkIdleOwner shows what an owner with nothing but its mailbox and one word of state keeps of the heap, after it
// has handled a message.
func BenchmarkIdleOwner(b *testing.B) {
	owners := make([]*small, b.N)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range owners {
		owners[i] = new(small)
		owners[i].Do(owners[i], nil)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "heap-B/owner")
	b.ReportMetric(float64(after.HeapObjects-before.HeapObjects)/float64(b.N), "objects/owner")
	runtime.KeepAlive(owners)
}

type small struct {
	Mailbox
	handled int
}

func (s *small) Receive(any)     { s.handled++ }
func (s *small) Failed(_, _ any) {}

func BenchmarkDo(b *testing.B) {
	c := &tally{}
	b.ReportAllocs()
	for b.Loop() {
		c.Do(c, nil)
	}
}

// BenchmarkTellIdle is a wake-up: each message finds the mailbox idle and starts a goroutine.
func BenchmarkTellIdle(b *testing.B) {
	c := &echo{back: make(chan struct{})}
	b.ReportAllocs()
	for b.Loop() {
		c.Tell(c, nil)
		<-c.back
	}
}

type echo struct {
	Mailbox
	back chan struct{}
}

func (e *echo) Receive(any)     { e.back <- struct{}{} }
func (e *echo) Failed(_, _ any) {}

// BenchmarkTellBusy is the cost of a message on its way through a mailbox that has a turn running, handling included.
func BenchmarkTellBusy(b *testing.B) {
	for _, senders := range []int{1, 8} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			each := b.N/senders + 1
			c := &tally{done: make(chan struct{}), want: each * senders}
			b.ReportAllocs()
			b.ResetTimer()
			for range senders {
				go func() {
					for range each {
						c.Tell(c, nil)
					}
				}()
			}
			<-c.done
		})
	}
}

func BenchmarkWheelAdd(b *testing.B) {
	w := wheel{tick: time.Second}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i%100_000 == 0 { // as if time went on
			w.advance(w.at+wheelSlots*time.Second, nil)
		}
		w.add(numberedTimer(0), w.at+time.Duration(i%wheelSlots)*time.Second)
	}
}

// BenchmarkWheelTick is one tick of a wheel with 100,000 entries spread over 25 s, registered anew as they are due.
func BenchmarkWheelTick(b *testing.B) {
	w := wheel{tick: time.Second}
	for i := range 100_000 {
		w.add(numberedTimer(i), time.Duration(i)*25*time.Second/100_000)
	}
	var due []Timed
	b.ReportAllocs()
	for b.Loop() {
		due = w.advance(w.at+time.Second, due[:0])
		for _, t := range due {
			w.add(t, w.at+25*time.Second)
		}
	}
}

func BenchmarkAt(b *testing.B) {
	s := Start(Options{Logger: slog.New(slog.DiscardHandler)})
	t := &watchTimer{onDue: func() {}}
	b.ReportAllocs()
	for b.Loop() {
		s.At(t, time.Hour)
	}
	b.StopTimer()
	if err := s.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkClosed is what every ended life pays while nobody watches anybody.
func BenchmarkClosed(b *testing.B) {
	s := Start(Options{Logger: slog.New(slog.DiscardHandler)})
	b.ReportAllocs()
	for b.Loop() {
		s.Closed("client", "a")
	}
	b.StopTimer()
	if err := s.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSendByPID is a message by PID, in place of a Tell.
func BenchmarkSendByPID(b *testing.B) {
	s := Start(Options{Logger: slog.New(slog.DiscardHandler)})
	c := &named{sys: s}
	c.done, c.want = make(chan struct{}), b.N
	s.Resolve("client", func(string) (Addressed, bool) { return c, true })
	pid := s.lib.NewLocalPID("a")
	pid.Address = "client"
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		s.Root().Send(pid, nil)
	}
	<-c.done
	b.StopTimer()
	if err := s.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

type named struct {
	tally
	sys *System
}

func (n *named) System() *System            { return n.sys }
func (n *named) Name() (address, id string) { return "client", "a" }
