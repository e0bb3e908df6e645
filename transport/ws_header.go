package transport

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// header is what stands before a frame's payload.
type header struct {
	op     ws.OpCode
	fin    bool
	length int64 // of the payload
	size   int   // of the header itself
	mask   [4]byte
}

// headerSize returns how many bytes the header has that begins with b, of which two are enough, or what is wrong with those two.
func headerSize(b []byte) (int, *fault) {
	op, fin, length := ws.OpCode(b[0]&0x0f), b[0]&finBit != 0, b[1]&^maskBit
	switch {
	case b[0]&rsvBits != 0:
		return 0, faultRSV
	case op > ws.OpBinary && op < ws.OpClose || op > ws.OpPong:
		return 0, faultOpcode
	case b[1]&maskBit == 0:
		return 0, faultUnmasked
	case op.IsControl() && length > maxControl:
		return 0, faultControlLength
	case op.IsControl() && !fin:
		return 0, faultControlSplit
	case length == len64:
		return maxHeaderIn, nil
	case length == len16:
		return 8, nil
	default:
		return 6, nil
	}
}

// parseHeader reads b, which has just the size that headerSize gave.
func parseHeader(b []byte) (header, *fault) {
	h := header{size: len(b), op: ws.OpCode(b[0] & 0x0f), fin: b[0]&finBit != 0, length: int64(b[1] &^ maskBit)}
	switch h.length {
	case len16:
		h.length = int64(binary.BigEndian.Uint16(b[2:]))
		if h.length < len16 {
			return h, faultLength
		}
	case len64:
		n := binary.BigEndian.Uint64(b[2:])
		if n>>63 != 0 {
			return h, faultLengthBit
		}
		if n < 1<<16 {
			return h, faultLength
		}
		h.length = int64(n)
	}
	copy(h.mask[:], b[len(b)-4:])
	return h, nil
}
