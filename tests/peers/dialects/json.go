package dialects

import (
	"bytes"
	"errors"
)

var errJSON = errors.New("JSON that is not whole")

// value cuts the JSON value that b begins with. It looks for its end only: what it holds is not judged.
func value(b []byte) (v, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errJSON
	}
	if b[0] != '{' && b[0] != '[' && b[0] != '"' {
		end := bytes.IndexAny(b, ",]}")
		if end < 0 {
			end = len(b)
		}
		if end == 0 {
			return nil, nil, errJSON
		}
		return b[:end], b[end:], nil
	}
	for i, depth := 0, 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			n := text(b[i+1:])
			if n < 0 {
				return nil, nil, errJSON
			}
			i += n
		}
		if depth == 0 {
			return b[:i+1], b[i+1:], nil
		}
	}
	return nil, nil, errJSON
}

// text is how long a string is with the quote at its end, after which b goes on; -1 where there is none.
func text(b []byte) int {
	for at := 0; ; {
		n := bytes.IndexByte(b[at:], '"')
		if n < 0 {
			return -1
		}
		at += n + 1
		slashes := 0
		for i := at - 2; i >= 0 && b[i] == '\\'; i-- {
			slashes++
		}
		if slashes%2 == 0 {
			return at
		}
	}
}

// unquoted is a string that needs no escapes; "" of anything else.
func unquoted(v []byte) string {
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	return string(v[1 : len(v)-1])
}

// members calls each for the members of an object without white space, in turn. Names are as they are written.
func members(object []byte, each func(name, v []byte) error) error {
	return inside(object, '{', func(b []byte) ([]byte, error) {
		name, rest, err := value(b)
		if err != nil || name[0] != '"' || len(rest) == 0 || rest[0] != ':' {
			return nil, errJSON
		}
		v, rest, err := value(rest[1:])
		if err != nil {
			return nil, err
		}
		return rest, each(name[1:len(name)-1], v)
	})
}

// elements calls each for the elements of an array without white space, in turn.
func elements(array []byte, each func(v []byte) error) error {
	return inside(array, '[', func(b []byte) ([]byte, error) {
		v, rest, err := value(b)
		if err != nil {
			return nil, err
		}
		return rest, each(v)
	})
}

// inside calls cut for each of what the commas in an object or array part; it returns what comes after that.
func inside(b []byte, opened byte, cut func(b []byte) ([]byte, error)) (err error) {
	if len(b) < 2 || b[0] != opened {
		return errJSON
	}
	for b = b[1:]; len(b) != 1; {
		if b, err = cut(b); err != nil {
			return err
		}
		if len(b) > 1 {
			if b[0] != ',' {
				return errJSON
			}
			b = b[1:]
			if len(b) == 1 {
				return errJSON
			}
		}
		if len(b) == 0 {
			return errJSON
		}
	}
	return nil
}
