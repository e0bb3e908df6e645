package agent

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// deed is one of the things that the agent can do.
type deed string

const (
	doHelp   deed = "help"
	doList   deed = "list"
	doGrep   deed = "grep"
	doVet    deed = "vet"
	doTest   deed = "test"
	doReview deed = "review"
	// doNothing is what nobody has taught it; wish.why says in a sentence what was wrong where it was nearly something.
	doNothing deed = "nothing"
)

// wish is what the agent understands of what somebody typed.
type wish struct {
	do   deed
	word string // for doGrep
	// where is a path, or for doVet and doTest a package, as it was typed; "" where nothing was said.
	where string
	why   string
}

// rules are the beginnings that the agent knows, longest first where one begins with the other. They are compared without regard to case.
var rules = []struct {
	words string
	do    deed
}{
	{"what can you do", doHelp}, {"help", doHelp}, {"?", doHelp},
	{"what is here", doList}, {"what's here", doList}, {"list the files", doList}, {"list files", doList}, {"list", doList}, {"ls", doList},
	{"search for", doGrep}, {"search", doGrep}, {"look for", doGrep}, {"find", doGrep}, {"grep", doGrep},
	{"go vet", doVet}, {"vet", doVet},
	{"run the tests", doTest}, {"run tests", doTest}, {"go test", doTest}, {"tests", doTest}, {"test", doTest},
	{"review", doReview},
}

// understand reads what somebody typed. It is a table and no more: the demo is about how the answer travels.
func understand(text string) wish {
	words := split(plain(text))
	for _, r := range rules {
		if rest, ok := after(words, strings.Fields(r.words)); ok {
			return want(r.do, rest)
		}
	}
	return wish{do: doNothing}
}

// plain drops what surrounds a sentence: white space, and the marks at its end. A dot is a mark only behind a letter or a digit, since "." and "./..." are places.
func plain(text string) string {
	text = strings.TrimSpace(text)
	if strings.Trim(text, "?") == "" {
		return text
	}
	text = strings.TrimRight(text, "?!")
	if cut, ok := strings.CutSuffix(text, "."); ok && cut != "" {
		if last := cut[len(cut)-1]; last >= 'a' && last <= 'z' || last >= 'A' && last <= 'Z' || last >= '0' && last <= '9' {
			text = cut
		}
	}
	return text
}

// split cuts a line into words. Quotes of three kinds keep white space together; one that is not closed goes to the end.
func split(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	begun := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case !begun && (r == '"' || r == '\'' || r == '`'):
			quote, begun = r, true
		case strings.ContainsRune(" \t\r\n", r):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}

// after returns what follows the beginning of words.
func after(words, beginning []string) (rest []string, ok bool) {
	if len(words) < len(beginning) {
		return nil, false
	}
	for i, b := range beginning {
		if !strings.EqualFold(words[i], b) {
			return nil, false
		}
	}
	return words[len(beginning):], true
}

// want reads what follows a beginning.
func want(do deed, rest []string) wish {
	w := wish{do: do}
	if do == doGrep {
		if len(rest) == 0 || rest[0] == "" {
			return wish{do: doNothing, why: "Tell me what to look for, as in: grep TODO"}
		}
		w.word, rest = rest[0], rest[1:]
	}
	if len(rest) > 1 && (strings.EqualFold(rest[0], "in") || strings.EqualFold(rest[0], "of")) {
		rest = rest[1:]
	}
	switch {
	case len(rest) == 0:
	case strings.HasPrefix(rest[0], "-"):
		return wish{do: doNothing, why: fmt.Sprintf("I take no flags, so I do not know what to do with %s.", quoted(rest[0]))}
	case do == doHelp || do == doReview && len(rest) > 1 || len(rest) > 1:
		return tooMuch(do, rest)
	case do == doReview && (strings.EqualFold(rest[0], "this") || strings.EqualFold(rest[0], "it")):
	case do == doReview:
		return tooMuch(do, rest)
	default:
		w.where = rest[0]
	}
	return w
}

func tooMuch(do deed, rest []string) wish {
	return wish{do: doNothing, why: fmt.Sprintf("I understand %s, but not the rest: %s.", do, quoted(strings.Join(rest, " ")))}
}

// quoted shows words of somebody's in a sentence, no more of them than a sentence bears.
func quoted(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return "“" + s + "”"
}
