package transport

import "github.com/restante/restante/protocol"

// fault is what a peer did that ends its connection.
type fault struct {
	code protocol.CloseCode
	why  string
	// lost says that nothing after it can be read as frames: where the next one begins is not known, or none will come.
	lost bool
}

func (f *fault) Error() string { return f.why }

// Everything that a peer can do wrong on the level of frames and messages (RFC 6455; P-20).
var (
	faultUnmasked      = violation("a client's frame is not masked")
	faultRSV           = violation("a reserved bit is set and no extension was agreed")
	faultOpcode        = violation("a reserved opcode")
	faultControlLength = violation("a control frame of more than 125 bytes")
	faultControlSplit  = violation("a fragmented control frame")
	faultLength        = violation("a length that is not written in the shortest way")
	faultLengthBit     = violation("a length with its highest bit set")
	faultContinuation  = violation("a continuation of nothing")
	faultInterleaved   = violation("a new message inside a fragmented one")
	faultCloseLength   = violation("a close frame of one byte")
	faultCloseCode     = violation("a close code that does not belong on the wire")
	faultCloseReason   = &fault{code: protocol.CloseBadUTF8, why: "a close reason that is not valid UTF-8", lost: true}
	faultBinary        = &fault{code: protocol.CloseUnsupported, why: "a binary message"}
	faultUTF8          = &fault{code: protocol.CloseBadUTF8, why: "a text message that is not valid UTF-8"}
	faultTooLarge      = &fault{code: protocol.CloseTooLarge, why: "a message above the limit"}
)

func violation(why string) *fault {
	return &fault{code: protocol.CloseProtocolError, why: why, lost: true}
}
