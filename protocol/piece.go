package protocol

// Body is a published frame as it is stored: one JSON object without white space between tokens, checked by P-2,
// without its seq. It always begins with {" and has at least the member "type". A Body is immutable and its memory is never reused.
type Body []byte

// Piece is one thing to be written to a reader, never wire bytes: WebSocket, SSE and long-poll encode it themselves.
// With Seq > 0 it is a sequenced frame, and Body its body without the seq; with Seq 0 a frame of the broker's, and Body the whole message.
// Body is shared and immutable.
type Piece struct {
	Seq  uint64
	Body Body
}
