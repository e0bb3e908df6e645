//go:build !linux

package bench

import (
	"errors"
	"net/netip"
	"time"
)

var (
	errLinux   = errors.New("the load generator needs Linux: it waits for its connections with epoll, and reads what the server uses from /proc")
	errBlocked = errLinux
)

// poller is there on Linux only.
type poller struct{}

func newPoller() (*poller, error) { return nil, errLinux }

func (p *poller) close()                                        {}
func (p *poller) wake()                                         {}
func (p *poller) dial(netip.Addr, netip.AddrPort) (int, error)  { return -1, errLinux }
func (p *poller) watch(fd int, id, gen int32, out bool) error   { return errLinux }
func (p *poller) rewatch(fd int, id, gen int32, out bool) error { return errLinux }
func (p *poller) wait(most time.Duration) ([]event, error)      { return nil, errLinux }
func (p *poller) read(fd int, b []byte) (int, error)            { return 0, errLinux }
func (p *poller) write(fd int, b []byte) (int, error)           { return 0, errLinux }
func (p *poller) shut(fd int, reset bool)                       {}
func monotonic() int64                                          { return 0 }
