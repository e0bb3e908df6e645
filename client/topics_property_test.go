package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// topicLog is one topic of the model: its life and the number of its frames. Nothing is ever pruned.
type topicLog struct {
	life int
	head uint64
	held bool
}

func (l *topicLog) epoch() string { return fmt.Sprint("L", l.life) }

// topicModel is a broker that keeps P-19 and has the worst of luck: connections break between a subscription and its answer, or between that and its snapshot; topics are
// deleted and born again, clients reaped, subscriptions forgotten.
type topicModel struct {
	rng    *rand.Rand
	topics map[string]*topicLog
	names  []string
	// lives is how often the outbox began anew. Its frames are kept without their seq.
	lives   int
	outbox  []string
	floor   uint64
	pattern bool
	calm    bool
	faults  []string
	// broken says that the client has ended the connection.
	broken bool
	// done says that everything has been said and answered, and nothing more has come for a while.
	done bool
}

func (m *topicModel) text(s *session, text string) { m.broken = !s.text(text) || m.broken }

func (m *topicModel) epoch() string { return fmt.Sprint("E", m.lives) }

func (m *topicModel) append(topic string, from, to uint64) {
	for n := from; n <= to; n++ {
		m.outbox = append(m.outbox, fmt.Sprintf(`"topic":"%s","topic_seq":%d,"type":"t","life":%d}`, topic, n, m.topics[topic].life))
	}
}

func (m *topicModel) publish() {
	topic := m.names[m.rng.IntN(len(m.names))]
	l := m.topics[topic]
	l.head++
	if l.held || m.pattern && strings.HasPrefix(topic, "p.") {
		m.append(topic, l.head, l.head)
	}
}

// luck is what happens to an absent client.
func (m *topicModel) luck() {
	for _, topic := range m.names {
		l := m.topics[topic]
		switch n := m.rng.IntN(20); {
		case strings.HasPrefix(topic, "p."):
		case n == 0:
			*l = topicLog{life: l.life + 1}
		case n < 3:
			l.held = false
		}
	}
	if m.rng.IntN(10) == 0 {
		m.lives++
		m.outbox, m.floor, m.pattern = nil, 0, false
		for _, l := range m.topics {
			l.held = false
		}
	}
	for range m.rng.IntN(5) {
		m.publish()
	}
}

// serve plays one connection.
func (m *topicModel) serve(s *session) {
	since, err := protocol.ParseCursor(s.query.Get("since"))
	head := uint64(len(m.outbox))
	at, resume, more := m.floor, protocol.ResumeFresh, []func(*protocol.Hello){}
	switch {
	case err != nil:
	case since.Epoch != m.epoch():
		resume, more = protocol.ResumeTooOld, append(more, withReason(protocol.ReasonEpoch))
	case since.Seq < m.floor || since.Seq > head:
		m.faults = append(m.faults, fmt.Sprintf("attach at %s of %d to %d", since, m.floor, head))
		return
	case since.Seq == head:
		at, resume = head, protocol.ResumeUpToDate
	default:
		at, resume = since.Seq, protocol.ResumeReplay
	}
	h := helloFor(s.query, resume, m.epoch(), m.floor, head)
	for _, f := range more {
		f(&h)
	}
	m.text(s, string(protocol.EncodeHello(h)))
	live := resume == protocol.ResumeUpToDate
	quiet := 0
	m.broken = false
	for quiet < 15 && !m.broken {
		if !live && at == head {
			live = true
			m.text(s, fmt.Sprintf(`{"type":"replay_end","seq":%d}`, at))
		}
		if !m.messages(s) {
			return
		}
		n := m.rng.IntN(100)
		switch {
		case m.calm && at == uint64(len(m.outbox)) && live:
			time.Sleep(5 * time.Second)
			m.text(s, `{"type":"ping","head":0}`)
			quiet++
		case !m.calm && n < 3:
			return
		case !m.calm && n < 5:
			time.Sleep(time.Duration(m.rng.IntN(3000)) * time.Millisecond)
		case !m.calm && n < 30:
			m.publish()
		case !m.calm && n < 32 && at == uint64(len(m.outbox)):
			m.delete(s)
		case at < uint64(len(m.outbox)):
			quiet = 0
			m.text(s, fmt.Sprintf(`{"seq":%d,%s`, at+1, m.outbox[at]))
			at++
		}
	}
	m.done = !m.broken
}

// delete lets a topic begin a new life while its client looks on.
func (m *topicModel) delete(s *session) {
	topic := m.names[m.rng.IntN(len(m.names))]
	if l := m.topics[topic]; l.held && len(s.got) == 0 {
		*l = topicLog{life: l.life + 1}
		m.text(s, fmt.Sprintf(`{"type":"unsubscribed","topic":"%s"}`, topic))
	}
}

// messages hears the client; false is a cut.
func (m *topicModel) messages(s *session) bool {
	for _, text := range s.heard() {
		msg, err := protocol.ParseMessage([]byte(text), 0)
		if err != nil {
			m.faults = append(m.faults, text)
			return false
		}
		cut := !m.calm && m.rng.IntN(12) == 0
		switch msg.Type {
		case protocol.TypeAck:
			m.floor = max(m.floor, msg.Seq)
		case protocol.TypeUnsubscribe:
			m.topics[msg.Topic].held = false
			if cut {
				return false
			}
			m.text(s, fmt.Sprintf(`{"type":"unsubscribed","topic":"%s"}`, msg.Topic))
		case protocol.TypeSubscribe:
			for i, answer := range m.subscribe(msg) {
				if cut && i == m.rng.IntN(2) {
					return false
				}
				m.text(s, answer)
			}
		}
	}
	return true
}

