package transport

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

const snapshotPath = "/v1/clients/a/snapshot"

func putCall(body string) httpCall {
	return httpCall{method: "PUT", path: snapshotPath, body: body, header: asJSON}
}

func TestP9_PutASnapshot(t *testing.T) {
	for body, want := range map[string]struct {
		asOf protocol.Cursor
		data string
	}{
		`{"as_of":"e1:7","data":{"sum":15}}`:                                       {protocol.Cursor{Epoch: "e1", Seq: 7}, `{"sum":15}`},
		"{ \"data\" : [ 1.0 , \"a b\",\n{} ] ,\r\n\t\"as_of\":\"e1:0\" }\n":        {protocol.Cursor{Epoch: "e1"}, `[1.0,"a b",{}]`},
		`{"as_of":"12","data":null}`:                                               {protocol.Cursor{Seq: 12}, `null`},
		`{"as_of":"\u00651:7","d\u0061ta":"<\u0061>\/","Data":1,"x":{"data":[2]}}`: {protocol.Cursor{Epoch: "e1", Seq: 7}, `"<\u0061>\/"`},
		`{"as_of":"e1:7","data":1e400,"x":1,"x":2}`:                                {protocol.Cursor{Epoch: "e1", Seq: 7}, `1e400`},
	} {
		t.Run(body, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			f.stored = protocol.StoredSnapshot{ClientID: "a", AsOf: "e1:7", Data: json.RawMessage(`"not told again"`)}
			w := putCall(body).do(h)
			require.Equal(t, 200, w.Code, w.Body.String())
			require.Equal(t, `{"client_id":"a","as_of":"e1:7"}`, w.Body.String())
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			require.Equal(t, want.asOf, f.asOf)
			require.Equal(t, want.data, string(f.data))
			require.Equal(t, []string{"put snapshot a"}, f.calls())
		})
	}
}

