package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func TestP1_FrameIsTheBodyWithItsSeqInFront(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.attach("a")
	bodies := []struct{ in, out string }{
		{`{"type":"progress","pct":40}`, `{"seq":1,"type":"progress","pct":40}`},
		{" {\t\"a\" : 1.50e+10 ,\r\n \"type\" : \"x\" , \"l\" : [ 1 , { \"b\" : -0.0 } ] } \n", `{"seq":2,"a":1.50e+10,"type":"x","l":[1,{"b":-0.0}]}`},
		{`{"type":"é <b>&amp;\u00e9\/ \u2028 ","big":123456789012345678901234567890}`,
			`{"seq":3,"type":"é <b>&amp;\u00e9\/ \u2028 ","big":123456789012345678901234567890}`},
		{"{\"type\":\"line\u2028sep  two  spaces\"}", "{\"seq\":4,\"type\":\"line\u2028sep  two  spaces\"}"},
		{`{"type":""}`, `{"seq":5,"type":""}`},
		{`{"type":"nested","seq2":{"seq":9,"from":"x","seq":8}}`, `{"seq":6,"type":"nested","seq2":{"seq":9,"from":"x","seq":8}}`},
	}
	c.until("replay_end")
	for _, b := range bodies {
		s.publish("a", b.in)
		require.Equal(t, b.out, c.next().Raw)
	}
	// A replayed frame is byte for byte the frame as first sent, on a socket and without one.
	c.cut()
	again := s.attach("a", "since", c.hello.Epoch+":0")
	require.EqualValues(t, "replay", again.hello.Resume)
	page := s.page("a", "since="+c.hello.Epoch+":0")
	require.Len(t, page.Frames, len(bodies))
	for i, b := range bodies {
		require.Equal(t, b.out, again.next().Raw)
		require.Equal(t, b.out, string(page.Frames[i]))
	}
	again.until("replay_end")
	again.liveOnce("a")
}

