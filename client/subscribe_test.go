package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// stood is the outcome of a Subscribe or an Unsubscribe.
type stood struct {
	protocol.Subscribed
	err error
}

func (f *fixture) subscribe(ctx context.Context, topic string, o client.SubscribeOptions) <-chan stood {
	c := make(chan stood, 1)
	go func() {
		s, err := f.Subscribe(ctx, topic, o)
		c <- stood{s, err}
	}()
	synctest.Wait()
	return c
}

func (f *fixture) unsubscribe(ctx context.Context, topic string) <-chan stood {
	c := make(chan stood, 1)
	go func() { c <- stood{err: f.Unsubscribe(ctx, topic)} }()
	synctest.Wait()
	return c
}

// subscribed writes the answer to a subscribe; more is what differs from an ordinary one.
func (s *session) subscribed(topic string, resume protocol.Resume, epoch string, floor, head uint64, more ...func(*protocol.Subscribed)) {
	s.t.Helper()
	answer := protocol.Subscribed{Topic: topic, Resume: resume, Epoch: epoch, Floor: &floor, Head: &head}
	for _, m := range more {
		m(&answer)
	}
	s.say("%s", protocol.EncodeSubscribed(answer))
}

func closedTopic(s *protocol.Subscribed)    { s.Closed = true }
func announced(s *protocol.Subscribed)      { s.Snapshot = true }
func because(s *protocol.Subscribed)        { s.Reason = protocol.ReasonPruned }
func becauseOfEpoch(s *protocol.Subscribed) { s.Reason = protocol.ReasonEpoch }
func subscribeText(topic, more string) string {
	return `{"type":"subscribe","topic":"` + topic + `"` + more + `}`
}
func unsubscribeText(topic string) string { return `{"type":"unsubscribe","topic":"` + topic + `"}` }

// topicFrames writes frames of a topic, from one seq and topic_seq on.
func (s *session) topicFrames(topic string, seq, topicSeq uint64, n int) {
	s.t.Helper()
	for i := range uint64(n) {
		require.True(s.t, s.text(fmt.Sprintf(`{"seq":%d,"topic":"%s","topic_seq":%d,"type":"t"}`, seq+i, topic, topicSeq+i)))
	}
	synctest.Wait()
}

// following is a client at E1:7 that follows the topic jobs.7, of which it has seen X:3 as its frame 8.
func following(t *testing.T, cfg client.Config) (*fixture, *session) {
	t.Helper()
	if cfg.Cursor == "" {
		cfg.Cursor = "E1:7"
	}
	f := start(t, cfg)
	s := live(f)
	w := f.subscribe(t.Context(), "jobs.7", client.SubscribeOptions{})
	require.Equal(t, []string{subscribeText("jobs.7", "")}, s.heard())
	s.subscribed("jobs.7", protocol.ResumeFresh, "X", 0, 2)
	require.NoError(t, (<-w).err)
	s.topicFrames("jobs.7", 8, 3, 1)
	return f, s
}

// again breaks the connection and attaches anew, where the outbox has nothing new.
func (f *fixture) again(s *session, head uint64) *session {
	f.t.Helper()
	s.cut()
	s = f.net.accept()
	s.hello(protocol.ResumeUpToDate, "E1", 0, head)
	return s
}

func TestP19_FramesCarryTheirTopic(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var got []client.Frame
		var f *fixture
		f = start(t, client.Config{Cursor: "E1:7", Handler: func(_ context.Context, fr client.Frame) error {
			require.Equal(t, fmt.Sprintf("X:%d", fr.TopicSeq), f.TopicCursor("jobs.7"), "inside the handler it is that of the frame")
			got = append(got, fr)
			return nil
		}})
		early := f.subscribe(t.Context(), "jobs.7", client.SubscribeOptions{History: new(20)})
		s := f.net.accept()
		require.Empty(t, s.heard(), "nothing is said before hello")
		require.Empty(t, early)
		s.hello(protocol.ResumeUpToDate, "E1", 0, 7)
		require.Equal(t, []string{subscribeText("jobs.7", `,"history":20`)}, s.heard())
		s.subscribed("jobs.7", protocol.ResumeFresh, "X", 10, 40)
		answer := <-early
		require.NoError(t, answer.err)
		require.Equal(t, uint64(40), *answer.Head)
		require.Equal(t, []string{"jobs.7"}, f.Subscriptions())
		s.topicFrames("jobs.7", 8, 21, 2)
		require.Len(t, got, 2)
		require.Equal(t, client.Frame{Seq: 8, Type: "t", Topic: "jobs.7", TopicSeq: 21, Raw: []byte(`{"seq":8,"topic":"jobs.7","topic_seq":21,"type":"t"}`)}, got[0])
		f.stop()
		<-f.ended
	})
}