// TestP9_BadSnapshots shows how a refusal of the parser travels; the vectors have the whole list of what it refuses.
func TestP9_BadSnapshots(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
		code   protocol.Code
	}{
		"empty":                {" ", 400, protocol.CodeBadJSON},
		"bad UTF-8 elsewhere":  {"{\"as_of\":\"e1:7\",\"data\":1,\"x\":\"\xff\"}", 400, protocol.CodeBadJSON},
		"deep and without end": {`{"as_of":"e1:7","data":` + strings.Repeat("[", 5000), 400, protocol.CodeBadJSON},
		"null":                 {`null`, 400, protocol.CodeBadRequest},
		"nothing in it":        {`{}`, 400, protocol.CodeBadRequest},
		"bad cursor":           {`{"as_of":"e1:9007199254740992","data":1}`, 400, protocol.CodeBadCursor},
		"deep beyond reason":   {`{"as_of":"e1:7","data":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, 400, protocol.CodeBadFrame},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			requireProblem(t, putCall(c.body).do(h), c.status, c.code)
			require.Empty(t, f.calls())
		})
	}
}

type snapshotVectors struct {
	Cases []struct {
		Name     string
		In       string
		InBase64 []byte `json:"in_base64"`
		AsOf     string `json:"as_of"`
		Data     string
		Error    protocol.Code
	}
	MaxMessageBytes int `json:"max_message_bytes"`
}

func loadSnapshots(t testing.TB) (v snapshotVectors) {
	t.Helper()
	data, err := os.ReadFile("../protocol/testdata/vectors/snapshots.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &v))
	require.NotEmpty(t, v.Cases)
	return v
}

func TestP9_SnapshotVectors(t *testing.T) {
	v := loadSnapshots(t)
	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			asOf, data, err := parseSnapshot(append([]byte(c.In), c.InBase64...), v.MaxMessageBytes)
			require.Equal(t, c.Error, codeOf(err))
			require.Equal(t, c.Data, string(data))
			if err == nil {
				require.Equal(t, c.AsOf, asOf.String())
			}
		})
	}
}

// TestP20_TheLargestSnapshot bounds the message that comes of a snapshot, and the body that it came in.
func TestP20_TheLargestSnapshot(t *testing.T) {
	const limit = 10_000
	room := limit - protocol.SnapshotLen(7, 0)
	for name, c := range map[string]struct {
		data, x int
		status  int
	}{
		"fits":                      {data: room, status: 200},
		"fits, with white space":    {data: room, x: protocol.MessageSlack - 1000, status: 200},
		"a message too long by one": {data: room + 1, status: 413},
		"a body too long":           {data: limit + protocol.MessageSlack, status: 413},
		"too much beside the data":  {data: 2, x: limit + protocol.MessageSlack, status: 413},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{MaxMessageBytes: limit})
			w := putCall(`{"as_of":"e1:7",` + strings.Repeat(" ", c.x) + `"data":"` + strings.Repeat("x", c.data-2) + `"}`).do(h)
			require.Equal(t, c.status, w.Code, w.Body.String())
			if c.status == 413 {
				requireProblem(t, w, 413, protocol.CodeTooLarge)
				require.Empty(t, f.calls())
				return
			}
			require.Len(t, protocol.EncodeSnapshot(7, f.data), protocol.SnapshotLen(7, c.data))
		})
	}
}

func TestP9_GetAndDeleteASnapshot(t *testing.T) {
	h, f := newHTTP(t, Config{})
	f.stored = protocol.StoredSnapshot{ClientID: "a", AsOf: "e1:7", Data: json.RawMessage(`{"n":1.0,"text":"<&>\u2028"}`)}
	w := httpCall{method: "GET", path: snapshotPath}.do(h)
	require.Equal(t, 200, w.Code)
	require.Equal(t, `{"client_id":"a","as_of":"e1:7","data":{"n":1.0,"text":"<&>\u2028"}}`, w.Body.String(), "every byte of it, as in P-1")
	w = httpCall{method: "DELETE", path: snapshotPath}.do(h)
	require.Equal(t, 204, w.Code)
	require.Empty(t, w.Body.String())
	require.Empty(t, w.Header().Get("Content-Type"))
	require.Equal(t, []string{"snapshot a", "delete snapshot a"}, f.calls())
}

// TestP9_WhatTheRegistrySaysOfASnapshot passes its refusals on, with their statuses.
func TestP9_WhatTheRegistrySaysOfASnapshot(t *testing.T) {
	for code, status := range map[protocol.Code]int{
		protocol.CodeNotFound: 404, protocol.CodeEpochMismatch: 409, protocol.CodeConflict: 409, protocol.CodeTooLarge: 413, protocol.CodeOverloaded: 503, protocol.CodeDraining: 503,
	} {
		for _, c := range []httpCall{putCall(`{"as_of":"e1:7","data":1}`), {method: "GET", path: snapshotPath}, {method: "DELETE", path: snapshotPath}} {
			h, f := newHTTP(t, Config{})
			f.err = protocol.Errorf(code, "so it is")
			requireProblem(t, c.do(h), status, code)
		}
	}
}

// FuzzParseSnapshot holds the parser to encoding/json, which reads the same members where none stands there twice, and to the codes that P-20 has for
// what it refuses. Then it wraps the input as the data of a body that is in order, where all depends on the data alone.
func FuzzParseSnapshot(f *testing.F) {
	for _, s := range []string{
		`{"as_of":"e1:7","data":{"a":[1, 2]}}`, `{"data":null,"as_of":"0"}`, `{"as_of":7,"data":1}`, `{"as_of":"e1:7","data":1,"data":2}`, `[]`, `"x"`, ``,
		`{"As_of":"e1:7","data":1}`, `{"as_of":"e1:7","x":{"data":1}}`, "{\"as_of\":\"\\u0065:1\",\"data\":\"\xff\"}", `{"as_of":"e:1","data":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + "}",
	} {
		f.Add([]byte(s))
	}
	for _, c := range loadSnapshots(f).Cases {
		f.Add([]byte(c.In))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		const limit = 2000
		kept := bytes.Clone(src)
		asOf, data, err := parseSnapshot(src, limit)
		require.Equal(t, kept, src, "the input is not written to")
		text := utf8.Valid(src) && json.Valid(src)
		require.Equal(t, !text, codeOf(err) == protocol.CodeBadJSON)
		if err != nil {
			require.Contains(t, []protocol.Code{"bad_json", "bad_request", "bad_cursor", "bad_frame", "too_large"}, codeOf(err))
			require.Zero(t, asOf)
			require.Nil(t, data)
		} else {
			var m map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(src, &m))
			require.Equal(t, compacted(t, m["data"]), string(data))
			var s string
			require.NoError(t, json.Unmarshal(m["as_of"], &s))
			require.Equal(t, s, asOf.String())
			require.LessOrEqual(t, len(protocol.EncodeSnapshot(asOf.Seq, data)), limit)
			for i := range src {
				src[i] = 'x'
			}
			require.Equal(t, compacted(t, m["data"]), string(data), "memory of its own")
		}

		around := `{"x":[{"data":1}],"data":` + string(kept) + ` , "as_of" : "e1:` + strconv.Itoa(len(kept)) + `" }`
		asOf, data, err = parseSnapshot([]byte(around), limit)
		want, bad := protocol.ParseSnapshotData(kept)
		if bad == nil && protocol.SnapshotLen(uint64(len(kept)), len(want)) <= limit {
			require.NoError(t, err)
			require.Equal(t, string(want), string(data))
			require.Equal(t, protocol.Cursor{Epoch: "e1", Seq: uint64(len(kept))}, asOf)
		}
	})
}

// codeOf is the code of a refusal of the parser's, "" for none.
func codeOf(err error) protocol.Code {
	if err == nil {
		return ""
	}
	return withStatus(err).err.Code
}

func compacted(t *testing.T, raw json.RawMessage) string {
	var b bytes.Buffer
	require.NoError(t, json.Compact(&b, raw))
	return b.String()
}
