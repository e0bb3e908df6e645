//go:build !unix

package transport

import (
	"errors"
	"net"
	"syscall"
)

// rawConn returns nil: here every socket is read and written by calls that wait, on goroutines of their own.
func rawConn(net.Conn) syscall.RawConn { return nil }

func readNow(uintptr, []byte) (n int, again bool, err error) { return 0, false, errors.ErrUnsupported }

func writeNow(uintptr, []byte) (n int, err error) { return 0, errors.ErrUnsupported }
