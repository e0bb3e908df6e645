package stand

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func stood(t *testing.T, target Target, c clock) caller {
	return caller{t, newStand("x", "1", target, c).handler()}
}

// receive reads n frames off a recorder as they come.
func receive(r *recorder, n int) (all []published) {
	for range n {
		all = append(all, <-r.came)
	}
	return all
}

func TestCreditsArePublishedInTurn(t *testing.T) {
	r := &recorder{came: make(chan published)}
	c := stood(t, r, newManual(7))
	c.ok(`{}`, "POST", "/bench/start", `{"work":"unicast","prefix":"u1-","clients":3,"bytes":240,"rate":0}`)
	c.ok(``, "POST", "/bench/credit?n=4", "")
	c.ok(``, "POST", "/bench/credit?n=3", "")
	for i, p := range receive(r, 7) {
		require.Equal(t, published{index: i % 3, to: fmt.Sprintf("u1-%06d", i%3), body: p.body, k: uint64(i/3 + 1), t: 7}, p)
	}
	c.ok(`{"published":7}`, "POST", "/bench/stop", "")
	c.ok(`{"published":0}`, "POST", "/bench/stop", "")
}

func TestFrameIsOneJSONObjectOfItsLength(t *testing.T) {
	r := &recorder{came: make(chan published)}
	c := stood(t, r, newManual(123456789012345))
	for _, length := range []int{minFrame, minFrame + 1, 240, maxFrame} {
		c.ok(`{}`, "POST", "/bench/start", fmt.Sprintf(`{"work":"fanout","prefix":"f-","clients":1,"bytes":%d}`, length))
		c.ok(``, "POST", "/bench/credit?n=1", "")
		p := <-r.came
		require.Len(t, p.body, length)
		var members map[string]string
		require.NoError(t, json.Unmarshal([]byte(p.body), &members))
		require.Equal(t, map[string]string{"type": "b", "k": fmt.Sprintf("%010d", p.k), "t": "0000123456789012345", "p": strings.Repeat("x", length-minFrame)}, members)
	}
	c.ok(`{"published":1}`, "POST", "/bench/stop", "")
}

func TestNumbersGoOnForTheLifeOfTheServer(t *testing.T) {
	r := &recorder{came: make(chan published)}
	c := stood(t, r, newManual(0))
	start := func(work, prefix string, clients int) {
		c.ok(`{}`, "POST", "/bench/start", fmt.Sprintf(`{"work":%q,"prefix":%q,"clients":%d,"bytes":100}`, work, prefix, clients))
	}
	numbers := func(n int) (ks []uint64) {
		c.ok(``, "POST", fmt.Sprintf("/bench/credit?n=%d", n), "")
		for _, p := range receive(r, n) {
			ks = append(ks, p.k)
		}
		return ks
	}
	start(unicast, "a-", 2)
	require.Equal(t, []uint64{1, 1, 2}, numbers(3))
	start(unicast, "b-", 1)
	require.Equal(t, []uint64{1}, numbers(1))
	start(unicast, "a-", 3) // from the first client on, and a third one is new
	require.Equal(t, []uint64{3, 2, 1, 4}, numbers(4))
	start(fanout, "a-", 3)
	require.Equal(t, []uint64{1, 2}, numbers(2))
	start(fanout, "a", 3)
	require.Equal(t, []uint64{3}, numbers(1), "a topic has no dash at its end")
	c.ok(`{"published":1}`, "POST", "/bench/stop", "")
}

func TestFanoutGoesToTheTopic(t *testing.T) {
	r := &recorder{came: make(chan published)}
	c := stood(t, r, newManual(0))
	c.ok(`{}`, "POST", "/bench/start", `{"work":"fanout","prefix":"u-1-","clients":10000,"bytes":240}`)
	c.ok(``, "POST", "/bench/credit?n=1", "")
	p := <-r.came
	require.Equal(t, "u-1", p.to)
	require.Equal(t, -1, p.index)
	c.ok(`{"published":1}`, "POST", "/bench/stop", "")
}

// gathering is a recorder that wants its frames two and two.
type gathering struct{ *recorder }

