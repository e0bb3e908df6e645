package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// obeyed carries out what a publish asks for, with a store that confirms at once.
func obeyed(s *session.Session, now time.Duration, in session.Publish, fx *session.Effects) {
	fx.Reset()
	s.Publish(now, in, fx)
	for i := 0; i < len(fx.Commits); i++ {
		s.Confirmed(now, fx.Commits[i].Token, nil, false, fx)
	}
}

func TestP13_PublishToAnIdleClientAllocatesNothingButItsAnswer(t *testing.T) {
	cfg := defaults()
	s, fx := session.New(cfg, 0), &session.Effects{}
	one := session.Publish{Bodies: []protocol.Body{protocol.Body(`{"type":"a"}`)}}
	for range cfg.Bounds.Frames { // the ring has its size, the oldest go
		obeyed(&s, 0, one, fx)
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() { obeyed(&s, 0, one, fx) }))
	require.False(t, s.Busy(), "an idle client is no more than its frames")
	one.To = "p"
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { obeyed(&s, 0, one, fx) }), 1.0)
}

// BenchmarkPublishOffline measures one frame for a client that nobody reads: of a store that is asked and confirms at once, and of one that need not be asked.
func BenchmarkPublishOffline(b *testing.B) {
	for _, instant := range []bool{false, true} {
		b.Run(fmt.Sprintf("instant=%t", instant), func(b *testing.B) {
			cfg := defaults()
			cfg.Instant = instant
			s, fx := session.New(cfg, 0), &session.Effects{}
			one := session.Publish{Bodies: []protocol.Body{protocol.Body(`{"type":"progress","pct":40}`)}}
			b.ReportAllocs()
			for b.Loop() {
				obeyed(&s, 0, one, fx)
			}
		})
	}
}

// BenchmarkAppendOffline is the short way of BenchmarkPublishOffline.
func BenchmarkAppendOffline(b *testing.B) {
	cfg := defaults()
	cfg.Instant = true
	s := session.New(cfg, 0)
	one := []protocol.Body{protocol.Body(`{"type":"progress","pct":40}`)}
	b.ReportAllocs()
	for b.Loop() {
		var t session.Taken
		if !s.Append(0, one, &t) {
			b.Fatal("it was not taken")
		}
	}
}

// BenchmarkConfirm measures the store's word on one commit while so many more wait for theirs.
func BenchmarkConfirm(b *testing.B) {
	one := session.Publish{Bodies: []protocol.Body{protocol.Body(`{"type":"a"}`)}}
	for _, waiting := range []int{1, 10_000, 100_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			s, fx := session.New(defaults(), 0), &session.Effects{}
			for range waiting {
				fx.Reset()
				s.Publish(0, one, fx)
			}
			token := uint64(0)
			for b.Loop() {
				token++
				fx.Reset()
				s.Publish(0, one, fx)
				s.Confirmed(0, token, nil, false, fx)
			}
		})
	}
}

func BenchmarkPublishToReader(b *testing.B) {
	for _, depth := range []int{1, 10_000, 100_000} {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			cfg := defaults()
			cfg.Bounds.Frames, cfg.Bounds.Bytes = depth, 0
			s, fx := session.New(cfg, 0), &session.Effects{}
			one := session.Publish{Bodies: []protocol.Body{protocol.Body(`{"type":"progress","pct":40}`)}}
			for range depth {
				obeyed(&s, 0, one, fx)
			}
			s.Attach(0, session.Attach{Gen: 1, ConnectionID: "a", Since: &protocol.Cursor{Epoch: s.Epoch().String(), Seq: uint64(depth)}}, fx)
			s.Written(0, 1, fx)
			b.ReportAllocs()
			for b.Loop() {
				obeyed(&s, 0, one, fx)
				fx.Reset()
				s.Written(0, 1, fx)
			}
		})
	}
}
