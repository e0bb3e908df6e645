package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/restante/restante/broker"
)

// costs measures what the store costs: against memory, at a first touch, and on the disk.
func (b *bench) costs() error {
	pass := func(mode string) contestant {
		return contestant{"broker, in process, " + mode, func() (result, error) { return b.child(nil, "broker", mode) }}
	}
	batches := func(name string, flags ...string) contestant {
		return contestant{"broker, batches of 50, " + name, func() (result, error) {
			return b.against(b.ours(flags...), "ndjson", strconv.Itoa(batch))
		}}
	}
	memory, never := pass("memory"), pass("never")
	manyMemory, manyNever := batches("memory", "--memory"), batches("never", "--sync", "never")
	results, err := b.alternate(memory, never, manyMemory, manyNever)
	if err != nil {
		return err
	}
	show("What --sync never costs, against --memory", results, memory, never, manyMemory, manyNever)
	for _, pair := range [][2]contestant{{memory, never}, {manyMemory, manyNever}} {
		fmt.Printf("  processor time of %s: %.2f × that of memory\n", pair[1].name, spread(results[pair[1].name], result.cpuMillion).median/spread(results[pair[0].name], result.cpuMillion).median)
	}
	wake, err := b.child(nil, "wake")
	if err != nil {
		return err
	}
	fmt.Printf("\nA first touch: %d clients of %d frames in the store, none in memory, one call at a time, --sync always (microseconds)\n", wakeClients, wakeFrames)
	for _, what := range []string{"publish", "attach"} {
		fmt.Printf("  %-10s asleep: p50 %.0f, p99 %.0f   awake: p50 %.0f, p99 %.0f\n", what,
			wake.More[what+" asleep p50"], wake.More[what+" asleep p99"], wake.More[what+" awake p50"], wake.More[what+" awake p99"])
	}
	return b.disk()
}

// diskBytes is how much the frames of one kind come to, before they are measured on the disk.
const diskBytes = 128 << 20

// disk measures how much of the disk a frame takes, of lines of a real program and of random letters.
func (b *bench) disk() error {
	list := exec.Command("go", "list", "-deps", "-json", "std")
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	var lines [][]byte
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		text, err := json.Marshal(s.Text())
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Appendf(nil, `{"type":"line","text":%s}`, text))
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	rnd, pad := rand.New(rand.NewPCG(3, 4)), make([]byte, frameBytes-len(`{"type":"x","pad":""}`))
	random := func() []byte {
		for i := range pad {
			pad[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		return fmt.Appendf(nil, `{"type":"x","pad":"%s"}`, pad)
	}
	next := 0
	line := func() []byte {
		next++
		return lines[next%len(lines)]
	}
	fmt.Printf("\nThe disk, after an end in order, of %d MiB of frames\n", diskBytes>>20)
	if err := b.diskOf("lines of go list -deps -json std", line); err != nil {
		return err
	}
	return b.diskOf("random letters, of 6 bits each", random)
}

// diskOf publishes frames to one client after the other, and measures the directory.
func (b *bench) diskOf(name string, next func() []byte) error {
	dir, err := os.MkdirTemp(b.dir, "disk-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	br, err := broker.New(broker.Config{DataDir: dir, Sync: "never", MaxFrames: -1, MaxOutboxBytes: -1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	count, raw := 0, 0
	for raw < diskBytes && err == nil {
		call := make([][]byte, batch)
		for i := range call {
			call[i] = next()
			raw += len(call[i])
		}
		_, err = br.Client(fmt.Sprintf("c%d", count/50_000)).PublishWith(context.Background(), broker.PublishOptions{}, call...)
		count += len(call)
	}
	if closed := br.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	tables, all, err := sizes(dir)
	if err != nil {
		return err
	}
	fmt.Printf("  %-34s %d frames of %.1f bytes: %.1f bytes of tables each; logs and the rest, which do not grow with them, %.1f MiB\n",
		name, count, float64(raw)/float64(count), float64(tables)/float64(count), float64(all-tables)/(1<<20))
	return nil
}

// sizes adds up the files of a store's directory: those of tables, and all.
func sizes(dir string) (tables, all int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".sst" {
			tables += info.Size()
		}
		all += info.Size()
		return nil
	})
	return tables, all, err
}