func (gathering) Gather() int    { return 2 }
func (g gathering) Flush() error { return g.take(published{index: -1, to: "flush", body: frameHead}) }

func TestAGathererGetsRunsAndIsFlushed(t *testing.T) {
	r := &recorder{came: make(chan published)}
	c := stood(t, gathering{r}, newManual(0))
	c.ok(`{}`, "POST", "/bench/start", `{"work":"unicast","prefix":"u-","clients":2,"bytes":240}`)
	var to []string
	for _, n := range []int{3, 3} { // the second credit begins in the middle of a run
		c.ok(``, "POST", fmt.Sprintf("/bench/credit?n=%d", n), "")
		for _, p := range receive(r, n+1) {
			to = append(to, p.to)
		}
	}
	require.Equal(t, []string{"u-000000", "u-000000", "u-000001", "flush", "u-000001", "u-000000", "u-000000", "flush"}, to)
	c.ok(`{"published":6}`, "POST", "/bench/stop", "")
}

func TestWhatAnEndedJobHasGatheredIsFlushed(t *testing.T) {
	r := &recorder{came: make(chan published)}
	s := newStand("x", "1", gathering{r}, newManual(0))
	c := caller{t, s.handler()}
	c.ok(`{}`, "POST", "/bench/start", `{"work":"unicast","prefix":"u-","clients":2,"bytes":240}`)
	c.ok(``, "POST", "/bench/credit?n=1000", "")
	require.Equal(t, "u-000000", (<-r.came).to)
	s.job.ending.Store(true) // in the middle of a run, before the target has returned or just after
	for p := range r.came {
		if p.to == "flush" {
			break
		}
	}
	<-s.job.done
	require.Equal(t, "flush", r.taken()[s.job.published].to)
	status, _ := c.call("POST", "/bench/stop", "")
	require.Equal(t, http.StatusOK, status)
}

func TestStopDoesNotWaitForCredits(t *testing.T) {
	r := &recorder{came: make(chan published)}
	c := stood(t, r, newManual(0))
	c.ok(`{}`, "POST", "/bench/start", `{"work":"fanout","prefix":"u","clients":1,"bytes":240}`)
	c.ok(``, "POST", "/bench/credit?n=1000000000", "")
	receive(r, 10)
	drained := make(chan int)
	stopped := make(chan struct{})
	go func() { // what is on its way while stop is called
		n := 0
		for {
			select {
			case <-r.came:
				n++
			case <-stopped:
				drained <- n
				return
			}
		}
	}()
	status, text := c.call("POST", "/bench/stop", "")
	close(stopped)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, fmt.Sprintf(`{"published":%d}`, 10+<-drained), text)
}

func TestFillGoesRoundAndStampsTheTime(t *testing.T) {
	r := &recorder{}
	c := stood(t, r, newManual(42))
	c.ok(`{"published":6}`, "POST", "/bench/fill", `{"prefix":"s-","clients":3,"per":2,"bytes":240}`)
	for i, p := range r.taken() {
		require.Equal(t, published{index: i % 3, to: fmt.Sprintf("s-%06d", i%3), body: p.body, k: uint64(i/3 + 1), t: 42}, p)
	}
	c.ok(`{"published":2}`, "POST", "/bench/fill", `{"prefix":"s-","clients":1,"per":2,"bytes":240}`)
	require.Equal(t, uint64(4), r.taken()[1].k, "a second fill goes on where the first has ended")
}

func TestAServerThatFailsIsTold(t *testing.T) {
	r := &recorder{fail: 3}
	s := newStand("x", "1", r, newManual(0))
	c := caller{t, s.handler()}
	status, text := c.call("POST", "/bench/fill", `{"prefix":"s-","clients":2,"per":2,"bytes":240}`)
	require.Equal(t, http.StatusInternalServerError, status)
	require.Equal(t, `{"error":"the server failed at frame 3 of the fill: broken"}`, text)

	r.taken()
	c.ok(`{}`, "POST", "/bench/start", `{"work":"fanout","prefix":"u","clients":1,"bytes":240}`)
	c.ok(``, "POST", "/bench/credit?n=5", "")
	<-s.job.done
	for _, call := range []string{"/bench/credit?n=1", "/bench/stop"} {
		status, text = c.call("POST", call, "")
		require.Equal(t, http.StatusInternalServerError, status)
		require.Equal(t, `{"error":"the server failed at its publisher's frame 3: broken"}`, text)
	}
	require.Len(t, r.taken(), 2)
}

