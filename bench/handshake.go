package bench

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
)

// maxHead bounds the head of an HTTP answer, in bytes.
const maxHead = 16 << 10

// appendUpgrade appends a WebSocket handshake, and returns what the server has to answer it with.
func appendUpgrade(dst []byte, host, target, subprotocol string) (request []byte, accept string) {
	var nonce [16]byte
	binary.LittleEndian.PutUint64(nonce[:], rand.Uint64())
	binary.LittleEndian.PutUint64(nonce[8:], rand.Uint64())
	key := base64.StdEncoding.EncodeToString(nonce[:])
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))

	dst = append(dst, "GET "...)
	dst = append(dst, target...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, host...)
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	dst = append(dst, key...)
	if subprotocol != "" {
		dst = append(dst, "\r\nSec-WebSocket-Protocol: "...)
		dst = append(dst, subprotocol...)
	}
	return append(dst, "\r\n\r\n"...), base64.StdEncoding.EncodeToString(sum[:])
}

// cutUpgraded reads the answer to a handshake from the beginning of b. size is its length, 0 while it is not whole. The error says why the server has
// not agreed.
func cutUpgraded(b []byte, accept string) (size int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxHead {
			return 0, errors.New("the answer to the handshake has no end")
		}
		return 0, nil
	}
	status, fields, _ := bytes.Cut(b[:end], []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 101")) {
		return 0, fmt.Errorf("the server has refused the handshake: %.100q", status)
	}
	if got := headerField(fields, "Sec-WebSocket-Accept"); got != accept {
		return 0, fmt.Errorf("the server has answered another handshake than this: Sec-WebSocket-Accept is %.40q", got)
	}
	if e := headerField(fields, "Sec-WebSocket-Extensions"); e != "" {
		return 0, fmt.Errorf("the server uses an extension that nobody has offered: %.40q", e)
	}
	return end + len("\r\n\r\n"), nil
}

// headerField returns the value of the first field of that name in the lines of an HTTP head, "" if there is none.
func headerField(lines []byte, name string) string {
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\r\n"))
		key, value, ok := bytes.Cut(line, []byte(":"))
		if ok && len(key) == len(name) && strings.EqualFold(string(key), name) {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
