// Package plot turns results of the bench into what people read: tables in Markdown, and plots in SVG. It is pure: the same results give the same bytes,
// so that a table or a plot may be compared with the one before.
package plot

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/restante/restante/bench"
)

// Run is one result, with what it was measured for. The runs of one pass were measured one soon after the other, so that what else the machine did weighed
// on all of them alike: ratios are taken within a pass.
type Run struct {
	// Work is the name of the work: a profile with its number of clients and its settings.
	Work string `json:"work"`
	// Pass counts from 1.
	Pass int `json:"pass"`
	bench.Result
}

// Trouble says what was wrong with the run, and is "" where nothing was.
func (r Run) Trouble() string {
	var all []string
	for _, count := range []struct {
		n    uint64
		what string
	}{{r.Lost, "lost"}, {r.Doubled, "doubled"}, {r.Disordered, "out of order"}} {
		if count.n > 0 {
			all = append(all, thousands(strconv.FormatUint(count.n, 10))+" "+count.what)
		}
	}
	if r.Failed != "" {
		all = append(all, r.Failed)
	}
	return strings.Join(all, ", ")
}

// Measure is one figure of one work, and how it is shown.
type Measure struct {
	// Work and Figure are what is looked up in the runs.
	Work, Figure string
	// Scale is what the figure is multiplied with to be in the unit that is shown; 0 is 1.
	Scale float64
}

// value returns the measure in r. A run that has failed has none, and neither has a server whose heap is unknown.
func (m Measure) value(r Run) (float64, bool) {
	v, ok := r.Figures[m.Figure]
	if !ok || r.Failed != "" || math.IsNaN(v) || math.IsInf(v, 0) || m.Figure == bench.FigureHeapPer && v == 0 {
		return 0, false
	}
	if m.Scale != 0 {
		v *= m.Scale
	}
	return v, true
}

// passes returns the measure of one server by pass.
func (m Measure) passes(runs []Run, server string) map[int]float64 {
	found := map[int]float64{}
	for _, r := range runs {
		if r.Work == m.Work && r.Server == server {
			if v, ok := m.value(r); ok {
				found[r.Pass] = v
			}
		}
	}
	return found
}

// Spread returns what one server has come to over the passes; ok is false where it has not been measured, or has failed in all of them.
func (m Measure) Spread(runs []Run, server string) (s Spread, ok bool) {
	return spreadOf(m.passes(runs, server))
}

// Spread is a median with its range.
type Spread struct{ Median, Low, High float64 }

func spreadOf(passes map[int]float64) (Spread, bool) {
	if len(passes) == 0 {
		return Spread{}, false
	}
	values := make([]float64, 0, len(passes))
	for _, v := range passes {
		values = append(values, v)
	}
	slices.Sort(values)
	n := len(values)
	return Spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}, true
}

// ratioOf returns the spread of the ratios of the passes that both have. What is divided by has to be above zero.
func ratioOf(of, by map[int]float64) (Spread, bool) {
	ratios := map[int]float64{}
	for pass, v := range of {
		if w := by[pass]; w > 0 {
			ratios[pass] = v / w
		}
	}
	return spreadOf(ratios)
}

// troubles returns what was wrong with a server's runs of a work, pass by pass, in one line; "" where nothing was.
func troubles(runs []Run, work, server string) string {
	var found []Run
	for _, r := range runs {
		if r.Work == work && r.Server == server && r.Trouble() != "" {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b Run) int { return cmp.Compare(a.Pass, b.Pass) })
	var lines []string
	for _, r := range found {
		lines = append(lines, fmt.Sprintf("pass %d: %s", r.Pass, r.Trouble()))
	}
	return strings.Join(lines, "; ")
}

// ran reports whether there is a run of the work by the server at all.
func ran(runs []Run, work, server string) bool {
	return slices.ContainsFunc(runs, func(r Run) bool { return r.Work == work && r.Server == server })
}
