package plot

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table compares servers: one row a figure of a work, one column a server, and behind them our server's ratio to the one that is compared with, if both have
// columns, and the goals, if there are any. What is shown are medians over the passes; a ratio is the median of the ratios within each pass.
type Table struct {
	// Ours is the server that has goals, Reference the one that its ratios are taken to. Both are servers of Columns.
	Ours, Reference string
	Columns         []Column
	Rows            []Row
	Runs            []Run
	// Ranges adds the lowest and the highest to each median, in brackets.
	Ranges bool
}

// Column is one server.
type Column struct {
	// Server is what it is called in results, Title what in tables.
	Server, Title string
}

// Row is one figure of one work.
type Row struct {
	// Title names the row, Unit what its figures are in.
	Title, Unit string
	Measure
	Goals []Goal
}

// Markdown is the table. It is padded, so that it can be read as it is. Beneath it stands what was wrong with runs: frames that were lost, doubled or out
// of order, and why a server has not finished.
func (t Table) Markdown() string {
	head := []string{"work", "unit"}
	for _, c := range t.Columns {
		head = append(head, c.Title)
	}
	ratios := t.has(t.Ours) && t.has(t.Reference)
	if ratios {
		head = append(head, t.title(t.Ours)+" / "+t.title(t.Reference))
	}
	goals := slices.ContainsFunc(t.Rows, func(r Row) bool { return len(r.Goals) > 0 })
	if goals {
		head = append(head, "goal")
	}
	lines := [][]string{head}
	var notes notes
	for _, row := range t.Rows {
		line := []string{row.Title, row.Unit}
		for _, c := range t.Columns {
			line = append(line, t.cell(row, c, &notes))
		}
		if ratios {
			line = append(line, t.ratio(row))
		}
		if goals {
			line = append(line, t.goals(row))
		}
		lines = append(lines, line)
	}
	left := []int{0, 1}
	if goals {
		left = append(left, len(head)-1)
	}
	return grid(lines, left) + notes.text()
}

// missing stands where nothing was measured.
const missing = "–"

// title is what a server is called in tables.
func (t Table) title(server string) string {
	for _, c := range t.Columns {
		if c.Server == server {
			return c.Title
		}
	}
	return server
}

// has reports whether the server has a column.
func (t Table) has(server string) bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Server == server })
}

func (t Table) ratio(row Row) string {
	s, ok := ratioOf(row.passes(t.Runs, t.Ours), row.passes(t.Runs, t.Reference))
	if !ok {
		return missing
	}
	return t.show(s)
}

func (t Table) cell(row Row, c Column, notes *notes) string {
	text := missing
	if s, ok := row.Spread(t.Runs, c.Server); ok {
		text = t.show(s)
	}
	trouble := troubles(t.Runs, row.Work, c.Server)
	if trouble == "" {
		return text
	}
	if text == missing {
		text = "failed"
	}
	return text + " " + notes.add(c.Title+", "+row.Work+": "+trouble)
}

func (t Table) show(s Spread) string {
	if !t.Ranges || s.Low == s.High {
		return Number(s.Median)
	}
	return fmt.Sprintf("%s (%s – %s)", Number(s.Median), Number(s.Low), Number(s.High))
}

func (t Table) goals(row Row) string {
	if len(row.Goals) == 0 {
		return missing
	}
	var all []string
	for _, g := range row.Goals {
		all = append(all, g.text(t.title)+": "+g.Judge(t.Runs, row.Measure, t.Ours).says(g.Most))
	}
	return strings.Join(all, "; ")
}

// notes are what stands beneath a table, each once.
type notes []string

func (n *notes) add(text string) string {
	for i, is := range *n {
		if is == text {
			return fmt.Sprintf("[%d]", i+1)
		}
	}
	*n = append(*n, text)
	return fmt.Sprintf("[%d]", len(*n))
}

func (n notes) text() string {
	var b strings.Builder
	for i, text := range n {
		fmt.Fprintf(&b, "\n[%d] %s\n", i+1, oneLine(text))
	}
	return b.String()
}

// grid is a Markdown table of lines, the first its head. The columns whose numbers are in left begin at their left, the others end at their right.
func grid(lines [][]string, left []int) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			line[i] = strings.ReplaceAll(oneLine(cell), "|", `\|`)
			widths[i] = max(widths[i], utf8.RuneCountInString(line[i]), 3)
		}
	}
	var b strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if slices.Contains(left, i) {
				b.WriteString("| " + cell + space + " ")
			} else {
				b.WriteString("| " + space + cell + " ")
			}
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for i, w := range widths {
			if slices.Contains(left, i) {
				b.WriteString("|" + strings.Repeat("-", w+2))
			} else {
				b.WriteString("|" + strings.Repeat("-", w+1) + ":")
			}
		}
		b.WriteString("|\n")
	}
	return b.String()
}

// oneLine is text without what would break a line of Markdown.
func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
}
