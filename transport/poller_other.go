//go:build !linux

package transport

import "net"

// pollers are Linux's: elsewhere each socket has a goroutine that reads it.
type pollers struct{}

func newPollers(func(func())) *pollers { return nil }

func (*pollers) take(*conn, *net.TCPConn) socket { return nil }
