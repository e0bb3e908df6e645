package client_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

func TestP07_FreshThenReplayAfterCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{})
		s := f.net.accept()
		require.Equal(t, "/v1/ws", s.path)
		require.Equal(t, "tab-1", s.query.Get("client_id"))
		require.False(t, s.query.Has("since"), "it starts with nothing")
		s.hello(protocol.ResumeFresh, "E1", 0, 2)
		s.frames(1, 2)
		s.say(`{"type":"replay_end","seq":2}`)
		s.frames(3, 3)
		require.Equal(t, []string{"1", "2", "resume started with 2 frames", "3"}, f.happened())
		require.Equal(t, "E1:3", f.Cursor())
		s.cut()

		s = f.net.accept()
		require.Equal(t, "E1:3", s.query.Get("since"))
		s.hello(protocol.ResumeReplay, "E1", 0, 5)
		s.frames(4, 5)
		s.say(`{"type":"replay_end","seq":5}`)
		require.Equal(t, []string{"4", "5", "resume caught up on 2 frames, nothing lost"}, f.happened())
		r := f.lastReport()
		require.Equal(t, uint64(2), r.Missed)
		require.Equal(t, uint64(2), r.Replayed)
	})
}

func TestP07_UpToDateSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.hello(protocol.ResumeUpToDate, "E1", 3, 7)
		require.Equal(t, []string{"resume up to date, nothing missed"}, f.happened())
		require.Equal(t, client.Live, f.State().Phase)
	})
}

func TestP05_BareCursorTakesTheEpochOfHello(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "7"})
		s := f.net.accept()
		require.Equal(t, "7", s.query.Get("since"))
		s.hello(protocol.ResumeReplay, "E9", 3, 8)
		require.Equal(t, "E9:7", f.Cursor())
		s.frames(8, 8)
		require.Equal(t, "E9:8", f.Cursor())
	})
}

func TestP30_TooOldResetsBeforeAnythingIsDelivered(t *testing.T) {
	for _, c := range []struct {
		name, event, report string
		reason              protocol.Reason
		epoch               string
	}{
		{"pruned", "reset pruned E1:40, cursor E1:40", "resume started over (pruned) with 1 frame, 33 frames lost", protocol.ReasonPruned, "E1"},
		{"epoch", "reset epoch E2:40, cursor E2:40", "resume started over (epoch) with 1 frame, what was lost is unknown", protocol.ReasonEpoch, "E2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := f.net.accept()
				s.hello(protocol.ResumeTooOld, c.epoch, 40, 41, withReason(c.reason))
				s.frames(41, 41)
				s.say(`{"type":"replay_end","seq":41}`)
				require.Equal(t, []string{c.event, "41", c.report}, f.happened())
				require.Equal(t, c.epoch+":41", f.Cursor())
			})
		})
	}
}

func TestP09_SnapshotMovesTheCursorToA(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.hello(protocol.ResumeTooOld, "E1", 40, 52, withReason(protocol.ReasonPruned), withSnapshot)
		require.Empty(t, f.happened(), "until the snapshot is there the old state stays")
		require.Equal(t, "E1:7", f.Cursor())
		s.say(`{"type":"snapshot","as_of":50,"data":{"x":1}}`)
		s.frames(51, 52)
		s.say(`{"type":"replay_end","seq":52}`)
		require.Equal(t, []string{
			"reset pruned E1:50, cursor E1:50", `snapshot 50 {"x":1}`, "51", "52",
			"resume started over (pruned) with a snapshot and 2 frames, nothing lost",
		}, f.happened())
	})
}

func TestP09_CutBeforeTheSnapshotAsksForItAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{})
		s := f.net.accept()
		s.hello(protocol.ResumeFresh, "E1", 40, 52, withSnapshot)
		s.cut()
		s = f.net.accept()
		require.False(t, s.query.Has("since"), "a cursor at the floor would lose the snapshot")
		s.hello(protocol.ResumeFresh, "E1", 40, 52, withSnapshot)
		s.say(`{"type":"snapshot","as_of":52,"data":1}`)
		s.say(`{"type":"replay_end","seq":52}`)
		require.Equal(t, []string{"snapshot 52 1", "resume started with a snapshot and 0 frames"}, f.happened())
	})
}

func TestP09_SnapshotUnavailableFallsBackToTheFloor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.hello(protocol.ResumeTooOld, "E1", 40, 41, withReason(protocol.ReasonPruned), withSnapshot)
		s.say(`{"type":"error","code":"snapshot_unavailable","message":"no answer"}`)
		s.frames(41, 41)
		require.Equal(t, []string{"reset pruned E1:40, cursor E1:40", "41"}, f.happened())
		var e *protocol.Error
		require.ErrorAs(t, f.errs[0], &e)
		require.Equal(t, protocol.CodeSnapshotUnavailable, e.Code)
	})
}

func TestP03_DuplicatesAreDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.hello(protocol.ResumeReplay, "E1", 0, 9)
		s.frames(8, 9)
		s.frames(5, 9)
		s.frames(10, 10)
		require.Equal(t, []string{"8", "9", "10"}, f.happened())
		require.Equal(t, uint64(5), f.Stats().Duplicates)
	})
}

