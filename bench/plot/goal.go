package plot

import (
	"fmt"
	"strings"
)

// Goal is what a figure of our server is to come to.
type Goal struct {
	// Most is what is allowed: times what Against has in the same pass, or, where Against is "", in the unit that is shown.
	Most float64
	// Against is the server that is compared with, AgainstWork the work that it is measured in, "" for the same.
	Against, AgainstWork string
}

// Verdict is what has become of a goal.
type Verdict struct {
	// Known is false where there is nothing to judge: Why says what is missing.
	Known bool
	// Is is the median of the figure, or of the ratios within each pass.
	Is  Spread
	Met bool
	// Why says why a goal is not met though Is would do, or why it is not known.
	Why string
}

// Judge says what has become of a goal for ours in m. Frames that were lost, doubled or out of order, and a pass that has failed, meet no goal.
func (g Goal) Judge(runs []Run, m Measure, ours string) Verdict {
	if !ran(runs, m.Work, ours) {
		return Verdict{Why: "not measured"}
	}
	own := m.passes(runs, ours)
	var v Verdict
	if g.Against == "" {
		v.Is, v.Known = spreadOf(own)
	} else {
		v.Is, v.Known = ratioOf(own, g.other(m).passes(runs, g.Against))
	}
	trouble := troubles(runs, m.Work, ours)
	switch {
	case trouble != "":
		v.Known, v.Why = true, trouble
	case !v.Known:
		v.Why = "nothing to compare with"
	default:
		v.Met = v.Is.Median <= g.Most
	}
	return v
}

// other is the measure that the goal compares with.
func (g Goal) other(m Measure) Measure {
	if g.AgainstWork != "" {
		m.Work = g.AgainstWork
	}
	return m
}

// bound is where the goal lies in the unit that is shown, by the medians: a line for a plot, not what is judged by.
func (g Goal) bound(runs []Run, m Measure) (float64, bool) {
	if g.Against == "" {
		return g.Most, true
	}
	s, ok := g.other(m).Spread(runs, g.Against)
	return g.Most * s.Median, ok
}

// text is the goal in words; title names the servers.
func (g Goal) text(title func(server string) string) string {
	if g.Against == "" {
		return "≤ " + tickNumber(g.Most)
	}
	s := fmt.Sprintf("≤ %s × %s", tickNumber(g.Most), title(g.Against))
	if g.AgainstWork != "" {
		s += " (" + g.AgainstWork + ")"
	}
	return s
}

// says is the verdict behind the goal.
func (v Verdict) says(most float64) string {
	var s []string
	if v.Known && v.Is != (Spread{}) {
		s = append(s, beside(v.Is.Median, most))
	}
	switch {
	case !v.Known:
		s = append(s, v.Why)
	case v.Met:
		s = append(s, "**met**")
	default:
		s = append(s, "**NOT met**")
	}
	if v.Known && v.Why != "" {
		s[len(s)-1] += " (see below)"
	}
	return strings.Join(s, ", ")
}
