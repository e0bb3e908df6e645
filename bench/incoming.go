package bench

import (
	"encoding/binary"
	"fmt"

	"github.com/gobwas/ws"
)

// maxIncoming is the longest frame that is taken from a server, in bytes: far more than any profile has it send.
const maxIncoming = 16 << 20

// incoming is one frame of a server. Its payload lies in what was read.
type incoming struct {
	op      ws.OpCode
	fin     bool
	payload []byte
}

// cutFrame reads the frame that b begins with. size is its length with the header: more than len(b) where it is not whole yet, 0 where not even its
// length is known. An error ends the connection: what follows cannot be read.
func cutFrame(b []byte) (f incoming, size int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	f.op, f.fin = ws.OpCode(b[0]&0x0f), b[0]&0x80 != 0
	head, length := 2, uint64(b[1]&0x7f)
	switch {
	case b[0]&0x70 != 0:
		return f, 0, fmt.Errorf("a frame uses an extension that nobody has offered: 0x%02x", b[0])
	case b[1]&0x80 != 0:
		return f, 0, fmt.Errorf("a frame of the server is masked")
	case f.op&0x8 != 0 && (!f.fin || length > 125):
		return f, 0, fmt.Errorf("a control frame is in parts or too long")
	case length == 126:
		if head = 4; len(b) < head {
			return f, 0, nil
		}
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case length == 127:
		if head = 10; len(b) < head {
			return f, 0, nil
		}
		length = binary.BigEndian.Uint64(b[2:])
	}
	if length > maxIncoming {
		return f, 0, fmt.Errorf("a frame has %d bytes; %d are the most that are taken", length, maxIncoming)
	}
	if size = head + int(length); size <= len(b) {
		f.payload = b[head:size]
	}
	return f, size, nil
}
