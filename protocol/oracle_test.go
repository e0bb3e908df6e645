package protocol_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/restante/restante/protocol"
)

// The second opinion of the fuzz tests: P-2 read once more, slowly, on encoding/json.

// topMember is one top-level member as the second opinion sees it.
type topMember struct {
	name  string // in UTF-16 code units, so that halves of surrogate pairs stay what they are
	plain string // the same with U+FFFD for such halves
	first json.Token
	raw   string
}

// naiveObject walks src, valid JSON, by tokens. object is false if it is none.
func naiveObject(src []byte) (members []topMember, depth int, object bool) {
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	level, name := 0, false
	for {
		before := dec.InputOffset()
		tok, err := dec.Token()
		if err != nil {
			return members, depth, object
		}
		raw := strings.TrimLeft(string(src[before:dec.InputOffset()]), " \n\r\t,:")
		d, _ := tok.(json.Delim)
		switch {
		case d == '}' || d == ']':
			level--
			name = level == 1
			continue
		case level == 0:
			object, name = d == '{', true
		case level == 1 && object && name:
			units := naiveUnits(raw[1 : len(raw)-1])
			members = append(members, topMember{name: string16(units), plain: string(utf16.Decode(units))})
			name = false
		case level == 1 && object:
			members[len(members)-1].first = tok
			members[len(members)-1].raw = raw
			name = d == 0
		}
		if d != 0 {
			level++
			depth = max(depth, level)
		}
	}
}

func string16(units []uint16) string {
	var b strings.Builder
	for _, u := range units {
		b.WriteString(strconv.Itoa(int(u)) + ",")
	}
	return b.String()
}

// naiveUnits unescapes the inside of a JSON string.
func naiveUnits(s string) []uint16 {
	var out []uint16
	for len(s) > 0 {
		if s[0] != '\\' {
			r, n := utf8.DecodeRuneInString(s)
			out = utf16.AppendRune(out, r)
			s = s[n:]
			continue
		}
		if s[1] == 'u' {
			u, err := strconv.ParseUint(s[2:6], 16, 16)
			if err != nil {
				panic(err)
			}
			out = append(out, uint16(u))
			s = s[6:]
			continue
		}
		out = append(out, uint16(map[byte]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[s[1]]))
		if c := s[1]; c == '"' || c == '\\' || c == '/' {
			out[len(out)-1] = uint16(c)
		}
		s = s[2:]
	}
	return out
}

// naiveBody says with which code src is refused as a body, "" if it is not.
func naiveBody(src []byte, maxBytes int) protocol.Code {
	src = bytes.Trim(src, " \n\r\t")
	if len(src) > maxBytes {
		return protocol.CodeTooLarge
	}
	if !utf8.Valid(src) || !json.Valid(src) {
		return protocol.CodeBadJSON
	}
	members, depth, object := naiveObject(src)
	if !object || depth > protocol.MaxDepth {
		return protocol.CodeBadFrame
	}
	seen := map[string]bool{}
	typed := false
	for _, m := range members {
		if seen[m.name] {
			return protocol.CodeBadFrame
		}
		seen[m.name] = true
		if m.plain == "type" {
			_, typed = m.first.(string)
			continue
		}
		for _, word := range []string{"seq", "topic", "topic_seq", "from", "type"} {
			if strings.EqualFold(m.plain, word) {
				return protocol.CodeBadFrame
			}
		}
	}
	if !typed {
		return protocol.CodeBadFrame
	}
	return ""
}

// naiveID returns the one string id of a message, "" if there is none that can be given back.
func naiveID(src []byte) string {
	members, _, _ := naiveObject(src)
	id, n := "", 0
	for _, m := range members {
		if m.plain != "id" {
			continue
		}
		n++
		s, ok := m.first.(string)
		if !ok || string16(utf16.Encode([]rune(s))) != string16(naiveUnits(m.raw[1:len(m.raw)-1])) {
			continue // no string, or half a surrogate pair in it
		}
		if c := utf8.RuneCountInString(s); c >= 1 && c <= protocol.MaxSendIDChars {
			id = s
		}
	}
	if n != 1 {
		return ""
	}
	return id
}
