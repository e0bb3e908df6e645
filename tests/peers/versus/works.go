package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/bench/plot"
)

// work is one profile with its number of clients: what each server does in turn.
type work struct {
	name, profile string
	clients       int
}

// works are all works, in the order in which they are done in each pass.
var works = []work{
	{"idle-19500", bench.ProfileIdle, 19_500},
	{"unicast-1000", bench.ProfileUnicast, 1_000},
	{"unicast-10000", bench.ProfileUnicast, 10_000},
	{"rate-10000", bench.ProfileRate, 10_000},
	{"fanout-10000", bench.ProfileFanout, 10_000},
	{"fanout-one-10000", bench.ProfileFanoutOne, 10_000},
	{"storm-5000", bench.ProfileStorm, 5_000},
	{"backlog-10000", bench.ProfileBacklog, 10_000},
	{"offline-100000", bench.ProfileOffline, 100_000},
	{"churn-1000", bench.ProfileChurn, 1_000},
	{"publish-1000", bench.ProfilePublish, 1_000},
	{"publish-many-1000", bench.ProfilePublishMany, 1_000},
}

// scaleWorks show how the cost of our server grows.
var scaleWorks = func() (all []work) {
	for _, profile := range []string{bench.ProfileIdle, bench.ProfileUnicast, bench.ProfileRate} {
		for _, n := range []int{1_000, 2_000, 5_000, 10_000, 19_500} {
			all = append(all, work{fmt.Sprintf("%s-%d", profile, n), profile, n})
		}
	}
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		all = append(all, work{fmt.Sprintf("%s-%d", bench.ProfileOffline, n), bench.ProfileOffline, n})
	}
	return all
}()

// chosen are the works of all whose names are in the list, or whose profiles are; all of them where the list is empty.
func chosen(all []work, list string) (found []work, err error) {
	if list == "" {
		return all, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.ContainsFunc(all, func(w work) bool { return w.name == name || w.profile == name }) {
			return nil, fmt.Errorf("there is no work %q; there are %s", name, strings.Join(namesOf(all, func(w work) string { return w.name }), ", "))
		}
	}
	for _, w := range all {
		if slices.Contains(names, w.name) || slices.Contains(names, w.profile) {
			found = append(found, w)
		}
	}
	return found, nil
}

// namesOf are the names of all.
func namesOf[T any](all []T, name func(T) string) (names []string) {
	for _, one := range all {
		names = append(names, name(one))
	}
	return names
}

// The units of figures.
const (
	perMillion = "CPU s / 1 M deliveries"
	perFrame   = "CPU s / 1 M frames"
)

// rows is the table: what each work is judged by. The goals are those of the project, set before anything was measured.
var rows = []plot.Row{
	row("idle connection, 19,500", "RSS bytes", "idle-19500", bench.FigureRSSPer, 1, plot.Goal{Most: 2000}),
	row("unicast, 1,000 sockets, saturated", perMillion, "unicast-1000", bench.FigureCPU, 1, times(0.7)),
	row("unicast, 10,000 sockets, saturated", perMillion, "unicast-10000", bench.FigureCPU, 1, times(0.65), plot.Goal{Most: 1.3, Against: floorName}),
	row("10,000/s over 10,000 sockets", perMillion, "rate-10000", bench.FigureCPU, 1, times(0.8)),
	row("10,000/s over 10,000 sockets, latency", "µs, p99", "rate-10000", bench.FigureP99, 1, times(1)),
	row("fan-out to 10,000", perMillion, "fanout-10000", bench.FigureCPU, 1, times(0.6)),
	row("fan-out, last of 10,000 receives after", "ms, p50", "fanout-one-10000", bench.FigureP50, 0.001, times(0.65)),
	row("storm: 5,000 reconnect, 100 missed frames each", "CPU s", "storm-5000", bench.FigureCPUTotal, 1, times(0.5)),
	row("backlog, a retained frame, heap", "bytes", "backlog-10000", bench.FigureHeapPer, 1, plot.Goal{Most: 300}),
	row("backlog, a retained frame, RSS", "bytes", "backlog-10000", bench.FigureRSSPer, 1, plot.Goal{Most: 300}),
	row("offline client with one frame, heap", "bytes", "offline-100000", bench.FigureHeapPer, 1, plot.Goal{Most: 900}),
	row("offline client with one frame, RSS", "bytes", "offline-100000", bench.FigureRSSPer, 1, plot.Goal{Most: 900}),
	row("churn: connect, resume, leave", "CPU ms", "churn-1000", bench.FigureCPUVisit, 1, times(1)),
	row("publish by HTTP, one frame a request", perFrame, "publish-1000", bench.FigureCPU, 1, times(0.9)),
	row("publish by HTTP, 50 frames a request", perFrame, "publish-many-1000", bench.FigureCPU, 1,
		plot.Goal{Most: 0.25, Against: referenceName, AgainstWork: "publish-1000"}),
}

func row(title, unit, work, figure string, scale float64, goals ...plot.Goal) plot.Row {
	return plot.Row{Title: title, Unit: unit, Measure: plot.Measure{Work: work, Figure: figure, Scale: scale}, Goals: goals}
}

// times is a goal against the hand-rolled server in the same pass and work.
func times(most float64) plot.Goal { return plot.Goal{Most: most, Against: referenceName} }
