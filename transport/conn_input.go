package transport

import (
	"io"
	"net"
	"sync"
	"syscall"
)

const (
	// readBytes is the size of the pooled buffers that sockets are read into. None is held while a socket is idle.
	readBytes = 64 << 10
	// firstBytes is the buffer of a connection that can only be read by a Read that waits (TLS, a wrapped conn): it is held
	// all the time. While it is filled to the brim, so that more is likely, a pooled one of moreBytes takes its place.
	firstBytes = 512
	moreBytes  = 16 << 10
)

var (
	readBuffers = sync.Pool{New: func() any { return new([readBytes]byte) }}
	moreBuffers = sync.Pool{New: func() any { return new([moreBytes]byte) }}
)

// input reads a goSocket for its readers, one after the other.
type input struct {
	nc  net.Conn
	raw syscall.RawConn // nil: nc is read by a Read that waits
	try func(fd uintptr) bool

	buf  *[readBytes]byte // lent, from next to release; with raw only
	n    int
	err  error
	more bool // without raw: the last read filled its buffer

	first   []byte // without raw
	morebuf *[moreBytes]byte
}

func newInput(s *goSocket) *input {
	in := &input{nc: s.nc, raw: s.raw}
	if in.raw != nil {
		in.try = in.attempt
	} else {
		in.first = make([]byte, firstBytes)
	}
	return in
}

// next waits for bytes and returns them; they are the caller's until release. An error comes without bytes.
func (in *input) next() ([]byte, error) {
	if in.raw == nil {
		return in.plain()
	}
	if err := in.raw.Read(in.try); err != nil {
		return nil, err
	}
	if in.err != nil {
		return nil, in.err
	}
	return in.buf[:in.n], nil
}

// attempt reads what there is; false: nothing yet, and the runtime parks the goroutine until there is. The buffer is taken
// only for the attempt itself.
func (in *input) attempt(fd uintptr) bool {
	buf := readBuffers.Get().(*[readBytes]byte)
	n, again, err := readNow(fd, buf[:])
	if err == nil && n == 0 && !again {
		err = io.EOF
	}
	in.n, in.err = n, err
	if n > 0 {
		in.buf = buf
	} else {
		readBuffers.Put(buf)
	}
	return !again
}

// plain is next for a conn that cannot be asked without waiting.
func (in *input) plain() ([]byte, error) {
	b := in.first
	if in.more {
		in.morebuf = moreBuffers.Get().(*[moreBytes]byte)
		b = in.morebuf[:]
	}
	n, err := in.nc.Read(b)
	in.more = n == len(b)
	if n > 0 {
		return b[:n], nil // an error will come again
	}
	in.release()
	if err == nil {
		err = io.ErrNoProgress
	}
	return nil, err
}

// release gives back the buffer that next has lent. drained: a read that does not wait has found less than there was room for.
func (in *input) release() (drained bool) {
	if in.buf != nil {
		readBuffers.Put(in.buf)
		in.buf = nil
	}
	if in.morebuf != nil {
		moreBuffers.Put(in.morebuf)
		in.morebuf = nil
	}
	return in.raw != nil && in.n < readBytes
}
