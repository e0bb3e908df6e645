package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/restante/restante/broker"
)

// wakeClients sleep in the store, with wakeFrames frames each.
const (
	wakeClients = 4000
	wakeFrames  = 20
)

// passWake measures a first touch of clients that are in the store only, and a second one when they are in memory.
func passWake(_ time.Duration, _ []string) (r result, err error) {
	dir, err := os.MkdirTemp("", "restante-pass-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	cfg := broker.Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)}
	b, err := broker.New(cfg)
	if err != nil {
		return r, err
	}
	ctx := context.Background()
	for n := range wakeClients {
		var frames [][]byte
		for i := range wakeFrames {
			frames = append(frames, frame(n, i))
		}
		if _, err := b.Client(fmt.Sprintf("c%d", n)).PublishWith(ctx, broker.PublishOptions{}, frames...); err != nil {
			return r, err
		}
	}
	if err := b.Close(); err != nil {
		return r, err
	}
	if b, err = broker.New(cfg); err != nil { // nobody is in memory now
		return r, err
	}
	defer b.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	srv := &http.Server{Handler: b.Handler()}
	go srv.Serve(ln)
	defer srv.Close()

	r = result{Ops: 4 * wakeClients / 2, More: map[string]float64{}}
	for what, call := range map[string]func(n int) error{
		"publish": func(n int) error {
			_, err := b.Publish(ctx, fmt.Sprintf("c%d", 2*n), frame(n, wakeFrames))
			return err
		},
		"attach": func(n int) error { return firstFrame(ln.Addr().String(), fmt.Sprintf("c%d", 2*n+1)) },
	} {
		for _, state := range []string{"asleep", "awake"} {
			took := make([]float64, wakeClients/2)
			for n := range took {
				begin := time.Now()
				if err := call(n); err != nil {
					return r, err
				}
				took[n] = float64(time.Since(begin).Nanoseconds()) / 1e3
			}
			slices.Sort(took)
			r.More[what+" "+state+" p50"], r.More[what+" "+state+" p99"] = took[len(took)/2], took[len(took)*99/100]
		}
	}
	return r, nil
}

// firstFrame dials, attaches, and reads up to the first frame of the replay.
func firstFrame(addr, id string) error {
	c, in, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := attach(c, in, addr, id); err != nil {
		return err
	}
	_, err = text(in)
	return err
}
