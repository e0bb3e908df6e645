package plot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Bars is a plot of horizontal bars in groups: each group one work, each bar one server.
type Bars struct {
	// Name becomes the plot's id, where several are put into one page. Title says what is plotted, Unit what in.
	Name, Title, Unit string
	Groups            []Group
}

// Group is the bars of one work.
type Group struct {
	// Title is above the bars; "" for none.
	Title string
	Bars  []Bar
	Goals []Mark
}

// Bar is what one server has come to.
type Bar struct {
	Label string
	Spread
	Kind Kind
	// Note stands behind the value: what was wrong. Failed says that there is no value.
	Note   string
	Failed bool
}

// Kind is which of the servers a bar belongs to.
type Kind string

// The kinds of servers.
const (
	Other     Kind = "bar"
	Reference Kind = "reference"
	Ours      Kind = "ours"
)

// Mark is a line across a plot, at a goal.
type Mark struct {
	Value float64
	Label string
}

// Bars plots rows of the table, a group each. Servers that have not been measured are left out.
func (t Table) Bars(name, title, unit string, rows ...Row) Bars {
	b := Bars{Name: name, Title: title, Unit: unit}
	for _, row := range rows {
		g := Group{Title: row.Title}
		for _, c := range t.Columns {
			if !ran(t.Runs, row.Work, c.Server) {
				continue
			}
			s, ok := row.Spread(t.Runs, c.Server)
			trouble := troubles(t.Runs, row.Work, c.Server)
			bar := Bar{Label: c.Title, Spread: s, Kind: Other, Failed: !ok && trouble != ""}
			switch c.Server {
			case t.Ours:
				bar.Kind = Ours
			case t.Reference:
				bar.Kind = Reference
			}
			if trouble != "" && ok {
				bar.Note = "with faults"
			}
			if ok || bar.Failed {
				g.Bars = append(g.Bars, bar)
			}
		}
		for _, goal := range row.Goals {
			if v, ok := goal.bound(t.Runs, row.Measure); ok {
				g.Goals = append(g.Goals, Mark{v, "goal " + goal.text(t.title)})
			}
		}
		if len(g.Bars) > 0 {
			b.Groups = append(b.Groups, g)
		}
	}
	return b
}

// The measures of a plot of bars, in pixels.
const (
	plotWidth = 760.0
	margin    = 16.0
	barHeight = 16.0
	barPitch  = 22.0
	goalRow   = 17.0
	headRow   = 26.0
)

// SVG draws the plot.
func (b Bars) SVG() string {
	var values []float64
	labels, notes := 0.0, 0.0
	for _, g := range b.Groups {
		for _, bar := range g.Bars {
			labels = max(labels, faceOurs.width(bar.Label))
			notes = max(notes, faceOurs.width(bar.says()))
			if !bar.Failed {
				values = append(values, bar.Low, bar.High)
			}
		}
		for _, m := range g.Goals {
			values = append(values, m.Value)
		}
	}
	left := margin + labels + 10
	right := max(plotWidth-margin-notes-14, left+120)
	s := scaleFor(values, left, right)

	d := &drawing{}
	y := d.heading(b.Title, b.Unit+scaleNote(s))
	ticks := s.ticks(faceMuted.width)
	for _, g := range b.Groups {
		y = g.draw(d, s, ticks, y)
	}
	for _, v := range ticks {
		d.text(faceMuted, s.at(v), y+8, middle, tickNumber(v))
	}
	return d.svg(b.Name, b.Title, b.description(), plotWidth, y+20)
}

// heading writes the title, and beneath it what the axis is; what is below begins at the y that is returned.
func (d *drawing) heading(title, unit string) float64 {
	d.text(faceTitle, margin, 28, start, title)
	d.text(faceMuted, margin, 46, start, unit)
	return 58
}

// scaleNote is what has to be said of an axis.
func scaleNote(s scale) string {
	if s.log {
		return "; the scale is logarithmic"
	}
	return ""
}

