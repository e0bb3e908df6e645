package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/bench/plot"
	"github.com/restante/restante/tests/peers/dialects"
	"github.com/restante/restante/tests/peers/nodepeers"
)

// The servers that others are judged by, or with.
const (
	oursName      = "restante"
	floorName     = "floor"
	referenceName = "handrolled"
)

// contestant is one server under test.
type contestant struct {
	// name is what it is called in results, title what in tables, dialect how its clients speak.
	name, title, dialect string
	// program is the Go program that it is, one of those that are built, with args; "" for one of Node's.
	program string
	args    []string
	// only are the profiles that it can do; nil: all that its dialect can.
	only []string
	// extra are those that take part where they are named only.
	extra bool
}

// contestants are all servers, in the order of the table's columns.
var contestants = []contestant{
	{name: oursName, title: "Restante", dialect: "restante", program: "restante", args: []string{"bench", "stand"}},
	{name: "restante-disk", title: "Restante, on disk", dialect: "restante", program: "restante", args: []string{"bench", "stand", "--data-dir", dataDir}, extra: true},
	{name: floorName, title: "floor, 1 frame a write", dialect: "floor", program: "floor",
		only: []string{bench.ProfileIdle, bench.ProfileUnicast, bench.ProfileRate, bench.ProfileFanout, bench.ProfileFanoutOne}},
	{name: "floor-16", title: "floor, 16 frames a write", dialect: "floor", program: "floor", args: []string{"--gather", "16"}, only: []string{bench.ProfileUnicast}},
	{name: referenceName, title: "hand-rolled", dialect: "handrolled", program: "handrolled"},
	{name: "centrifuge", title: "centrifuge", dialect: "centrifuge", program: "centrifuge"},
	{name: "ws", title: "ws (npm)", dialect: "ws"},
	{name: "socketio", title: "socket.io", dialect: "socketio"},
	{name: "socketio-recovery", title: "socket.io, its own recovery", dialect: "socketio-recovery", extra: true},
	{name: "nats", title: "NATS JetStream", dialect: "nats", program: "nats"},
	{name: "mochi", title: "mochi MQTT", dialect: "mochi", program: "mochi"},
}

// chosenServers are the contestants whose names are in the list; all of them but the extra ones where it is empty.
func chosenServers(list string) (found []contestant, err error) {
	if list == "" {
		return slices.DeleteFunc(slices.Clone(contestants), func(c contestant) bool { return c.extra }), nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.ContainsFunc(contestants, func(c contestant) bool { return c.name == name }) {
			return nil, fmt.Errorf("there is no server %q; there are %s", name, strings.Join(namesOf(contestants, func(c contestant) string { return c.name }), ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(contestants), func(c contestant) bool { return !slices.Contains(names, c.name) }), nil
}

// can reports whether the contestant can do a work: the dialect says whether its server is published to by HTTP.
func (c contestant) can(w work) bool {
	if c.only != nil {
		return slices.Contains(c.only, w.profile)
	}
	frames := map[string]int{bench.ProfilePublish: 1, bench.ProfilePublishMany: 50}[w.profile]
	if frames == 0 {
		return true
	}
	d, err := dialects.ByName(c.dialect)
	if err != nil {
		return true // the run says so
	}
	_, _, _, ok := d.Publish("client", slices.Repeat([][]byte{[]byte("{}")}, frames))
	return ok
}

// dataDir stands among args for a directory that is empty before each run.
const dataDir = "{data}"

// command starts the contestant's process, of a program in the directory programs. It may keep what it likes in data, until it has ended.
func (c contestant) command(programs, data, listen string) (*exec.Cmd, error) {
	if c.program == "" {
		return nodepeers.Start(c.name, listen)
	}
	args := slices.Concat(c.args, []string{"--listen", listen})
	if at := slices.Index(args, dataDir); at >= 0 {
		args[at] = data
	}
	cmd := exec.Command(filepath.Join(programs, c.program), args...)
	return cmd, start(cmd)
}

// columns are the contestants in the table.
func columns(all []contestant) (columns []plot.Column) {
	for _, c := range all {
		columns = append(columns, plot.Column{Server: c.name, Title: c.title})
	}
	return columns
}
