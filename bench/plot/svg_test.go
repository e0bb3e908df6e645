package plot

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// drawn is what a reader finds in an SVG: its size and its texts.
type drawn struct {
	width, height float64
	title, desc   string
	labels        []label
}

// read parses an SVG as its readers do.
func read(t *testing.T, svg string) (d drawn) {
	t.Helper()
	faces := map[string]face{}
	for _, f := range []face{faceTitle, faceHead, faceText, faceOurs, faceMuted, faceGoal} {
		faces[f.class] = f
	}
	dec := xml.NewDecoder(strings.NewReader(svg))
	var path []string
	var at map[string]string
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			at = map[string]string{}
			for _, a := range token.Attr {
				at[a.Name.Local] = a.Value
			}
			path = append(path, token.Name.Local)
			if token.Name.Local == "svg" {
				d.width, d.height = pixels(t, at["width"]), pixels(t, at["height"])
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			switch strings.Join(path, " ") {
			case "svg title":
				d.title = string(token)
			case "svg desc":
				d.desc = string(token)
			case "svg text":
				f, ok := faces[at["class"]]
				if !ok {
					t.Fatalf("no face is called %q", at["class"])
				}
				d.labels = append(d.labels, f.place(pixels(t, at["x"]), pixels(t, at["y"]), anchor(at["text-anchor"]), string(token)))
			}
		}
	}
}

func pixels(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		t.Fatalf("%q is no length", s)
	}
	return v
}

// legible fails where labels touch, or stick out of the plot.
func (d drawn) legible(t *testing.T, svg string) {
	t.Helper()
	for i, l := range d.labels {
		if l.left < 0 || l.right > d.width || l.top < 0 || l.bottom > d.height {
			t.Fatalf("%q sticks out of the plot\n%s", l.text, svg)
		}
		for _, m := range d.labels[:i] {
			if l.clashes(m) {
				t.Fatalf("%q and %q touch in\n%s", l.text, m.text, svg)
			}
		}
	}
}

// magnitude is a figure of any size.
func magnitude(r *rand.Rand) float64 { return math.Pow(10, r.Float64()*9-4) }

func spreadAround(v float64, r *rand.Rand) Spread {
	return Spread{v, v * (1 - r.Float64()/2), v * (1 + r.Float64())}
}

func word(r *rand.Rand, most int) string {
	return strings.Repeat("Wörd i", 1+r.IntN(most))
}

// TestLabelsKeepApart draws plots of figures of all sizes, as close to each other and as far apart as may be.
func TestLabelsKeepApart(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		base, span := magnitude(r), r.Float64()*5
		value := func() float64 { return base * math.Pow(10, r.Float64()*span) }

		b := Bars{Name: "n", Title: word(r, 12), Unit: word(r, 4)}
		for range r.IntN(4) {
			g := Group{Title: word(r, 8)}
			for range r.IntN(9) {
				bar := Bar{Label: word(r, 5), Spread: spreadAround(value(), r), Kind: []Kind{Ours, Reference, Other}[r.IntN(3)], Failed: r.IntN(9) == 0}
				if r.IntN(6) == 0 {
					bar.Note = "with faults"
				}
				g.Bars = append(g.Bars, bar)
			}
			for range r.IntN(3) {
				g.Goals = append(g.Goals, Mark{value(), "goal " + word(r, 6)})
			}
			b.Groups = append(b.Groups, g)
		}
		svg := b.SVG()
		read(t, svg).legible(t, svg)

		l := Lines{Name: "n", Title: word(r, 12), Unit: word(r, 4), Across: word(r, 3)}
		for range r.IntN(7) {
			s := Series{Label: word(r, 4)}
			x := 1 + math.Floor(magnitude(r))
			for range r.IntN(9) {
				s.Points = append(s.Points, Point{x, spreadAround(value(), r)})
				x += 1 + math.Floor(x*r.Float64()*4)
			}
			l.Series = append(l.Series, s)
		}
		for range r.IntN(3) {
			l.Goals = append(l.Goals, Mark{value(), "goal " + word(r, 2)})
		}
		svg = l.SVG()
		read(t, svg).legible(t, svg)
	}
}

// TestEveryValueIsSaid looks for each bar's and each point's figure, and for the goals, in the plot's texts and in its description.
func TestEveryValueIsSaid(t *testing.T) {
	table := worked()
	bars := table.Bars("unicast", "Title", "unit", table.Rows[1:3]...)
	d := read(t, bars.SVG())
	texts := map[string]int{}
	for _, l := range d.labels {
		texts[l.text]++
	}
	for _, g := range bars.Groups {
		for _, bar := range g.Bars {
			if texts[bar.Label] != 2 || texts[bar.says()] == 0 || !strings.Contains(d.desc, bar.Label+" "+bar.says()) {
				t.Errorf("%s %s is not said", bar.Label, bar.says())
			}
		}
		for _, m := range g.Goals {
			if say := m.Label + " = " + Number(m.Value); texts[say] != 1 || !strings.Contains(d.desc, say) {
				t.Errorf("%s is not said", say)
			}
		}
	}
	lines := grown()
	d = read(t, lines.SVG())
	for _, s := range lines.Series {
		for _, p := range s.Points {
			if say := fmt.Sprintf("%s at %s", Number(p.Median), Number(p.X)); !strings.Contains(d.desc, say) {
				t.Errorf("%s of %s is not said", say, s.Label)
			}
		}
	}
}

// TestStrangeTextsAreText puts into each text of a plot what would end it.
func TestStrangeTextsAreText(t *testing.T) {
	const strange = "</title><script>\"'&]]>\x00\x1b\xff"
	const read1 = "</title><script>\"'&]]>  ?"
	b := Bars{Name: strange, Title: strange, Unit: strange, Groups: []Group{{Title: strange, Bars: []Bar{{Label: strange, Note: strange, Spread: Spread{1, 1, 2}}}, Goals: []Mark{{1, strange}}}}}
	l := Lines{Name: strange, Title: strange, Unit: strange, Across: strange, Series: []Series{{strange, []Point{{1, Spread{1, 1, 1}}}}}, Goals: []Mark{{1, strange}}}
	for _, svg := range []string{b.SVG(), l.SVG()} {
		if d := read(t, svg); d.title != read1 {
			t.Errorf("the title is read as %q", d.title)
		}
	}
}

// TestNothingToPlot draws plots without figures, or with such as are no length.
func TestNothingToPlot(t *testing.T) {
	read(t, Bars{}.SVG())
	read(t, Lines{}.SVG())
	read(t, Lines{Series: []Series{{}, {}}}.SVG())
	zero := Bars{Groups: []Group{{Bars: []Bar{{Label: "zero"}, {Label: "below", Spread: Spread{-1, -2, -1}}}}}}
	svg := zero.SVG()
	read(t, svg).legible(t, svg)
	svg = Lines{Series: []Series{{"zero", []Point{{1, Spread{}}, {2, Spread{-1, -2, 0}}}}}}.SVG()
	read(t, svg).legible(t, svg)
}
