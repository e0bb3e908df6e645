package plot

import (
	"fmt"
	"slices"
	"strings"
)

// Lines is a plot of how a figure grows.
type Lines struct {
	// Name becomes the plot's id, where several are put into one page. Title says what is plotted, Unit what in, Across what grows to the right.
	Name, Title, Unit, Across string
	Series                    []Series
	// Goals are lines across the plot.
	Goals []Mark
}

// Series is one line, from left to right.
type Series struct {
	Label  string
	Points []Point
}

// Point is what was measured at X, which is above zero.
type Point struct {
	X float64
	Spread
}

// The measures of a plot of lines, in pixels.
const (
	linesHeight = 260.0
	colours     = 6 // series beyond begin with the first colour again
)

// SVG draws the plot.
func (l Lines) SVG() string {
	d := &drawing{}
	x, y := l.scales()
	top := d.heading(l.Title, l.Unit+scaleNote(y)) + 8
	y.from, y.to = top+linesHeight, top
	bottom := y.from

	l.grid(d, x, y)
	for _, m := range l.Goals {
		d.line("goal", x.from-8, y.at(m.Value), x.to+8, y.at(m.Value))
	}
	for i, s := range l.Series {
		s.draw(d, x, y, fmt.Sprintf("s%d", i%colours))
	}
	l.names(d, x, y)
	for _, m := range l.Goals {
		d.put(faceGoal, []label{
			faceGoal.place(x.from, y.at(m.Value)-5, start, m.Label),
			faceGoal.place(x.from, y.at(m.Value)+13, start, m.Label),
			faceGoal.place(x.to, y.at(m.Value)-5, end, m.Label),
			faceGoal.place(x.to, y.at(m.Value)+13, end, m.Label),
		})
	}
	l.values(d, x, y)
	d.text(faceMuted, (x.from+x.to)/2, bottom+38, middle, l.Across)
	return d.svg(l.Name, l.Title, l.description(), plotWidth, bottom+52)
}

// scales are both axes, the one upwards still without its place.
func (l Lines) scales() (x, y scale) {
	var xs, ys []float64
	names, ticks := 0.0, 0.0
	for _, s := range l.Series {
		names = max(names, faceText.width(s.Label))
		for _, p := range s.Points {
			xs, ys = append(xs, p.X), append(ys, p.Low, p.High)
		}
	}
	for _, m := range l.Goals {
		ys = append(ys, m.Value)
	}
	y = scaleFor(ys, linesHeight, 0)
	for _, v := range y.ticks(func(string) float64 { return faceMuted.size }) {
		ticks = max(ticks, faceMuted.width(tickNumber(v)))
	}
	x = scale{lo: 0, hi: 1, from: margin + ticks + 24}
	if len(xs) > 0 {
		x.lo, x.hi = slices.Min(xs), slices.Max(xs)
	}
	if len(l.Series) < 2 {
		names = 0
	}
	x.to = plotWidth - margin - max(16+names, faceMuted.width(tickNumber(x.hi))/2)
	if x.log = x.lo > 0 && x.hi/x.lo >= 10; x.lo == x.hi {
		x.hi++
	}
	return x, y
}

// grid draws both axes with their ticks: to the right those values that were measured at, if there is room for them.
func (l Lines) grid(d *drawing, x, y scale) {
	for _, v := range y.ticks(func(string) float64 { return faceMuted.size }) {
		d.line("grid", x.from-8, y.at(v), x.to+8, y.at(v))
		d.text(faceMuted, x.from-14, y.at(v)+4, end, tickNumber(v))
	}
	var at []float64
	for _, s := range l.Series {
		for _, p := range s.Points {
			at = append(at, p.X)
		}
	}
	slices.Sort(at)
	if at = slices.Compact(at); len(at) != 1 && !x.apart(at, faceMuted.width) {
		at = x.ticks(faceMuted.width)
	}
	d.line("axis", x.from-8, y.from, x.to+8, y.from)
	for _, v := range at {
		d.line("axis", x.at(v), y.from, x.at(v), y.from+5)
		d.text(faceMuted, x.at(v), y.from+19, middle, tickNumber(v))
	}
}

