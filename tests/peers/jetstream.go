package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/restante/restante/broker"
)

// jetstream compares publishing in process: each publisher waits for its answer, which comes after the sync. JetStream is given its frames
// in one stream with a subject each, and in a stream each; the better of the two counts.
func (b *bench) jetstream() error {
	pass := func(name string, args ...string) contestant {
		return contestant{strings.Join(append([]string{name}, args...), " "), func() (result, error) { return b.child(nil, name, args...) }}
	}
	ours, one, many := pass("broker", "always"), pass("jetstream", "one"), pass("jetstream", "many")
	results, err := b.alternate(ours, one, many)
	if err != nil {
		return err
	}
	rates := show(fmt.Sprintf("In process, %d publishers, %d-byte frames, one by one, each synced before its answer", workers, frameBytes), results, ours, one, many)
	goal("the broker, times the better of JetStream's", rates[ours.name]/max(rates[one.name], rates[many.name]), 5)
	for _, c := range []struct {
		name string
		args []string
	}{{"broker", []string{"always"}}, {"jetstream", []string{"one"}}, {"jetstream", []string{"many"}}} {
		fmt.Printf("  publishes per sync, %s %s: %s\n", c.name, c.args[0], b.perSync(c.name, c.args...))
	}
	return nil
}

// perSync runs one pass more under strace, which stops the process at each sync, and so slows it; the ratio is of that pass alone.
// A file opened with O_SYNC syncs at each write too: such writes are not seen by it.
func (b *bench) perSync(pass string, args ...string) string {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return "not counted, since strace is not installed"
	}
	counts := filepath.Join(b.dir, "syncs")
	r, err := b.child([]string{strace, "-f", "--seccomp-bpf", "-qq", "-o", counts, "-e", "trace=fsync,fdatasync,sync_file_range,msync"}, pass, args...)
	if err != nil {
		return "not counted: " + strings.TrimSpace(err.Error())
	}
	log, err := os.ReadFile(counts)
	if err != nil {
		return "not counted: " + err.Error()
	}
	syncs := 0
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "sync(") && !strings.Contains(line, "resumed") { // begun, each once; sync_file_range( is none
			syncs++
		}
	}
	return strconv.FormatFloat(float64(r.Ops)/float64(max(syncs, 1)), 'f', 2, 64) + fmt.Sprintf(" (%d to %d)", r.Ops, syncs)
}

// passBroker publishes to a broker in this process: "always", "never" or another way to sync, or "memory".
func passBroker(length time.Duration, args []string) (r result, err error) {
	cfg := broker.Config{Logger: slog.New(slog.DiscardHandler)}
	if args[0] != "memory" {
		if cfg.DataDir, err = os.MkdirTemp("", "restante-pass-"); err != nil {
			return r, err
		}
		defer os.RemoveAll(cfg.DataDir)
		cfg.Sync = args[0]
	}
	b, err := broker.New(cfg)
	if err != nil {
		return r, err
	}
	defer b.Close()
	ctx := context.Background()
	clients := make([]*broker.Client, workers)
	for w := range clients {
		clients[w] = b.Client(fmt.Sprintf("c%d", w))
		if _, err := clients[w].Publish(ctx, frame(w, 0)); err != nil {
			return r, err
		}
	}
	return together(length, func(w, n int) (int, error) {
		_, err := clients[w].Publish(ctx, frame(w, n))
		return 1, err
	})
}

// passJetStream publishes to a JetStream server in this process, over in-process connections: into "one" stream, or "many".
func passJetStream(length time.Duration, args []string) (r result, err error) {
	dir, err := os.MkdirTemp("", "restante-pass-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	s, err := server.NewServer(&server.Options{JetStream: true, StoreDir: dir, SyncAlways: true, DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		return r, err
	}
	s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		return r, fmt.Errorf("the NATS server does not start")
	}
	streams := make([]nats.JetStreamContext, workers)
	for w := range streams {
		nc, err := nats.Connect("", nats.InProcessServer(s))
		if err != nil {
			return r, err
		}
		defer nc.Close()
		if streams[w], err = nc.JetStream(); err != nil {
			return r, err
		}
		cfg := &nats.StreamConfig{Name: "all", Subjects: []string{"c.*"}, Storage: nats.FileStorage}
		if args[0] == "many" {
			// As many messages as an outbox retains.
			cfg = &nats.StreamConfig{Name: fmt.Sprintf("s%d", w), Subjects: []string{fmt.Sprintf("c.%d", w)}, Storage: nats.FileStorage, MaxMsgs: 10_000}
		}
		if args[0] == "many" || w == 0 {
			if _, err := streams[w].AddStream(cfg); err != nil {
				return r, err
			}
		}
	}
	return together(length, func(w, n int) (int, error) {
		_, err := streams[w].Publish(fmt.Sprintf("c.%d", w), frame(w, n))
		return 1, err
	})
}
