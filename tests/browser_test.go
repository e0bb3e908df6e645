//go:build browser

package tests

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// page is what the browser runs: it opens an EventSource and tells the test, in order, of all that it is given.
const page = `<!doctype html><title>events</title><pre id="log"></pre><script>
let queue = Promise.resolve()
const tell = (what) => { queue = queue.then(() => fetch("/tell", { method: "POST", body: what }).catch(() => {})) }
const events = new EventSource("%s")
events.onopen = () => tell("open")
events.onerror = () => tell("error " + events.readyState)
events.onmessage = (e) => tell("frame " + e.lastEventId + " " + e.data)
for (const name of ["hello", "snapshot", "replay_end", "goaway", "close"]) events.addEventListener(name, (e) => tell(name + " " + e.data))
</script>`

// TestP11_ABrowsersOwnEventSource has a real browser read a client's outbox while the broker is killed, ended in order, and started again: its own EventSource
// comes back with the cursor by itself, and the page has every frame once and in order.
func TestP11_ABrowsersOwnEventSource(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	require.NoError(t, err, "this test needs chromium: make test-browser installs it")
	told := make(chan string, 10_000)
	var broker string
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, page, broker+"/v1/clients/tab/events")
	})
	mux.HandleFunc("/tell", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		told <- string(text)
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	origin, err := url.Parse(site.URL)
	require.NoError(t, err)

	h := newHome(t, "--allow-origin", origin.Scheme+"://"+origin.Host)
	e := h.start()
	broker = e.url
	e.do("POST", "/v1/clients/tab/messages", []byte(`{"type":"subscribe","topic":"news"}`))
	cmd := exec.Command(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir="+t.TempDir(), site.URL)
	cmd.SysProcAttr = dieWithUs()
	require.NoError(t, cmd.Start())
	var ended sync.WaitGroup
	ended.Go(func() { _ = cmd.Wait() })
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		ended.Wait()
	})

	var seen []string
	frames := 0
	next := func(prefix string) string {
		t.Helper()
		for end := time.After(2 * patience); ; {
			select {
			case what := <-told:
				seen = append(seen, what)
				if strings.HasPrefix(what, "frame ") {
					frames++
					require.Contains(t, what, fmt.Sprintf(`:%d {"seq":%d,"topic":"news","topic_seq":%d,`, frames, frames, frames), "every frame once and in order: %q", seen)
				}
				if strings.HasPrefix(what, prefix) {
					return what
				}
			case <-end:
				require.FailNow(t, "the page does not tell of it", "%q after %q", prefix, seen)
			}
		}
	}
	next("hello")
	n := 0
	publish := func(count int) {
		t.Helper()
		for range count {
			n++
			e.tell("news", numbered(n, 100))
		}
		for frames < n {
			next("frame ")
		}
	}
	publish(20)
	h.now.kill()
	next("error")
	e = h.start()
	publish(20)
	h.stop() // in order: the page is told when to come back
	require.Contains(t, next("close"), `"code":4002`)
	e = h.start()
	n++
	e.tell("news", numbered(n, 100)) // while nobody reads
	publish(20)
	require.Equal(t, 61, frames)
	require.Equal(t, 204, e.do("DELETE", "/v1/clients/tab", nil).status)
	require.Contains(t, next("close"), `"code":4504`)
	h.stop()
}
