package protocol

import "strings"

// idByte says which bytes a client_id and the levels of a topic are made of (P-4).
func idByte(c byte) bool {
	switch {
	case c-'0' <= 9, c|0x20 >= 'a' && c|0x20 <= 'z':
		return true
	}
	return c == '.' || c == '_' || c == '~' || c == ':' || c == '@' || c == '-'
}

// CheckClientID holds id to P-4: 1 to MaxClientIDBytes of A–Z a–z 0–9 . _ ~ : @ -, and neither "." nor "..". The error is a bad_request.
func CheckClientID(id string) error {
	if id == "." || id == ".." {
		return Errorf(CodeBadRequest, "the client_id %q would read as a path", id)
	}
	return checkChars("client_id", id)
}

func checkChars(what, s string) error {
	if s == "" || len(s) > MaxClientIDBytes {
		return Errorf(CodeBadRequest, "a %s has 1 to %d characters, this one %d bytes", what, MaxClientIDBytes, len(s))
	}
	for i := range len(s) {
		if !idByte(s[i]) {
			return Errorf(CodeBadRequest, "the %s %s has a character other than A–Z a–z 0–9 . _ ~ : @ -", what, brief(s))
		}
	}
	return nil
}

// CheckTopic holds the name of a topic to P-32: 1 to MaxClientIDBytes of P-4's characters in non-empty levels split by ".", not
// beginning with "_", which is kept for the broker's own topics. The error is a bad_request.
func CheckTopic(name string) error {
	if err := checkChars("topic", name); err != nil {
		return err
	}
	return checkLevels("topic", name)
}

// CheckPattern holds what is subscribed to to P-32: a topic's name in which a whole level may be "*", for any one level, and
// the last one ">", for one level or more. A plain name is a pattern too. The error is a bad_request.
func CheckPattern(p string) error {
	plain := p
	if strings.ContainsAny(p, "*>") {
		levels := strings.Split(p, ".")
		for i, l := range levels {
			if l == "*" || l == ">" && i == len(levels)-1 {
				levels[i] = "x"
			}
		}
		plain = strings.Join(levels, ".")
		if strings.ContainsAny(plain, "*>") {
			return Errorf(CodeBadRequest, "in the pattern %s, * is not a whole level or > not the whole last one", brief(p))
		}
	}
	if err := checkChars("pattern", plain); err != nil {
		return err
	}
	return checkLevels("pattern", plain)
}

func checkLevels(what, name string) error {
	if name[0] == '_' {
		return Errorf(CodeBadRequest, "the %s %s begins with _, which is the broker's", what, brief(name))
	}
	if name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
		return Errorf(CodeBadRequest, "the %s %s has an empty level", what, brief(name))
	}
	return nil
}
