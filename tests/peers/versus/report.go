package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/bench/plot"
)

// The files of a directory of results.
const (
	resultsFile = "results.json"
	scaleFile   = "scale.json"
	reportFile  = "report.md"
)

// report writes what the results in dir come to: Markdown with the tables, and a plot a subject. It returns the table that is judged by.
func report(dir string) (table string, err error) {
	var text strings.Builder
	files := map[string]string{}
	compared, err := loadResults(filepath.Join(dir, resultsFile))
	if err == nil {
		t := comparison(compared)
		table = t.Markdown()
		fmt.Fprintf(&text, "## Against others\n\n%s\n\n%s\n", compared.says(), table)
		for _, p := range plots {
			p.add(t, &text, files)
		}
		fmt.Fprintf(&text, "### All figures\n\n%s\n", everything(t).Markdown())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	scaled, err := loadResults(filepath.Join(dir, scaleFile))
	if err == nil {
		t := everything(comparison(scaled))
		if table += t.Markdown(); compared == nil {
			table = t.Markdown()
		}
		fmt.Fprintf(&text, "## How the cost grows\n\n%s\n\n%s\n", scaled.says(), t.Markdown())
		for _, l := range growth(scaled) {
			image(&text, files, l.Name, l.Title, l.SVG())
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if text.Len() == 0 {
		return "", fmt.Errorf("there are no results in %s", dir)
	}
	files[reportFile] = text.String()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return "", err
		}
	}
	return table, nil
}

// comparison is the table of the results, without rows of works that nobody has done.
func comparison(r *results) plot.Table {
	t := plot.Table{Ours: oursName, Reference: referenceName, Runs: r.runs()}
	t.Columns = columns(slices.DeleteFunc(slices.Clone(contestants), func(c contestant) bool { return !slices.Contains(r.Settings.Servers, c.name) }))
	for _, row := range rows {
		if slices.ContainsFunc(t.Runs, func(r plot.Run) bool { return r.Work == row.Work }) {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// figures are all figures, in the order in which they are shown, with their units.
var figures = []struct{ name, unit string }{
	{bench.FigureRSSPer, "RSS bytes each"}, {bench.FigureHeapPer, "heap bytes each"}, {bench.FigureCPU, "CPU s / 1 M"}, {bench.FigureCPUTotal, "CPU s"},
	{bench.FigureCPUVisit, "CPU ms / visit"}, {bench.FigureRate, "1 / s"}, {bench.FigureTook, "s"}, {bench.FigureP50, "µs, p50"}, {bench.FigureP99, "µs, p99"},
	{bench.FigureP999, "µs, p99.9"}, {bench.FigureMax, "µs, greatest"}, {bench.FigureDelivered, "delivered"},
}

// everything is a table of all figures that there are, with their ranges. It has no goals.
func everything(t plot.Table) plot.Table {
	t.Rows, t.Ranges = nil, true
	var done []string
	for _, r := range t.Runs {
		if slices.Contains(done, r.Work) {
			continue
		}
		done = append(done, r.Work)
		for _, f := range figures {
			if slices.ContainsFunc(t.Runs, func(is plot.Run) bool { _, has := is.Figures[f.name]; return has && is.Work == r.Work }) {
				t.Rows = append(t.Rows, row(r.Work, f.unit, r.Work, f.name, 1))
			}
		}
	}
	return t
}

// says is where and how the results were measured.
func (r *results) says() string {
	passes := 0
	for _, one := range r.Runs {
		passes = max(passes, one.Pass)
	}
	m := r.Machine
	parts := []string{m.CPU, fmt.Sprintf("%d cores", m.Cores), "Linux " + m.Kernel, m.Go}
	if m.Node != "" {
		parts = append(parts, "Node "+m.Node)
	}
	return fmt.Sprintf("Measured on %s: %s; commit %s. Medians of %d passes; what goes on is measured for %s after a warm-up of %s.",
		m.Date.Format("2006-01-02"), strings.Join(parts, ", "), cmp.Or(m.Commit, "unknown"), passes, r.Settings.Duration, r.Settings.Warmup)
}

// image adds a plot to the files, and its place to the text.
func image(text *strings.Builder, files map[string]string, name, title, svg string) {
	files[name+".svg"] = svg
	fmt.Fprintf(text, "![%s](%s.svg)\n\n", title, name)
}
