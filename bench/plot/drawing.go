package plot

import (
	"fmt"
	"strconv"
	"strings"
)

// drawing is an SVG that grows. Its colours are classes, so that it can be light or dark as its reader likes.
type drawing struct {
	body   strings.Builder
	labels []label
}

// label is a text with the box that it takes, as far as that can be known without its reader's fonts.
type label struct {
	text                     string
	left, right, top, bottom float64
}

// clashes reports whether two labels touch.
func (l label) clashes(m label) bool {
	return l.left < m.right && m.left < l.right && l.top < m.bottom && m.top < l.bottom
}

// anchor says which end of a text lies at its place.
type anchor string

const (
	start  anchor = "start"
	middle anchor = "middle"
	end    anchor = "end"
)

// The kinds of text: the class, its size in pixels.
type face struct {
	class string
	size  float64
}

var (
	faceTitle = face{"title", 16}
	faceHead  = face{"head", 13}
	faceText  = face{"text", 12}
	faceOurs  = face{"ours", 12}
	faceMuted = face{"muted", 11}
	faceGoal  = face{"goal", 11}
)

// bold are the faces that are.
func (f face) bold() bool { return f == faceTitle || f == faceHead || f == faceOurs }

// place is the label that a text would be with its base line at y.
func (f face) place(x, y float64, a anchor, text string) label {
	w := f.width(text)
	l := label{text, x, x + w, y - f.size*0.8, y + f.size*0.25}
	switch a {
	case middle:
		l.left, l.right = x-w/2, x+w/2
	case end:
		l.left, l.right = x-w, x
	}
	return l
}

// width is how long a text gets, by a font that is wider than most, so that in others there is only more room.
func (f face) width(text string) float64 {
	sum := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("ijl.,:;'|!", r):
			sum += 0.33
		case strings.ContainsRune("frt -()[]/", r):
			sum += 0.40
		case strings.ContainsRune("mwMW×≤≥%", r):
			sum += 0.90
		case r >= 'A' && r <= 'Z':
			sum += 0.72
		default:
			sum += 0.64
		}
	}
	if f.bold() {
		sum *= 1.1
	}
	return sum * f.size
}

// text writes a label.
func (d *drawing) text(f face, x, y float64, a anchor, text string) {
	d.labels = append(d.labels, f.place(x, y, a, text))
	fmt.Fprintf(&d.body, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`+"\n", f.class, px(x), px(y), a, escape(text))
}

// free reports whether a label would come no nearer to another than a pixel, which is more than coordinates are rounded by.
func (d *drawing) free(l label) bool {
	l.left, l.right, l.top, l.bottom = l.left-1, l.right+1, l.top-1, l.bottom+1
	for _, m := range d.labels {
		if l.clashes(m) {
			return false
		}
	}
	return true
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.body, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`+"\n", class, px(x1), px(y1), px(x2), px(y2))
}

// rect draws a rectangle that says what it is when it is pointed at.
func (d *drawing) rect(class string, x, y, w, h float64, says string) {
	fmt.Fprintf(&d.body, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"><title>%s</title></rect>`+"\n", class, px(x), px(y), px(w), px(h), escape(says))
}

// svg is the whole file, of that width or what its labels need. name becomes its id, so that several can be put into one page.
func (d *drawing) svg(name, title, desc string, width, height float64) string {
	for _, l := range d.labels {
		width = max(width, l.right+margin)
	}
	name = identifier(name)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" id="%[3]s" viewBox="0 0 %[1]s %[2]s" width="%[1]s" height="%[2]s" role="img" aria-labelledby="%[3]s-title %[3]s-desc">`+"\n",
		px(width), px(height), name)
	fmt.Fprintf(&b, "<title id=\"%[1]s-title\">%[2]s</title>\n<desc id=\"%[1]s-desc\">%[3]s</desc>\n", name, escape(title), escape(desc))
	fmt.Fprintf(&b, "<style>\n%s</style>\n", strings.ReplaceAll(style, "SVG", "#"+name))
	fmt.Fprintf(&b, `<rect class="paper" x="0" y="0" width="%s" height="%s"/>`+"\n", px(width), px(height))
	b.WriteString(d.body.String())
	b.WriteString("</svg>\n")
	return b.String()
}

// px is a length in pixels, to a tenth.
func px(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	if s = strings.TrimSuffix(s, ".0"); s == "-0" {
		return "0"
	}
	return s
}

// escape is text as XML can hold it.
func escape(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(text)
}

// identifier is name as an id that needs no quoting.
func identifier(name string) string {
	return "plot-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
}
