package main

import (
	"context"
	"fmt"
	"time"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/bench/plot"
)

// versus has servers do works in turn.
type versus struct {
	passes   int
	works    []work
	servers  []contestant
	settings settings
	results  *results
	// run does one work with a fresh process of one server. An error ends everything; what the server could not do is in the result.
	run func(ctx context.Context, c contestant, w work, s settings, say func(line string)) (bench.Result, error)
	say progress
}

// turn is one run that is to be done.
type turn struct {
	pass   int
	work   work
	server contestant
}

// turns are all runs in their order: the servers alternate within each work of each pass, so that what else the machine does weighs on all of them alike, and
// each pass begins with another one, so that none is always the first.
func (v *versus) turns() (all []turn) {
	for pass := 1; pass <= v.passes; pass++ {
		for _, w := range v.works {
			for i := range v.servers {
				if c := v.servers[(i+pass-1)%len(v.servers)]; c.can(w) {
					all = append(all, turn{pass, w, c})
				}
			}
		}
	}
	return all
}

// all does all runs that are not done yet.
func (v *versus) all(ctx context.Context) error {
	var left []turn
	for _, t := range v.turns() {
		if !v.results.has(t.work.name, t.server.name, t.pass) {
			left = append(left, t)
		}
	}
	began := time.Now()
	for i, t := range left {
		title := fmt.Sprintf("pass %d of %d  %-18s %-12s", t.pass, v.passes, t.work.name, t.server.name)
		at := time.Now().UTC().Truncate(time.Second)
		start := time.Now()
		v.say.begin(title)
		r, err := v.run(ctx, t.server, t.work, v.settings, v.say.line)
		if err != nil {
			return err
		}
		r.Server = t.server.name // the dialect's name may be another: one serves several
		one := record{Run: plot.Run{Work: t.work.name, Pass: t.pass, Result: r}, At: at, TookS: time.Since(start).Round(time.Millisecond).Seconds()}
		if err := v.results.add(one); err != nil {
			return err
		}
		rest := time.Since(began) / time.Duration(i+1) * time.Duration(len(left)-i-1)
		v.say.end(title, one, rest)
	}
	return nil
}
