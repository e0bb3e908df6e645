package nodepeers

import (
	"testing"
	"time"

	"github.com/restante/restante/bench"
)

// Every profile of the load generator can be finished, and nothing is lost, doubled or out of order in any.
func TestEveryProfileIsFinished(t *testing.T) {
	for _, profile := range bench.Profiles() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel() // most of the time goes by with waiting for a server to settle
			each(t, func(t *testing.T, s *server) {
				run := bench.Run{URL: "http://" + s.addr, PID: s.cmd.Process.Pid, Dialect: s.dialect, Profile: profile, Clients: 100, Duration: time.Second / 2, Warmup: time.Second / 10}
				r, err := run.Do(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if r.Failed != "" || r.Lost > 0 || r.Doubled > 0 || r.Disordered > 0 || len(r.Figures) == 0 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}
