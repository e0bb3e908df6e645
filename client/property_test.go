package client_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// model is a broker that keeps every rule of P-7 to P-11 and has the worst of luck: it writes the truth, in order, but cuts where it likes, repeats what
// it has written, dawdles, and prunes only what was acknowledged.
type model struct {
	rng   *rand.Rand
	floor uint64
	head  uint64
	cuts  int
	// applied is how far the application is, for the check of each ack.
	applied func() uint64
	faults  []string
}

func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// serve plays one connection, up to a cut or, when lucky, until the client holds everything up to last.
func (m *model) serve(s *session, last uint64) {
	since, err := protocol.ParseCursor(s.query.Get("since"))
	seq := m.floor
	resume := protocol.ResumeFresh
	switch {
	case err != nil:
	case since.Epoch != "E1" || since.Seq > m.head || since.Seq < m.floor:
		m.fault("attach at %s with floor %d and head %d: what was not acked was not kept, or what was acked is asked for again", since, m.floor, m.head)
		return
	case since.Seq > m.applied():
		m.fault("attach at %s with %d applied: what is being handled could be pruned", since, m.applied())
		return
	default:
		m.floor = max(m.floor, since.Seq) // where the connection's ack mark begins (P-11)
		seq, resume = since.Seq, protocol.ResumeReplay
		if since.Seq == m.head {
			resume = protocol.ResumeUpToDate
		}
	}
	first := seq
	boundary := m.head
	if !s.text(string(protocol.EncodeHello(helloFor(s.query, resume, "E1", m.floor, m.head)))) {
		return
	}
	ended := resume == protocol.ResumeUpToDate
	for m.head < last || seq < m.head || !ended {
		m.acks(s, seq)
		if !ended && seq == boundary {
			ended = true
			s.text(fmt.Sprintf(`{"type":"replay_end","seq":%d}`, boundary))
		}
		switch n := m.rng.IntN(100); {
		case n < 2 && m.cuts < 40:
			m.cut(s, seq)
			return
		case n < 5:
			time.Sleep(time.Duration(m.rng.IntN(7000)) * time.Millisecond)
		case n < 8:
			s.text(`{"type":"ping","head":0}`)
		case n < 12 && seq > first: // again, from anywhere
			s.text(frameText(first + 1 + m.rng.Uint64N(seq-first)))
		case n < 40 && m.head < last:
			m.head += 1 + m.rng.Uint64N(min(5, last-m.head))
		case seq < m.head:
			seq++
			s.text(frameText(seq))
		}
	}
	time.Sleep(6 * time.Second)
	m.acks(s, seq)
}

// cut ends the connection: silently, inside a frame, or with a code after which a client comes back.
func (m *model) cut(s *session, seq uint64) {
	m.cuts++
	switch m.rng.IntN(3) {
	case 0:
		whole := ws.MustCompileFrame(ws.NewTextFrame([]byte(frameText(seq + 1))))
		s.raw(whole[:m.rng.IntN(len(whole))])
	case 1:
		s.raw(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4001, ""))))
	}
	synctest.Wait()
	m.acks(s, seq)
	s.conn.Close()
}

// acks reads the acks, holds them to what is applied and was sent, and prunes.
func (m *model) acks(s *session, sent uint64) {
	for _, text := range s.heard() {
		msg, err := protocol.ParseMessage([]byte(text), 0)
		switch {
		case err != nil:
			m.fault("the client wrote %s", text)
		case msg.Type != protocol.TypeAck:
		case msg.Seq > m.applied() || msg.Seq > sent:
			m.fault("an ack of %d with %d applied and %d sent", msg.Seq, m.applied(), sent)
		default:
			m.floor = max(m.floor, msg.Seq)
		}
	}
}

// TestP03_EachFrameOnceAndInOrder holds the client to its promise against a hundred runs of bad luck.
func TestP03_EachFrameOnceAndInOrder(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { unlucky(t, seed) })
		})
	}
}

func unlucky(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	last := 50 + rng.Uint64N(1500)
	slow := rng.IntN(20)
	pauses := rand.New(rand.NewPCG(seed, 8))
	var f *fixture
	var applied uint64
	var seqs []uint64
	cfg := client.Config{QueueFrames: 1 + rng.IntN(64)}
	cfg.Handler = func(_ context.Context, fr client.Frame) error {
		if pauses.IntN(100) < slow {
			time.Sleep(time.Duration(pauses.IntN(500)) * time.Millisecond)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		seqs = append(seqs, fr.Seq)
		applied = fr.Seq
		return nil
	}
	f = &fixture{t: t, net: newPipes(t), ended: make(chan error, 1)}
	cfg.URL, cfg.ClientID, cfg.Dial = "http://broker.test", "tab-1", f.net.dial
	f.watch(&cfg)
	var err error
	f.Client, err = client.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { f.ended <- f.Run(ctx) }()
	m := &model{rng: rng, applied: func() uint64 { f.mu.Lock(); defer f.mu.Unlock(); return applied }}
	for len(m.faults) == 0 && (m.floor < last) {
		s := f.net.accept()
		m.serve(s, last)
		s.conn.Close()
	}
	require.Empty(t, m.faults)
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Len(t, seqs, int(last))
	for i, seq := range seqs {
		require.Equal(t, uint64(i+1), seq)
	}
	require.NotContains(t, fmt.Sprint(f.events), "reset")
	require.Empty(t, f.errs)
}
