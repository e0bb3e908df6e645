package actors

import (
	"context"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// journal is what several actors write down, in one order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) read() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.lines...)
}

// clerk is an ordinary actor that writes its life into the journal. A func() message is run.
func clerk(name string, j *journal) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *actor.Started:
				j.add(name + " started")
			case *actor.Stopped:
				j.add(name + " stopped")
			case func():
				msg()
			case string:
				j.add(name + " " + msg)
			}
		})
	})
}

func TestStopIsOrderedAndLosesNoMailThatCameBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{})
		var j journal
		for _, name := range []string{"one", "two", "three"} {
			_, err := s.Spawn(name, clerk(name, &j))
			require.NoError(t, err)
			synctest.Wait() // each starts in its own turn
		}
		pid, err := s.Spawn("four", clerk("four", &j))
		require.NoError(t, err)
		hold := make(chan struct{})
		s.Root().Send(pid, func() { <-hold })
		for i := range 3 {
			s.Root().Send(pid, strconv.Itoa(i))
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Stop(context.Background()) }()
		synctest.Wait()
		require.Equal(t, []string{"one started", "two started", "three started", "four started"}, j.read(), "nothing stops before its successor has")
		close(hold)
		require.NoError(t, <-ended)
		require.Equal(t, []string{"four 0", "four 1", "four 2", "four stopped", "three stopped", "two stopped", "one stopped"}, j.read()[4:])
	})
}

func TestStopMayBeCalledOftenAndAtOnce(t *testing.T) {
	s := Start(Options{})
	var wg sync.WaitGroup
	errs := make([]error, 10)
	for i := range errs {
		wg.Go(func() { errs[i] = s.Stop(context.Background()) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.NoError(t, s.Stop(t.Context()))
	_, err := s.Spawn("late", clerk("late", &journal{}))
	require.ErrorIs(t, err, ErrStopped)
}

func TestSpawnThatTheRootNoLongerHearsIsRefused(t *testing.T) {
	s := Start(Options{})
	require.NoError(t, s.Stop(t.Context()))
	s.stopping.Store(false) // as seen by a Spawn that began before Stop
	_, err := s.Spawn("late", clerk("late", &journal{}))
	require.ErrorIs(t, err, ErrStopped)
}

func TestSpawnRacingStopEndsWithNoActorLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{})
		var j journal
		var wg sync.WaitGroup
		var mu sync.Mutex
		spawned := 0
		for i := range 50 {
			wg.Go(func() {
				name := strconv.Itoa(i)
				if _, err := s.Spawn(name, clerk(name, &j)); err == nil {
					mu.Lock()
					spawned++
					mu.Unlock()
				}
			})
		}
		wg.Go(func() { _ = s.Stop(context.Background()) })
		wg.Wait()
		require.NoError(t, s.Stop(t.Context()))
		starts, stops := 0, 0
		for _, line := range j.read() {
			if line[len(line)-3:] == "ted" {
				starts++
			} else {
				stops++
			}
		}
		require.Equal(t, starts, stops)
		require.LessOrEqual(t, spawned, starts)
	})
}

func TestStopWaitsForGoroutinesAndForNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{})
		hold := make(chan struct{})
		finished := false
		s.Go(func() {
			<-hold
			s.Go(func() { time.Sleep(time.Second); finished = true }) // also what is started while Stop waits
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, s.Stop(ctx), context.DeadlineExceeded)
		close(hold)
		require.NoError(t, s.Stop(t.Context()))
		require.True(t, finished)
	})
}

func TestAPanicInGoIsCountedAndLogged(t *testing.T) {
	var log logBuffer
	s := Start(Options{Logger: log.logger()})
	s.Go(func() { panic("in Go") })
	require.NoError(t, s.Stop(t.Context()))
	require.EqualValues(t, 1, s.Counters().Panics.Load())
	require.Contains(t, log.String(), "in Go")
}

func TestANameIsTakenUntilItsActorHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{})
		var j journal
		pid, err := s.Spawn("topic", clerk("first", &j))
		require.NoError(t, err)
		_, err = s.Spawn("topic", clerk("second", &j))
		require.ErrorIs(t, err, actor.ErrNameExists)
		s.Root().Poison(pid)
		synctest.Wait()
		_, err = s.Spawn("topic", clerk("third", &j))
		require.NoError(t, err)
		require.NoError(t, s.Stop(t.Context()))
		require.Equal(t, []string{"first started", "first stopped", "third started", "third stopped"}, j.read())
	})
}

