package actors

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

type secret struct{ Text string }

func TestAPanicIsCountedLoggedToldAndTheTurnGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		s := Start(Options{Logger: log.logger()})
		o := &explosive{}
		o.scripted = scripted{sys: s, address: "client", id: "tab-1"}
		hold := make(chan struct{})
		o.Tell(o, func() { <-hold })
		o.Tell(o, secret{"hunter2"})
		o.Tell(o, "after")
		close(hold)
		synctest.Wait()
		require.Equal(t, []failure{{secret{"hunter2"}, "boom"}}, o.failed)
		require.Equal(t, []any{"before", "after"}, o.got, "the state is kept, and the next message handled")
		require.EqualValues(t, 1, s.Counters().Panics.Load())
		text := log.String()
		require.Contains(t, text, "id=tab-1")
		require.Contains(t, text, "reason=boom")
		require.Contains(t, text, "explosive).Receive", "the stack shows where")
		require.Contains(t, text, "actors.secret", "the message's type")
		require.NotContains(t, text, "hunter2", "the message's content is the application's")
		require.NoError(t, s.Stop(t.Context()))
	})
}

// explosive panics at a secret, after it has changed its state.
type explosive struct{ scripted }

func (e *explosive) Receive(msg any) {
	if _, ok := msg.(secret); ok {
		e.got = append(e.got, "before")
		panic("boom")
	}
	e.scripted.Receive(msg)
}

func TestGoexitDoesNotWedgeTheMailbox(t *testing.T) {
	for name, start := range map[string]func(o *scripted, msg any){
		"in a turn of its own": func(o *scripted, msg any) { o.tell(msg) },
		"in a caller's turn":   func(o *scripted, msg any) { go o.Do(o, msg) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := Start(Options{Logger: new(logBuffer).logger()})
				o := &scripted{sys: s}
				hold := make(chan struct{})
				start(o, func() { <-hold; runtime.Goexit() })
				synctest.Wait()
				o.tell("after")
				close(hold)
				synctest.Wait()
				require.Len(t, o.failed, 1)
				require.Equal(t, ErrGoexit, o.failed[0].reason)
				require.Equal(t, []any{"after"}, o.got)
				require.Equal(t, mailboxIdle, o.state.Load())
				require.EqualValues(t, 1, s.Counters().Panics.Load())
				require.Zero(t, inline.Load())
				require.NoError(t, s.Stop(t.Context()))
			})
		})
	}
}

func TestWhateverFailedDoesTheTurnGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		receive, onFail func()
		panics          int64
	}{
		"panic in both":           {func() { panic(1) }, func() { panic(2) }, 2},
		"panic, then goexit":      {func() { panic(1) }, runtime.Goexit, 1},
		"goexit, then panic":      {runtime.Goexit, func() { panic(2) }, 2},
		"goexit in both":          {runtime.Goexit, runtime.Goexit, 1},
		"panic with a nil reason": {func() { panic(nil) }, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := Start(Options{Logger: new(logBuffer).logger()})
				o := &scripted{sys: s, onFail: c.onFail}
				o.tell(c.receive)
				synctest.Wait()
				o.tell("after")
				synctest.Wait()
				require.Len(t, o.failed, 1)
				require.Equal(t, []any{"after"}, o.got)
				require.Equal(t, mailboxIdle, o.state.Load())
				require.Equal(t, c.panics, s.Counters().Panics.Load())
				require.NoError(t, s.Stop(t.Context()))
			})
		})
	}
}

func TestAnOwnerWithoutASystemIsToldToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reasons []any
		o := &bare{receive: func(msg any) { panic(msg) }, failed: func(_, reason any) { reasons = append(reasons, reason) }}
		o.Tell(o, "one")
		o.Tell(o, "two")
		synctest.Wait()
		require.Equal(t, []any{"one", "two"}, reasons)
	})
}