func TestP10_HoleStartsOver(t *testing.T) {
	for name, hole := range map[string]func(s *session){
		"between frames":     func(s *session) { s.frames(8, 8); s.text(frameText(10)) },
		"before replay_end":  func(s *session) { s.frames(8, 8); s.text(`{"type":"replay_end","seq":9}`) },
		"before first frame": func(s *session) { s.text(frameText(9)) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := f.net.accept()
				s.hello(protocol.ResumeReplay, "E1", 0, 9)
				hole(s)
				require.Equal(t, 1000, s.closed())
				s.cut()
				f.happened()
				s = f.net.accept()
				require.False(t, s.query.Has("since"))
				s.hello(protocol.ResumeFresh, "E1", 6, 9)
				s.frames(7, 9)
				s.say(`{"type":"replay_end","seq":9}`)
				require.Equal(t, []string{
					"reset hole E1:6, cursor E1:6", "7", "8", "9",
					"resume started over (hole) with 3 frames, what was lost is unknown",
				}, f.happened())
			})
		})
	}
}

func TestP30_CutInMidReplayReportsTheWhole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:0"})
		s := f.net.accept()
		s.hello(protocol.ResumeTooOld, "E1", 45, 212, withReason(protocol.ReasonPruned))
		s.frames(46, 100)
		s.cut()
		s = f.net.accept()
		require.Equal(t, "E1:100", s.query.Get("since"))
		s.hello(protocol.ResumeReplay, "E1", 45, 212)
		s.frames(101, 212)
		s.say(`{"type":"replay_end","seq":212}`)
		r := f.lastReport()
		require.Equal(t, uint64(45), r.Lost, "what the first attach lost is not forgotten by the second")
		require.Equal(t, uint64(167), r.Replayed)
		require.Equal(t, uint64(212), r.Missed)
		require.Equal(t, protocol.ReasonPruned, r.Reason)
	})
}

func TestP30_OfflineIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:1"})
		s := f.net.accept()
		s.hello(protocol.ResumeUpToDate, "E1", 0, 1)
		require.Zero(t, f.lastReport().Offline)
		s.cut()
		s = f.net.accept()
		time.Sleep(3 * time.Second)
		s.hello(protocol.ResumeUpToDate, "E1", 0, 1)
		require.Equal(t, 3*time.Second, f.lastReport().Offline.Round(time.Second))
	})
}

func TestP30_FrameInItsHandlerIsNotPrunedByAReconnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		let := make(chan struct{})
		var seqs []uint64
		f := start(t, client.Config{Cursor: "E1:7", Handler: func(_ context.Context, fr client.Frame) error {
			<-let
			seqs = append(seqs, fr.Seq)
			return nil
		}})
		s := f.net.accept()
		s.hello(protocol.ResumeReplay, "E1", 0, 9)
		s.frames(8, 9)
		require.Equal(t, "E1:8", f.Cursor(), "the cursor moves when the frame is handed over")
		s.cut()
		s = f.net.accept()
		require.Equal(t, "E1:7", s.query.Get("since"), "8 is not applied yet")
		s.hello(protocol.ResumeReplay, "E1", 0, 9)
		s.frames(8, 9)
		s.say(`{"type":"replay_end","seq":9}`)
		close(let)
		synctest.Wait()
		require.Equal(t, []uint64{8, 9}, seqs)
		require.Equal(t, uint64(1), f.Stats().Duplicates)
		f.stop()
		<-f.ended
	})
}

func TestP01_FrameIsHandedOverWhole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var got client.Frame
		f := start(t, client.Config{Handler: func(_ context.Context, fr client.Frame) error { got = fr; return nil }})
		s := f.net.accept()
		s.hello(protocol.ResumeFresh, "E1", 0, 1)
		s.say(`{"seq":1,"from":"tab-2","type":"hello","x":1.50}`)
		require.Equal(t, client.Frame{Seq: 1, Type: "hello", From: "tab-2", Raw: []byte(`{"seq":1,"from":"tab-2","type":"hello","x":1.50}`)}, got)
		f.stop()
		require.ErrorIs(t, <-f.ended, context.Canceled)
	})
}

func TestP01_UnknownBrokerFramesAreIgnored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.say(`{"type":"welcome","to":["the","future"]}`)
		s.hello(protocol.ResumeReplay, "E1", 0, 8, func(h *protocol.Hello) { h.ConnectionID = "x" })
		s.say(`{"type":"weather","seq":99}`)
		s.frames(8, 8)
		require.Equal(t, []string{"8"}, f.happened())
		require.Empty(t, f.errs)
	})
}

func TestP30_HandlerErrorIsReportedAndItsFrameApplied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bad := errors.New("no disk")
		f := start(t, client.Config{Cursor: "E1:7", Handler: func(_ context.Context, fr client.Frame) error { return bad }})
		s := f.net.accept()
		s.hello(protocol.ResumeReplay, "E1", 0, 8)
		s.frames(8, 8)
		var he *client.HandlerError
		require.ErrorAs(t, f.errs[0], &he)
		require.Equal(t, uint64(8), he.Frame.Seq)
		require.ErrorIs(t, he, bad)
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{`{"type":"ack","seq":8}`}, s.heard())
	})
}

func TestP04_ServerMintsTheID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newPipes(t)
		c, err := client.New(client.Config{URL: "ws://b.test/", Dial: net.dial})
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- c.Run(t.Context()) }()
		s := net.accept()
		require.False(t, s.query.Has("client_id"))
		s.hello(protocol.ResumeFresh, "E1", 0, 0)
		require.Equal(t, "minted", c.ClientID())
		s.cut()
		s = net.accept()
		require.Equal(t, "minted", s.query.Get("client_id"))
		require.NoError(t, c.Close(t.Context()))
		require.NoError(t, <-ended)
	})
}
