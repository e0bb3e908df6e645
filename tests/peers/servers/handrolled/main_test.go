package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"github.com/restante/restante/bench"
	"github.com/restante/restante/tests/peers/dialects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served starts the server, which ends with the test.
func served(t *testing.T) (*hub, string) {
	h := newHub()
	srv := httptest.NewServer(h.handler())
	t.Cleanup(func() {
		if res, err := http.Post(srv.URL+"/bench/stop", "", nil); err != nil { // a storm's publisher goes on
			t.Error(err)
		} else {
			_ = res.Body.Close()
		}
		http.DefaultClient.CloseIdleConnections()
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, c := range h.clients {
			c.mu.Lock()
			if c.reader != nil {
				_ = c.reader.conn.Close() // its goroutines end, which goleak sees to
			}
			c.mu.Unlock()
		}
		srv.Close()
	})
	return h, srv.URL
}

// TestTheWorksAreDone has the load generator check that nothing is lost, doubled or out of order, also of what was missed.
func TestTheWorksAreDone(t *testing.T) {
	for profile, clients := range map[string]int{
		bench.ProfileUnicast: 50, bench.ProfileRate: 50, bench.ProfileFanout: 50, bench.ProfileFanoutOne: 50, bench.ProfileStorm: 50, bench.ProfileChurn: 50,
		bench.ProfilePublish: 50,
	} {
		t.Run(profile, func(t *testing.T) {
			_, url := served(t)
			r, err := bench.Run{
				URL: url, PID: os.Getpid(), Dialect: dialects.HandRolled{}, Profile: profile, Clients: clients,
				Duration: 300 * time.Millisecond, Warmup: 50 * time.Millisecond,
			}.Do(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r.Failed != "" || r.Lost+r.Doubled+r.Disordered > 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestTheRingGrowsAndKeepsTheLast(t *testing.T) {
	c := new(client)
	for n := 1; n <= kept+500; n++ {
		c.publish(fmt.Appendf(nil, "%d", n))
		oldest := max(1, n-kept+1)
		for _, seq := range []int{oldest, (oldest + n) / 2, n} {
			f, err := c.after(uint64(seq - 1))
			if want := fmt.Sprintf(`{"seq":%d,"data":%d}`, seq, seq); err != nil || string(f) != want {
				t.Fatalf("%s, %v instead of %s when there are %d", f, err, want, n)
			}
		}
		if f, err := c.after(uint64(n)); f != nil || err != nil {
			t.Fatalf("%s, %v after the last", f, err)
		}
	}
	for _, cursor := range []uint64{0, 499, kept + 501} {
		if _, err := c.after(cursor); err != errTooOld {
			t.Errorf("%v for what is not there after %d", err, cursor)
		}
	}
	if _, err := c.after(500); err != nil {
		t.Error(err)
	}
}

func TestWhoLacksTooMuchIsTold(t *testing.T) {
	h, url := served(t)
	for range kept + 1 {
		if err := h.Unicast(0, "c", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	conn, in, _, err := ws.Dial(t.Context(), strings.Replace(url, "http", "ws", 1)+"/ws?client_id=c&since=0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var r io.Reader = conn
	if in != nil {
		r = in
	}
	_, err = wsutil.ReadServerText(struct {
		io.Reader
		io.Writer
	}{r, conn})
	if closed, ok := err.(wsutil.ClosedError); !ok || closed.Code != 4000 {
		t.Errorf("%v instead of being closed with 4000", err)
	}
}

func TestWhatIsNoJSONIsRefused(t *testing.T) {
	_, url := served(t)
	for body, want := range map[string]int{`{"a":1}`: http.StatusOK, `{"a":1`: http.StatusBadRequest, ``: http.StatusBadRequest, `"` + strings.Repeat("x", maxMessage) + `"`: http.StatusBadRequest} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/publish?client_id=c", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%.20q has got %s", body, res.Status)
		}
		cancel()
	}
}
