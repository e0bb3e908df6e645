package transport

import (
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

// sink takes what a parser finds. What it is given is valid only during the call.
type sink interface {
	// onText takes one whole text message; false makes Feed return after it.
	onText(message []byte) (more bool)
	onPing(payload []byte)
	// onDropped is told of each data frame that is skipped.
	onDropped()
}

// parser takes a client's bytes apart by RFC 6455. It is fed bytes and may be interrupted after any of them; it never reads
// itself, so that a goroutine and a poller can both feed it. It unmasks in place, and copies only what comes in parts.
// Whoever reads the socket owns it. Only limit is to be set.
type parser struct {
	limit int32  // the longest message, in bytes
	begun uint32 // counts what was begun while idle, so that the reader can time each
	left  int64  // payload bytes of the frame under way that are still to come
	msg   []byte // the message under way, as far as it came in parts
	ctl   []byte // the control frame's payload under way, likewise

	hdr   [maxHeaderIn]byte
	hn    uint8 // bytes in hdr
	mask  [4]byte
	phase uint8 // where in mask the next payload byte is
	check utf8Check

	op      ws.OpCode // of the frame under way
	fin     bool
	inFrame bool // the header is complete, the payload is not dealt with
	open    bool // a message has begun and not ended
	skip    bool // data frames are skipped and pings ignored: the connection is closing
	over    bool // the peer's close frame has come, or what follows is not readable: bytes are thrown away

	peerCode protocol.CloseCode // of the peer's close frame; 0 before it
}

// Feed parses b, which it changes, and returns how many bytes it has dealt with: all of them, unless s wanted no more
// messages or there was a fault. After a fault that leaves the stream readable, data frames are skipped from there on.
func (p *parser) Feed(b []byte, s sink) (n int, f *fault) {
	for !p.over {
		if !p.inFrame {
			k, h, f := p.header(b[n:])
			n += k
			if f == nil && h.size > 0 {
				f = p.begin(h, s)
			}
			if f != nil {
				return n, p.fail(f)
			}
			if !p.inFrame {
				return n, nil
			}
		}
		part := b[n:]
		if p.left < int64(len(part)) {
			part = part[:p.left]
		}
		if len(part) == 0 && p.left > 0 {
			return n, nil
		}
		n += len(part)
		p.left -= int64(len(part))
		ws.Cipher(part, p.mask, int(p.phase))
		p.phase = uint8((int(p.phase) + len(part)) % len(p.mask))
		p.inFrame = p.left > 0
		more, f := p.payload(part, s)
		if f != nil {
			return n, p.fail(f)
		}
		if !more {
			return n, nil
		}
	}
	return len(b), nil
}

// idle reports whether p stands between two messages, with nothing begun.
func (p *parser) idle() bool { return !p.inFrame && p.hn == 0 && !p.open }

// discard makes p skip all data from here on, and forget what it has of a message.
func (p *parser) discard() {
	p.skip, p.open = true, false
	p.msg = nil
}

func (p *parser) fail(f *fault) *fault {
	p.discard()
	p.over = f.lost
	return f
}

// header takes in a header, perhaps over several calls; h.size is 0 until it is complete.
func (p *parser) header(b []byte) (n int, h header, f *fault) {
	if len(b) > 0 && p.idle() {
		p.begun++
	}
	for need := 2; ; {
		k := copy(p.hdr[p.hn:max(need, int(p.hn))], b[n:])
		n += k
		p.hn += uint8(k)
		if int(p.hn) < need {
			return n, h, nil
		}
		size, f := headerSize(p.hdr[:2])
		if f != nil {
			return n, h, f
		}
		if int(p.hn) == size {
			p.hn = 0
			h, f = parseHeader(p.hdr[:size])
			return n, h, f
		}
		need = size
	}
}

// begin begins the frame of h.
func (p *parser) begin(h header, s sink) *fault {
	p.op, p.fin, p.mask, p.phase, p.left, p.inFrame = h.op, h.fin, h.mask, 0, h.length, true
	switch first := h.op != ws.OpContinuation; {
	case h.op.IsControl():
	case p.skip:
		s.onDropped()
	case first && p.open:
		return faultInterleaved
	case !first && !p.open:
		return faultContinuation
	case h.op == ws.OpBinary:
		return faultBinary
	case h.length > int64(p.limit)-int64(len(p.msg)):
		return faultTooLarge
	default:
		p.open = true
	}
	return nil
}

// payload takes the next part of the frame's payload, unmasked; the frame is complete when p.inFrame is false.
func (p *parser) payload(part []byte, s sink) (more bool, f *fault) {
	switch {
	case p.op.IsControl():
		return true, p.control(part, s)
	case p.skip:
		return true, nil
	case p.op == ws.OpText && p.fin && !p.inFrame && len(p.msg) == 0:
		if !utf8.Valid(part) {
			return false, faultUTF8
		}
		p.open = false
		return s.onText(part), nil
	}
	if !p.check.part(part) {
		return false, faultUTF8
	}
	p.msg = append(p.msg, part...)
	if p.inFrame || !p.fin {
		return true, nil
	}
	if !p.check.end() {
		return false, faultUTF8
	}
	message := p.msg
	p.msg, p.open = nil, false
	return s.onText(message), nil
}

// control takes the next part of a control frame. A pong is dealt with by having come: any byte shows life.
func (p *parser) control(part []byte, s sink) (f *fault) {
	if p.inFrame || len(p.ctl) > 0 {
		p.ctl = append(p.ctl, part...)
		if p.inFrame {
			return nil
		}
		part, p.ctl = p.ctl, nil
	}
	switch p.op {
	case ws.OpPing:
		if !p.skip {
			s.onPing(part)
		}
	case ws.OpClose:
		if p.peerCode, f = parseClose(part); f != nil {
			return f
		}
		p.over = true
	}
	return nil
}
