package bench

// Dialect is how the clients of one kind of server speak with it. It holds no state of its own: that of a client is in its Session. Its methods are called
// by the goroutine that owns the session, and must not block.
type Dialect interface {
	// Name is what the server is called in results.
	Name() string
	// Target is the request target of s's WebSocket handshake: path and query, with what s resumes from.
	Target(s *Session) string
	// Subprotocol is offered in the handshake; "" for none.
	Subprotocol() string
	// Opened is called after the handshake: what is to be said first goes into s.Out.
	Opened(s *Session)
	// Message handles one message of the server. It calls s.Ready once the client is attached, follows its topic if it has one, and is sent what is
	// published from now on; and s.Frame for each frame of the application. Answers and acks go into s.Out. An error ends the connection.
	Message(s *Session, binary bool, payload []byte) error
	// Leaving is called before an orderly end: a farewell goes into s.Out, without a WebSocket close frame, which the engine adds.
	Leaving(s *Session)
	// Introduced says whether the server keeps frames for a client that it has never seen. If it does not, the engine lets each client connect and leave
	// once before anything is published to it.
	Introduced() bool
	// Publish is one HTTP request that publishes frames, each one JSON object, to a client; ok is false where the server cannot. It is asked with one frame
	// or with several.
	Publish(client string, frames [][]byte) (target, contentType string, body []byte, ok bool)
}

// Ticker is a Dialect whose clients do something by the clock as well, such as to ack what has gathered.
type Ticker interface {
	Dialect
	// Tick is called about once a second for each client that is attached. What it says goes into s.Out.
	Tick(s *Session)
}

// Session is one client across its connections.
type Session struct {
	// ID is the client's id; Topic what it follows, "" for nothing but its own frames.
	ID, Topic string
	// Out is what is to be sent: whole WebSocket messages, appended by AppendText and AppendBinary.
	Out []byte
	// Epoch and Seq are the dialect's cursor, to be used as it likes, and so is State.
	Epoch string
	Seq   uint64
	State any

	engine sessionEngine
}

// NewSession returns a session without an engine, to try a dialect with: its Ready and Frame call the functions given.
func NewSession(id, topic string, ready func(), frame func(data []byte)) *Session {
	return &Session{ID: id, Topic: topic, engine: rehearsal{ready, frame}}
}

type rehearsal struct {
	onReady func()
	onFrame func(data []byte)
}

func (r rehearsal) ready(*Session)                { r.onReady() }
func (r rehearsal) frame(_ *Session, data []byte) { r.onFrame(data) }

// sessionEngine is what the engine does with what a dialect has found.
type sessionEngine interface {
	ready(s *Session)
	frame(s *Session, data []byte)
}

// Ready says that s is attached, and follows its topic if it has one.
func (s *Session) Ready() { s.engine.ready(s) }

// Frame says that one frame of the application has come. data is, or holds, the JSON object that the stand has published, byte for byte.
func (s *Session) Frame(data []byte) { s.engine.frame(s, data) }
