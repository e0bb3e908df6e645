package main

import (
	"bytes"
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is a writer that may be read while something still writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// command is one run of the command line inside the test's process.
type command struct {
	out, err output
	signals  chan os.Signal
}

func newCommand() *command { return &command{signals: make(chan os.Signal, 2)} }

// catch stands in for the process's signals.
func (c *command) catch() <-chan os.Signal { return c.signals }

func (c *command) run(input string, args ...string) int {
	return run(args, process{
		in: strings.NewReader(input), out: &c.out, err: &c.err,
		signals: c.catch,
	})
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		out  string // on standard output
		err  string // on standard error
	}{
		"no arguments":     {nil, exitOK, "Usage: restante <command>", ""},
		"help":             {[]string{"--help"}, exitOK, "publish", ""},
		"help of serve":    {[]string{"serve", "--help"}, exitOK, "--max-outbox-bytes=4MiB", ""},
		"version":          {[]string{"version"}, exitOK, "restante ", ""},
		"unknown flag":     {[]string{"serve", "--bogus"}, exitUsage, "", "unknown flag --bogus"},
		"unknown command":  {[]string{"bogus"}, exitUsage, "", "bogus"},
		"bad duration":     {[]string{"serve", "--max-age", "soon"}, exitUsage, "", `"soon" is no duration`},
		"bad size":         {[]string{"serve", "--max-total-bytes", "4mb"}, exitUsage, "", `"4mb" is no size`},
		"bad log level":    {[]string{"version", "--log-level", "loud"}, exitUsage, "", "--log-level"},
		"bad client_id":    {[]string{"publish", "a b"}, exitUsage, "", "client_id"},
		"bad URL":          {[]string{"tail", "tab-1", "--url", "localhost:7480"}, exitUsage, "", "no http:// or https:// URL"},
		"bad cursor":       {[]string{"tail", "tab-1", "--since", "-1"}, exitUsage, "", "--since"},
		"two modes":        {[]string{"publish", "tab-1", "--lines", "--wrap"}, exitUsage, "", "can't be used together"},
		"tiny frame limit": {[]string{"publish", "tab-1", "--max-frame-bytes", "10"}, exitUsage, "", "--max-frame-bytes"},
		"everywhere":       {[]string{"serve", "--listen", ":0"}, exitUsage, "", "not a loopback address"},
		"bad address":      {[]string{"serve", "--listen", "127.0.0.1"}, exitUsage, "", "--listen"},
		"endless drain":    {[]string{"serve", "--drain-time", "off"}, exitUsage, "", "--drain-time"},
		"demo of nothing":  {[]string{"demo", "--duration", "0s"}, exitUsage, "", "--duration"},
		"demo too long":    {[]string{"demo", "--duration", "1h"}, exitUsage, "", ""},
		"help of demo":     {[]string{"demo", "--help"}, exitOK, "[<command> ...]", ""},
		"page for all":     {[]string{"demo", "--ui", "--listen", "0.0.0.0:0"}, exitUsage, "", "give a loopback address"},
		"page of nothing":  {[]string{"demo", "--ui", "--listen", "127.0.0.1:0", "--dir", "/no/such/folder"}, exitUsage, "", "--dir"},
		"page and command": {[]string{"demo", "--ui", "ls"}, exitUsage, "", "leave out --kill and the command"},
		"demo's broker":    {[]string{"demo-broker", "--folder", "/no/such/folder"}, exitUsage, "", "which starts it"},
		"no origin":        {[]string{"serve", "--allow-origin", "foo"}, exitUsage, "", `--allow-origin: "foo"`},
		"every origin":     {[]string{"serve", "--allow-origin", "*"}, exitUsage, "", `--allow-origin: "*"`},
		"origin and path":  {[]string{"serve", "--allow-origin", "https://app.example/"}, exitUsage, "", `--allow-origin: "https://app.example/"`},
		"sync sometimes":   {[]string{"serve", "--sync", "sometimes"}, exitUsage, "", `not "sometimes"`},
		"sync every what":  {[]string{"serve", "--sync", "interval:"}, exitUsage, "", "sync's interval is a duration"},
		"two stores":       {[]string{"serve", "--memory", "--data-dir", "x"}, exitUsage, "", "--memory keeps nothing on disk, and --data-dir"},
		"synced memory":    {[]string{"serve", "--memory", "--sync", "always"}, exitUsage, "", "and --sync is about what is kept there"},
		"sync of nothing":  {[]string{"serve", "--sync", ""}, exitUsage, "", "--sync is empty"},
		"nameless store":   {[]string{"serve", "--data-dir", ""}, exitUsage, "", "--data-dir is empty"},
		"bad limit":        {[]string{"serve", "--ping-interval", "off"}, exitUsage, "", "PingInterval"},
	} {
		t.Run(name, func(t *testing.T) {
			run := newCommand()
			require.Equal(t, c.code, run.run("", c.args...))
			require.Contains(t, run.out.String(), c.out)
			require.Contains(t, run.err.String(), c.err)
			if c.code == exitOK {
				require.Empty(t, run.err.String())
			} else {
				require.Empty(t, run.out.String())
				help := "Try restante " + c.args[0] + " --help.\n"
				if c.args[0] == "bogus" {
					help = "Try restante --help.\n"
				}
				if name != "demo too long" { // the demo says itself what is wrong with its options
					require.True(t, strings.HasSuffix(run.err.String(), help), run.err.String())
				}
			}
		})
	}
}

func TestEnvironmentSetsFlags(t *testing.T) {
	t.Setenv("RESTANTE_MAX_AGE", "never")
	run := newCommand()
	require.Equal(t, exitUsage, run.run("", "serve"))
	require.Contains(t, run.err.String(), `"never" is no duration`)
}

func TestSignalStatus(t *testing.T) {
	require.Equal(t, status(130), signalStatus(syscall.SIGINT))
	require.Equal(t, status(143), signalStatus(syscall.SIGTERM))
}

func TestReport(t *testing.T) {
	for want, err := range map[int]error{
		exitOK: nil, exitFailed: errors.New("it broke"), exitUsage: usageError{errors.New("no such thing")}, 130: errors.Join(status(130), errors.New("more")),
	} {
		var w bytes.Buffer
		require.Equal(t, want, report(err, "restante", &w))
		require.Equal(t, want == exitFailed || want == exitUsage, w.Len() > 0)
	}
}

func TestVersionLine(t *testing.T) {
	b := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"},
	}}
	require.Contains(t, versionLine(b, true), "restante v1.2.3 abc (modified) go1")
	require.Contains(t, versionLine(nil, false), "restante unknown go1")
}
