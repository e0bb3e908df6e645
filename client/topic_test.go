package client_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

func TestP19_DeletedTopicEndsItsSubscriptionAfterItsFrames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		s.topicFrames("jobs.7", 9, 4, 1)
		s.say(`{"type":"unsubscribed","topic":"jobs.7"}`)
		require.Equal(t, []string{"8 jobs.7:3", "9 jobs.7:4", "unsubscribed jobs.7, closed false, <nil>"}, f.happened())
		s = f.again(s, 9)
		require.Empty(t, s.heard())
		w := f.subscribe(t.Context(), "jobs.7", client.SubscribeOptions{History: new(9)})
		s.subscribed("jobs.7", protocol.ResumeFresh, "Y", 0, 1)
		require.NoError(t, (<-w).err)
		s.topicFrames("jobs.7", 10, 1, 1)
		require.Equal(t, []string{"resume up to date, nothing missed", "10 jobs.7:1"}, f.happened())
	})
}

func TestP19_Unsubscribe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		w := f.unsubscribe(t.Context(), "jobs.7")
		require.Equal(t, []string{unsubscribeText("jobs.7")}, s.heard())
		s.topicFrames("jobs.7", 9, 4, 1)
		again := f.subscribe(t.Context(), "jobs.7", client.SubscribeOptions{Since: "X:2"})
		require.Empty(t, s.heard(), "one message at a time")
		s = f.again(s, 9)
		require.Equal(t, []string{unsubscribeText("jobs.7")}, s.heard(), "nobody knows whether it was heard")
		require.Empty(t, w)
		s.say(`{"type":"unsubscribed","topic":"jobs.7"}`)
		require.NoError(t, (<-w).err)
		require.Equal(t, []string{subscribeText("jobs.7", `,"since":"X:2"`)}, s.heard())
		s.subscribed("jobs.7", protocol.ResumeReplay, "X", 0, 4)
		require.NoError(t, (<-again).err)
		s.topicFrames("jobs.7", 10, 3, 3)
		require.Equal(t, []string{
			"8 jobs.7:3", "9 jobs.7:4", "resume up to date, nothing missed", "10 jobs.7:3", "11 jobs.7:4", "12 jobs.7:5",
		}, f.happened(), "who asks for frames again is given them again")
	})
}

func TestP19_UnsubscribeWhatAnotherProcessHasLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		w := f.unsubscribe(t.Context(), "a.*")
		require.Equal(t, []string{unsubscribeText("a.*")}, s.heard())
		s.say(`{"type":"unsubscribed","topic":"a.*"}`)
		require.NoError(t, (<-w).err)
		require.Empty(t, f.happened())
	})
}

func TestP19_UnsubscribeWhatIsBeingAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		in := f.subscribe(t.Context(), "a", client.SubscribeOptions{})
		out := f.unsubscribe(t.Context(), "a")
		require.ErrorIs(t, (<-in).err, client.ErrUnsubscribed)
		require.Len(t, s.heard(), 1)
		s.subscribed("a", protocol.ResumeFresh, "X", 0, 0)
		require.Equal(t, []string{unsubscribeText("a")}, s.heard(), "in the order of the calls")
		s.say(`{"type":"unsubscribed","topic":"a"}`)
		require.NoError(t, (<-out).err)
		require.Empty(t, f.happened())

		f.subscribe(t.Context(), "b", client.SubscribeOptions{})
		out = f.unsubscribe(t.Context(), "b")
		s.heard()
		s.say(`{"type":"error","code":"forbidden","message":"no","topic":"b"}`)
		require.Equal(t, []string{unsubscribeText("b")}, s.heard())
		s.say(`{"type":"unsubscribed","topic":"b"}`)
		require.NoError(t, (<-out).err)
	})
}

func TestP19_SnapshotComesBeforeTheFramesAfterIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		w := f.subscribe(t.Context(), "a", client.SubscribeOptions{History: new(9)})
		s.subscribed("a", protocol.ResumeFresh, "X", 40, 52, announced)
		require.True(t, (<-w).Snapshot)
		require.Empty(t, f.TopicCursor("a"))
		s.say(`{"type":"snapshot","topic":"a","as_of":50,"data":{"x":1}}`)
		require.Equal(t, "X:50", f.TopicCursor("a"))
		s.topicFrames("a", 8, 51, 2)
		require.Equal(t, []string{`snapshot of a 50 {"x":1}`, "8 a:51", "9 a:52"}, f.happened())
		s = f.again(s, 9)
		require.Equal(t, []string{subscribeText("a", `,"since":"X:52"`)}, s.heard())
	})
}

