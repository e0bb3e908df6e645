package plot

import "github.com/restante/restante/bench"

// worked is a comparison as the bench makes it: three passes, servers that cannot do a work, one that fails in it, one that loses frames.
func worked() Table {
	t := Table{
		Ours: "restante", Reference: "handrolled",
		Columns: []Column{
			{"restante", "Restante"}, {"floor-1", "floor, one frame a write"}, {"floor-16", "floor, 16 frames a write"}, {"handrolled", "hand-rolled"},
			{"centrifuge", "centrifuge"}, {"socketio", "socket.io"}, {"nats", "NATS JetStream"}, {"mochi", "mochi MQTT"},
		},
		Rows: []Row{
			{"idle, 19,500 connections", "RSS bytes a connection", Measure{Work: "idle-19500", Figure: bench.FigureRSSPer}, []Goal{{Most: 2000}}},
			{"unicast, 1,000 sockets", "CPU s / 1 M deliveries", Measure{Work: "unicast-1000", Figure: bench.FigureCPU}, []Goal{{Most: 0.7, Against: "handrolled"}}},
			{"unicast, 10,000 sockets", "CPU s / 1 M deliveries", Measure{Work: "unicast-10000", Figure: bench.FigureCPU},
				[]Goal{{Most: 0.65, Against: "handrolled"}, {Most: 1.3, Against: "floor-1"}}},
			{"the last of 10,000 receives after", "ms, median", Measure{Work: "fanout-one-10000", Figure: bench.FigureP50, Scale: 0.001}, []Goal{{Most: 0.65, Against: "handrolled"}}},
			{"storm, 5,000 reconnect", "CPU s", Measure{Work: "storm-5000", Figure: bench.FigureCPUTotal}, []Goal{{Most: 0.5, Against: "handrolled"}}},
			{"backlog", "heap bytes a frame", Measure{Work: "backlog", Figure: bench.FigureHeapPer}, []Goal{{Most: 300}}},
			{"publish, 50 frames a request", "CPU s / 1 M frames", Measure{Work: "publish-many", Figure: bench.FigureCPU}, []Goal{{Most: 0.25, Against: "handrolled", AgainstWork: "publish"}}},
		},
	}
	add := func(work, server, figure string, values ...float64) {
		for i, v := range values {
			t.Runs = append(t.Runs, Run{Work: work, Pass: i + 1, Result: bench.Result{Server: server, Figures: map[string]float64{figure: v}}})
		}
	}
	last := func() *bench.Result { return &t.Runs[len(t.Runs)-1].Result }
	for _, s := range []struct {
		server string
		rss    float64
	}{{"restante", 1910}, {"floor-1", 1254}, {"handrolled", 28014}, {"centrifuge", 32967}, {"socketio", 14615}, {"nats", 95794}, {"mochi", 55626}} {
		add("idle-19500", s.server, bench.FigureRSSPer, s.rss, s.rss*0.98, s.rss*1.03)
	}
	for server, cpu := range map[string][2]float64{"restante": {2.2, 5.1}, "floor-1": {2.8, 4.3}, "floor-16": {0.64, 0.72}, "handrolled": {3.6, 8}, "centrifuge": {7.7, 12.8},
		"socketio": {15.1, 22.8}, "nats": {35, 273}, "mochi": {12.8, 20.2}} {
		add("unicast-1000", server, bench.FigureCPU, cpu[0], cpu[0]*1.3, cpu[0]*0.9)
		add("unicast-10000", server, bench.FigureCPU, cpu[1], cpu[1]*1.3, cpu[1]*0.9)
	}
	add("fanout-one-10000", "restante", bench.FigureP50, 47460, 47460, 47450)
	add("fanout-one-10000", "handrolled", bench.FigureP50, 73000, 73000, 73000)
	add("storm-5000", "restante", bench.FigureCPUTotal, 0.4, 0.41, 0.42)
	last().Lost = 1
	add("storm-5000", "handrolled", bench.FigureCPUTotal, 0.9, 0.91, 1.02)
	add("storm-5000", "socketio", bench.FigureCPUTotal, 0)
	last().Failed = "5,000 clients have not come back within 90 s"
	add("storm-5000", "mochi", bench.FigureCPUTotal, 6.5, 6.6, 6.4)
	last().Disordered = 1234
	add("backlog", "handrolled", bench.FigureHeapPer, 347, 347, 347)
	add("backlog", "socketio", bench.FigureHeapPer, 0, 0, 0)
	add("publish", "handrolled", bench.FigureCPU, 20.2, 22.2, 19.2)
	add("publish-many", "restante", bench.FigureCPU, 4.1, 4.2, 4.3)
	return t
}

// grown is how two figures grow.
func grown() Lines {
	at := func(x, y float64) Point { return Point{x, Spread{y, y * 0.95, y * 1.1}} }
	return Lines{
		Name: "grown", Title: "Server CPU of unicast, by connections", Unit: "CPU seconds per million deliveries", Across: "connections",
		Series: []Series{
			{"saturated", []Point{at(1000, 2.1), at(2000, 2.4), at(5000, 3.2), at(10000, 4.1), at(19500, 5.3)}},
			{"10,000 a second", []Point{at(1000, 9.1), at(2000, 9.4), at(5000, 9.2), at(10000, 9.9), at(19500, 10.3)}},
		},
	}
}

// grownFar is one figure over decades, with a goal.
func grownFar() Lines {
	at := func(x, y float64) Point { return Point{x, Spread{y, y, y}} }
	return Lines{
		Name: "offline", Title: "Memory of an offline client with one frame", Unit: "RSS bytes a client", Across: "offline clients",
		Series: []Series{{"Restante", []Point{at(10000, 1210), at(100000, 860), at(1000000, 845)}}},
		Goals:  []Mark{{900, "goal ≤ 900"}},
	}
}