func TestP19_AskedForAgainAfterEachHello(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		p := f.subscribe(t.Context(), "logs.*", client.SubscribeOptions{})
		s.say(`{"type":"subscribed","topic":"logs.*","resume":"fresh"}`)
		require.Equal(t, protocol.ResumeFresh, (<-p).Resume)
		h := f.subscribe(t.Context(), "room", client.SubscribeOptions{History: new(5)})
		s.subscribed("room", protocol.ResumeFresh, "R", 3, 40)
		require.NoError(t, (<-h).err)
		s.heard()
		s = f.again(s, 8)
		require.Equal(t, []string{subscribeText("jobs.7", `,"since":"X:3"`), subscribeText("logs.*", ""), subscribeText("room", `,"since":"R:35"`)}, s.heard(),
			"where frames were asked for before, they are asked for where they begin")
		s.subscribed("jobs.7", protocol.ResumeReplay, "X", 0, 5) // the broker had forgotten it
		s.topicFrames("jobs.7", 9, 4, 2)
		s = f.again(s, 10)
		require.Equal(t, subscribeText("jobs.7", `,"since":"X:5"`), s.heard()[0])
		require.Equal(t, []string{"8 jobs.7:3", "resume up to date, nothing missed", "9 jobs.7:4", "10 jobs.7:5", "resume up to date, nothing missed"}, f.happened())
		require.Equal(t, "X:5", f.TopicCursor("jobs.7"))
		require.Empty(t, f.TopicCursor("logs.1"))
	})
}

func TestP19_SinceGoesOnInTheNextProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		w := f.subscribe(t.Context(), "jobs.7", client.SubscribeOptions{Since: "X:57"})
		s := f.net.accept()
		s.hello(protocol.ResumeReplay, "E1", 0, 9)
		require.Equal(t, []string{subscribeText("jobs.7", `,"since":"X:57"`)}, s.heard())
		s.topicFrames("jobs.7", 8, 57, 1)
		s.topicFrames("jobs.7", 9, 60, 1)
		s.subscribed("jobs.7", protocol.ResumeUpToDate, "X", 0, 60)
		require.Equal(t, protocol.ResumeUpToDate, (<-w).Resume)
		require.Equal(t, []string{"the frames 58 to 59 of the topic jobs.7 are missing", "9 jobs.7:60"}, f.happened())
		require.Equal(t, client.Stats{Frames: 1, TopicRepeats: 1, TopicHoles: 2, Attaches: 1}, f.Stats())
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":9}`}, s.heard(), "a repeat is acknowledged too")
	})
}

func TestP19_WhatCannotBeSubscribedTo(t *testing.T) {
	c, err := client.New(client.Config{URL: "http://b.test"})
	require.NoError(t, err)
	for name, k := range map[string]struct {
		topic string
		o     client.SubscribeOptions
		code  protocol.Code
	}{
		"the broker's":        {"_all", client.SubscribeOptions{}, protocol.CodeBadRequest},
		"empty":               {"", client.SubscribeOptions{}, protocol.CodeBadRequest},
		"both":                {"a", client.SubscribeOptions{Since: "X:1", History: new(1)}, protocol.CodeBadRequest},
		"a negative history":  {"a", client.SubscribeOptions{History: new(-1)}, protocol.CodeBadRequest},
		"a pattern's since":   {"a.*", client.SubscribeOptions{Since: "X:1"}, protocol.CodeBadRequest},
		"a pattern's history": {">", client.SubscribeOptions{History: new(0)}, protocol.CodeBadRequest},
		"no cursor":           {"a", client.SubscribeOptions{Since: "X:01"}, protocol.CodeBadCursor},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Subscribe(t.Context(), k.topic, k.o)
			var e *protocol.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, k.code, e.Code)
		})
	}
	require.Error(t, c.Unsubscribe(t.Context(), "a..b"))
}

