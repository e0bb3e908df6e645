package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// cutAnswer reads the HTTP/1.1 answer that b begins with, its body included. size is its length, 0 while it is not whole. An error ends the
// connection: what follows cannot be read.
func cutAnswer(b []byte) (status, size int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxHead {
			return 0, 0, errors.New("an HTTP answer's head has no end")
		}
		return 0, 0, nil
	}
	line, fields, _ := bytes.Cut(b[:end], []byte("\r\n"))
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("no HTTP/1.1 answer but %.40q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil || status < 200 {
		return 0, 0, fmt.Errorf("no status of an HTTP answer: %.40q", line)
	}
	if strings.EqualFold(headerField(fields, "Connection"), "close") {
		return 0, 0, fmt.Errorf("the server does not keep the connection: %.40q", line)
	}
	head := end + len("\r\n\r\n")
	switch length := headerField(fields, "Content-Length"); {
	case status == 204 || status == 304:
		return status, head, nil
	case length != "":
		n, err := strconv.ParseUint(length, 10, 31)
		if err != nil || n > maxIncoming {
			return 0, 0, fmt.Errorf("a Content-Length of %.40q", length)
		}
		if head+int(n) > len(b) {
			return status, 0, nil
		}
		return status, head + int(n), nil
	case strings.EqualFold(headerField(fields, "Transfer-Encoding"), "chunked"):
		n, err := cutChunks(b[head:])
		if n > 0 {
			n += head
		}
		return status, n, err
	}
	return 0, 0, errors.New("an HTTP answer without a length")
}

// cutChunks returns the length of the chunked body that b begins with, without trailers; 0 while it is not whole.
func cutChunks(b []byte) (int, error) {
	for at := 0; ; {
		line := bytes.Index(b[at:], []byte("\r\n"))
		if line < 0 {
			if len(b)-at > maxHead {
				return 0, errors.New("a chunk without a length")
			}
			return 0, nil
		}
		digits, _, _ := bytes.Cut(b[at:at+line], []byte(";"))
		n, err := strconv.ParseUint(string(digits), 16, 31)
		if err != nil || n > maxIncoming {
			return 0, fmt.Errorf("a chunk of the length %.40q", digits)
		}
		at += line + 2 + int(n) + 2
		if at > len(b) {
			return 0, nil
		}
		if string(b[at-2:at]) != "\r\n" {
			return 0, errors.New("a chunk longer than it says")
		}
		if n == 0 {
			return at, nil
		}
	}
}