// draw draws the group from y on, and returns where it ends.
func (g Group) draw(d *drawing, s scale, ticks []float64, y float64) float64 {
	if g.Title != "" {
		d.text(faceHead, margin, y+18, start, g.Title)
		y += headRow
	}
	// The least goal stands highest, so that no line goes through the next one's label.
	goals := slices.SortedFunc(slices.Values(g.Goals), func(a, b Mark) int { return cmp.Compare(a.Value, b.Value) })
	top := y + goalRow*float64(len(goals))
	bottom := top + barPitch*float64(len(g.Bars))
	for _, v := range ticks {
		d.line("grid", s.at(v), top-3, s.at(v), bottom)
	}
	d.line("axis", s.from, top-3, s.from, bottom)
	for i, bar := range g.Bars {
		bar.draw(d, s, top+barPitch*float64(i))
	}
	for i, m := range goals {
		m.draw(d, s.at(m.Value), y+goalRow*float64(i), bottom-2)
	}
	for i, bar := range g.Bars {
		bar.write(d, s, top+barPitch*float64(i), goals)
	}
	return bottom + 10
}

// draw draws the goal's line at x, with its label at the upper end.
func (m Mark) draw(d *drawing, x, top, bottom float64) {
	d.line("goal", x, top+5, x, bottom)
	text := fmt.Sprintf("%s = %s", m.Label, Number(m.Value))
	if strings.HasSuffix(m.Label, Number(m.Value)) {
		text = m.Label
	}
	switch w := faceGoal.width(text); {
	case x+6+w <= plotWidth-margin:
		d.text(faceGoal, x+6, top+12, start, text)
	case x-6-w >= margin:
		d.text(faceGoal, x-6, top+12, end, text)
	default:
		d.text(faceGoal, margin, top+12, start, text)
	}
}

// says is the text behind the bar.
func (b Bar) says() string {
	switch {
	case b.Failed:
		return "not done"
	case b.Note != "":
		return Number(b.Median) + ", " + b.Note
	}
	return Number(b.Median)
}

// draw draws the bar, and its range where it is long enough to be seen.
func (b Bar) draw(d *drawing, s scale, y float64) {
	if b.Failed {
		return
	}
	d.rect(string(b.Kind), s.from, y, s.at(b.Median)-s.from, barHeight, fmt.Sprintf("%s: %s (%s – %s)", b.Label, b.says(), Number(b.Low), Number(b.High)))
	if !b.ranges(s) {
		return
	}
	d.line("range", s.at(b.Low), y+barHeight/2, s.at(b.High), y+barHeight/2)
	for _, v := range []float64{b.Low, b.High} {
		d.line("range", s.at(v), y+barHeight/2-4, s.at(v), y+barHeight/2+4)
	}
}

// ranges reports whether the range is long enough to be drawn.
func (b Bar) ranges(s scale) bool { return s.at(b.High)-s.at(b.Low) >= 8 }

// write writes the bar's label and its value.
func (b Bar) write(d *drawing, s scale, y float64, goals []Mark) {
	f, base := faceText, y+barHeight-4
	if b.Kind == Ours {
		f = faceOurs
	}
	d.text(f, s.from-10, base, end, b.Label)
	x := s.at(b.Median) + 7
	switch {
	case b.Failed:
		x = s.from + 7
	case b.ranges(s):
		x = s.at(b.High) + 7
	}
	// A goal's line does not go through the value, which gives way to the right. The goals are in order, so it meets the next one then.
	for _, m := range goals {
		if at := s.at(m.Value); at > x-5 && at < x+f.width(b.says())+3 {
			x = at + 6
		}
	}
	d.text(f, x, base, start, b.says())
}

// description is the plot in words.
func (b Bars) description() string {
	var all []string
	for _, g := range b.Groups {
		var bars []string
		for _, bar := range g.Bars {
			bars = append(bars, bar.Label+" "+bar.says())
		}
		for _, m := range g.Goals {
			bars = append(bars, m.Label+" = "+Number(m.Value))
		}
		all = append(all, strings.TrimPrefix(g.Title+": ", ": ")+strings.Join(bars, ", "))
	}
	return "Bars, in " + b.Unit + ". " + strings.Join(all, ". ") + "."
}
