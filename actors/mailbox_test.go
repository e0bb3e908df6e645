package actors

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestAnIdleMailboxIsSmallAndHoldsNoQueue(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(Mailbox{}), uintptr(40))
	synctest.Test(t, func(t *testing.T) {
		o := &scripted{}
		hold := make(chan struct{})
		o.tell(func() { <-hold })
		for range 5000 {
			o.tell(1)
		}
		synctest.Wait()
		require.Equal(t, 5000, o.Len())
		close(hold)
		synctest.Wait()
		require.Zero(t, o.Len())
		require.Nil(t, o.queue, "the queue goes back when the last message is taken")
		require.Equal(t, mailboxIdle, o.state.Load())
		require.Len(t, o.got, 5000)
	})
}

func TestMessagesOfOneSenderStayInOrderAndTurnsDoNotOverlap(t *testing.T) {
	const senders, each = 8, 2000
	type numbered struct{ sender, n int }
	synctest.Test(t, func(t *testing.T) {
		last := [senders]int{}
		handled, inside := 0, 0 // plain: the race detector sees two turns at once
		o := &bare{}
		wrong := 0
		handle := func(m numbered) {
			inside++
			if inside != 1 {
				wrong++
			}
			if m.n != last[m.sender]+1 {
				wrong++
			}
			last[m.sender] = m.n
			handled++
			inside--
		}
		o.receive = func(msg any) { handle(msg.(numbered)) }
		enter := func(m numbered) bool {
			if !o.Enter() {
				return false
			}
			defer o.Leave(o)
			handle(m)
			return true
		}
		for s := range senders {
			go func() {
				for n := 1; n <= each; n++ {
					switch m := (numbered{s, n}); {
					case s%3 == 0:
						o.Tell(o, m)
					case s%3 == 1:
						o.Do(o, m)
					default:
						for !enter(m) {
							runtime.Gosched()
						}
					}
				}
			}()
		}
		synctest.Wait()
		require.Equal(t, senders*each, handled)
		require.Zero(t, wrong)
	})
}

func TestDoHandlesItsMessageOnTheCallersGoroutine(t *testing.T) {
	handled := 0 // plain: a turn on another goroutine would be a race
	o := &bare{receive: func(any) { handled++ }}
	require.True(t, o.Do(o, 1))
	require.Equal(t, 1, handled)
}

func TestDoNowSaysWhetherItHasHandledItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &scripted{}
		taken, handled := o.DoNow(o, 1)
		require.True(t, taken && handled)
		require.Equal(t, []any{1}, o.got)
		hold := make(chan struct{})
		o.tell(func() { <-hold })
		taken, handled = o.DoNow(o, 2)
		require.True(t, taken && !handled, "another goroutine's turn will")
		close(hold)
		synctest.Wait()
		require.Equal(t, []any{1, 2}, o.got)
		o.tell(func() { o.Close() })
		synctest.Wait()
		taken, handled = o.DoNow(o, 3)
		require.False(t, taken || handled)
	})
}

func TestEnterIsATurnOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Start(Options{Logger: new(logBuffer).logger()})
		o := &scripted{sys: s}
		o.Hold()
		require.False(t, o.Enter(), "held")
		o.Release(o, "first")
		synctest.Wait()
		func() {
			require.True(t, o.Enter())
			defer o.Leave(o)
			require.False(t, o.Enter(), "it is entered")
			o.tell("meanwhile")
			synctest.Wait()
			require.Equal(t, []any{"first"}, o.got, "a message waits until the turn is over")
		}()
		synctest.Wait()
		require.Equal(t, []any{"first", "meanwhile"}, o.got)
		require.Nil(t, o.queue)

		func() {
			require.True(t, o.Enter())
			defer o.Leave(o)
			o.tell("behind it")
			panic("boom")
		}()
		synctest.Wait()
		require.Equal(t, []failure{{nil, "boom"}}, o.failed)
		require.EqualValues(t, 1, s.Counters().Panics.Load())
		require.Equal(t, []any{"first", "meanwhile", "behind it"}, o.got, "the turn goes on")
		require.Equal(t, mailboxIdle, o.state.Load())
		o.tell(func() { o.Close() })
		synctest.Wait()
		require.False(t, o.Enter(), "closed")
		require.NoError(t, s.Stop(t.Context()))
	})
}

func TestDoReturnsAlthoughMessagesKeepComing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stop atomic.Bool
		handled := 0
		o := &bare{}
		o.receive = func(any) {
			handled++
			if !stop.Load() {
				o.Tell(o, 1)
			}
		}
		o.Do(o, 1) // would not come back without a budget
		stop.Store(true)
		synctest.Wait()
		require.GreaterOrEqual(t, handled, doBudget)
	})
}