func TestP19_SnapshotUnavailable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		f.subscribe(t.Context(), "a", client.SubscribeOptions{History: new(2)})
		s.subscribed("a", protocol.ResumeFresh, "X", 40, 52, announced)
		s.say(`{"type":"error","code":"snapshot_unavailable","message":"no answer","topic":"a"}`)
		s.topicFrames("a", 8, 51, 2)
		require.Equal(t, []string{"8 a:51", "9 a:52"}, f.happened())
		require.Len(t, f.errs, 1)
	})
}

func TestP19_CutBeforeTheSnapshotAsksForItAnew(t *testing.T) {
	for name, say := range map[string]func(s *session){
		"unanswered": func(s *session) {},
		"announced":  func(s *session) { s.subscribed("a", protocol.ResumeFresh, "X", 0, 52, announced) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := live(f)
				w := f.subscribe(t.Context(), "a", client.SubscribeOptions{History: new(2)})
				say(s)
				s.cut()
				s = f.net.accept()
				s.hello(protocol.ResumeReplay, "E1", 0, 8)
				require.Equal(t, []string{unsubscribeText("a")}, s.heard(), "the broker holds it, and would not tell the snapshot again")
				s.topicFrames("a", 8, 53, 1) // what the first one has put into the outbox
				s.say(`{"type":"snapshot","topic":"a","as_of":52,"data":1}`)
				s.say(`{"type":"unsubscribed","topic":"a"}`)
				require.Equal(t, []string{subscribeText("a", `,"history":2`)}, s.heard())
				s.subscribed("a", protocol.ResumeFresh, "X", 0, 53, announced)
				require.NoError(t, (<-w).err)
				s.say(`{"type":"snapshot","topic":"a","as_of":52,"data":2}`)
				s.topicFrames("a", 9, 53, 2)
				require.Equal(t, []string{"snapshot of a 52 2", "9 a:53", "10 a:54"}, f.happened())
				require.Equal(t, uint64(1), f.Stats().TopicRepeats)
			})
		})
	}
}

func TestP19_TooOldIsToldAsAReset(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		s = f.again(s, 8)
		f.happened()
		s.subscribed("jobs.7", protocol.ResumeTooOld, "X", 40, 41, because)
		s.topicFrames("jobs.7", 9, 41, 1)
		require.Equal(t, []string{"reset of jobs.7 pruned X:40", "9 jobs.7:41"}, f.happened())
		s = f.again(s, 9)
		f.happened()
		s.subscribed("jobs.7", protocol.ResumeTooOld, "Y", 0, 1, becauseOfEpoch, announced)
		require.Equal(t, "X:41", f.TopicCursor("jobs.7"), "until the snapshot is there the old state stays")
		s.say(`{"type":"snapshot","topic":"jobs.7","as_of":1,"data":1}`)
		s.topicFrames("jobs.7", 10, 2, 1)
		require.Equal(t, []string{"reset of jobs.7 epoch Y:1", "snapshot of jobs.7 1 1", "10 jobs.7:2"}, f.happened())
	})
}

// TestP19_OldFramesComeBeforeTheReset lets the broker answer, as it may, before it writes what the outbox has held since the topic's former life.
func TestP19_OldFramesComeBeforeTheReset(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		s.cut()
		s = f.net.accept()
		s.hello(protocol.ResumeReplay, "E1", 0, 10)
		s.subscribed("jobs.7", protocol.ResumeTooOld, "Y", 0, 0, becauseOfEpoch)
		s.topicFrames("jobs.7", 9, 4, 2)
		s.topicFrames("jobs.7", 11, 1, 1)
		require.Equal(t, []string{"8 jobs.7:3", "9 jobs.7:4", "10 jobs.7:5", "reset of jobs.7 epoch Y:0", "11 jobs.7:1"}, f.happened())
	})
}

