package session_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
	"github.com/restante/restante/registry/outbox"
	"github.com/restante/restante/registry/session"
)

var update = flag.Bool("update", false, "write the transcripts' effects anew; read them before you commit them")

// TestTranscripts plays testdata/transcripts: lines with > are what a session is told, and the lines below each what it asks for.
// A file's name begins with the rule that it shows. testdata/transcripts/README.md explains the words.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/P*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := play(t, want)
			if *update {
				require.NoError(t, os.WriteFile(file, got, 0o644))
				return
			}
			require.Equal(t, string(want), string(got))
		})
	}
}

// play returns src with the effects of its inputs in place of those written in it.
func play(t *testing.T, src []byte) []byte {
	var out bytes.Buffer
	p := &player{t: t, out: &out, cfg: defaults(), gens: map[string]uint64{}, names: map[uint64]string{}}
	lines := bufio.NewScanner(bytes.NewReader(src))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if input, ok := strings.CutPrefix(line, "> "); ok {
			p.do(input)
		} else if settings, ok := strings.CutPrefix(line, "config "); ok {
			p.config(strings.Fields(settings))
		}
	}
	require.NoError(t, lines.Err())
	return out.Bytes()
}

func defaults() *session.Config {
	epochs := uint64(0)
	return &session.Config{
		Bounds: outbox.Bounds{Frames: 10_000, Bytes: 4 << 20, Age: 24 * time.Hour}, ResumeWindow: time.Minute, MaxConnections: 16,
		RecordTTL: 24 * time.Hour, MaxRecords: 10_000, ClientTTL: 24 * time.Hour, SnapshotTimeout: 5 * time.Second,
		AckInterval: 5 * time.Second, MaxFrameBytes: 64 << 10, MaxMessageBytes: 1 << 20,
		NewEpoch: func() uint64 {
			epochs++
			const e0 = 14 * 36 // so that the n-th reads en-1
			return e0 + epochs
		},
		Generation: 1,
	}
}

// player is the shell of one session in a transcript, with a store that confirms at once unless the transcript says store=late.
type player struct {
	t     *testing.T
	out   *bytes.Buffer
	cfg   *session.Config
	late  bool
	s     *session.Session
	fx    session.Effects
	now   time.Duration
	next  time.Duration
	gens  map[string]uint64
	names map[uint64]string
	owed  []uint64 // tokens of the commits that the store has not answered
}

func (p *player) config(settings []string) {
	for _, set := range settings {
		name, v, _ := strings.Cut(set, "=")
		switch name {
		case "store":
			p.late = v == "late"
		case "snapshots":
			p.cfg.Snapshots = true
		case "frames":
			p.cfg.Bounds.Frames = p.int(v)
		case "bytes":
			p.cfg.Bounds.Bytes = int64(p.int(v))
		case "age":
			p.cfg.Bounds.Age = p.duration(v)
		case "retain_acked":
			p.cfg.RetainAcked = uint64(p.int(v))
		case "resume_window":
			p.cfg.ResumeWindow = p.duration(v)
		case "connections":
			p.cfg.MaxConnections = p.int(v)
		case "records":
			p.cfg.MaxRecords = p.int(v)
		case "max_message_bytes":
			p.cfg.MaxMessageBytes = p.int(v)
		default:
			p.t.Fatalf("config %s?", set)
		}
	}
}

func (p *player) int(s string) int {
	n, err := strconv.Atoi(s)
	require.NoError(p.t, err)
	return n
}

func (p *player) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	require.NoError(p.t, err)
	return d
}

// call is one input, taken apart: words, name=value pairs, and the JSON at its end.
type call struct {
	verb   string
	words  []string
	opts   map[string]string
	bodies []protocol.Body
}

func (c *call) word(i int) string {
	if i < len(c.words) {
		return c.words[i]
	}
	return ""
}

func (c *call) has(word string) bool {
	for _, w := range c.words {
		if w == word {
			return true
		}
	}
	return false
}

func (p *player) parse(input string) *call {
	text, tail := input, ""
	c := &call{opts: map[string]string{}}
	if i := strings.Index(input, "raw="); i >= 0 { // bytes as they are, which need not be JSON, but for \\xff
		text, c.opts["raw"] = input[:i], strings.ReplaceAll(input[i+len("raw="):], `\xff`, "\xff")
	} else if i := strings.IndexAny(input, "{[\""); i >= 0 {
		text, tail = input[:i], input[i:]
	}
	words := strings.Fields(text)
	c.verb = words[0]
	for _, w := range words[1:] {
		if name, v, ok := strings.Cut(w, "="); ok {
			c.opts[name] = v
		} else {
			c.words = append(c.words, w)
		}
	}
	for dec := json.NewDecoder(strings.NewReader(tail)); ; {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			require.ErrorContains(p.t, err, "EOF", input)
			return c
		}
		c.bodies = append(c.bodies, protocol.Body(raw))
	}
}

func (p *player) since(c *call) *protocol.Cursor {
	v, ok := c.opts["since"]
	if !ok {
		return nil
	}
	cur, err := protocol.ParseCursor(v)
	require.NoError(p.t, err)
	return &cur
}

// do feeds one input to the session and writes what comes of it.
func (p *player) do(input string) {
	if p.s == nil {
		s := session.New(p.cfg, p.now)
		p.s = &s
	}
	p.fx.Reset()
	c := p.parse(input)
	in, ok := inputs[c.verb]
	require.True(p.t, ok, "> %s?", input)
	in(p, c)
	p.obey()
}