// subscribe decides by P-7 and P-19, and returns what is written.
func (m *topicModel) subscribe(msg protocol.Message) []string {
	if protocol.IsPattern(msg.Topic) {
		resume := protocol.ResumeFresh
		if m.pattern {
			resume = protocol.ResumeUpToDate
		}
		m.pattern = true
		return []string{fmt.Sprintf(`{"type":"subscribed","topic":"%s","resume":"%s"}`, msg.Topic, resume)}
	}
	l := m.topics[msg.Topic]
	var floor uint64
	answer := protocol.Subscribed{Topic: msg.Topic, Epoch: l.epoch(), Resume: protocol.ResumeFresh, Floor: &floor, Head: &l.head}
	from, snapshot := l.head, msg.History >= 0
	switch {
	case l.held:
		answer.Resume, snapshot = protocol.ResumeUpToDate, false
	case msg.Since == nil:
		from -= min(from, uint64(max(msg.History, 0)))
	case msg.Since.Epoch != l.epoch():
		answer.Resume, answer.Reason, snapshot, from = protocol.ResumeTooOld, protocol.ReasonEpoch, true, 0
	case msg.Since.Seq == l.head:
		answer.Resume = protocol.ResumeUpToDate
	default:
		answer.Resume, from = protocol.ResumeReplay, msg.Since.Seq
	}
	l.held = true
	var asOf uint64
	if answer.Snapshot = snapshot && msg.Topic == "snapped"; answer.Snapshot {
		asOf = m.rng.Uint64N(l.head + 1)
		from = asOf
	}
	m.append(msg.Topic, from+1, l.head)
	out := []string{string(protocol.EncodeSubscribed(answer))}
	if answer.Snapshot {
		out = append(out, string(protocol.EncodeTopicSnapshot(msg.Topic, asOf, fmt.Append(nil, l.life))))
	}
	return out
}

// reader is an application that builds its state of each topic from snapshots and frames, and holds each frame to it.
type reader struct {
	state  map[string]topicLog
	faults []string
}

func (r *reader) frame(f client.Frame) {
	var body struct{ Life int }
	if err := json.Unmarshal(f.Raw, &body); err != nil {
		r.faults = append(r.faults, err.Error())
	}
	was, begun := r.state[f.Topic]
	pattern := strings.HasPrefix(f.Topic, "p.")
	switch {
	case !begun && (f.TopicSeq == 1 || pattern):
	case begun && f.TopicSeq == was.head+1 && body.Life == was.life:
	default:
		r.faults = append(r.faults, fmt.Sprintf("%s after %v", f.Raw, was))
	}
	r.state[f.Topic] = topicLog{life: body.Life, head: f.TopicSeq}
}

// TestP19_EachFrameOfATopicOnce holds the client to its promise against a hundred runs of bad luck.
func TestP19_EachFrameOfATopicOnce(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { unluckyTopics(t, seed) })
		})
	}
}

func unluckyTopics(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 9))
	m := &topicModel{rng: rng, topics: map[string]*topicLog{}, names: []string{"plain", "snapped", "p.1", "p.2"}}
	for _, name := range m.names {
		m.topics[name] = &topicLog{head: rng.Uint64N(5)}
	}
	r := &reader{state: map[string]topicLog{}}
	all := client.SubscribeOptions{History: new(1_000_000)}
	pauses := rand.New(rand.NewPCG(seed, 10))
	slow := pauses.IntN(20)
	f := &fixture{t: t, net: newPipes(t), ended: make(chan error, 1)}
	cfg := client.Config{URL: "http://broker.test", ClientID: "tab-1", Dial: f.net.dial, QueueFrames: 1 + pauses.IntN(32)}
	cfg.Handler = func(_ context.Context, fr client.Frame) error {
		if pauses.IntN(100) < slow {
			time.Sleep(time.Duration(pauses.IntN(3000)) * time.Millisecond)
		}
		r.frame(fr)
		return nil
	}
	cfg.OnTopicReset = func(reset client.TopicReset) { delete(r.state, reset.Topic) }
	cfg.OnTopicHole = func(h client.TopicHole) { r.faults = append(r.faults, h.String()) }
	cfg.OnTopicSnapshot = func(topic string, asOf uint64, data []byte) error {
		if _, begun := r.state[topic]; begun {
			r.faults = append(r.faults, "a snapshot without a reset")
		}
		var life int
		err := json.Unmarshal(data, &life)
		r.state[topic] = topicLog{life: life, head: asOf}
		return err
	}
	cfg.OnUnsubscribed = func(u client.Unsubscribed) {
		delete(r.state, u.Topic)
		go f.Subscribe(t.Context(), u.Topic, all)
	}
	f.watch(&cfg)
	cfg.OnReset = func(client.Reset) {
		delete(r.state, "p.1")
		delete(r.state, "p.2")
	}
	var err error
	f.Client, err = client.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go f.Subscribe(ctx, "plain", all)
	go f.Subscribe(ctx, "snapped", all)
	go f.Subscribe(ctx, "p.*", client.SubscribeOptions{})
	go func() { f.ended <- f.Run(ctx) }()
	for i := 0; !m.done && len(m.faults) == 0; i++ {
		m.calm = i > 30
		s := f.net.accept()
		m.serve(s)
		s.conn.Close()
		if !m.calm {
			m.luck()
		}
	}
	synctest.Wait()
	require.Empty(t, m.faults)
	require.Empty(t, r.faults)
	require.Empty(t, f.errs)
	for _, topic := range m.names[:2] {
		want := m.topics[topic]
		if want.head > 0 || r.state[topic].head > 0 {
			require.Equal(t, topicLog{life: want.life, head: want.head}, r.state[topic], topic)
		}
	}
	cancel()
	<-f.ended
}
