package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/bench/plot"
)

// progress tells what goes on: a line a run, and on a terminal a line that changes while one is under way.
type progress struct {
	out      io.Writer
	terminal bool
}

func progressOn(f *os.File) progress {
	info, err := f.Stat()
	return progress{f, err == nil && info.Mode()&os.ModeCharDevice != 0}
}

func (p progress) begin(title string) { p.line(title) }

// line shows what a run says of itself, on a terminal.
func (p progress) line(line string) {
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
	}
}

// end writes what a run has come to, and what time all that are left will take if they take as long as those before.
func (p progress) end(title string, r record, rest time.Duration) {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	text := digest(r.Result)
	if trouble := r.Trouble(); trouble != "" {
		text = strings.TrimPrefix(text+"; ", "; ") + trouble
	}
	left := "less than a minute"
	if rest >= time.Minute {
		left = strings.TrimSuffix(rest.Round(time.Minute).String(), "0s")
	}
	fmt.Fprintf(p.out, "%s  %s  (%.0f s; %s left)\n", title, text, r.TookS, left)
}

// digest is the figure that a profile is about, and the next best, in a few words.
func digest(r bench.Result) string {
	var parts []string
	for _, f := range []struct {
		figure, unit string
		scale        float64
	}{
		{bench.FigureRSSPer, "RSS bytes each", 1}, {bench.FigureHeapPer, "heap bytes each", 1}, {bench.FigureCPU, "CPU s per million", 1}, {bench.FigureCPUTotal, "CPU s", 1},
		{bench.FigureCPUVisit, "CPU ms a visit", 1}, {bench.FigureRate, "a second", 1}, {bench.FigureTook, "s", 1}, {bench.FigureP50, "ms p50", 0.001}, {bench.FigureP99, "ms p99", 0.001},
	} {
		if v, ok := r.Figures[f.figure]; ok && len(parts) < 3 {
			parts = append(parts, plot.Number(v*f.scale)+" "+f.unit)
		}
	}
	return strings.Join(parts, ", ")
}