func (s Series) draw(d *drawing, x, y scale, class string) {
	var points []string
	for _, p := range s.Points {
		points = append(points, px(x.at(p.X))+","+px(y.at(p.Median)))
		if p.Low < p.High {
			d.line("range", x.at(p.X), y.at(p.Low), x.at(p.X), y.at(p.High))
		}
	}
	fmt.Fprintf(&d.body, `<polyline class="%s" points="%s"/>`+"\n", class, strings.Join(points, " "))
	for _, p := range s.Points {
		fmt.Fprintf(&d.body, `<path class="%s" d="%s"><title>%s</title></path>`+"\n", class, marker(class, x.at(p.X), y.at(p.Median)),
			escape(fmt.Sprintf("%s at %s: %s (%s – %s)", s.Label, Number(p.X), Number(p.Median), Number(p.Low), Number(p.High))))
	}
}

// marker is the outline of a point: a shape for each series, so that colours are not all that tells them apart.
func marker(class string, x, y float64) string {
	corners := map[string][][2]float64{
		"s0": {{-4, -4}, {4, -4}, {4, 4}, {-4, 4}}, "s1": {{0, -5.5}, {5, 4}, {-5, 4}}, "s2": {{0, -5.5}, {5.5, 0}, {0, 5.5}, {-5.5, 0}},
		"s3": {{-5, -4}, {5, -4}, {0, 5.5}}, "s4": {{-5, -2.5}, {5, -2.5}, {5, 2.5}, {-5, 2.5}}, "s5": {{-2.5, -5}, {2.5, -5}, {2.5, 5}, {-2.5, 5}},
	}[class]
	var b strings.Builder
	for i, c := range corners {
		if i == 0 {
			b.WriteString("M")
		} else {
			b.WriteString("L")
		}
		b.WriteString(px(x+c[0]) + " " + px(y+c[1]))
	}
	return b.String() + "Z"
}

// names writes each line's name at its right end, moved up or down from the others. A line that is alone is named by the title.
func (l Lines) names(d *drawing, x, y scale) {
	if len(l.Series) < 2 {
		return
	}
	const pitch = 16.0
	type name struct {
		text string
		y    float64
	}
	var all []name
	for _, s := range l.Series {
		if n := len(s.Points); n > 0 {
			all = append(all, name{s.Label, y.at(s.Points[n-1].Median)})
		}
	}
	slices.SortStableFunc(all, func(a, b name) int { return int(a.y*10) - int(b.y*10) })
	for i := 1; i < len(all); i++ {
		all[i].y = max(all[i].y, all[i-1].y+pitch)
	}
	for i := len(all) - 1; i >= 0; i-- { // back up, where they were pushed below the axis
		lowest := y.from - pitch*float64(len(all)-1-i)
		all[i].y = min(all[i].y, lowest)
	}
	for _, n := range all {
		d.text(faceText, x.to+16, n.y+4, start, n.text)
	}
}

// values writes the points' values where there is room: not on a point, nor on a goal's line.
func (l Lines) values(d *drawing, x, y scale) {
	var ink []label
	for _, s := range l.Series {
		for _, p := range s.Points {
			ink = append(ink, label{left: x.at(p.X) - 6, right: x.at(p.X) + 6, top: y.at(p.High) - 6, bottom: y.at(p.Low) + 6})
		}
	}
	for _, m := range l.Goals {
		ink = append(ink, label{left: x.from, right: x.to, top: y.at(m.Value) - 1, bottom: y.at(m.Value) + 1})
	}
	texts := len(d.labels)
	d.labels = append(d.labels, ink...) // to be kept clear of, as if it were labels
	for _, s := range l.Series {
		for _, p := range s.Points {
			at, text := x.at(p.X), Number(p.Median)
			above, below := y.at(p.High)-10, y.at(p.Low)+18
			d.put(faceText, []label{
				faceText.place(at, above, middle, text), faceText.place(at, below, middle, text),
				faceText.place(at-5, above, start, text), faceText.place(at-5, below, start, text),
				faceText.place(at+5, above, end, text), faceText.place(at+5, below, end, text),
			})
		}
	}
	d.labels = slices.Delete(d.labels, texts, texts+len(ink))
}

// put writes a text at the first of the places that touches no other label, or not at all.
func (d *drawing) put(f face, places []label) {
	for _, l := range places {
		if d.free(l) {
			d.text(f, l.left, l.bottom-f.size*0.25, start, l.text)
			return
		}
	}
}

// description is the plot in words.
func (l Lines) description() string {
	var all []string
	for _, s := range l.Series {
		var points []string
		for _, p := range s.Points {
			points = append(points, Number(p.Median)+" at "+Number(p.X))
		}
		all = append(all, s.Label+": "+strings.Join(points, ", "))
	}
	for _, m := range l.Goals {
		all = append(all, m.Label)
	}
	return "Lines, in " + l.Unit + ", across " + l.Across + ". " + strings.Join(all, ". ") + "."
}