// link passes a message on to the next owner by Do, from inside its own turn.
type link struct {
	Mailbox
	next    *link
	reached *atomic.Int64
	deepest *atomic.Int64
}

func (l *link) Receive(msg any) {
	var pcs [8192]uintptr
	depth := int64(runtime.Callers(0, pcs[:]))
	for {
		d := l.deepest.Load()
		if depth <= d || l.deepest.CompareAndSwap(d, depth) {
			break
		}
	}
	l.reached.Add(1)
	if l.next != nil {
		l.next.Do(l.next, msg)
	}
}

func (l *link) Failed(_, _ any) {}

func TestDoNestedInTurnsDoesNotGrowTheStackWithoutBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reached, deepest atomic.Int64
		var first *link
		for range 5000 {
			first = &link{next: first, reached: &reached, deepest: &deepest}
		}
		first.Do(first, 1)
		synctest.Wait()
		require.EqualValues(t, 5000, reached.Load())
		require.Less(t, deepest.Load(), int64(maxInline*8), "frames on the deepest stack")
		require.Zero(t, inline.Load())
	})
}

func TestCloseUnlessAnythingIsQueuedClosesOnlyAnEmptyMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &scripted{}
		var first, second bool
		hold := make(chan struct{})
		o.tell(func() { <-hold; first = closeIfEmpty(&o.Mailbox) })
		o.tell("queued")
		close(hold)
		synctest.Wait()
		require.False(t, first)
		require.Equal(t, []any{"queued"}, o.got)

		o.tell(func() { second = closeIfEmpty(&o.Mailbox) })
		synctest.Wait()
		require.True(t, second)
		require.False(t, o.tell("late"))
		require.False(t, o.Do(o, "late"))
		require.Equal(t, []any{"queued"}, o.got)
	})
}

func TestCloseHandsBackWhatWasQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &scripted{}
		var rest []any
		hold := make(chan struct{})
		o.tell(func() { <-hold; rest = o.Close() })
		for i := range 20 {
			o.tell(i)
		}
		close(hold)
		synctest.Wait()
		require.Len(t, rest, 20)
		for i, msg := range rest {
			require.Equal(t, i, msg)
		}
		require.Empty(t, o.got)
		require.False(t, o.tell("late"))
		require.Zero(t, o.Len())
	})
}

func TestNoMessageIsLostWhenSendersRaceAClose(t *testing.T) {
	for _, how := range []string{"Close", "CloseUnless"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const senders, each = 4, 500
				var taken atomic.Int64
				handled, rest := 0, 0
				o := &bare{}
				closed := false
				o.receive = func(any) {
					handled++
					if handled < senders*each/4 || closed {
						return
					}
					if how == "Close" {
						rest, closed = len(o.Close()), true
					} else {
						closed = closeIfEmpty(&o.Mailbox)
					}
				}
				var wg sync.WaitGroup
				for s := range senders {
					wg.Go(func() {
						for range each {
							ok := false
							if s%2 == 0 {
								ok = o.Tell(o, s)
							} else {
								ok = o.Do(o, s)
							}
							if ok {
								taken.Add(1)
							}
						}
					})
				}
				wg.Wait()
				synctest.Wait()
				require.EqualValues(t, taken.Load(), handled+rest)
				if how == "Close" {
					require.True(t, closed)
				}
			})
		})
	}
}

// closeIfEmpty closes m unless anything is queued.
func closeIfEmpty(m *Mailbox) bool {
	_, closed := m.CloseUnless(func(any) bool { return true })
	return closed
}

func TestCloseUnlessHandsBackWhatNobodyWants(t *testing.T) {
	var m Mailbox
	m.state.Store(mailboxRunning) // as inside a turn
	for _, msg := range []any{"late", 2, "word"} {
		require.Contains(t, []uint32{mailboxRunning, mailboxBusy}, m.offer(msg))
	}
	isInt := func(msg any) bool { _, ok := msg.(int); return ok }
	rest, closed := m.CloseUnless(isInt)
	require.False(t, closed, "one of them is wanted")
	require.Nil(t, rest)
	require.Equal(t, 3, m.Len(), "and nothing has changed")
	rest, closed = m.CloseUnless(func(msg any) bool { return msg == "nothing of the kind" })
	require.True(t, closed)
	require.Equal(t, []any{"late", 2, "word"}, rest)
	require.False(t, m.Tell(nil, "after"))
}
