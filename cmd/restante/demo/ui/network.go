package ui

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/restante/restante/cmd/restante/demo"
)

// tunnelTime is how long a tunnel is.
const tunnelTime = 30 * time.Second

// What a network can be, and be told to do.
const (
	netUp      = "up"
	netStalled = "stalled"
	netTunnel  = "tunnel"

	doCut    = "cut"
	doStall  = "stall"
	doResume = "resume"
	doTunnel = "tunnel"
)

// errInTunnel refuses what makes no sense in a tunnel.
var errInTunnel = errors.New("the network is in a tunnel: wait for its end, or resume")

// network is what lies between one device and the broker: a proxy that can be broken. It is safe for concurrent use.
type network struct {
	proxy  *demo.Proxy
	length time.Duration // of a tunnel

	mu    sync.Mutex
	state string
	until time.Time
	timer *time.Timer    // ends the tunnel
	tasks sync.WaitGroup // the timer's
}

// networkState is what is told of a network. Cuts counts the connections that were broken, Connections those that there are.
type networkState struct {
	State       string `json:"state"`
	TunnelMS    int64  `json:"tunnel_ms"`
	Cuts        int    `json:"cuts"`
	Connections int    `json:"connections"`
}

// newNetwork makes one that leads nowhere until its proxy is given a target.
func newNetwork(length time.Duration) (*network, error) {
	p, err := demo.NewProxy("")
	if err != nil {
		return nil, err
	}
	return &network{proxy: p, length: length, state: netUp}, nil
}

// url is where the broker is found behind this network.
func (n *network) url() string { return "http://" + n.proxy.Addr() }

// do breaks it or mends it. The error is a sentence.
func (n *network) do(what string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch what {
	case doCut:
		n.proxy.Cut()
	case doStall:
		if n.state == netTunnel {
			return errInTunnel
		}
		n.state = netStalled
		n.proxy.Stall(true)
	case doResume:
		n.resume()
	case doTunnel:
		if n.state == netTunnel {
			return errInTunnel
		}
		n.enter()
	default:
		return fmt.Errorf("a network can be told to %s, %s, %s or %s", doCut, doStall, doResume, doTunnel)
	}
	return nil
}

// enter begins a tunnel, which ends by itself.
func (n *network) enter() {
	n.state, n.until = netTunnel, time.Now().Add(n.length)
	n.proxy.Blackhole(true)
	n.tasks.Add(1)
	var timer *time.Timer
	timer = time.AfterFunc(n.length, func() {
		defer n.tasks.Done()
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.timer == timer { // it is still the tunnel under way
			n.timer = nil
			n.resume()
		}
	})
	n.timer = timer
}

// resume has all as it was.
func (n *network) resume() {
	switch n.state {
	case netStalled:
		n.proxy.Stall(false)
	case netTunnel:
		if n.timer != nil && n.timer.Stop() {
			n.tasks.Done()
		}
		n.timer = nil
		n.proxy.Blackhole(false)
	}
	n.state = netUp
}

func (n *network) look() networkState {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := networkState{State: n.state, Cuts: n.proxy.Cuts(), Connections: n.proxy.Connections()}
	if n.state == netTunnel {
		s.TunnelMS = max(time.Until(n.until).Milliseconds(), 0)
	}
	return s
}

// close ends it, with all that goes through it.
func (n *network) close() error {
	n.mu.Lock()
	n.resume()
	n.mu.Unlock()
	n.tasks.Wait()
	return n.proxy.Close()
}
