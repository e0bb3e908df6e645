package transport

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

const (
	maxControl   = 125 // bytes of a control frame's payload
	maxHeaderIn  = 14  // bytes of a masked frame's header
	finBit       = 0x80
	maskBit      = 0x80
	rsvBits      = 0x70
	len16, len64 = 126, 127
)

// appendTextHeader appends the header of one unmasked text frame with n bytes of payload.
func appendTextHeader(dst []byte, n int) []byte {
	dst = append(dst, finBit|byte(ws.OpText))
	switch {
	case n < len16:
		return append(dst, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, len16), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, len64), uint64(n))
	}
}

// textHeaderLen is how many bytes appendTextHeader appends.
func textHeaderLen(n int) int {
	switch {
	case n < len16:
		return 2
	case n < 1<<16:
		return 4
	default:
		return 10
	}
}

// pieceLen is how many bytes p takes as the payload of its frame.
func pieceLen(p protocol.Piece) int {
	if p.Seq == 0 {
		return len(p.Body)
	}
	return protocol.FrameLen(p.Seq, p.Body)
}

// appendPiece appends p as one text message of one frame: header, splice and body in one go, so that a batch is one buffer.
func appendPiece(dst []byte, p protocol.Piece) []byte {
	dst = appendTextHeader(dst, pieceLen(p))
	if p.Seq == 0 {
		return append(dst, p.Body...)
	}
	return protocol.AppendFrame(dst, p.Seq, p.Body)
}

// appendControl appends one unmasked control frame; payload is at most maxControl bytes.
func appendControl(dst []byte, op ws.OpCode, payload []byte) []byte {
	dst = append(dst, finBit|byte(op), byte(len(payload)))
	return append(dst, payload...)
}

// appendClose appends a close frame with code and its name as the reason (P-22).
func appendClose(dst []byte, code protocol.CloseCode) []byte {
	reason := code.Name()
	dst = append(dst, finBit|byte(ws.OpClose), byte(2+len(reason)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// parseClose reads the payload of a close frame: protocol.CloseNoStatus where it is empty.
func parseClose(payload []byte) (protocol.CloseCode, *fault) {
	switch {
	case len(payload) == 0:
		return protocol.CloseNoStatus, nil
	case len(payload) == 1:
		return 0, faultCloseLength
	}
	code := protocol.CloseCode(binary.BigEndian.Uint16(payload))
	if !closeCodeOnWire(code) {
		return 0, faultCloseCode
	}
	if !utf8.Valid(payload[2:]) {
		return 0, faultCloseReason
	}
	return code, nil
}

// closeCodeOnWire reports whether a peer may put code into a close frame: those that RFC 6455 and the IANA registry define
// for the wire, and the ranges for libraries and applications.
func closeCodeOnWire(code protocol.CloseCode) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	default:
		return code >= 3000 && code <= 4999
	}
}
