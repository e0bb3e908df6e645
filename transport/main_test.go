package transport

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// pollerFlag is the Poller of every handler that a test does not set it for: make test runs the tests once with each.
var pollerFlag = flag.String("poller", PollerAuto, "how plain sockets are read: auto or off")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
