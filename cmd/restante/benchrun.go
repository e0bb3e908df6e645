package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/bench/plot"
	"github.com/restante/restante/cmd/restante/child"
)

// benchRunCmd is bench.Run.
type benchRunCmd struct {
	Profile  []string `arg:"" optional:"" help:"What is run: idle, unicast, rate, fanout, fanout-one, storm, backlog, offline, churn, publish, publish-many. All of them by default."`
	Clients  count    `default:"0" help:"How many clients there are; 0: as many as the profile has by itself."`
	Duration duration `default:"5s" help:"How long a profile that goes on is measured."`
	Warmup   duration `default:"2s" help:"How long it has gone on before that."`
	Passes   count    `default:"1" help:"How often each profile is run."`
	URL      string   `name:"url" placeholder:"URL" help:"A server that was started with restante bench stand; by default each run starts one of its own."`
	PID      int      `name:"pid" placeholder:"PID" help:"The process of --url."`
	DataDir  string   `type:"path" placeholder:"DIR" help:"Have the server keep its clients on disk, in a folder below this one; by default in memory."`
	JSON     string   `name:"json" placeholder:"FILE" help:"Write the results as JSON, too; - is standard output, in place of the table."`
	SVG      string   `name:"svg" placeholder:"DIR" help:"Draw a plot of each profile into this folder."`
}

// Run prints a line for each result. It fails where a frame was lost, came twice or out of order, or a profile could not be finished.
func (c *benchRunCmd) Run(p *process, log *slog.Logger) error {
	ctx, cancel := untilSignal(p.signals())
	defer cancel()
	if (c.URL == "") != (c.PID == 0) {
		return usageError{errors.New("--url and --pid go together: the server's processor time is its process's")}
	}
	profiles := c.Profile
	if len(profiles) == 0 {
		profiles = bench.Profiles()
	}
	for _, name := range profiles {
		if !slices.Contains(bench.Profiles(), name) {
			return usageError{fmt.Errorf("there is no profile %q; there are %s", name, strings.Join(bench.Profiles(), ", "))}
		}
	}
	var runs []plot.Run
	for pass := range max(int(c.Passes), 1) {
		for _, name := range profiles {
			r, err := c.one(ctx, name, p, log)
			if err != nil {
				return interrupted(ctx, err)
			}
			runs = append(runs, plot.Run{Work: name, Pass: pass + 1, Result: r})
		}
	}
	return c.report(p.out, runs)
}

// one runs one profile.
func (c *benchRunCmd) one(ctx context.Context, profile string, p *process, log *slog.Logger) (r bench.Result, err error) {
	url, pid := c.URL, c.PID
	if url == "" {
		self, err := os.Executable()
		if err != nil {
			return r, err
		}
		args := []string{"bench", "stand", "--log-level", "error"}
		if c.DataDir != "" {
			dir, err := c.folder()
			if err != nil {
				return r, err
			}
			defer os.RemoveAll(dir)
			args = append(args, "--data-dir", dir)
		}
		s, err := child.Start(ctx, self, p.err, nil, args...)
		if err != nil {
			return r, err
		}
		defer s.Stop()
		url, pid = s.URL, s.PID()
	}
	return bench.Run{
		URL: url, PID: pid, Dialect: bench.Restante{}, Profile: profile, Clients: max(int(c.Clients), 0), Duration: time.Duration(c.Duration), Warmup: time.Duration(c.Warmup),
		Say: func(format string, args ...any) { log.Info(fmt.Sprintf(format, args...)) },
	}.Do(ctx)
}

// folder makes a new one for a server to keep its clients in.
func (c *benchRunCmd) folder() (string, error) {
	if err := os.MkdirAll(c.DataDir, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(c.DataDir, "bench-")
}

func (c *benchRunCmd) report(out io.Writer, runs []plot.Run) error {
	if c.JSON != "" {
		if err := writeResults(out, c.JSON, runs); err != nil {
			return err
		}
	}
	if c.JSON != "-" {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, r := range runs {
			fmt.Fprintf(table, "%s\t%d clients\t%s\n", r.Profile, r.Clients, figuresOf(r.Result))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if c.SVG != "" {
		if err := drawResults(c.SVG, runs); err != nil {
			return err
		}
	}
	for _, r := range runs {
		if r.Failed != "" || r.Lost+r.Doubled+r.Disordered > 0 {
			return status(exitFailed)
		}
	}
	return nil
}

// figuresOf is what a result says, in one line.
func figuresOf(r bench.Result) string {
	var parts []string
	names := make([]string, 0, len(r.Figures))
	for name := range r.Figures {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		parts = append(parts, name+"="+plot.Number(r.Figures[name]))
	}
	for _, x := range []struct {
		what string
		n    uint64
	}{{"LOST", r.Lost}, {"DOUBLED", r.Doubled}, {"DISORDERED", r.Disordered}} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", x.what, x.n))
		}
	}
	if r.Failed != "" {
		parts = append(parts, "FAILED: "+r.Failed)
	}
	return strings.Join(parts, "  ")
}

func writeResults(out io.Writer, file string, runs []plot.Run) error {
	text, err := json.MarshalIndent(runs, "", "  ")
	if err != nil {
		return err
	}
	if text = append(text, '\n'); file == "-" {
		_, err = out.Write(text)
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// drawResults draws the figure that matters most of each profile.
func drawResults(dir string, runs []plot.Run) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	table := plot.Table{Runs: runs, Columns: []plot.Column{{Server: "restante", Title: "restante"}}, Ours: "restante"}
	var done []string
	for _, r := range runs {
		figure, has := mainFigures[r.Profile]
		if !has || slices.Contains(done, r.Profile) {
			continue
		}
		done = append(done, r.Profile)
		row := plot.Row{Title: fmt.Sprintf("%d clients", r.Clients), Measure: plot.Measure{Work: r.Profile, Figure: figure}}
		svg := table.Bars(r.Profile, r.Profile, figure, row).SVG()
		if err := os.WriteFile(filepath.Join(dir, r.Profile+".svg"), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}

var mainFigures = map[string]string{
	bench.ProfileIdle: bench.FigureRSSPer, bench.ProfileUnicast: bench.FigureCPU, bench.ProfileRate: bench.FigureP99, bench.ProfileFanout: bench.FigureCPU,
	bench.ProfileFanoutOne: bench.FigureP50, bench.ProfileStorm: bench.FigureCPUTotal, bench.ProfileBacklog: bench.FigureRSSPer, bench.ProfileOffline: bench.FigureRSSPer,
	bench.ProfileChurn: bench.FigureCPUVisit, bench.ProfilePublish: bench.FigureCPU, bench.ProfilePublishMany: bench.FigureCPU,
}
