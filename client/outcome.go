package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/protocol"
)

// outcome is what an attach came to.
type outcome struct {
	code protocol.CloseCode // the server's, 0 if it sent none
	err  error
	// refused is the error that came before the close.
	refused *protocol.Error
	after   time.Duration
	lived   time.Duration // since everything up to hello's head had come
	since   bool          // the attach was made with a cursor
	dry     bool          // the client has left by itself, because its queue had overflowed
}

// ended judges why reading ended, and ends the writing side accordingly: with one close frame, or with none where there is nobody to read it.
func (a *attachment) ended(err error) outcome {
	o := outcome{err: err, refused: a.refused, after: a.after, since: a.from.since != nil, dry: a.dry}
	if !a.liveAt.IsZero() {
		o.lived = time.Since(a.liveAt)
	}
	var bad *fault
	var peer *errClosedByPeer
	w := a.link.writer
	switch {
	case errors.As(err, &peer):
		o.code = peer.code
		reply := peer.code
		if reply == protocol.CloseNoStatus {
			reply = protocol.CloseNormal
		}
		w.end(ending{code: reply})
	case errors.As(err, &bad):
		if bad.over != "" {
			a.c.inbox.startOver(bad.over)
		}
		a.c.report(fmt.Errorf("client: %w", bad.err))
		w.end(ending{code: bad.code})
		a.link.linger()
	case errors.Is(err, ErrClosed):
		a.link.linger()
	case errors.Is(err, errSilence):
		w.end(ending{code: protocol.CloseHeartbeatTimeout})
	default:
		w.end(ending{silent: true})
	}
	return o
}
