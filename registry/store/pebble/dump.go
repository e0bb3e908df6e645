package pebble

import (
	"bufio"
	"fmt"
	"io"

	crdb "github.com/cockroachdb/pebble/v2"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/store"
)

// dumpBytes is how much of a client is read at a time.
const dumpBytes = 1 << 20

// Dump writes the retained frames of a client in the store in dir to w, one a line, as they would travel (P-1). It changes nothing. Its error
// is a sentence; where a frame cannot be read, those before it have been written.
func Dump(dir, clientID string, w io.Writer) error {
	return inspect(dir, func(db *crdb.DB) error {
		k, err := readState(db, clientID)
		if err != nil {
			return err
		}
		if k.Epoch == 0 {
			return fmt.Errorf("there is no client %s in the store in %s", clientID, dir)
		}
		out := bufio.NewWriter(w)
		var line []byte
		for after := k.Floor; after < k.Head; {
			bodies, err := readBodies(db, clientID, store.Read{After: after, Last: k.Head, Frames: int(k.Frames()), Bytes: dumpBytes})
			if err != nil {
				_ = out.Flush() // there is worse to tell
				return fmt.Errorf("%w: see what `restante store check` says", plain(err))
			}
			for _, b := range bodies {
				after++
				line = append(protocol.AppendFrame(line[:0], after, b), '\n')
				if _, err := out.Write(line); err != nil {
					return err
				}
			}
		}
		return out.Flush()
	})
}
