package bench

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/gobwas/ws"
)

// AppendText appends payload to dst as one text message of a client, masked as RFC 6455 has it.
func AppendText(dst, payload []byte) []byte { return appendMasked(dst, ws.OpText, payload) }

// AppendBinary appends payload to dst as one binary message of a client.
func AppendBinary(dst, payload []byte) []byte { return appendMasked(dst, ws.OpBinary, payload) }

// appendMasked appends one whole frame.
func appendMasked(dst []byte, op ws.OpCode, payload []byte) []byte {
	const fin, masked = 0x80, 0x80
	dst = append(dst, fin|byte(op))
	switch n := len(payload); {
	case n <= 125:
		dst = append(dst, masked|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, masked|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), uint64(n))
	}
	var key [4]byte
	binary.LittleEndian.PutUint32(key[:], rand.Uint32())
	dst = append(dst, key[:]...)
	at := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[at:], key, 0)
	return dst
}