func TestP19_HeldInAnotherEpochIsMadeAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		s.heard()
		s = f.again(s, 8)
		s.heard()
		s.subscribed("jobs.7", protocol.ResumeUpToDate, "Y", 0, 2)
		require.Equal(t, []string{unsubscribeText("jobs.7")}, s.heard())
		s.topicFrames("jobs.7", 9, 2, 1)
		s.say(`{"type":"unsubscribed","topic":"jobs.7"}`)
		require.Equal(t, []string{subscribeText("jobs.7", `,"since":"X:3"`)}, s.heard())
		s.subscribed("jobs.7", protocol.ResumeTooOld, "Y", 0, 2, becauseOfEpoch)
		s.topicFrames("jobs.7", 10, 1, 2)
		require.Equal(t, []string{"8 jobs.7:3", "resume up to date, nothing missed", "reset of jobs.7 epoch Y:0", "10 jobs.7:1", "11 jobs.7:2"}, f.happened())

		s = f.again(s, 11)
		s.heard()
		f.happened()
		for range 2 { // a broker that insists
			s.subscribed("jobs.7", protocol.ResumeUpToDate, "Z", 3, 9)
			s.say(`{"type":"unsubscribed","topic":"jobs.7"}`)
		}
		s.topicFrames("jobs.7", 12, 10, 1)
		require.Equal(t, []string{"reset of jobs.7 epoch Z:3", "unsubscribed jobs.7, closed false, <nil>", "12 jobs.7:10"}, f.happened())
	})
}

func TestP19_TopicBornAgainIsFoundByItsFrames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		f.subscribe(t.Context(), "a.*", client.SubscribeOptions{})
		s.say(`{"type":"subscribed","topic":"a.*","resume":"fresh"}`)
		s.topicFrames("a.1", 8, 57, 1)
		s.topicFrames("a.1", 9, 1, 2)
		require.Equal(t, []string{"8 a.1:57", "reset of a.1 epoch ", "9 a.1:1", "10 a.1:2"}, f.happened())
	})
}

func TestP19_NameOfATopicThatAPatternBringsAlready(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		f.subscribe(t.Context(), "a.*", client.SubscribeOptions{})
		s.say(`{"type":"subscribed","topic":"a.*","resume":"fresh"}`)
		s.topicFrames("a.1", 8, 57, 1)
		f.subscribe(t.Context(), "a.1", client.SubscribeOptions{})
		s.subscribed("a.1", protocol.ResumeFresh, "X", 0, 59) // 58 and 59 are on their way
		require.Equal(t, "X:57", f.TopicCursor("a.1"))
		s.topicFrames("a.1", 9, 58, 3)
		f.unsubscribe(t.Context(), "a.*")
		s.say(`{"type":"unsubscribed","topic":"a.*"}`)
		s.topicFrames("a.1", 12, 62, 1)
		require.Equal(t, []string{"8 a.1:57", "9 a.1:58", "10 a.1:59", "11 a.1:60", "the frame 61 of the topic a.1 is missing", "12 a.1:62"}, f.happened())
	})
}

func TestP30_TopicsGoOnAcrossAResetOfTheOutbox(t *testing.T) {
	for name, c := range map[string]struct {
		reason protocol.Reason
		epoch  string
		floor  uint64
		say    func(s *session)
		want   []string
	}{
		"pruned": {protocol.ReasonPruned, "E1", 20, func(s *session) {
			s.topicFrames("jobs.7", 21, 6, 1)
			s.topicFrames("logs.1", 22, 9, 1)
		}, []string{
			"reset pruned E1:20, cursor E1:20", "the frames 4 to 5 of the topic jobs.7 are missing", "21 jobs.7:6",
			"the frames 6 to 8 of the topic logs.1 are missing", "22 logs.1:9",
		}},
		"another numbering of the same frames": {protocol.ReasonEpoch, "E2", 0, func(s *session) {
			s.topicFrames("jobs.7", 1, 3, 2)
			s.topicFrames("logs.1", 3, 5, 1)
		}, []string{"reset epoch E2:0, cursor E2:0", "2 jobs.7:4", "3 logs.1:5"}},
		"an empty outbox": {protocol.ReasonEpoch, "E2", 0, func(s *session) {
			s.subscribed("jobs.7", protocol.ResumeReplay, "X", 0, 4)
			s.topicFrames("jobs.7", 1, 4, 1)
		}, []string{"reset epoch E2:0, cursor E2:0", "1 jobs.7:4"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, s := following(t, client.Config{})
				s.topicFrames("logs.1", 9, 5, 1)
				s.cut()
				f.happened()
				s = f.net.accept()
				s.hello(protocol.ResumeTooOld, c.epoch, c.floor, c.floor, withReason(c.reason))
				require.Equal(t, []string{subscribeText("jobs.7", `,"since":"X:3"`)}, s.heard())
				c.say(s)
				require.Equal(t, c.want, f.happened())
			})
		})
	}
}

