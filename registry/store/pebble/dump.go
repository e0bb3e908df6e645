package pebble

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// dumpBytes is how much of a client is read at a time.
const dumpBytes = 1 << 20

// Dump writes the retained frames of a client, or those in the log of a topic, whose name then follows store.TopicMark, to w, one a line, as they would travel
// (P-1). It changes nothing. Its error
// is a sentence; where a frame cannot be read, those before it have been written.
func Dump(dir, clientID string, w io.Writer) error {
	return inspect(dir, func(db *crdb.DB) error {
		k, err := readState(db, clientID)
		if err != nil {
			return err
		}
		if k.Epoch == 0 {
			return fmt.Errorf("there is no %s in the store in %s", named(clientID), dir)
		}
		hours, err := readHours(db)
		if err != nil {
			return err
		}
		_, topic := topicOf(clientID)
		out := bufio.NewWriter(w)
		var line []byte
		for after := k.Floor; after < k.Head; {
			bodies, err := readBodies(db, clientID, store.Read{After: after, Last: k.Head, Frames: int(k.Frames()), Bytes: dumpBytes}, hours)
			if errors.Is(err, store.ErrExpired) { // whoever wakes it lets go of it
				after++
				continue
			}
			if err != nil {
				_ = out.Flush() // there is worse to tell
				return fmt.Errorf("%w: see what `restante store check` says", plain(err))
			}
			for _, b := range bodies {
				after++
				if line = line[:0]; topic {
					line = append(append(line, b...), '\n')
				} else {
					line = append(protocol.AppendFrame(line, after, b), '\n')
				}
				if _, err := out.Write(line); err != nil {
					return err
				}
			}
		}
		return out.Flush()
	})
}