func TestP19_RefusedIsToldToTheCaller(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		w := f.subscribe(t.Context(), "secret", client.SubscribeOptions{})
		s.heard()
		s.say(`{"type":"error","code":"forbidden","message":"no","topic":"secret"}`)
		var e *protocol.Error
		require.ErrorAs(t, (<-w).err, &e)
		require.Equal(t, protocol.CodeForbidden, e.Code)
		require.Empty(t, f.Subscriptions())
		s = f.again(s, 7)
		require.Empty(t, s.heard(), "it is not repeated")
		require.Equal(t, []string{"resume up to date, nothing missed"}, f.happened())
		require.Empty(t, f.errs)
	})
}

func TestP25_RefusedAfterAReconnectEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		s = f.again(s, 8)
		s.say(`{"type":"error","code":"forbidden","message":"no","topic":"jobs.7"}`)
		f.again(s, 8)
		require.Equal(t, []string{
			"8 jobs.7:3", "resume up to date, nothing missed", "unsubscribed jobs.7, closed false, forbidden: no", "resume up to date, nothing missed",
		}, f.happened())
		require.Empty(t, f.Subscriptions())
	})
}

func TestP30_SubscribeIsRepeatedWithBackoff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		w := f.subscribe(t.Context(), "a", client.SubscribeOptions{History: new(1)})
		for _, code := range []protocol.Code{protocol.CodeOverloaded, protocol.CodeRateLimited, protocol.CodeDraining, protocol.CodeInternal} {
			require.Equal(t, []string{subscribeText("a", `,"history":1`)}, s.heard())
			s.say(`{"type":"error","code":"%s","message":"later","topic":"a","retry_after_ms":2000}`, code)
			time.Sleep(1900 * time.Millisecond)
			require.Empty(t, s.heard())
			time.Sleep(3 * time.Second)
		}
		require.Len(t, s.heard(), 1)
		s.subscribed("a", protocol.ResumeFresh, "X", 0, 0)
		require.NoError(t, (<-w).err)
		require.Empty(t, f.errs)
	})
}

// TestP19_UnsubscribedMeansWhatWasHeld lets the end of an earlier subscription come while the next one is still to be asked for.
func TestP19_UnsubscribedMeansWhatWasHeld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		f.subscribe(t.Context(), "a", client.SubscribeOptions{})
		s.say(`{"type":"unsubscribed","topic":"a"}`)
		s.say(`{"type":"error","code":"overloaded","message":"later","topic":"a","retry_after_ms":2000}`)
		s.say(`{"type":"unsubscribed","topic":"a"}`)
		s.heard()
		require.Empty(t, f.happened())
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{subscribeText("a", "")}, s.heard())
	})
}

func TestP19_HoleIsToldBeforeItsFrame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		s.topicFrames("jobs.7", 9, 5, 2)
		s.topicFrames("logs.1", 11, 90, 1) // by a pattern: its count begins
		s.topicFrames("logs.1", 12, 93, 1)
		require.Equal(t, []string{
			"8 jobs.7:3", "the frame 4 of the topic jobs.7 is missing", "9 jobs.7:5", "10 jobs.7:6",
			"11 logs.1:90", "the frames 91 to 92 of the topic logs.1 are missing", "12 logs.1:93",
		}, f.happened())
		require.Equal(t, uint64(3), f.Stats().TopicHoles)
	})
	bubble(t, func(t *testing.T) { // more history than was asked for
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		f.subscribe(t.Context(), "a", client.SubscribeOptions{History: new(2)})
		s.subscribed("a", protocol.ResumeFresh, "X", 0, 10)
		s.topicFrames("a", 8, 7, 4)
		require.Equal(t, []string{"8 a:7", "9 a:8", "10 a:9", "11 a:10"}, f.happened())
	})
	bubble(t, func(t *testing.T) { // history that the log did not have, after all
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		f.subscribe(t.Context(), "a", client.SubscribeOptions{History: new(5)})
		s.subscribed("a", protocol.ResumeFresh, "X", 0, 10)
		s.topicFrames("a", 8, 7, 1)
		require.Equal(t, []string{"the frame 6 of the topic a is missing", "8 a:7"}, f.happened())
	})
}

func TestP19_HoleIsAnErrorWhereNobodyListens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPipes(t)
		var errs []error
		c, err := client.New(client.Config{URL: "http://b.test", ClientID: "tab-1", Cursor: "E1:7", Dial: p.dial, OnError: func(err error) { errs = append(errs, err) },
			Handler: func(context.Context, client.Frame) error { return nil }})
		require.NoError(t, err)
		go c.Run(t.Context())
		s := p.accept()
		s.hello(protocol.ResumeUpToDate, "E1", 0, 7)
		s.topicFrames("a", 8, 1, 1)
		s.topicFrames("a", 9, 3, 1)
		require.Len(t, errs, 1)
		require.ErrorContains(t, errs[0], "the frame 2 of the topic a is missing")
		require.NoError(t, c.Close(t.Context()))
	})
}

