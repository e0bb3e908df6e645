package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/bench/plot"
)

// subject is one plot of bars: the rows of these works with this figure.
type subject struct {
	name, title, unit, figure string
	works                     []string
}

// plots are all plots of bars.
var plots = []subject{
	{"idle", "Memory of an idle connection", "resident bytes of the server", bench.FigureRSSPer, []string{"idle-19500"}},
	{"unicast", "Server CPU of a delivery, saturated", "CPU seconds per million deliveries", bench.FigureCPU, []string{"unicast-1000", "unicast-10000"}},
	{"rate", "Server CPU of a delivery, 10,000 frames a second", "CPU seconds per million deliveries", bench.FigureCPU, []string{"rate-10000"}},
	{"latency", "Latency at 10,000 frames a second", "microseconds, 99th percentile", bench.FigureP99, []string{"rate-10000"}},
	{"fanout", "Server CPU of a delivery of a fan-out", "CPU seconds per million deliveries", bench.FigureCPU, []string{"fanout-10000"}},
	{"fanout-last", "The last of 10,000 followers receives a frame", "milliseconds after it was published, median", bench.FigureP50, []string{"fanout-one-10000"}},
	{"storm", "Server CPU of a storm of 5,000 reconnects", "CPU seconds", bench.FigureCPUTotal, []string{"storm-5000"}},
	{"memory", "Memory of what is kept for clients that are away", "resident bytes of the server", bench.FigureRSSPer, []string{"backlog-10000", "offline-100000"}},
	{"churn", "Server CPU of a visit: connect, resume, leave", "CPU milliseconds", bench.FigureCPUVisit, []string{"churn-1000"}},
	{"publish", "Server CPU of publishing by HTTP", "CPU seconds per million frames", bench.FigureCPU, []string{"publish-1000", "publish-many-1000"}},
}

// add adds the plot, if anything has been measured for it.
func (p subject) add(t plot.Table, text *strings.Builder, files map[string]string) {
	var picked []plot.Row
	for _, row := range t.Rows {
		if row.Figure == p.figure && slices.Contains(p.works, row.Work) {
			picked = append(picked, row)
		}
	}
	if bars := t.Bars(p.name, p.title, p.unit, picked...); len(bars.Groups) > 0 {
		image(text, files, p.name, p.title, bars.SVG())
	}
}

// growth are the plots of how our server's cost grows.
func growth(r *results) (found []plot.Lines) {
	for _, l := range []plot.Lines{
		{Name: "scale-idle", Title: "Memory of an idle connection", Unit: "bytes of the server", Across: "connections", Series: []plot.Series{
			grown(r, "resident", bench.ProfileIdle, bench.FigureRSSPer, 1), grown(r, "heap", bench.ProfileIdle, bench.FigureHeapPer, 1)},
			Goals: []plot.Mark{{Value: 2000, Label: "goal: 2,000 resident"}}},
		{Name: "scale-cpu", Title: "Server CPU of a delivery", Unit: "CPU seconds per million deliveries", Across: "connections", Series: []plot.Series{
			grown(r, "10,000 a second", bench.ProfileRate, bench.FigureCPU, 1), grown(r, "saturated", bench.ProfileUnicast, bench.FigureCPU, 1)}},
		{Name: "scale-latency", Title: "Latency at 10,000 frames a second", Unit: "microseconds from the moment a frame is due", Across: "connections", Series: []plot.Series{
			grown(r, "p99", bench.ProfileRate, bench.FigureP99, 1), grown(r, "p50", bench.ProfileRate, bench.FigureP50, 1)}},
		{Name: "scale-offline", Title: "Memory of an offline client with one frame", Unit: "bytes of the server", Across: "offline clients", Series: []plot.Series{
			grown(r, "resident", bench.ProfileOffline, bench.FigureRSSPer, 1), grown(r, "heap", bench.ProfileOffline, bench.FigureHeapPer, 1)},
			Goals: []plot.Mark{{Value: 900, Label: "goal: 900"}}},
	} {
		l.Series = slices.DeleteFunc(l.Series, func(s plot.Series) bool { return len(s.Points) == 0 })
		if len(l.Series) > 0 {
			found = append(found, l)
		}
	}
	return found
}

// grown is one figure of our server by the number of clients.
func grown(r *results, label, profile, figure string, scale float64) plot.Series {
	s := plot.Series{Label: label}
	for _, w := range scaleWorks {
		if w.profile != profile {
			continue
		}
		if spread, ok := (plot.Measure{Work: w.name, Figure: figure, Scale: scale}).Spread(r.runs(), oursName); ok {
			s.Points = append(s.Points, plot.Point{X: float64(w.clients), Spread: spread})
		}
	}
	slices.SortFunc(s.Points, func(a, b plot.Point) int { return cmp.Compare(a.X, b.X) })
	return s
}
