package stand

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheClockGoesOnAndIsWaitedFor(t *testing.T) {
	c := newClock()
	before := c.now()
	require.GreaterOrEqual(t, before, int64(0))
	c.wait(before + int64(2*time.Millisecond))
	require.GreaterOrEqual(t, c.now(), before+int64(2*time.Millisecond))
	c.wait(before) // what is over is not waited for
}

func BenchmarkPublish(b *testing.B) {
	s := newStand("x", "1", nothing{}, newClock())
	j := newJob(work{Work: unicast, Prefix: "u-", Clients: 10_000, Bytes: 240}, &s.press, s.clock)
	b.ReportAllocs()
	if !j.publish(int64(b.N), -1) {
		b.Fatal(j.err)
	}
}

type nothing struct{}

func (nothing) Unicast(int, string, []byte) error { return nil }
func (nothing) Fanout(string, []byte) error       { return nil }