func TestANameIsTakenUntilTheRootHasHeardOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{})
		var j journal
		var err error
		pid, spawnErr := s.Spawn("topic", actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Stopped); ok {
				// The library has given the name free, but not yet told the root; it would take the new one for the old.
				_, err = s.Spawn("topic", clerk("too early", &j))
			}
		}))
		require.NoError(t, spawnErr)
		s.Root().Poison(pid)
		synctest.Wait()
		require.ErrorIs(t, err, actor.ErrNameExists)
		require.Empty(t, j.read())
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestAProducerThatPanicsEndsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{Logger: new(logBuffer).logger()})
		var j journal
		_, err := s.Spawn("good", clerk("good", &j))
		require.NoError(t, err)
		_, err = s.Spawn("bad", actor.PropsFromProducer(func() actor.Actor { panic("no actor") }))
		require.ErrorContains(t, err, `"bad"`)
		synctest.Wait()
		require.Equal(t, []string{"good started"}, j.read())
		require.EqualValues(t, 1, s.Counters().Panics.Load())
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestAnOrdinaryActorIsResumedHoweverOftenItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		s := Start(Options{Logger: log.logger()})
		var j journal
		pid, err := s.Spawn("clumsy", clerk("clumsy", &j))
		require.NoError(t, err)
		for range 30 {
			s.Root().Send(pid, func() { panic("clumsy again") })
		}
		s.Root().Send(pid, "alive")
		synctest.Wait()
		require.Equal(t, []string{"clumsy started", "clumsy alive"}, j.read(), "not started again: the state is kept")
		require.EqualValues(t, 30, s.Counters().Panics.Load())
		require.Contains(t, log.String(), "clumsy again")
		require.Contains(t, log.String(), "system_test.go", "the stack shows where")
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestAnEscalatedFailureOfAnOrdinaryActor(t *testing.T) {
	escalating := actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.EscalateDirective })
	t.Run("is told to whoever is above, and the actor goes on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var told journal
			s := Start(Options{Logger: new(logBuffer).logger(), Supervisor: escalating, Escalated: func(reason any) { told.add(reason.(string)) }})
			var j journal
			pid, err := s.Spawn("a", clerk("a", &j))
			require.NoError(t, err)
			s.Root().Send(pid, func() { panic("too much") })
			s.Root().Send(pid, "alive")
			synctest.Wait()
			require.Equal(t, []string{"too much"}, told.read())
			require.Equal(t, []string{"a started", "a alive"}, j.read())
			require.NoError(t, s.Stop(t.Context()))
		})
	})
	t.Run("with nobody above ends the actor and no other", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := Start(Options{Logger: new(logBuffer).logger(), Supervisor: escalating})
			var j journal
			_, err := s.Spawn("b", clerk("b", &j))
			require.NoError(t, err)
			synctest.Wait() // each starts in its own turn
			pid, err := s.Spawn("a", clerk("a", &j))
			require.NoError(t, err)
			s.Root().Send(pid, func() { panic("too much") })
			synctest.Wait()
			require.Equal(t, []string{"b started", "a started", "a stopped"}, j.read())
			require.NoError(t, s.Stop(t.Context()))
		})
	})
}

func TestADeadLetterIsCountedAndItsContentShownNowhere(t *testing.T) {
	stderr := os.Stderr
	file, err := os.CreateTemp(t.TempDir(), "stderr")
	require.NoError(t, err)
	os.Stderr = file
	defer func() { os.Stderr = stderr }()

	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		s := Start(Options{Logger: log.logger()})
		s.Root().Send(actor.NewPID("nonhost", "nobody"), secret{"hunter2"})
		s.Root().Send(actor.NewPID("elsewhere", "nobody"), secret{"hunter2"})
		require.EqualValues(t, 2, s.Counters().Dropped[DropLetter].Load())
		require.Contains(t, log.String(), "actors.secret")
		require.NotContains(t, log.String(), "hunter2")
		require.NoError(t, s.Stop(t.Context()))
	})
	written, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Empty(t, string(written))
}

func TestTheSystemsOwnersAreItsOptions(t *testing.T) {
	var c Counters
	l := new(logBuffer).logger()
	s := Start(Options{Counters: &c, Logger: l})
	require.Same(t, &c, s.Counters())
	require.Same(t, l, s.Logger())
	require.NoError(t, s.Stop(t.Context()))
}
