package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/session"
)

// TestP15_ALocalReaderGivesWayLast: a reader within the process answers no pings, so its silence says nothing; it gives way to a
// newcomer only where there is no other.
func TestP15_ALocalReaderGivesWayLast(t *testing.T) {
	cfg := session.Config{MaxConnections: 2, NewEpoch: func() uint64 { return 1 }, Generation: 1}
	s := session.New(&cfg, 0)
	attach := func(gen uint64, local bool) []session.Close {
		var fx session.Effects
		s.Attach(time.Duration(gen)*time.Second, session.Attach{Gen: gen, ConnectionID: "c", Local: local}, &fx)
		return fx.Closes
	}
	require.Empty(t, attach(1, true))
	require.Empty(t, attach(2, false))
	require.Equal(t, []session.Close{{Gen: 2, Code: protocol.CloseTooManyConnections}}, attach(3, true))
	require.Equal(t, []session.Close{{Gen: 1, Code: protocol.CloseTooManyConnections}}, attach(4, true), "of local ones the first")
}
