package protocol_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

var update = flag.Bool("update", false, "write codes.json and closes.json from the Go tables")

const vectorDir = "testdata/vectors"

// load reads a file of vectors. Unknown members are a mistake in the file or in the test.
func load[T any](t testing.TB, name string) T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vectorDir, name))
	require.NoError(t, err)
	var v T
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&v), name)
	return v
}

// input is a vector's text, in one of two spellings.
type input struct {
	In       *string `json:"in"`
	InBase64 *string `json:"in_base64"`
}

func (i input) text(t testing.TB) []byte {
	t.Helper()
	if i.In != nil {
		return []byte(*i.In)
	}
	require.NotNil(t, i.InBase64)
	b, err := base64.StdEncoding.DecodeString(*i.InBase64)
	require.NoError(t, err)
	return b
}

type bodyVectors struct {
	Description   string
	MaxFrameBytes int `json:"max_frame_bytes"`
	Cases         []struct {
		input
		Name  string
		Out   string
		Error protocol.Code
	}
}

func loadBodies(t testing.TB) bodyVectors { return load[bodyVectors](t, "bodies.json") }

func TestP02_BodyVectors(t *testing.T) {
	for _, c := range loadBodies(t).Cases {
		t.Run(c.Name, func(t *testing.T) {
			src := c.text(t)
			body, err := protocol.ParseBody(src, 4096)
			require.Equal(t, c.Error, code(t, err))
			require.Equal(t, c.Out, string(body))
			require.Equal(t, c.Error, naiveBody(src, 4096), "the second opinion of the fuzz tests")
		})
	}
}

type messageVectors struct {
	Description   string
	MaxFrameBytes int `json:"max_frame_bytes"`
	Cases         []struct {
		input
		Name    string
		Message *wireMessage
		Error   protocol.Code
		ID      string
		Topic   string
	}
}

// wireMessage is a Message as the vectors spell it.
type wireMessage struct {
	Type    string  `json:"type"`
	Seq     uint64  `json:"seq"`
	ID      string  `json:"id"`
	To      string  `json:"to"`
	Frame   string  `json:"frame"`
	Topic   string  `json:"topic"`
	Since   *string `json:"since"`
	History *int    `json:"history"`
}

func (w wireMessage) message(t testing.TB) protocol.Message {
	m := protocol.Message{Type: w.Type, Seq: w.Seq, ID: w.ID, To: w.To, Topic: w.Topic, History: -1}
	if w.Frame != "" {
		m.Frame = protocol.Body(w.Frame)
	}
	if w.History != nil {
		m.History = *w.History
	}
	if w.Since != nil {
		c, err := protocol.ParseCursor(*w.Since)
		require.NoError(t, err)
		m.Since = &c
	}
	return m
}

func loadMessages(t testing.TB) messageVectors { return load[messageVectors](t, "messages.json") }

func TestP20_MessageVectors(t *testing.T) {
	for _, c := range loadMessages(t).Cases {
		t.Run(c.Name, func(t *testing.T) {
			m, err := protocol.ParseMessage(c.text(t), 4096)
			require.Equal(t, c.Error, code(t, err))
			if c.Error != "" {
				require.Equal(t, c.ID, protocol.AsError(err).ID)
				require.Equal(t, c.Topic, protocol.AsError(err).Topic)
				require.Nil(t, c.Message)
				return
			}
			require.Equal(t, c.Message.message(t), m)
		})
	}
}

type cursorVectors struct {
	Description string
	Cases       []struct {
		In    string
		Epoch string
		Seq   uint64
		Error protocol.Code
	}
}

func loadCursors(t testing.TB) cursorVectors { return load[cursorVectors](t, "cursors.json") }

func TestP05_CursorVectors(t *testing.T) {
	for _, c := range loadCursors(t).Cases {
		t.Run(c.In, func(t *testing.T) {
			got, err := protocol.ParseCursor(c.In)
			require.Equal(t, c.Error, code(t, err))
			require.Equal(t, protocol.Cursor{Epoch: c.Epoch, Seq: c.Seq}, got)
			if err == nil {
				require.Equal(t, c.In, got.String())
			}
		})
	}
}

type frameVectors struct {
	Description string
	Splice      []struct {
		Seq                       uint64
		From, Body, Stored, Frame string
		Topic                     string
		TopicSeq                  uint64 `json:"topic_seq"`
	}
	Incoming []struct {
		Name, In string
		Seq      uint64
		Type     string
		From     string
		Topic    string
		TopicSeq uint64 `json:"topic_seq"`
		Error    protocol.Code
	}
}

func loadFrames(t testing.TB) frameVectors { return load[frameVectors](t, "frames.json") }