func TestReadyAndSettle(t *testing.T) {
	c := stood(t, &recorder{}, newManual(0))
	c.ok(`{"name":"x","version":"1"}`, "GET", "/bench/ready", "")
	status, text := c.call("POST", "/bench/settle", "")
	require.Equal(t, http.StatusOK, status)
	var heap map[string]uint64
	require.NoError(t, json.Unmarshal([]byte(text), &heap))
	require.Len(t, heap, 1)
	require.Greater(t, heap["heap_bytes"], uint64(10_000))
}

func TestBadInputIsRefusedWithASentence(t *testing.T) {
	r := &recorder{}
	c := stood(t, r, newManual(0))
	bad := func(want, target, body string) {
		t.Helper()
		status, text := c.call("POST", target, body)
		require.Equal(t, http.StatusBadRequest, status, text)
		var e map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &e), text)
		require.Contains(t, e["error"], want)
	}
	bad("one JSON object", "/bench/start", ``)
	bad("one JSON object", "/bench/start", `[]`)
	bad("something comes after it", "/bench/start", `{"work":"unicast","prefix":"u-","clients":1,"bytes":240}{}`)
	bad("unknown field", "/bench/start", `{"work":"unicast","prefix":"u-","client":1,"bytes":240}`)
	bad("one JSON object", "/bench/start", `{"prefix":"`+strings.Repeat("x", maxBody)+`"}`)
	bad(`work is "both"`, "/bench/start", `{"work":"both","prefix":"u-","clients":1,"bytes":240}`)
	bad("prefix is", "/bench/start", `{"work":"unicast","prefix":"u 1","clients":1,"bytes":240}`)
	bad("prefix is", "/bench/start", `{"work":"fanout","prefix":"-","clients":1,"bytes":240}`)
	bad("clients is 0", "/bench/start", `{"work":"unicast","prefix":"u-","bytes":240}`)
	bad("clients is 1000001", "/bench/start", `{"work":"unicast","prefix":"u-","clients":1000001,"bytes":240}`)
	bad("bytes is 60", "/bench/start", `{"work":"unicast","prefix":"u-","clients":1,"bytes":60}`)
	bad("rate is -1", "/bench/start", `{"work":"unicast","prefix":"u-","clients":1,"bytes":240,"rate":-1}`)
	bad("per is 0", "/bench/fill", `{"prefix":"s-","clients":3,"bytes":240}`)
	bad("clients is 0", "/bench/fill", `{"prefix":"s-","per":3,"bytes":240}`)
	bad("one JSON object", "/bench/fill", `{"work":"unicast"}`)
	for _, n := range []string{"", "?n=", "?n=0", "?n=-1", "?n=1e3", "?n=9999999999"} {
		bad("n is", "/bench/credit"+n, "")
	}
	status, text := c.call("POST", "/bench/credit?n=1", "")
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, text, "POST /bench/start first")
	require.Empty(t, r.taken())
}

func FuzzParse(f *testing.F) {
	f.Add(`{"work":"unicast","prefix":"u1-","clients":1000,"bytes":240,"rate":0}`)
	f.Add(`{"work":"fanout","prefix":"u","clients":1,"bytes":65536,"rate":10000}`)
	f.Add(`{} {`)
	f.Fuzz(func(t *testing.T, body string) {
		var w work
		if parse(strings.NewReader(body), &w) != nil {
			return
		}
		if len(newFrame(w.Bytes)) != w.Bytes || w.Clients < 1 || w.Rate < 0 || topic(w.Prefix) == "" && w.Work == fanout {
			t.Fatalf("%+v is let through", w)
		}
	})
}
