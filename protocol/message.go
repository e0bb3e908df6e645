package protocol

// Message types that a client sends.
const (
	TypeAck         = "ack"
	TypeSend        = "send"
	TypePing        = "ping"
	TypePong        = "pong"
	TypeSubscribe   = "subscribe"
	TypeUnsubscribe = "unsubscribe"
)

// Message is one message of a client, checked: which members count depends on Type.
type Message struct {
	Type string
	// Seq is an ack's.
	Seq uint64
	// ID, To and Frame are a send's. Frame is checked by P-2 and has no "from" yet.
	ID    string
	To    string
	Frame Body
	// Topic, Since and History belong to subscribe and unsubscribe. History is -1 where absent.
	Topic   string
	Since   *Cursor
	History int
}
