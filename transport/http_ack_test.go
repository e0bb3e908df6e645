package transport

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

func ackCall(body string) httpCall {
	return httpCall{method: "POST", path: "/v1/clients/a/ack", body: body, header: asJSON}
}

func TestP11_AckOverHTTP(t *testing.T) {
	for body, want := range map[string]Ack{
		`{"cursor":"e1:7"}`: {Cursor: protocol.Cursor{Epoch: "e1", Seq: 7}},
		`{"cursor":"7"}`:    {Cursor: protocol.Cursor{Seq: 7}},
		"{ \"connection_id\" : \"c-1\",\n\"cursor\":\"e1:7\"}\n":             {Cursor: protocol.Cursor{Epoch: "e1", Seq: 7}, ConnectionID: "c-1"},
		`{"x":[{"cursor":"e9:9"}],"cursor":"\u00651:7","Cursor":1,"x":null}`: {Cursor: protocol.Cursor{Epoch: "e1", Seq: 7}},
	} {
		t.Run(body, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			f.state = protocol.State{ClientID: "a", Acked: 7}
			w := ackCall(body).do(h)
			require.Equal(t, 200, w.Code, w.Body.String())
			require.Contains(t, w.Body.String(), `"acked":7`)
			require.Equal(t, want, f.acked)
		})
	}
}

func TestP20_BadAcks(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
		code   protocol.Code
	}{
		"empty":                {" ", 400, protocol.CodeBadJSON},
		"no JSON":              {`{"cursor":"e1:7"`, 400, protocol.CodeBadJSON},
		"two values":           {`{"cursor":"e1:7"}{}`, 400, protocol.CodeBadJSON},
		"bad UTF-8":            {"{\"cursor\":\"e1:7\",\"x\":\"\xff\"}", 400, protocol.CodeBadJSON},
		"array":                {`["e1:7"]`, 400, protocol.CodeBadRequest},
		"string":               {`"e1:7"`, 400, protocol.CodeBadRequest},
		"null":                 {`null`, 400, protocol.CodeBadRequest},
		"no cursor":            {`{}`, 400, protocol.CodeBadRequest},
		"name by case only":    {`{"Cursor":"e1:7"}`, 400, protocol.CodeBadRequest},
		"cursor a number":      {`{"cursor":7}`, 400, protocol.CodeBadRequest},
		"cursor null":          {`{"cursor":null}`, 400, protocol.CodeBadRequest},
		"duplicate":            {`{"cursor":"e1:7","cursor":"e1:8"}`, 400, protocol.CodeBadRequest},
		"duplicate, escaped":   {`{"cursor":"e1:7","\u0063ursor":"e1:8"}`, 400, protocol.CodeBadRequest},
		"bad cursor":           {`{"cursor":"e1:-7"}`, 400, protocol.CodeBadCursor},
		"empty cursor":         {`{"cursor":""}`, 400, protocol.CodeBadCursor},
		"empty connection":     {`{"cursor":"e1:7","connection_id":""}`, 400, protocol.CodeBadRequest},
		"connection a number":  {`{"cursor":"e1:7","connection_id":1}`, 400, protocol.CodeBadRequest},
		"connection too long":  {`{"cursor":"e1:7","connection_id":"` + strings.Repeat("c", 65) + `"}`, 400, protocol.CodeBadRequest},
		"too large":            {`{"cursor":"e1:7","x":"` + strings.Repeat("x", 4<<10) + `"}`, 413, protocol.CodeTooLarge},
		"nested beyond reason": {`{"x":` + strings.Repeat("[", 3000), 400, protocol.CodeBadJSON},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newHTTP(t, Config{})
			requireProblem(t, ackCall(c.body).do(h), c.status, c.code)
			require.Empty(t, f.calls())
		})
	}
}
