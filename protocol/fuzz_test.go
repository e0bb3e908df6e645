package protocol_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

const fuzzMax = 4096

// code returns the code of an error of the package; every one has one, and a text with it.
func code(t testing.TB, err error) protocol.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *protocol.Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, protocol.Codes(), e.Code)
	require.NotEmpty(t, e.Message)
	require.True(t, utf8.ValidString(e.Message), "%q", e.Message)
	require.Less(t, len(e.Message), 300, "an error does not carry its input about")
	return e.Code
}

// tooDeepForJSON says that encoding/json, which stops at 10,000 levels, is no judge of src.
func tooDeepForJSON(src []byte) bool {
	return bytes.Count(src, []byte("["))+bytes.Count(src, []byte("{")) > 9000
}

func FuzzParseBody(f *testing.F) {
	for _, c := range loadBodies(f).Cases {
		f.Add(c.text(f))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if tooDeepForJSON(src) {
			return
		}
		kept := bytes.Clone(src)
		body, err := protocol.ParseBody(src, fuzzMax)
		require.Equal(t, kept, src, "the input is not written to")
		require.Equal(t, naiveBody(src, fuzzMax), code(t, err))
		if err != nil {
			require.Nil(t, body)
			return
		}
		var want bytes.Buffer
		require.NoError(t, json.Compact(&want, kept))
		require.Equal(t, want.String(), string(body))
		require.Equal(t, len(body), cap(body), "exactly sized")
		for i := range src {
			src[i] = 'x'
		}
		require.Equal(t, want.String(), string(body), "memory of its own")
		again, err := protocol.ParseBody(body, len(body))
		require.NoError(t, err)
		require.Equal(t, body, again)
		checkSplice(t, body)
	})
}

// checkSplice sends body as a frame and reads it back.
func checkSplice(t *testing.T, body protocol.Body) {
	var typed struct{ Type *string }
	require.NoError(t, json.Unmarshal(body, &typed))
	for _, seq := range []uint64{1, 9, 10, 99, 100, protocol.MaxSeq} {
		frame := protocol.AppendFrame(nil, seq, body)
		require.Len(t, frame, protocol.FrameLen(seq, body))
		in, err := protocol.ParseIncoming(frame)
		require.NoError(t, err)
		require.Equal(t, protocol.Incoming{Seq: seq, Type: in.Type, Raw: frame}, in)
		require.NoError(t, protocol.CheckStored(body))
		spliceTopic(t, body, "jobs.7", seq)
		require.Error(t, protocol.CheckStored(protocol.WithFrom(protocol.WithTopic(body, "a", 1), "b")), "a topic has no sender")
		require.NoError(t, protocol.CheckStored(protocol.WithFrom(body, "tab-1")))
		require.Error(t, protocol.CheckStored(protocol.WithFrom(protocol.WithFrom(body, "a"), "b")), "one sender is enough")
		sent := protocol.AppendFrame([]byte("kept"), seq, protocol.WithFrom(body, "tab-1"))
		require.Equal(t, "kept", string(sent[:4]))
		require.True(t, json.Valid(sent[4:]))
		in, err = protocol.ParseIncoming(sent[4:])
		require.NoError(t, err)
		require.Equal(t, "tab-1", in.From)
		require.Equal(t, seq, in.Seq)
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, c := range loadMessages(f).Cases {
		f.Add(c.text(f))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if tooDeepForJSON(src) {
			return
		}
		kept := bytes.Clone(src)
		m, err := protocol.ParseMessage(src, fuzzMax)
		require.Equal(t, kept, src, "the input is not written to")
		valid := utf8.Valid(src) && json.Valid(src)
		if c := code(t, err); err != nil {
			require.Zero(t, m)
			if c == protocol.CodeTooLarge && len(src) > fuzzMax+protocol.MessageSlack {
				return
			}
			if !valid {
				require.Equal(t, protocol.CodeBadJSON, c)
				return
			}
			var e *protocol.Error
			require.True(t, errors.As(err, &e))
			require.Equal(t, naiveID(src), e.ID)
			return
		}
		require.True(t, valid, "%q", src)
		checkMessage(t, src, m)
	})
}

// checkMessage compares an accepted message with what encoding/json reads in it, and with itself written and read again.
func checkMessage(t *testing.T, src []byte, m protocol.Message) {
	members, depth, object := naiveObject(src)
	require.True(t, object)
	require.LessOrEqual(t, depth, protocol.MaxDepth+1)
	seen := map[string]bool{}
	for _, x := range members {
		require.False(t, seen[x.name], "twice: %s", x.plain)
		seen[x.name] = true
		switch {
		case x.plain == "type":
			require.Equal(t, x.first, m.Type)
		case x.plain == "seq" && m.Type == protocol.TypeAck:
			require.Equal(t, x.raw, json.Number(protocol.Cursor{Seq: m.Seq}.String()).String())
		case x.plain == "to" && m.Type == protocol.TypeSend:
			require.Equal(t, x.first, m.To)
		case x.plain == "id" && m.Type == protocol.TypeSend:
			require.Equal(t, x.first, m.ID)
		}
	}
	if m.Type == protocol.TypeSend {
		require.Empty(t, naiveBody(m.Frame, fuzzMax))
		require.Equal(t, len(m.Frame), cap(m.Frame))
	}
	written := protocol.AppendMessage(nil, m)
	again, err := protocol.ParseMessage(written, fuzzMax)
	require.NoError(t, err)
	require.Equal(t, m, again)
}

var cursorShape = regexp.MustCompile(`^(?:([A-Za-z0-9_-]{1,32}):)?(0|[1-9][0-9]*)$`)

func FuzzParseCursor(f *testing.F) {
	for _, c := range loadCursors(f).Cases {
		f.Add(c.In)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := protocol.ParseCursor(s)
		parts := cursorShape.FindStringSubmatch(s)
		n, ok := new(big.Int), false
		if parts != nil {
			n, ok = n.SetString(parts[2], 10)
			ok = ok && n.Cmp(big.NewInt(protocol.MaxSeq)) <= 0
		}
		if !ok {
			require.Equal(t, protocol.CodeBadCursor, code(t, err))
			require.Zero(t, c)
			return
		}
		require.NoError(t, err)
		require.Equal(t, protocol.Cursor{Epoch: parts[1], Seq: n.Uint64()}, c)
		require.Equal(t, s, c.String())
	})
}

func FuzzParseIncoming(f *testing.F) {
	for _, c := range loadFrames(f).Incoming {
		f.Add([]byte(c.In))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if tooDeepForJSON(src) {
			return
		}
		in, err := protocol.ParseIncoming(src)
		c := code(t, err)
		if !utf8.Valid(src) || !json.Valid(src) {
			require.Equal(t, protocol.CodeBadJSON, c)
			return
		}
		members, _, object := naiveObject(src)
		if err != nil {
			require.Equal(t, protocol.CodeBadFrame, c)
			require.Zero(t, in)
			return
		}
		require.True(t, object)
		require.Equal(t, src, in.Raw)
		sequenced := members[0].plain == "seq"
		require.Equal(t, sequenced, in.Seq > 0)
		if sequenced {
			require.Equal(t, members[0].raw, protocol.Cursor{Seq: in.Seq}.String())
		}
		kind := ""
		for _, m := range members {
			if s, ok := m.first.(string); ok && m.plain == "type" {
				kind = s // the last one counts, as in encoding/json; the broker writes only one
			}
		}
		require.Equal(t, kind, in.Type)
	})
}
