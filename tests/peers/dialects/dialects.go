// Package dialects is how the clients of the servers that the broker is compared with speak: a bench.Dialect for each.
package dialects

import (
	"fmt"

	"github.com/restante/restante/bench"
)

// all is every dialect.
var all = []bench.Dialect{bench.Restante{}, HandRolled{}, Floor{}, WS{}, SocketIO{}, SocketIO{Recovery: true}, Centrifuge{}, NATS{}, Mochi{}}

// ByName returns the dialect of that name.
func ByName(name string) (bench.Dialect, error) {
	for _, d := range all {
		if d.Name() == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("there is no dialect %q", name)
}