// TestP19_NewsWaitsForASlowHandler breaks the connection while the handler holds an early frame: what was said of topics comes all the same, once, and behind the
// frames that came before it.
func TestP19_NewsWaitsForASlowHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		let := make(chan struct{})
		var f *fixture
		f = start(t, client.Config{Cursor: "E1:7", Handler: func(_ context.Context, fr client.Frame) error {
			<-let
			f.mu.Lock()
			defer f.mu.Unlock()
			f.events = append(f.events, eventOf(fr))
			return nil
		}})
		s := live(f)
		f.subscribe(t.Context(), "a", client.SubscribeOptions{History: new(0)})
		f.subscribe(t.Context(), "b", client.SubscribeOptions{})
		s.subscribed("b", protocol.ResumeFresh, "X", 0, 0)
		s.frames(8, 9)
		s.subscribed("a", protocol.ResumeFresh, "X", 0, 5, announced)
		s.say(`{"type":"snapshot","topic":"a","as_of":5,"data":1}`)
		s.topicFrames("a", 10, 6, 1)
		s.topicFrames("b", 11, 1, 1)
		s.say(`{"type":"unsubscribed","topic":"b"}`)
		require.Equal(t, []string{"a"}, f.Subscriptions())
		for range 3 {
			s.cut()
			s = f.net.accept()
			require.Equal(t, "E1:7", s.query.Get("since"))
			s.hello(protocol.ResumeReplay, "E1", 0, 11)
			require.Equal(t, []string{subscribeText("a", `,"since":"X:5"`)}, s.heard(), "the frames after the snapshot are yet to be handed over")
			s.subscribed("a", protocol.ResumeReplay, "X", 0, 6)
		}
		s.frames(8, 9)
		s.topicFrames("a", 10, 6, 1)
		s.topicFrames("b", 11, 1, 1)
		s.topicFrames("a", 12, 6, 2)
		close(let)
		require.Equal(t, []string{"8", "9", "snapshot of a 5 1", "10 a:6", "11 b:1", "unsubscribed b, closed false, <nil>", "13 a:7"}, f.happened())
		f.stop()
		<-f.ended
	})
}

func TestP19_SnapshotThatAnotherConnectionAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		s.say(`{"type":"snapshot","topic":"a","as_of":5,"data":1}`)
		s.topicFrames("a", 8, 6, 1)
		s.topicFrames("a", 9, 8, 1)
		s.say(`{"type":"unsubscribed","topic":"a"}`)
		s.topicFrames("a", 10, 1, 1)
		require.Equal(t, []string{"snapshot of a 5 1", "8 a:6", "the frame 7 of the topic a is missing", "9 a:8", "10 a:1"}, f.happened())
	})
}

func TestP19_CountsOfTopicsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, s := following(t, client.Config{})
		const n = 10_000
		for i := range uint64(n) {
			s.text(fmt.Sprintf(`{"seq":%d,"topic":"t.%d","topic_seq":1,"type":"t"}`, 9+i, i))
		}
		synctest.Wait()
		f.happened()
		s.topicFrames("new", 9+n, 1, 1) // half of them are forgotten for it
		s.topicFrames("t.0", 10+n, 7, 1)
		s.topicFrames("t.9999", 11+n, 3, 1)
		s.topicFrames("jobs.7", 12+n, 5, 1)
		require.Equal(t, []string{
			"10009 new:1", "10010 t.0:7", "the frame 2 of the topic t.9999 is missing", "10011 t.9999:3",
			"the frame 4 of the topic jobs.7 is missing", "10012 jobs.7:5",
		}, f.happened(), "what has a subscription by its name is never forgotten")
	})
}
