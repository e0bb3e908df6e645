package ui

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/cmd/restante/demo/agent"
	"github.com/restante/restante/protocol"
)

func TestRun_TheAgentAnswersOnBothDevices(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "here")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("hello\n"), 0o600))
	d := show(t, Options{Dir: dir})
	var s sessionState
	require.NoError(t, json.Unmarshal(d.do("GET", "/api/session", "").body, &s))
	require.Equal(t, []string{"session", "agent", "here"}, []string{s.Topic, s.Agent, s.Directory})
	laptop, phone := d.open("laptop"), d.open("phone")
	laptop.says("list")
	for _, p := range []*page{laptop, phone} {
		seen := p.until("turn", "done")
		require.Equal(t, []int{1, 1, 1, 1}, []int{seen["user"], seen["tool"], seen["output"], seen["tool_done"]})
	}
	now := d.state(d.do("GET", "/api/state", ""))
	for _, device := range []string{"laptop", "phone"} {
		require.Equal(t, networkState{State: "up", Connections: 1}, now.Panes[device])
	}
	require.Equal(t, brokerState{Up: true}, now.Broker)
	require.Empty(t, d.log.String())
}

func TestRun_TheButtons(t *testing.T) {
	d := show(t, Options{})
	laptop, phone := d.open("laptop"), d.open("phone")
	laptop.becomes(client.Live)
	phone.becomes(client.Live)
	network := func(pane, what string) reply {
		return d.do("POST", "/api/network", `{"pane":"`+pane+`","do":"`+what+`"}`)
	}

	s := d.state(network("laptop", "cut"))
	require.Equal(t, 1, s.Panes["laptop"].Cuts)
	laptop.becomes(client.Offline)
	laptop.becomes(client.Live)
	require.Equal(t, networkState{State: "up", Connections: 1}, d.state(d.do("GET", "/api/state", "")).Panes["phone"])

	require.Equal(t, "stalled", d.state(network("phone", "stall")).Panes["phone"].State)
	laptop.says("list")
	laptop.until("turn", "done")
	require.Empty(t, phone.frames)
	require.Equal(t, "up", d.state(network("phone", "resume")).Panes["phone"].State)
	phone.until("turn", "done")
	require.Empty(t, phone.frames)

	s = d.state(network("laptop", "tunnel"))
	require.Equal(t, "tunnel", s.Panes["laptop"].State)
	require.InDelta(t, tunnelTime.Milliseconds(), s.Panes["laptop"].TunnelMS, 5000)
	require.Equal(t, protocol.CodeConflict, network("laptop", "tunnel").code(t))
	require.Equal(t, protocol.CodeConflict, network("laptop", "stall").code(t))
	phone.says("list")
	phone.until("turn", "done")
	require.Equal(t, "up", d.state(network("laptop", "resume")).Panes["laptop"].State)
	laptop.becomes(client.Offline)
	laptop.becomes(client.Live)
	laptop.until("turn", "done")

	s = d.state(d.do("POST", "/api/broker", `{"do":"kill"}`))
	require.Equal(t, brokerState{Up: true, Kills: 1}, s.Broker)
	laptop.says("list")
	laptop.until("turn", "done")

	require.True(t, d.state(d.do("POST", "/api/flood", `{}`)).Flood.Running)
	r := d.do("POST", "/api/flood", `{}`)
	require.Equal(t, 409, r.StatusCode)
	require.Equal(t, protocol.CodeConflict, r.code(t))
	require.Equal(t, brokerState{Up: true, Kills: 2}, d.state(d.do("POST", "/api/broker", `{"do":"kill"}`)).Broker)
	d.state(network("phone", "cut"))
	for _, p := range []*page{laptop, phone} {
		for n := 1; n <= 2500; {
			if f := <-p.frames; f["type"] == "flood" {
				require.EqualValues(t, n, f["n"])
				n++
			}
		}
	}
	require.Equal(t, agent.FloodState{Sent: 2500, Of: 2500}, d.state(d.do("GET", "/api/state", "")).Flood)
	require.Empty(t, d.log.String())
}

func TestRun_ATunnelEndsByItself(t *testing.T) {
	d := show(t, Options{tunnel: 300 * time.Millisecond})
	p := d.open("laptop")
	p.becomes(client.Live)
	require.Equal(t, "tunnel", d.state(d.do("POST", "/api/network", `{"pane":"laptop","do":"tunnel"}`)).Panes["laptop"].State)
	c, err := net.Dial("tcp", strings.TrimPrefix(d.pane("laptop"), "http://"))
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err, "it hangs until the end of the tunnel, and is reset then")
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	p.becomes(client.Offline)
	p.becomes(client.Live)
	s := d.state(d.do("GET", "/api/state", "")).Panes["laptop"]
	require.Equal(t, "up", s.State)
	require.Zero(t, s.TunnelMS)
	require.GreaterOrEqual(t, s.Cuts, 2)
}

func TestRun_EndsInATunnelAndInTheMiddleOfATurn(t *testing.T) {
	d := show(t, Options{})
	p := d.open("laptop")
	p.says("help")
	p.until("text")
	require.Equal(t, 200, d.do("POST", "/api/network", `{"pane":"laptop","do":"tunnel"}`).StatusCode)
	require.Equal(t, 200, d.do("POST", "/api/network", `{"pane":"phone","do":"stall"}`).StatusCode)
	require.Equal(t, 200, d.do("POST", "/api/flood", `{}`).StatusCode)
	d.stop()
}

func TestRun_MistakesAreSentences(t *testing.T) {
	var usage UsageError
	for listen, words := range map[string]string{
		"0.0.0.0:0": "loopback address", ":7490": "loopback address", "192.0.2.1:80": "loopback address", "example.com:80": "loopback address",
		"127.0.0.1": "is no address", "127.0.0.1:many": "is no port", "127.0.0.1:70000": "is no port",
	} {
		err := Run(t.Context(), Options{Listen: listen, Out: io.Discard, Log: io.Discard})
		require.ErrorAs(t, err, &usage, listen)
		require.ErrorContains(t, err, words)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, dir := range []string{"/no/such/folder", os.Args[0]} {
		err := Run(t.Context(), Options{Listen: "127.0.0.1:0", Dir: dir, Out: io.Discard, Log: io.Discard})
		require.ErrorAs(t, err, &usage)
		require.ErrorContains(t, err, "--dir")
	}
	for _, path := range []string{"/no/such/program", "/bin/true"} {
		err := Run(t.Context(), Options{Listen: "127.0.0.1:0", Dir: temp, Executable: path, Out: io.Discard, Log: io.Discard})
		require.ErrorContains(t, err, "the broker")
	}
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestListen_TakesAnotherPortWhereItsOwnIsTaken(t *testing.T) {
	first, err := Options{}.listen(t.Context())
	require.NoError(t, err)
	defer first.Close()
	second, err := Options{}.listen(t.Context())
	require.NoError(t, err)
	defer second.Close()
	require.NotEqual(t, first.Addr().String(), second.Addr().String())
	_, err = Options{Listen: second.Addr().String()}.listen(t.Context())
	require.Error(t, err, "who asks for one gets that one or none")
	for _, listen := range []string{"localhost:0", "[::1]:0", "127.0.0.2:0"} {
		ln, err := Options{Listen: listen}.listen(t.Context())
		if err != nil {
			require.Contains(t, listen, "::1", "there may be no IPv6 here: %v", err)
			continue
		}
		require.NoError(t, ln.Close())
	}
}
