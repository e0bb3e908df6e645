package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/bench/plot"
)

// world is a versus whose runs take no time; it notes them.
type world struct {
	*versus
	ran []string
	// end, if it is not "", is the run that is broken off.
	end string
}

var errBroken = errors.New("broken off")

func newWorld(t *testing.T, dir string, passes int, list string, resume bool) *world {
	t.Helper()
	servers, err := chosenServers("restante,floor,handrolled,ws")
	if err != nil {
		t.Fatal(err)
	}
	picked, err := chosen(works, list)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{versus: &versus{passes: passes, servers: servers, works: picked, say: progress{out: io.Discard}}}
	w.settings = settings{Servers: namesOf(servers, func(c contestant) string { return c.name }), Duration: time.Second, Warmup: time.Second}
	if w.results, err = openResults(filepath.Join(dir, resultsFile), machine{CPU: "a", Cores: 2}, w.settings, resume); err != nil {
		t.Fatal(err)
	}
	w.run = func(_ context.Context, c contestant, wk work, _ settings, _ func(string)) (bench.Result, error) {
		name := wk.name + " " + c.name
		if name == w.end {
			return bench.Result{}, errBroken
		}
		w.ran = append(w.ran, name)
		r := bench.Result{Server: c.dialect, Profile: wk.profile, Clients: wk.clients, Figures: map[string]float64{}}
		for i, f := range figures {
			r.Figures[f.name] = float64(i + len(w.ran))
		}
		return r, nil
	}
	return w
}

// TestServersAlternate wants every server in each work before the next, another one first in each pass, and none with a work that it cannot do.
func TestServersAlternate(t *testing.T) {
	w := newWorld(t, t.TempDir(), 2, "unicast-1000,storm", false)
	if err := w.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"unicast-1000 restante", "unicast-1000 floor", "unicast-1000 handrolled", "unicast-1000 ws",
		"storm-5000 restante", "storm-5000 handrolled", "storm-5000 ws",
		"unicast-1000 floor", "unicast-1000 handrolled", "unicast-1000 ws", "unicast-1000 restante",
		"storm-5000 handrolled", "storm-5000 ws", "storm-5000 restante",
	}
	if !slices.Equal(w.ran, want) {
		t.Errorf("the runs are %q", w.ran)
	}
	for _, one := range w.results.Runs {
		if !slices.Contains(w.settings.Servers, one.Server) {
			t.Errorf("a run is said to be of %q", one.Server)
		}
	}
}

// TestWhatWasBrokenOffIsGoneOnWith breaks off in each run in turn, goes on, and wants each run once, and those that were done kept as they were.
func TestWhatWasBrokenOffIsGoneOnWith(t *testing.T) {
	whole := newWorld(t, t.TempDir(), 1, "idle,unicast-1000,churn", false)
	if err := whole.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, end := range whole.ran {
		dir := t.TempDir()
		first := newWorld(t, dir, 1, "idle,unicast-1000,churn", false)
		first.end = end
		if err := first.all(t.Context()); !errors.Is(err, errBroken) || len(first.ran) != i {
			t.Fatalf("%v after %d runs, which was to be broken off after %d", err, len(first.ran), i)
		}
		second := newWorld(t, dir, 1, "idle,unicast-1000,churn", true)
		kept := slices.Clone(second.results.Runs)
		if err := second.all(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := slices.Concat(first.ran, second.ran); !slices.Equal(got, whole.ran) {
			t.Fatalf("the runs are %q", got)
		}
		read, err := loadResults(filepath.Join(dir, resultsFile))
		if err != nil || len(read.Runs) != len(whole.ran) {
			t.Fatalf("%v, %d runs are kept", err, len(read.Runs))
		}
		for n, one := range kept {
			if read.Runs[n].At != one.At || !maps.Equal(read.Runs[n].Figures, one.Figures) {
				t.Fatalf("run %d was %+v and is %+v", n, one, read.Runs[n])
			}
		}
	}
}

// TestResultsAreNotMixed goes on with a file after something has changed.
func TestResultsAreNotMixed(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir, 1, "idle", false)
	if err := w.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, resultsFile)
	if _, err := openResults(file, w.results.Machine, w.settings, false); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("a file that is there was begun anew: %v", err)
	}
	later := w.results.Machine
	later.Date = time.Now()
	if _, err := openResults(file, later, w.settings, true); err != nil {
		t.Errorf("on another day: %v", err)
	}
	for what, change := range map[string]func(m *machine, s *settings){
		"processor": func(m *machine, _ *settings) { m.CPU = "b" }, "cores": func(m *machine, _ *settings) { m.Cores = 4 },
		"kernel": func(m *machine, _ *settings) { m.Kernel = "7" }, "Go": func(m *machine, _ *settings) { m.Go = "go2" },
		"Node": func(m *machine, _ *settings) { m.Node = "v1" }, "commit": func(m *machine, _ *settings) { m.Commit = "c+" },
		"--servers": func(_ *machine, s *settings) { s.Servers = s.Servers[1:] }, "duration": func(_ *machine, s *settings) { s.Duration++ },
		"warm-up": func(_ *machine, s *settings) { s.Warmup++ },
	} {
		m, s := w.results.Machine, w.settings
		change(&m, &s)
		if _, err := openResults(file, m, s, true); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("with another %s: %v", what, err)
		}
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openResults(file, w.results.Machine, w.settings, true); err == nil {
		t.Error("half a file was gone on with")
	}
}

