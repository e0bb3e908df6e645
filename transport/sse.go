package transport

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
)

// typeEvents is what a browser's EventSource takes.
const typeEvents = "text/event-stream"

// events is GET /v1/clients/{id}/events: the client's outbox as Server-Sent Events, by an attachment like any other. It answers when the stream
// has ended. What refuses it for good is a status, which an EventSource takes for the end; whatever comes back is told in a stream, since after
// a status it would not (the HTTP table).
func (h *Handler) events(c *call) (answer, error) {
	if c.r.ContentLength != 0 {
		return answer{}, badRequest("a stream of events is asked for without a body") // behind one, net/http would not see its reader leave
	}
	if !flushes(c.w) {
		h.log.Error("events cannot be served: the handler is mounted behind something that keeps what is written to itself")
		return answer{}, protocol.Errorf(protocol.CodeInternal, "events cannot be served here")
	}
	a, refusal := h.parseEvents(c)
	if refusal == nil {
		a.grant, refusal = h.authorizeAttach(c.r, a.clientID)
		a.MaySubscribe = a.grant.maySubscribe()
	}
	s := newStream(h, c)
	if refusal != nil {
		return s.refuse(refusal)
	}
	if c.r.Method == http.MethodHead { // what GET would begin with: nobody attaches
		s.begin()
		return answer{}, nil
	}
	if !h.conns.addStream(s) {
		return s.refuse(protocol.Errorf(protocol.CodeDraining, "the broker has ended"))
	}
	defer h.conns.removeStream(s)
	h.log.Debug("a stream attaches", "client_id", a.clientID, "connection_id", a.ConnectionID)
	h.reg.Attach(a.clientID, a.Attach, s)
	return s.run(a)
}

// parseEvents reads what the stream is to begin with. Last-Event-ID, which a browser sends by itself when it comes back, wins over the since of the URL.
func (h *Handler) parseEvents(c *call) (attachRequest, *protocol.Error) {
	a := attachRequest{clientID: strings.Clone(c.name), Attach: Attach{
		ConnectionID: h.ids.next(), Transport: "sse",
		PingInterval: max(h.cfg.PingInterval, 0), PongTimeout: max(h.cfg.PongTimeout, 0),
	}}
	if err := protocol.CheckClientID(a.clientID); err != nil {
		return a, protocol.AsError(err)
	}
	var err error
	if last := c.r.Header.Get("Last-Event-ID"); last != "" {
		var since protocol.Cursor
		since, err = protocol.ParseCursor(last)
		a.Since = &since
	} else {
		a.Since, err = c.since()
	}
	if a.Since != nil {
		a.Since.Epoch = strings.Clone(a.Since.Epoch)
	}
	for _, read := range []func(*attachRequest, *call) error{readTakeover, readPing} {
		if err == nil {
			err = read(&a, c)
		}
	}
	return a, protocol.AsError(err)
}

// appendEvent appends p as an event. Sequenced frames have no name and carry their cursor as id, of the given epoch, as do the snapshot of the outbox and
// replay_end; all else is named by its type. No frame has a line break in it: white space between tokens was dropped (P-1), and a string has none.
func appendEvent(dst []byte, p protocol.Piece, epoch string) []byte {
	id, name := p.Seq, ""
	if p.Seq == 0 {
		var m struct {
			Type  string  `json:"type"`
			Seq   uint64  `json:"seq"`
			AsOf  uint64  `json:"as_of"`
			Topic *string `json:"topic"`
		}
		_ = json.Unmarshal(p.Body, &m) // the broker's own
		switch name = m.Type; {
		case m.Type == protocol.TypeReplayEnd:
			id = m.Seq
		case m.Type == protocol.TypeSnapshot && m.Topic == nil:
			id = m.AsOf
		}
		if name == protocol.TypeReplayEnd || name == protocol.TypeSnapshot && m.Topic == nil {
			dst = appendID(dst, epoch, id)
		}
		dst = append(append(append(dst, "event: "...), name...), "\ndata: "...)
		return append(append(dst, p.Body...), "\n\n"...)
	}
	dst = append(appendID(dst, epoch, id), "data: "...)
	return append(protocol.AppendFrame(dst, p.Seq, p.Body), "\n\n"...)
}

// appendRetry says when the reader is to come back once the stream has ended, however it ends.
func appendRetry(dst []byte, d time.Duration) []byte {
	return append(strconv.AppendInt(append(dst, "retry: "...), d.Milliseconds(), 10), '\n')
}

// around returns a time from half to one and a half of d, so that readers that were cut together do not come together.
func around(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// flushes reports whether what is written to w can be sent at once: else nothing would arrive, and the reader would come back for ever.
func flushes(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Flusher, interface{ FlushError() error }:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

func appendID(dst []byte, epoch string, seq uint64) []byte {
	return append(append(append(dst, "id: "...), protocol.Cursor{Epoch: epoch, Seq: seq}.String()...), '\n')
}
