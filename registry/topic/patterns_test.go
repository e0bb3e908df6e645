package topic

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
)

// matched returns who is called for the topic, as often as it is, in order.
func matched(p *Patterns[int], topic string) []int {
	var got []int
	p.Match(topic, func(f int) { got = append(got, f) })
	slices.Sort(got)
	return got
}

func TestP32_WhichPatternTakesInWhat(t *testing.T) {
	var p Patterns[int]
	require.Empty(t, matched(&p, "a"))
	p.Remove("a.*", 1)
	for i, pattern := range []string{"a.b", "a.*", "a.>", "*.b", ">", "*", "a.b.>", "*.*", "*.>", "a.*.c"} {
		require.NoError(t, protocol.CheckPattern(pattern))
		p.Add(pattern, i)
	}
	require.Equal(t, []int{4, 5}, matched(&p, "a"), "> is one level or more, so that a.> does not take in a")
	require.Equal(t, []int{0, 1, 2, 3, 4, 7, 8}, matched(&p, "a.b"))
	require.Equal(t, []int{2, 4, 6, 8, 9}, matched(&p, "a.b.c"))
	require.Equal(t, []int{4, 7, 8}, matched(&p, "b.a"))
}

func TestP32_EachIsCalledOnce(t *testing.T) {
	var p Patterns[int]
	for _, pattern := range []string{"a.b", "a.*", "a.>", "*.b", ">"} {
		p.Add(pattern, 1)
		p.Add(pattern, 1)
	}
	p.Add("a.*", 2)
	p.Add(">", 2)
	p.Add(">", 3)
	require.Equal(t, 8, p.Len())
	require.Equal(t, []int{1, 2, 3}, matched(&p, "a.b"))
}

// nodes counts the nodes below n, and fails for one that leads to nobody.
func nodes(t require.TestingT, n *node[int]) (count int) {
	for level, next := range n.below {
		require.False(t, len(next.below) == 0 && len(next.held) == 0, "the level %s leads to nobody", level)
		count += 1 + nodes(t, next)
	}
	return count
}

// TestPatterns_AgainstAModel holds random subscriptions to a list of all that there are, and protocol.Matches.
func TestPatterns_AgainstAModel(t *testing.T) {
	type held struct {
		pattern string
		f       int
	}
	level := rapid.SampledFrom([]string{"a", "b", "aa"})
	name := rapid.Custom(func(t *rapid.T) string {
		s := level.Draw(t, "level")
		for range rapid.IntRange(0, 3).Draw(t, "levels") {
			s += "." + level.Draw(t, "level")
		}
		return s
	})
	part := rapid.SampledFrom([]string{"a", "b", "aa", "*", "*"})
	pattern := rapid.Custom(func(t *rapid.T) string {
		s := part.Draw(t, "level")
		for range rapid.IntRange(0, 3).Draw(t, "levels") {
			s += "." + part.Draw(t, "level")
		}
		if rapid.Bool().Draw(t, "rest") {
			s += ".>"
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		var p Patterns[int]
		model := map[held]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				h := held{pattern.Draw(t, "pattern"), rapid.IntRange(0, 5).Draw(t, "f")}
				p.Add(h.pattern, h.f)
				model[h] = true
			},
			"remove": func(t *rapid.T) {
				h := held{pattern.Draw(t, "pattern"), rapid.IntRange(0, 5).Draw(t, "f")}
				p.Remove(h.pattern, h.f)
				delete(model, h)
			},
			"empty": func(t *rapid.T) {
				for h := range model {
					p.Remove(h.pattern, h.f)
				}
				clear(model)
				require.Nil(t, p.root.below, "nothing is left of what was taken out")
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(model), p.Len())
				nodes(t, &p.root)
				topic := name.Draw(t, "topic")
				var want []int
				for h := range model {
					if protocol.Matches(h.pattern, topic) && !slices.Contains(want, h.f) {
						want = append(want, h.f)
					}
				}
				slices.Sort(want)
				require.Equal(t, want, matched(&p, topic), topic)
			},
		})
	})
}

// many are patterns as a hundred thousand screens have them: each of its own project, every tenth of all projects.
func many(n int) *Patterns[int] {
	var p Patterns[int]
	for i := range n {
		if i%10 == 0 {
			p.Add(fmt.Sprintf("*.%d.>", i), i)
		} else {
			p.Add(fmt.Sprintf("project.%d.*.events", i), i)
		}
	}
	return &p
}

// BenchmarkMatch measures the finding of the two of 100,000 patterns that take in a topic.
func BenchmarkMatch(b *testing.B) {
	p := many(100_000)
	p.Add("project.77.>", 77) // a second one of the same follower
	b.ReportAllocs()
	calls := 0
	for b.Loop() {
		p.Match("project.77.job.events", func(int) { calls++ })
	}
	if calls != b.N {
		b.Fatal("the follower was called", calls, "times in", b.N)
	}
}

// BenchmarkAddRemove measures a subscription that comes and goes among 100,000.
func BenchmarkAddRemove(b *testing.B) {
	p := many(100_000)
	b.ReportAllocs()
	for b.Loop() {
		p.Add("project.x.*.events", 1)
		p.Remove("project.x.*.events", 1)
	}
}

// BenchmarkMemory measures the heap bytes of a subscription among 100,000, without its pattern's text.
func BenchmarkMemory(b *testing.B) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		p := many(100_000)
		b.ReportMetric(float64(heap()-before)/100_000, "B/pattern")
		runtime.KeepAlive(p)
	}
}
