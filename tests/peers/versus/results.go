package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/bench/plot"
)

// settings are what all runs of one file have in common. Durations are in nanoseconds.
type settings struct {
	Servers  []string      `json:"servers"`
	Duration time.Duration `json:"duration"`
	Warmup   time.Duration `json:"warmup"`
}

// record is one run as it is kept.
type record struct {
	plot.Run
	At    time.Time `json:"at"`
	TookS float64   `json:"took_s"`
}

// results is all that was measured, as it stands in a file. It is written after each run.
type results struct {
	Machine  machine  `json:"machine"`
	Settings settings `json:"settings"`
	Runs     []record `json:"runs"`

	file string
}

// openResults begins a file, or goes on with it where resume says so. What was measured elsewhere, of another source or with other settings is not mixed with
// what will be: it is an error to go on with it. So is a file that is there without resume.
func openResults(file string, m machine, s settings, resume bool) (*results, error) {
	old, err := loadResults(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &results{Machine: m, Settings: s, file: file}, nil
	case err != nil:
		return nil, err
	case !resume:
		return nil, fmt.Errorf("there are results in %s already: go on with them by --resume, or take another --out", file)
	}
	if differs := old.differs(m, s); differs != "" {
		return nil, fmt.Errorf("the results in %s cannot be gone on with: %s; take another --out", file, differs)
	}
	return old, nil
}

func loadResults(file string) (*results, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &results{file: file}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// differs says what is not as it was; "" where all is.
func (r *results) differs(m machine, s settings) string {
	for _, c := range []struct{ what, was, is string }{
		{"the processor", r.Machine.CPU, m.CPU}, {"the number of cores", fmt.Sprint(r.Machine.Cores), fmt.Sprint(m.Cores)}, {"the kernel", r.Machine.Kernel, m.Kernel},
		{"Go", r.Machine.Go, m.Go}, {"Node", r.Machine.Node, m.Node}, {"the source's commit", r.Machine.Commit, m.Commit},
		{"--servers", strings.Join(r.Settings.Servers, ","), strings.Join(s.Servers, ",")},
		{"the duration", r.Settings.Duration.String(), s.Duration.String()}, {"the warm-up", r.Settings.Warmup.String(), s.Warmup.String()},
	} {
		if c.was != c.is {
			return fmt.Sprintf("%s was %q and is %q", c.what, c.was, c.is)
		}
	}
	return ""
}

// has reports whether the run is there already. A failed one is: to fail is a result.
func (r *results) has(work, server string, pass int) bool {
	return slices.ContainsFunc(r.Runs, func(is record) bool { return is.Work == work && is.Server == server && is.Pass == pass })
}

// add adds a run and writes the file. Whenever the program ends, the file is whole.
func (r *results) add(one record) error {
	r.Runs = append(r.Runs, one)
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(r.file+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(r.file+".new", r.file)
}

// runs are the runs as plots want them.
func (r *results) runs() (runs []plot.Run) {
	for _, one := range r.Runs {
		runs = append(runs, one.Run)
	}
	return runs
}

// faults is an error where our server has lost, doubled or disordered frames, or has not finished a work.
func (r *results) faults() error {
	for _, one := range r.Runs {
		if trouble := one.Trouble(); one.Server == oursName && trouble != "" {
			return fmt.Errorf("our server has faults: %s, pass %d: %s", one.Work, one.Pass, trouble)
		}
	}
	return nil
}
