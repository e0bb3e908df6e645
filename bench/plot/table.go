package plot

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Table compares servers: one row a figure of a work, one column a server, and behind them our server's ratio to the one that is compared with, and the
// goals. What is shown are medians over the passes; a ratio is the median of the ratios within each pass.
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
	lines := [][]string{append(head, t.title(t.Ours)+" / "+t.title(t.Reference), "goal")}
	var notes notes
	for _, row := range t.Rows {
		line := []string{row.Title, row.Unit}
		for _, c := range t.Columns {
			line = append(line, t.cell(row, c, &notes))
		}
		ratio := missing
		if s, ok := ratioOf(row.passes(t.Runs, t.Ours), row.passes(t.Runs, t.Reference)); ok {
			ratio = t.show(s)
		}
		lines = append(lines, append(line, ratio, t.goals(row)))
	}
	return grid(lines) + notes.text()
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

// grid is a Markdown table of lines, the first its head: the first column to the left, as is the last, the others to the right.
func grid(lines [][]string) string {
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
			if i < 2 || i == len(line)-1 {
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
			if i < 2 || i == len(line)-1 {
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
