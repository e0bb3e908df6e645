package dialects

import (
	"bytes"
	"encoding/json"
	"testing"
)

// compact is what the walk through JSON makes of it again; false where it finds it broken.
func compact(v []byte) (again []byte, ok bool) {
	var err error
	switch v[0] {
	case '{':
		again = append(again, '{')
		err = members(v, func(name, v []byte) error {
			inner, fine := compact(v)
			if !fine {
				return errJSON
			}
			again = append(append(append(append(append(again, '"'), name...), '"', ':'), inner...), ',')
			return nil
		})
		again = append(bytes.TrimSuffix(again, []byte(",")), '}')
	case '[':
		again = append(again, '[')
		err = elements(v, func(v []byte) error {
			inner, fine := compact(v)
			if !fine {
				return errJSON
			}
			again = append(append(again, inner...), ',')
			return nil
		})
		again = append(bytes.TrimSuffix(again, []byte(",")), ']')
	default:
		return v, true
	}
	return again, err == nil
}

// What is JSON is walked through to its end, and nothing makes the walk panic.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `{"a":1}`, `[1,"a\"b",{"x":[]},null]`, `{"a":{"b":"\\"},"c":[{},{}]}`, `{`, `{"a"}`, `[1,]`, `{,}`, `[[]`, `"`, `"\\\""`, `{"a":"}"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var tight bytes.Buffer
		valid := json.Compact(&tight, b) == nil
		if valid {
			b = tight.Bytes()
		}
		v, rest, err := value(b)
		if !valid {
			if err == nil {
				_, _ = compact(v)
			}
			return
		}
		again, ok := compact(v)
		if err != nil || len(rest) > 0 || !ok || !bytes.Equal(again, b) {
			t.Errorf("%q is walked through as %q, %q is left: %v", b, again, rest, err)
		}
	})
}
