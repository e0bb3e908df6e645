//go:build browser && linux

package tests

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// browserPage opens an EventSource to the broker and reports what it gets, in order, by fetch. As a page should, it drops what it has (seq <= cursor), stops
// at a close for good, and opens another EventSource, since the cursor, where the browser gave up.
const browserPage = `<!doctype html><script>
const broker = %q, id = %q;
let since = "", epoch = "", cursor = 0, chain = Promise.resolve();
const report = (what) => { chain = chain.then(() => fetch("/report", {method: "POST", body: JSON.stringify(what)})); };
const open = () => {
  const es = new EventSource(broker + "/v1/clients/" + id + "/events" + (since ? "?since=" + encodeURIComponent(since) : ""));
  es.addEventListener("hello", (e) => { const h = JSON.parse(e.data); if (h.epoch !== epoch) { epoch = h.epoch; cursor = 0; } report({kind: "hello", resume: h.resume}); });
  es.onmessage = (e) => {
    const f = JSON.parse(e.data);
    if (f.seq <= cursor) { report({kind: "repeat"}); return; }
    cursor = f.seq; since = e.lastEventId;
    report({kind: "frame", seq: f.seq, n: f.n, mark: f.mark, id: e.lastEventId});
  };
  es.addEventListener("close", (e) => { const c = JSON.parse(e.data); report({kind: "close", code: c.code}); if (c.code >= 4500) es.close(); });
  es.onerror = () => { if (es.readyState === EventSource.CLOSED) setTimeout(open, 100); };
};
open();
</script>`

// report is one thing that the page has to say.
type report struct {
	Kind, Resume, Mark, ID string
	Seq                    uint64
	N, Code                int
}

// chromium returns the browser's program, or ends the run in one line.
func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	fmt.Fprintln(os.Stderr, "the browser test needs Chromium, and finds none: install chromium, or run make test-browser as root, which does")
	os.Exit(1)
	return ""
}

// TestSSE_ABrowsersEventSource: a real browser reads while the broker is killed, and ended in order, and started again on its data: every frame comes once and
// in order, and a later live one as well.
func TestSSE_ABrowsersEventSource(t *testing.T) {
	program := chromium()
	reports := make(chan report, 1<<12)
	var html string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(html))
		case "/report":
			var what report
			if err := json.NewDecoder(r.Body).Decode(&what); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			reports <- what
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(site.Close)
	h := newHome(t, "--allow-origin", site.URL, "--sync", "always")
	s := h.start()
	html = fmt.Sprintf(browserPage, s.url, "tab")
	s.publishN("tab", 10, 10, 0)

	browser := exec.Command(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--no-proxy-server", "--user-data-dir="+t.TempDir(), site.URL+"/")
	log := &logBuffer{}
	browser.Stdout, browser.Stderr = log, log
	browser.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	require.NoError(t, browser.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-browser.Process.Pid, syscall.SIGKILL) // its own group: it and its children
		_ = browser.Wait()
		if t.Failed() {
			t.Logf("the browser: %s", log)
		}
	})

	seen, hellos, repeats := uint64(0), 0, 0
	next := func() report {
		select {
		case r := <-reports:
			return r
		case <-time.After(2 * patience):
			require.FailNow(t, "the page says nothing", "%d frames came", seen)
			return report{}
		}
	}
	upTo := func(seq uint64) (last report) {
		for seen < seq {
			switch r := next(); r.Kind {
			case "hello":
				if hellos++; hellos > 1 {
					require.Contains(t, []string{"replay", "up_to_date"}, r.Resume)
				}
			case "repeat":
				repeats++
			case "frame":
				require.Equal(t, seen+1, r.Seq, "once and in order")
				seen, last = r.Seq, r
			}
		}
		return last
	}
	upTo(10)
	for round := range 4 {
		before := s.publishN("tab", 20, 10, 2000)
		if round%2 == 0 {
			h.now.kill()
		} else {
			h.stop()
		}
		s = h.start()
		after := s.publishN("tab", 20, 10, 0)
		require.Equal(t, before.Epoch, after.Epoch)
		upTo(after.Seq)
	}
	mark := unique()
	live := s.publish("tab", fmt.Sprintf(`{"type":"live","mark":%q}`, mark))
	last := s.publish("tab", `{"type":"end"}`)
	require.Equal(t, mark, upTo(live.Seq).Mark)
	require.Equal(t, fmt.Sprintf("%s:%d", last.Epoch, last.Seq), upTo(last.Seq).ID)
	require.GreaterOrEqual(t, hellos, 5)
	require.Equal(t, 204, s.do("DELETE", "/v1/clients/tab", nil).status)
	for r := next(); ; r = next() {
		require.NotEqual(t, "frame", r.Kind)
		if r.Kind == "close" && r.Code == 4504 {
			break
		}
	}
	t.Logf("%d frames, %d hellos, %d repeats dropped", seen, hellos, repeats)
}
