package main

import (
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/broker"
)

// storage parses flags as serve does.
func storage(t *testing.T, args ...string) broker.Config {
	t.Helper()
	var c struct {
		Storage storageFlags `embed:""`
	}
	parser, err := kong.New(&c, kong.DefaultEnvars("RESTANTE"))
	require.NoError(t, err)
	_, err = parser.Parse(args)
	require.NoError(t, err)
	var cfg broker.Config
	require.NoError(t, c.Storage.into(&cfg))
	return cfg
}

// TestStorageFlags holds each flag to the field that it sets, and what --help says of its default to what it is.
func TestStorageFlags(t *testing.T) {
	defaults := broker.Config{DataDir: "./restante-data", Sync: "always", MemoryLimit: 256 << 20, SleepAfter: 10 * time.Minute, SpillAbove: 64 << 10}
	require.Equal(t, defaults, storage(t))
	help := newCommand()
	require.Equal(t, exitOK, help.run("", "serve", "--help"))
	for _, flag := range []string{"--data-dir=./restante-data", "--sync=always", "--memory-limit=256MiB", "--sleep-after=10m", "--spill-above=64KiB"} {
		require.Contains(t, help.out.String(), flag)
	}
	require.Zero(t, storage(t, "--memory"))

	for flag, set := range map[string]func(*broker.Config){
		"--data-dir=x":         func(c *broker.Config) { c.DataDir = "x" },
		"--sync=interval:50ms": func(c *broker.Config) { c.Sync = "interval:50ms" },
		"--sync=never":         func(c *broker.Config) { c.Sync = "never" },
		"--memory-limit=1MiB":  func(c *broker.Config) { c.MemoryLimit = 1 << 20 },
		"--memory-limit=off":   func(c *broker.Config) { c.MemoryLimit = -1 },
		"--sleep-after=1s":     func(c *broker.Config) { c.SleepAfter = time.Second },
		"--spill-above=off":    func(c *broker.Config) { c.SpillAbove = -1 },
	} {
		want := defaults
		set(&want)
		require.Equal(t, want, storage(t, flag), flag)
	}
}

func TestMemoryExcludesEveryFlagOfTheDisk(t *testing.T) {
	for _, flag := range []string{"--data-dir=x", "--sync=never", "--memory-limit=off", "--sleep-after=1s", "--spill-above=0"} {
		c := newCommand()
		require.Equal(t, exitUsage, c.run("", "serve", "--memory", flag), flag)
		require.Contains(t, c.err.String(), "--memory keeps nothing on disk")
	}
	t.Setenv("RESTANTE_DATA_DIR", "/nowhere")
	c := newCommand()
	require.Equal(t, exitUsage, c.run("", "serve", "--memory"), "nor from the environment: which of the two was meant is not for us to guess")
	require.Equal(t, "/nowhere", storage(t).DataDir)
}

func TestTheLogNamesTheStore(t *testing.T) {
	require.Equal(t, []any{"store", "memory"}, storeAttrs(broker.Config{}))
	require.Equal(t, []any{"store", "/data/restante", "sync", "interval:50ms"}, storeAttrs(broker.Config{DataDir: "/data/restante", Sync: "interval:50ms"}))
	require.NotContains(t, storeAttrs(broker.Config{DataDir: "./here"}), "./here", "whose working folder that is, the log's reader does not know")
}
