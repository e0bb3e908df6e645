package bench

import (
	"fmt"
	"io"

	"github.com/gobwas/ws"
)

// readFrame reads what a client has sent, as a server would. It takes no frame that is longer than a shout.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	if f.Header.Length > shout {
		return f, fmt.Errorf("a frame of %d bytes", f.Header.Length)
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

// shout is more than sockets take at once, in bytes.
const shout = 8 << 20