var (
	errStore   = errors.New("the disk is full")
	errUnknown = errors.New("the disk has gone")
)

// inputs is what a session can be told.
var inputs = map[string]func(*player, *call){
	"attach": func(p *player, c *call) {
		p.gens[c.word(0)] = uint64(len(p.names) + 1)
		p.names[uint64(len(p.names)+1)] = c.word(0)
		p.s.Attach(p.now, session.Attach{
			Gen: p.gens[c.word(0)], ClientID: "tab-1", ConnectionID: c.word(0), Transport: "ws",
			Since: p.since(c), Takeover: c.has("takeover"), PingMS: 25_000, PongMS: 35_000,
		}, &p.fx)
	},
	"publish": func(p *player, c *call) {
		in := session.Publish{To: c.word(0), Bodies: c.bodies}
		switch c.opts["wait"] {
		case "sent":
			in.Level = session.LevelSent
		case "acked":
			in.Level = session.LevelAcked
		}
		if key, ok := c.opts["key"]; ok {
			k := session.IdempotencyKey("me", key)
			in.Record, in.Sum = &k, session.SumOf(in.Bodies)
		}
		if n, ok := c.opts["times"]; ok {
			for range p.int(n) - 1 {
				in.Bodies = append(in.Bodies, c.bodies[0])
			}
		}
		p.s.Publish(p.now, in, &p.fx)
	},
	"message": func(p *player, c *call) {
		for range max(1, p.int("0"+c.opts["times"])) {
			m, err := protocol.ParseMessage(c.bodies[0], p.cfg.MaxFrameBytes)
			p.s.Message(p.now, p.gens[c.word(0)], m, protocol.AsError(err), &p.fx)
		}
	},
	"confirm": func(p *player, c *call) { p.answer(nil, false) },
	"fail":    func(p *player, c *call) { p.answer(errStore, false) },
	"unknown": func(p *player, c *call) { p.answer(errUnknown, true) },
	"written": func(p *player, c *call) { p.s.Written(p.now, p.gens[c.word(0)], &p.fx) },
	"gone":    func(p *player, c *call) { p.s.Gone(p.now, p.gens[c.word(0)], c.word(1) == "left", &p.fx) },
	"ping":    func(p *player, c *call) { p.s.PingDue(p.now, p.gens[c.word(0)], &p.fx) },
	"outcome": func(p *player, c *call) { p.s.Outcome(p.now, p.gens[c.word(0)], c.bodies[0], &p.fx) },
	"read": func(p *player, c *call) {
		limit := protocol.MaxPageFrames
		if v, ok := c.opts["limit"]; ok {
			limit = p.int(v)
		}
		p.s.Read(p.now, session.Read{To: c.word(0), Since: p.since(c), Limit: limit, Wait: c.has("wait")}, &p.fx)
	},
	"ack": func(p *player, c *call) {
		cur, err := protocol.ParseCursor(c.opts["cursor"])
		require.NoError(p.t, err)
		p.s.AckBy(p.now, cur, c.opts["connection"], c.word(0), &p.fx)
	},
	"giveup": func(p *player, c *call) { p.s.GiveUp(p.now, c.word(0), &p.fx) },
	"provider": func(p *player, c *call) {
		token, asOf := uint64(p.int(c.opts["ask"])), uint64(p.int("0"+c.opts["as_of"]))
		if c.has("failed") {
			p.s.Answered(p.now, token, 0, nil, errors.New("no such page"), &p.fx)
			return
		}
		data := []byte(c.opts["raw"])
		if len(c.bodies) > 0 {
			data = c.bodies[0]
		}
		p.s.Answered(p.now, token, asOf, data, nil, &p.fx)
	},
	"at": func(p *player, c *call) { p.now = p.duration(c.word(0)); p.fx.Next = p.next },
	"tick": func(p *player, c *call) {
		p.now = p.duration(c.word(0))
		p.s.Tick(p.now, &p.fx)
	},
	"judge": func(p *player, c *call) {
		if p.s.Judge(p.now, false, &p.fx) {
			p.say("kept")
		}
	},
	"delete":  func(p *player, c *call) { p.s.Delete(p.now, c.word(0), &p.fx) },
	"drain":   func(p *player, c *call) { p.s.Drain(p.now, p.duration(c.opts["by"]), 1500, nil, &p.fx) },
	"recover": func(p *player, c *call) { p.s.Recover(p.now, &p.fx) },
	"state": func(p *player, c *call) {
		st := p.s.State(true)
		p.say("epoch=%s floor=%d head=%d acked=%d frames=%d bytes=%d connections=%d places=%d",
			st.Epoch, st.Floor, st.Head, st.Acked, st.Frames, st.Bytes, st.Connections, st.Places)
		for _, a := range st.Attachments {
			p.say("  %s resume=%s cursor=%d acked=%d", a.ConnectionID, a.Resume, a.Cursor, a.Acked)
		}
		p.fx.Next = p.next
	},
}

// answer is the store's word on the oldest commit.
func (p *player) answer(err error, unknown bool) {
	require.NotEmpty(p.t, p.owed, "nothing is under way")
	token := p.owed[0]
	p.owed = p.owed[1:]
	p.s.Confirmed(p.now, token, err, unknown, &p.fx)
}