// TestReport wants a plot for each subject, each of which the text shows, and every run's figures in it.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir, 3, "", false)
	if err := w.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	table, err := report(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, reportFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if !strings.Contains(table, row.Title) {
			t.Errorf("the table lacks %s", row.Title)
		}
	}
	if !strings.Contains(string(text), table) || !strings.Contains(string(text), "Medians of 3 passes") {
		t.Errorf("the report is\n%s", text)
	}
	for _, p := range plots {
		svg, err := os.ReadFile(filepath.Join(dir, p.name+".svg"))
		if err != nil || !strings.Contains(string(svg), "Restante") || !strings.Contains(string(text), "("+p.name+".svg)") {
			t.Errorf("%s: %v\n%s", p.name, err, svg)
		}
	}
	if _, err := report(t.TempDir()); err == nil {
		t.Error("there is a report of nothing")
	}
}

// TestGrowth draws the four plots of how the cost grows.
func TestGrowth(t *testing.T) {
	dir := t.TempDir()
	ours, _ := chosenServers(oursName)
	r, err := openResults(filepath.Join(dir, scaleFile), machine{}, settings{Servers: []string{oursName}}, false)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, t.TempDir(), 2, "", false)
	w.servers, w.works, w.results = ours, scaleWorks, r
	if err := w.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := report(dir); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]string{"scale-idle": "19,500", "scale-cpu": "19,500", "scale-latency": "19,500", "scale-offline": "1,000,000"} {
		svg, err := os.ReadFile(filepath.Join(dir, name+".svg"))
		if err != nil || !strings.Contains(string(svg), "at "+end) {
			t.Errorf("%s: %v\n%s", name, err, svg)
		}
	}
}

// TestFaultsOfOursAreAnError passes over those of others.
func TestFaultsOfOursAreAnError(t *testing.T) {
	r := &results{Runs: []record{{Run: plot.Run{Work: "w", Pass: 1, Result: bench.Result{Server: "ws", Lost: 3}}}}}
	if err := r.faults(); err != nil {
		t.Error(err)
	}
	r.Runs = append(r.Runs, record{Run: plot.Run{Work: "w", Pass: 2, Result: bench.Result{Server: oursName, Lost: 3}}})
	if err := r.faults(); err == nil || !strings.Contains(err.Error(), "w, pass 2: 3 lost") {
		t.Error(err)
	}
}

// TestRowsAreOfWorks wants each row to be of a work that is done, each work to have a row, and each goal's rivals to be contestants that can do it.
func TestRowsAreOfWorks(t *testing.T) {
	done := map[string]work{}
	for _, w := range works {
		done[w.name] = w
		if want := fmt.Sprintf("%s-%d", w.profile, w.clients); w.name != want {
			t.Errorf("%s is called %s", want, w.name)
		}
		if !slices.ContainsFunc(rows, func(r plot.Row) bool { return r.Work == w.name }) {
			t.Errorf("%s is in no row", w.name)
		}
	}
	for _, r := range rows {
		if _, ok := done[r.Work]; !ok {
			t.Errorf("%s is of %s, which nobody does", r.Title, r.Work)
		}
		for _, g := range r.Goals {
			in := done[cmp.Or(g.AgainstWork, r.Work)]
			if g.Against != "" && !slices.ContainsFunc(contestants, func(c contestant) bool { return c.name == g.Against && c.can(in) }) {
				t.Errorf("the goal of %s is against %s in %s", r.Title, g.Against, in.name)
			}
		}
	}
}

func TestNamesThatAreNot(t *testing.T) {
	if _, err := chosen(works, "idle,nothing"); err == nil || !strings.Contains(err.Error(), "unicast-1000") {
		t.Error(err)
	}
	if _, err := chosenServers("nobody"); err == nil || !strings.Contains(err.Error(), "handrolled") {
		t.Error(err)
	}
}