func TestP19_MaxSubscriptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7", MaxSubscriptions: 1})
		s := live(f)
		f.subscribe(t.Context(), "a", client.SubscribeOptions{})
		require.ErrorIs(t, (<-f.subscribe(t.Context(), "b", client.SubscribeOptions{})).err, client.ErrTooManySubscriptions)
		require.ErrorIs(t, (<-f.unsubscribe(t.Context(), "b")).err, client.ErrTooManySubscriptions)
		s.subscribed("a", protocol.ResumeFresh, "X", 0, 0)
		require.NoError(t, f.Close(t.Context()))
		require.ErrorIs(t, (<-f.subscribe(t.Context(), "b", client.SubscribeOptions{})).err, client.ErrClosed)
	})
}

func TestP19_SubscribeEndsWithItsCtxOrItsClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		ctx, cancel := context.WithCancel(t.Context())
		first := f.subscribe(ctx, "a", client.SubscribeOptions{})
		second := f.subscribe(t.Context(), "b", client.SubscribeOptions{})
		cancel()
		require.ErrorIs(t, (<-first).err, context.Canceled)
		s := live(f)
		require.Len(t, s.heard(), 2, "it is asked for all the same")
		s.say(`{"type":"error","code":"forbidden","message":"no","topic":"a"}`)
		require.Equal(t, []string{"unsubscribed a, closed false, forbidden: no"}, f.happened(), "nobody waits for that any more")
		require.NoError(t, f.Close(t.Context()))
		require.ErrorIs(t, (<-second).err, client.ErrClosed)
	})
}

func TestP19_AnswersThatCannotBe(t *testing.T) {
	for name, answer := range map[string]string{
		"no epoch":        `"resume":"fresh","floor":0,"head":0`,
		"no head":         `"resume":"fresh","epoch":"X","floor":0`,
		"floor > head":    `"resume":"fresh","epoch":"X","floor":1,"head":0`,
		"another resume":  `"resume":"maybe","epoch":"X","floor":0,"head":0`,
		"replay of what":  `"resume":"replay","epoch":"X","floor":0,"head":0`,
		"no json numbers": `"resume":"fresh","epoch":"X","floor":"0","head":0`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := live(f)
				w := f.subscribe(t.Context(), "a", client.SubscribeOptions{})
				go s.text(`{"type":"subscribed","topic":"a",` + answer + `}`)
				require.Equal(t, 1002, s.closed())
				require.Empty(t, w)
				s.cut()
				s = f.net.accept()
				s.hello(protocol.ResumeUpToDate, "E1", 0, 7)
				require.Equal(t, []string{subscribeText("a", "")}, s.heard())
			})
		})
	}
}

func TestP19_AnswersThatNobodyAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		s.subscribed("other", protocol.ResumeFresh, "Y", 0, 9)
		s.subscribed("jobs.7", protocol.ResumeTooOld, "Y", 9, 9, because)
		s.say(`{"type":"unsubscribed","topic":"other"}`)
		s.say(`{"type":"error","code":"forbidden","message":"no","topic":"other"}`)
		s.topicFrames("jobs.7", 9, 4, 1)
		require.Equal(t, []string{"8 jobs.7:3", "9 jobs.7:4"}, f.happened())
		require.Len(t, f.errs, 1)
		require.Equal(t, []string{"jobs.7"}, f.Subscriptions())
	})
}

func TestP19_FailingOnTopicSnapshotIsReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bad := errors.New("no disk")
		f := start(t, client.Config{Cursor: "E1:7", OnTopicSnapshot: func(string, uint64, []byte) error { return bad }})
		s := live(f)
		f.subscribe(t.Context(), "a", client.SubscribeOptions{History: new(0)})
		s.subscribed("a", protocol.ResumeFresh, "X", 0, 4, announced)
		s.say("%s", protocol.EncodeTopicSnapshot("a", 4, json.RawMessage(`{}`)))
		var e *client.SnapshotError
		require.ErrorAs(t, f.errs[0], &e)
		require.ErrorIs(t, e, bad)
		require.Equal(t, "a", e.Topic)
		require.Equal(t, "X:4", f.TopicCursor("a"))
	})
}
