package tests

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
)

// demoPage is `restante demo --ui`, with a temporary folder that only it uses.
type demoPage struct {
	*tool
	*endpoint
	temp, key, laptop string
}

func openDemo(t *testing.T, dir string) *demoPage {
	t.Helper()
	binary, err := plainBinary()
	require.NoError(t, err)
	d := &demoPage{temp: t.TempDir()}
	d.tool = runWith(t, binary, []string{"TMPDIR=" + d.temp}, "demo", "--ui", "--listen", "127.0.0.1:0", "--dir", dir)
	d.says(d.stdout, "Ctrl-C ends it.")
	lines := strings.Split(d.stdout.String(), "\n")
	require.Len(t, lines, 3, "two lines: %q", lines)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/#key=[\w-]{32}$`, lines[0])
	url, key, _ := strings.Cut(lines[0], "/#key=")
	d.endpoint, d.key = &endpoint{t: t, url: url}, key
	var s struct{ Panes struct{ Laptop string } }
	require.NoError(t, json.Unmarshal(d.api("GET", "/api/session", ""), &s))
	d.laptop = s.Panes.Laptop
	return d
}

// api makes a call of the page's.
func (d *demoPage) api(method, path, body string) []byte {
	d.endpoint.t.Helper()
	headers := []string{"Authorization", "Bearer " + d.key}
	var data []byte
	if body != "" {
		data = []byte(body)
		headers = append(headers, "Content-Type", "application/json")
	}
	r := d.do(method, path, data, headers...)
	require.Equal(d.endpoint.t, 200, r.status, "%s", r.body)
	return r.body
}

// nothingLeft waits until what is behind the page has ended, and looks for what it left.
func (d *demoPage) nothingLeft() {
	d.endpoint.t.Helper()
	require.Eventually(d.endpoint.t, func() bool {
		left, err := os.ReadDir(d.temp)
		require.NoError(d.endpoint.t, err)
		return len(left) == 0
	}, patience, pollEvery, "its folder is gone, and with it the broker: that removes it last")
	for _, url := range []string{d.url, d.laptop} {
		_, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), time.Second)
		require.Error(d.endpoint.t, err, "nobody listens any more")
	}
}

func TestDemoPage_FromItsFirstLineToItsEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("here it is\n"), 0o600))
	d := openDemo(t, dir)
	page := d.do("GET", "/", nil)
	require.Equal(t, 200, page.status)
	require.Contains(t, string(page.body), "<!doctype html>")
	require.Contains(t, string(d.do("GET", "/client.js", nil).body), "/client/index.js")

	frames := make(chan client.Frame, 1000)
	c, err := client.New(client.Config{
		URL: d.laptop, ClientID: "laptop-1", Token: func(context.Context) (string, error) { return d.key, nil },
		Handler: func(_ context.Context, f client.Frame) error {
			frames <- f
			return nil
		},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	none := 0
	_, err = c.Subscribe(t.Context(), "session", client.SubscribeOptions{History: &none})
	require.NoError(t, err)
	d.api("POST", "/api/broker", `{"do":"kill"}`)
	_, err = c.Send(t.Context(), "agent", []byte(`{"type":"say","text":"grep \"here it\""}`))
	require.NoError(t, err)
	found := false
	for f := range frames {
		found = found || f.Type == "output" && strings.Contains(string(f.Raw), "a.txt:1: here it is")
		if f.Type == "turn" && strings.Contains(string(f.Raw), `"done"`) {
			break
		}
	}
	require.True(t, found)
	d.signal(syscall.SIGTERM)
	require.Zero(t, d.wait(), "%s", d.stderr)
	d.nothingLeft()
	require.Empty(t, d.stderr.String())
}

// TestDemoPage_KilledItLeavesNothing kills the page's own process, so that nobody is left to stop the broker.
func TestDemoPage_KilledItLeavesNothing(t *testing.T) {
	t.Parallel()
	d := openDemo(t, t.TempDir())
	d.signal(syscall.SIGKILL)
	d.wait()
	d.nothingLeft()
}

func TestDemoPage_AnInterruptInAFlood(t *testing.T) {
	t.Parallel()
	d := openDemo(t, t.TempDir())
	d.api("POST", "/api/flood", "{}")
	d.signal(syscall.SIGINT)
	require.Zero(t, d.wait(), "%s", d.stderr)
	d.nothingLeft()
}

func TestDemoPage_ItsBrokerIsNotForAnybodyElse(t *testing.T) {
	t.Parallel()
	binary, err := plainBinary()
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.Command(binary, "demo-broker", "--folder", dir)
	cmd.Env = cleanEnv()
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "restante demo --ui, which starts it")
	require.DirExists(t, dir, "and nothing of his is removed")
	out, err = exec.Command(binary, "--help").CombinedOutput()
	require.NoError(t, err)
	require.NotContains(t, string(out), "demo-broker")
}
