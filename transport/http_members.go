package transport

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/restante/restante/protocol"
)

// members reads the body of a call of ours, a JSON object, and returns the text of those of its members that have one of the names. encoding/json
// alone would fold names by case and take the last of two; here a name is matched exactly, one that counts may stand there once, and others are
// ignored, whatever they hold. The texts are parts of src or copies of them.
func members(src []byte, names ...string) (map[string]json.RawMessage, error) {
	if !utf8.Valid(src) || !json.Valid(src) {
		return nil, protocol.Errorf(protocol.CodeBadJSON, "the body is not JSON in UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, badRequest("the body is not a JSON object")
	}
	found := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		name, isName := t.(string)
		if err != nil || !isName {
			return nil, protocol.Errorf(protocol.CodeBadJSON, "the body is not JSON")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, protocol.Errorf(protocol.CodeBadJSON, "the body is not JSON")
		}
		if !slices.Contains(names, name) {
			continue
		}
		if _, twice := found[name]; twice {
			return nil, badRequest("%s stands there twice", name)
		}
		found[name] = value
	}
	return found, nil
}

// member returns the string that found holds under name; present is false where it is not there, and anything but a string is refused.
func member(found map[string]json.RawMessage, name string) (text string, present bool, err error) {
	raw, present := found[name]
	if !present {
		return "", false, nil
	}
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil { // null would be taken for a string
		return "", true, badRequest("%s is a string", name)
	}
	return text, true, nil
}
