package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// output takes what a demo says.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	said chan struct{} // closed at the first line
	once sync.Once
}

func newOutput() *output { return &output{said: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.once.Do(func() { close(o.said) })
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func TestRun_EveryLineArrives(t *testing.T) {
	out := newOutput()
	code := Run(t.Context(), Options{Seed: 3, Duration: 2 * time.Second, Cuts: 8, Command: []string{"seq", "-f", "line %g", "3000"}, Out: out})
	require.Zero(t, code, out)
	require.Contains(t, out.String(), "sent 3000, received 3000, missing 0, doubled 0, altered 0; order ok")
	require.Contains(t, out.String(), "OK in ")
}

func TestRun_FewLinesAreCutAllTheSame(t *testing.T) {
	out := newOutput()
	code := Run(t.Context(), Options{Duration: time.Second, Cuts: 3, Command: []string{"sh", "-c", "printf 'one\\n\\377two\\n'; echo three >&2; exit 7"}, Out: out})
	require.Zero(t, code, out)
	require.Contains(t, out.String(), "sent 3, received 3,")
}

func TestRun_NothingSentFails(t *testing.T) {
	for _, command := range []string{"true", "/no/such/program"} {
		out := newOutput()
		require.Equal(t, 1, Run(t.Context(), Options{Duration: time.Second, Command: []string{command}, Out: out}))
		require.Contains(t, out.String(), "nothing was sent")
	}
}

func TestRun_BrokerThatDoesNotStartFails(t *testing.T) {
	for _, path := range []string{"/no/such/program", "/bin/true"} {
		out := newOutput()
		require.Equal(t, 1, Run(t.Context(), Options{Executable: path, Out: out}), out)
		require.Contains(t, out.String(), "the broker")
	}
}

func TestRun_RefusesSenselessOptions(t *testing.T) {
	require.Equal(t, 2, Run(t.Context(), Options{Duration: time.Minute}))
	require.Equal(t, 2, Run(t.Context(), Options{Cuts: -1}))
	require.Equal(t, 2, Run(t.Context(), Options{Cuts: mostCuts + 1}))
	require.Equal(t, 2, Run(t.Context(), Options{Cuts: mostCuts/2 + 1, Kills: 1}))
	require.Equal(t, 2, Run(t.Context(), Options{Kills: -1}))
	require.Equal(t, 2, Run(t.Context(), Options{Kills: mostKills + 1}))
}

func TestRun_InterruptLeavesNothingBehind(t *testing.T) {
	out := newOutput()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- Run(ctx, Options{Duration: 30 * time.Second, Command: []string{"yes"}, Out: out}) }()
	<-out.said // the broker serves
	cancel()
	require.Equal(t, 130, <-ended)
	require.Contains(t, out.String(), "interrupted")
}

func TestAgent_StopsAtItsLimitAndSplitsLongLines(t *testing.T) {
	a := &agent{}
	long := step{args: []string{"sh", "-c", fmt.Sprintf("head -c %d /dev/zero | tr '\\0' a; echo; yes", 2*maxLineBytes+5)}, lines: maxLines + 10}
	require.NoError(t, a.run(t.Context(), []step{long}))
	require.Len(t, a.lines, maxLines)
	require.Equal(t, []string{strings.Repeat("a", maxLineBytes), strings.Repeat("a", maxLineBytes), "aaaaa", "y"}, a.lines[:4])
}

func TestAgent_GoesOnToTheSpareOnesWhileThereIsNotEnough(t *testing.T) {
	a := &agent{}
	require.NoError(t, a.run(t.Context(), []step{
		{args: []string{"/no/such/program"}, lines: 10},
		{args: []string{"seq", "100"}, lines: 10},
		{args: []string{"seq", "600"}, lines: maxLines, spare: true},
		{args: []string{"seq", "9"}, lines: maxLines, spare: true},
	}))
	require.Len(t, a.lines, 610)
}

func TestAgent_TakeSpreadsTheLines(t *testing.T) {
	a := &agent{lines: make([]string, 10), over: true}
	total, next := 0, 1
	for ticks := 100; ticks > 0; ticks-- {
		first, lines, over := a.take(ticks, 1000)
		require.Equal(t, next, first)
		require.LessOrEqual(t, len(lines), 1)
		next += len(lines)
		total += len(lines)
		require.Equal(t, total == 10, over)
	}
	require.Equal(t, 10, total)

	a = &agent{lines: make([]string, 10), over: true}
	_, lines, over := a.take(1, 7)
	require.Len(t, lines, 7)
	require.False(t, over)
	_, lines, over = a.take(0, 7)
	require.Len(t, lines, 3)
	require.True(t, over)
}

func TestChaos_DependsOnItsSeedAlone(t *testing.T) {
	draw := func(seed uint64) []fault {
		c := newChaos(nil, seed, nil, time.Second)
		var all []fault
		for range 60 {
			all = append(all, c.next())
		}
		return all
	}
	require.Equal(t, draw(1), draw(1))
	require.NotEqual(t, draw(1), draw(2))
	for kind := range faults {
		require.Contains(t, draw(1)[:faults], kind, "each kind once before any comes again")
	}
	require.NotContains(t, draw(1), faultKill)
}

func TestChaos_KillsAreInEveryDeck(t *testing.T) {
	c := newChaos(nil, 1, nil, time.Second)
	c.kill = func() error { return nil }
	for range 20 {
		deck := map[fault]int{}
		for range int(faults) + killShare {
			deck[c.next()]++
		}
		require.Equal(t, killShare, deck[faultKill])
		require.Len(t, deck, int(faults)+1)
	}
}

func TestChaos_EndsWithABrokerThatDoesNotComeBack(t *testing.T) {
	p, err := NewProxy("")
	require.NoError(t, err)
	defer p.Close()
	c := newChaos(p, 1, nil, time.Millisecond)
	gone, kills := errors.New("gone"), 0
	c.kill = func() error {
		if kills++; kills == 3 {
			return gone
		}
		return nil
	}
	require.ErrorIs(t, c.run(t.Context()), gone)
	require.Equal(t, 3, kills)
}