// badBodies are refused by P-2. code "" stands for bad_json or bad_frame.
var badBodies = []struct {
	name, body string
	code       protocol.Code
}{
	{"nothing", ``, ""},
	{"white space only", "  \n", ""},
	{"cut short", `{"type":"x"`, protocol.CodeBadJSON},
	{"no JSON", `type=x`, protocol.CodeBadJSON},
	{"two objects", `{"type":"x"} {"type":"y"}`, ""},
	{"trailing comma", `{"type":"x",}`, protocol.CodeBadJSON},
	{"leading zero", `{"type":"x","n":01}`, protocol.CodeBadJSON},
	{"control character in a string", "{\"type\":\"a\x01b\"}", protocol.CodeBadJSON},
	{"bad escape", `{"type":"\x"}`, protocol.CodeBadJSON},
	{"an array", `[{"type":"x"}]`, ""},
	{"a string", `"type"`, ""},
	{"null", `null`, ""},
	{"a number", `7`, ""},
	{"empty object", `{}`, protocol.CodeBadFrame},
	{"no type", `{"kind":"x"}`, protocol.CodeBadFrame},
	{"type is a number", `{"type":1}`, protocol.CodeBadFrame},
	{"type is null", `{"type":null}`, protocol.CodeBadFrame},
	{"only Type", `{"Type":"x"}`, protocol.CodeBadFrame},
	{"type and TYPE", `{"type":"x","TYPE":"y"}`, protocol.CodeBadFrame},
	{"invalid UTF-8", "{\"type\":\"\xff\"}", ""},
	{"overlong UTF-8", "{\"type\":\"\xc0\xaf\"}", ""},
	{"surrogate in UTF-8", "{\"type\":\"\xed\xa0\x80\"}", ""},
	{"65 deep", `{"type":"x","d":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, ""},
	{"type twice", `{"type":"x","type":"x"}`, ""},
	{"a name twice", `{"type":"x","a":1,"a":2}`, ""},
	{"a name twice, escaped", `{"type":"x","a":1,"\u0061":2}`, ""},
	{"seq", `{"type":"x","seq":1}`, protocol.CodeBadFrame},
	{"SEQ", `{"type":"x","SEQ":1}`, protocol.CodeBadFrame},
	{"seq, escaped", `{"type":"x","\u0073eq":1}`, protocol.CodeBadFrame},
	{"seq by a long s", `{"type":"x","ſeq":1}`, protocol.CodeBadFrame},
	{"topic", `{"type":"x","topic":"t"}`, protocol.CodeBadFrame},
	{"Topic_Seq", `{"type":"x","Topic_Seq":1}`, protocol.CodeBadFrame},
	{"topic_seq by a long s", `{"type":"x","topic_ſeq":1}`, protocol.CodeBadFrame},
	{"from", `{"type":"x","from":"me"}`, protocol.CodeBadFrame},
	{"too large", numbered(1, protocol.DefaultMaxFrameBytes+1), protocol.CodeTooLarge},
}

func requireCode(t *testing.T, want, got protocol.Code, detail string) {
	t.Helper()
	if want == "" {
		require.Contains(t, []protocol.Code{protocol.CodeBadJSON, protocol.CodeBadFrame}, got, detail)
		return
	}
	require.Equal(t, want, got, detail)
}

func TestP2_BadBodiesAreRefusedAndStoreNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, other := s.attach("a"), s.attach("b")
	c.until("replay_end")
	other.until("replay_end")
	for _, b := range badBodies {
		p := s.do("POST", framesPath("a"), []byte(b.body)).problem(t)
		requireCode(t, b.code, p.Code, b.name)
		require.Equal(t, b.code == protocol.CodeTooLarge, p.Status == 413, b.name)
		require.Contains(t, []int{400, 413}, p.Status, b.name)
	}
	require.Zero(t, s.state("a").Head)
	c.liveOnce("a")
	other.liveOnce("b")
	// What is just allowed.
	for _, ok := range []string{
		`{"type":"x","d":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`,
		numbered(1, protocol.DefaultMaxFrameBytes),
		`{"type":"x","a":{"a":1,"a":2,"seq":1}}`,
		`{"type":"x","A":1,"a":2}`,
		`{"type":"x","seq_":1,"frоm":2}`,
	} {
		s.publish("a", ok)
		require.NotZero(t, c.next().Seq)
	}
}

func TestP2_BatchIsAllOrNothingAndNamesTheLine(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-frames", "100")
	c := s.attach("a")
	c.until("replay_end")
	post := func(body string) protocol.Problem {
		return s.do("POST", framesPath("a"), []byte(body), "Content-Type", "application/x-ndjson").problem(t)
	}
	require.Equal(t, 3, post("{\"type\":\"x\"}\n{\"type\":\"y\"}\n{\"typ\":1}\n{\"type\":\"z\"}\n").Line)
	require.Equal(t, 2, post("{\"type\":\"x\"}\r\n{\"type\":\"x\",\"seq\":3}").Line)
	require.Equal(t, 1, post("{\"type\":\"\xff\"}\n{\"type\":\"x\"}").Line)
	// A call of more than a tenth of the bounds.
	frame := []string{`{"type":"x"}`}
	eleven := strings.Repeat("{\"type\":\"x\"}\n", 11)
	p := post(eleven)
	require.Equal(t, protocol.CodeTooLarge, p.Code)
	require.Equal(t, 413, p.Status)
	require.Zero(t, s.state("a").Head, "nothing of a refused call is stored")
	for range 9 {
		frame = append(frame, frame[0])
	}
	require.EqualValues(t, 10, s.publish("a", frame...).Seq)
	c.upTo(10)
	c.liveOnce("a")
}

func TestP3_EachPublisherAndEachSenderInItsOrder(t *testing.T) {
	t.Parallel()
	s := serve(t)
	reader := s.attach("target")
	const publishers, each = 4, 60
	var wg sync.WaitGroup
	failures := make(chan error, publishers)
	for p := range publishers {
		wg.Go(func() {
			for n := range each {
				if _, err := s.tryPublish(t.Context(), "target", fmt.Sprintf(`{"type":"n","pub":%d,"n":%d}`, p+1, n+1)); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	sender := s.attach("sender")
	sender.until("replay_end")
	for n := range each {
		sender.send(`{"type":"send","id":"s%d","to":"target","frame":{"type":"n","pub":%d,"n":%d}}`, n, publishers+1, n+1)
	}
	at := make([]int, publishers+2)
	for range (publishers + 1) * each {
		m := reader.next()
		for m.Seq == 0 {
			m = reader.next()
		}
		at[m.Pub]++
		require.Equal(t, at[m.Pub], m.N, "publisher %d", m.Pub)
	}
	for n := range each {
		r := sender.nextOf("receipt")
		require.Equal(t, fmt.Sprintf("s%d", n), r.ID, "the receipts of one target come in order")
	}
	wg.Wait()
	select {
	case err := <-failures:
		require.NoError(t, err)
	default:
	}
	require.EqualValues(t, (publishers+1)*each, reader.last)
}

func TestP26_WhatAnyoneIsShownCanBeRead(t *testing.T) {
	t.Parallel()
	s := serve(t, "--ping-interval", "1s")
	first := s.publish("a", `{"type":"x"}`)
	reader := s.attach("a")
	done := make(chan error, 1)
	go func() {
		for range 400 {
			p, err := s.tryPublish(t.Context(), "a", `{"type":"x"}`, `{"type":"y"}`)
			if err != nil {
				done <- err
				return
			}
			// The receipt's own frame is there for whoever asks after it.
			r, err := s.try(t.Context(), "GET", fmt.Sprintf("%s?since=%s:%d&limit=1", framesPath("a"), p.Epoch, p.Seq-1), nil)
			var page protocol.Page
			if err == nil {
				err = json.Unmarshal(r.body, &page)
			}
			if err == nil && (len(page.Frames) != 1 || !strings.HasPrefix(string(page.Frames[0]), fmt.Sprintf(`{"seq":%d,`, p.Seq))) {
				err = fmt.Errorf("a receipt for %d, then %s", p.Seq, r)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	shown := func(head uint64, where string) {
		page := s.page("a", fmt.Sprintf("since=%s:%d&limit=1", first.Epoch, head-1))
		require.Len(t, page.Frames, 1, "%s showed head %d", where, head)
	}
	for i := 0; ; i++ {
		select {
		case err := <-done:
			require.NoError(t, err)
			reader.upTo(801)
			return
		default:
		}
		shown(s.state("a").Head, "state")
		shown(s.page("a", "since="+first.Epoch+":0&limit=1").Head, "a page")
		if i%20 == 0 {
			c := s.attach("a")
			shown(c.hello.Head, "hello")
			c.leave(1000)
		}
	}
}

func TestP26_ARefusedCallConsumesNoSeq(t *testing.T) {
	t.Parallel()
	s := serve(t)
	require.EqualValues(t, 1, s.publish("a", `{"type":"x"}`).Seq)
	for range 5 {
		s.do("POST", framesPath("a"), []byte("{\"type\":\"x\"}\n{}"), "Content-Type", "application/x-ndjson").problem(t)
	}
	require.EqualValues(t, 2, s.publish("a", `{"type":"x"}`).Seq)
}
