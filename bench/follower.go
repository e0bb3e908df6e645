package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/gobwas/ws"

	"github.com/restante/restante/protocol"
)

// ackEvery is after how many frames a follower acks: about every five seconds at ten frames a second (P-12).
const ackEvery = 50

// follower is one client. It holds what it gets to P-3: seqs without a hole or a repeat on each connection, and, beyond that, the topic's numbers
// without one across all of them.
type follower struct {
	w        *world
	id       string
	unsteady bool
	rnd      *rand.Rand

	epoch    string
	seq      uint64 // of the outbox
	topicSeq uint64
	follows  bool
	unacked  int
	buf      []byte
}

// run attaches again and again until ctx ends.
func (f *follower) run(ctx context.Context, gate chan struct{}) {
	for first := true; ctx.Err() == nil; first = false {
		if !first {
			f.w.reconnects.Add(1)
		}
		gate <- struct{}{}
		conn, r, err := f.dial(ctx)
		<-gate
		if err == nil {
			err = f.read(ctx, conn, r)
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // as if the phone had lost the network; and no port stays taken
			}
			_ = conn.Close()
		}
		var cut net.Error
		if err != nil && ctx.Err() == nil && !(f.unsteady && errors.As(err, &cut) && cut.Timeout()) {
			f.w.fail("%s: %v", f.id, err)
			_ = sleep(ctx, time.Second)
		}
	}
}

func (f *follower) dial(ctx context.Context) (net.Conn, *bufio.Reader, error) {
	url := "ws://" + f.w.host + f.w.path + "/v1/ws?client_id=" + f.id
	if f.epoch != "" {
		url += "&since=" + f.epoch + ":" + strconv.FormatUint(f.seq, 10)
	}
	d := ws.Dialer{Timeout: 30 * time.Second, ReadBufferSize: 1024, WriteBufferSize: 512}
	conn, early, _, err := d.Dial(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	if early == nil {
		early = bufio.NewReaderSize(conn, 1024)
	}
	return conn, early, nil
}

// read reads one connection to its end: ctx's, or, of an unsteady one, a moment that it draws.
func (f *follower) read(ctx context.Context, conn net.Conn, r *bufio.Reader) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if f.follows {
		f.end(conn)
	}
	f.unacked = 0
	for {
		h, err := ws.ReadHeader(r)
		if err != nil {
			return err
		}
		if n := int(h.Length); cap(f.buf) < n {
			f.buf = make([]byte, n)
		}
		f.buf = f.buf[:h.Length]
		if _, err := io.ReadFull(r, f.buf); err != nil {
			return err
		}
		switch h.OpCode {
		case ws.OpText:
			if err := f.message(conn, f.buf); err != nil {
				return err
			}
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(f.buf)
			return errors.New("closed with " + strconv.Itoa(int(code)) + " " + reason)
		}
	}
}

// end draws when the connection of an unsteady follower ends.
func (f *follower) end(conn net.Conn) {
	if f.unsteady {
		_ = conn.SetReadDeadline(time.Now().Add(f.w.Every/2 + time.Duration(f.rnd.Int64N(int64(f.w.Every)))))
	}
}

func (f *follower) message(conn net.Conn, b []byte) error {
	if !bytes.HasPrefix(b, []byte(`{"seq":`)) {
		return f.control(conn, b)
	}
	in, err := protocol.ParseIncoming(b)
	if err != nil {
		return err
	}
	if in.Seq != f.seq+1 {
		f.w.fail("%s: seq %d after %d", f.id, in.Seq, f.seq)
	}
	f.seq = in.Seq
	switch {
	case in.Topic != f.w.Topic:
	case in.TopicSeq <= f.topicSeq:
		f.w.doubled.Add(1)
	default:
		f.w.holes.Add(in.TopicSeq - f.topicSeq - 1)
		f.topicSeq = in.TopicSeq
		f.w.delivered.Add(1)
		var sent struct {
			At int64 `json:"at"`
		}
		if json.Unmarshal(b, &sent) == nil {
			f.w.latency.add(time.Since(time.UnixMicro(sent.At)))
		}
	}
	if f.unacked++; f.unacked >= ackEvery {
		f.unacked = 0
		return f.say(conn, protocol.Message{Type: protocol.TypeAck, Seq: f.seq})
	}
	return nil
}

func (f *follower) control(conn net.Conn, b []byte) error {
	var m struct {
		Type, Epoch string
		Resume      protocol.Resume
		Floor       uint64
		Code        protocol.Code
		Message     string
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	switch m.Type {
	case protocol.TypeHello:
		if f.epoch != "" && m.Resume == protocol.ResumeTooOld {
			f.w.fail("%s: too old at %s:%d", f.id, f.epoch, f.seq)
			f.seq = m.Floor
		}
		f.epoch = m.Epoch
		if !f.follows {
			return f.say(conn, protocol.Message{Type: protocol.TypeSubscribe, Topic: f.w.Topic, History: -1})
		}
	case protocol.TypeSubscribed:
		f.follows = true
		f.w.following.Add(1)
		f.end(conn)
	case "ping":
		return f.say(conn, protocol.Message{Type: protocol.TypePong})
	case protocol.TypeError:
		return errors.New(string(m.Code) + ": " + m.Message)
	}
	return nil
}

func (f *follower) say(conn net.Conn, m protocol.Message) error {
	return ws.WriteFrame(conn, ws.MaskFrameInPlace(ws.NewTextFrame(protocol.AppendMessage(nil, m))))
}