func TestP01_SpliceVectors(t *testing.T) {
	for _, c := range loadFrames(t).Splice {
		body, err := protocol.ParseBody([]byte(c.Body), 0)
		require.NoError(t, err)
		if c.From != "" {
			body = protocol.WithFrom(body, c.From)
			require.Equal(t, c.Stored, string(body))
			require.Equal(t, len(body), cap(body), "exactly sized")
		}
		require.False(t, protocol.OfTopic(body))
		if c.Topic != "" {
			body = spliceTopic(t, body, c.Topic, c.TopicSeq)
			require.Equal(t, c.Stored, string(body))
		}
		require.Equal(t, c.Frame, string(protocol.AppendFrame(nil, c.Seq, body)))
		require.Equal(t, len(c.Frame), protocol.FrameLen(c.Seq, body))
	}
}

func TestP01_IncomingVectors(t *testing.T) {
	for _, c := range loadFrames(t).Incoming {
		t.Run(c.Name, func(t *testing.T) {
			in, err := protocol.ParseIncoming([]byte(c.In))
			require.Equal(t, c.Error, code(t, err))
			want := protocol.Incoming{Seq: c.Seq, Type: c.Type, From: c.From, Topic: c.Topic, TopicSeq: c.TopicSeq}
			if err == nil {
				want.Raw = []byte(c.In)
			}
			require.Equal(t, want, in)
		})
	}
}

type yesNo struct {
	Description string
	Cases       []struct {
		In string
		OK bool
	}
}

func TestP04_ClientIDVectors(t *testing.T) {
	for _, c := range load[yesNo](t, "client_ids.json").Cases {
		want := protocol.CodeBadRequest
		if c.OK {
			want = ""
		}
		require.Equal(t, want, code(t, protocol.CheckClientID(c.In)), "%q", c.In)
	}
}

func TestP05_EpochVectors(t *testing.T) {
	for _, c := range load[yesNo](t, "epochs.json").Cases {
		require.Equal(t, c.OK, protocol.CheckEpoch(c.In), "%q", c.In)
	}
}

func TestP32_TopicVectors(t *testing.T) {
	type topics struct {
		Description string
		Cases       []struct {
			In             string
			Topic, Pattern bool
		}
	}
	want := map[bool]protocol.Code{true: "", false: protocol.CodeBadRequest}
	for _, c := range load[topics](t, "topics.json").Cases {
		require.Equal(t, want[c.Topic], code(t, protocol.CheckTopic(c.In)), "%q", c.In)
		require.Equal(t, want[c.Pattern], code(t, protocol.CheckPattern(c.In)), "%q", c.In)
	}
}

// codeRow is one row of codes.json. A close of 0 says that no attach is refused with the code.
type codeRow struct {
	Code   protocol.Code      `json:"code"`
	Status int                `json:"status"`
	Counts bool               `json:"counts"`
	Retry  bool               `json:"retry"`
	Close  protocol.CloseCode `json:"close"`
}

type closeRow struct {
	Code  protocol.CloseCode `json:"code"`
	Name  string             `json:"name"`
	Stops bool               `json:"stops"`
}

type table[R any] struct {
	Description string `json:"description"`
	Cases       []R    `json:"cases"`
}

// holdTable compares a table with its file, both ways, and writes the file with -update.
func holdTable[R any](t *testing.T, name string, want table[R]) {
	if *update {
		var b strings.Builder
		b.WriteString("{\n  \"description\": " + string(mustJSON(t, want.Description)) + ",\n  \"cases\": [\n")
		for i, r := range want.Cases {
			b.WriteString("    " + string(mustJSON(t, r)))
			if i < len(want.Cases)-1 {
				b.WriteByte(',')
			}
			b.WriteByte('\n')
		}
		b.WriteString("  ]\n}\n")
		require.NoError(t, os.WriteFile(filepath.Join(vectorDir, name), []byte(b.String()), 0o644))
	}
	require.Equal(t, want, load[table[R]](t, name))
}

func mustJSON(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

func TestP20_CodeVectors(t *testing.T) {
	want := table[codeRow]{Description: "P-20, P-29, P-22: the error codes. status is the one over HTTP; counts: 20 of these in 10 s end a connection; retry: a library repeats a send that was answered so; close: what ends a connection whose attach is refused so, 0 for none."}
	all := protocol.Codes()
	slices.Sort(all)
	for _, c := range all {
		i := c.Info()
		want.Cases = append(want.Cases, codeRow{c, i.Status, i.Counts, i.Retry, i.Close})
	}
	holdTable(t, "codes.json", want)
}

func TestP22_CloseVectors(t *testing.T) {
	want := table[closeRow]{Description: "P-22: the close codes that the broker sends. stops: the client does not come back; what is not in this table is judged by its range, from 4500 on it stops."}
	all := protocol.CloseCodes()
	slices.Sort(all)
	for _, c := range all {
		want.Cases = append(want.Cases, closeRow{c, c.Name(), c.Stops()})
	}
	holdTable(t, "closes.json", want)
}

// TestVectorFiles_AreDescribed holds every file to what other languages rely on.
func TestVectorFiles_AreDescribed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 12)
	for _, f := range files {
		v := load[map[string]any](t, filepath.Base(f))
		require.NotEmpty(t, v["description"], f)
	}
}
