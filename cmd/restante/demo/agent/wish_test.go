package agent

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestUnderstand(t *testing.T) {
	for text, want := range map[string]wish{
		"help":                                  {do: doHelp},
		"  HELP! ":                              {do: doHelp},
		"?":                                     {do: doHelp},
		"What can you do?":                      {do: doHelp},
		"list":                                  {do: doList},
		"ls":                                    {do: doList},
		"what is here?":                         {do: doList},
		"What's here":                           {do: doList},
		"list the files.":                       {do: doList},
		"list web/demo":                         {do: doList, where: "web/demo"},
		"ls .":                                  {do: doList, where: "."},
		"ls ..":                                 {do: doList, where: ".."},
		"list the files in web":                 {do: doList, where: "web"},
		`list "a folder"`:                       {do: doList, where: "a folder"},
		"grep TODO":                             {do: doGrep, word: "TODO"},
		"grep TODO client":                      {do: doGrep, word: "TODO", where: "client"},
		"find TODO in client.":                  {do: doGrep, word: "TODO", where: "client"},
		"search for TODO":                       {do: doGrep, word: "TODO"},
		"search TODO":                           {do: doGrep, word: "TODO"},
		`grep "two words" a/b`:                  {do: doGrep, word: "two words", where: "a/b"},
		"grep 'it isn`t`'":                      {do: doGrep, word: "it isn`t`"},
		"grep -v":                               {do: doGrep, word: "-v"},
		"grep in":                               {do: doGrep, word: "in"},
		"grep don't":                            {do: doGrep, word: "don't"},
		"grep":                                  {do: doNothing, why: "Tell me what to look for, as in: grep TODO"},
		`grep ""`:                               {do: doNothing, why: "Tell me what to look for, as in: grep TODO"},
		"grep one two three":                    {do: doNothing, why: "I understand grep, but not the rest: “two three”."},
		"vet":                                   {do: doVet},
		"go vet ./...":                          {do: doVet, where: "./..."},
		"vet ./client/...":                      {do: doVet, where: "./client/..."},
		"vet the code please":                   {do: doNothing, why: "I understand vet, but not the rest: “the code please”."},
		"test":                                  {do: doTest},
		"run the tests":                         {do: doTest},
		"go test client":                        {do: doTest, where: "client"},
		"test -exec=sh":                         {do: doNothing, why: "I take no flags, so I do not know what to do with “-exec=sh”."},
		"grep x -r":                             {do: doNothing, why: "I take no flags, so I do not know what to do with “-r”."},
		"vet in -vettool=x":                     {do: doNothing, why: "I take no flags, so I do not know what to do with “-vettool=x”."},
		"ls -la":                                {do: doNothing, why: "I take no flags, so I do not know what to do with “-la”."},
		"review":                                {do: doReview},
		"Review this!":                          {do: doReview},
		"review everything":                     {do: doNothing, why: "I understand review, but not the rest: “everything”."},
		"":                                      {do: doNothing},
		"   ":                                   {do: doNothing},
		"hello":                                 {do: doNothing},
		"rm -rf /":                              {do: doNothing},
		"lists":                                 {do: doNothing},
		"help me":                               {do: doNothing, why: "I understand help, but not the rest: “me”."},
		"list a; rm -rf /":                      {do: doNothing, why: "I understand list, but not the rest: “a; rm -rf /”."},
		"list $(id)":                            {do: doList, where: "$(id)"}, // no shell will see it
		"test " + strings.Repeat("x", 3) + " y": {do: doNothing, why: "I understand test, but not the rest: “xxx y”."},
	} {
		require.Equal(t, want, understand(text), "%q", text)
	}
}

func FuzzUnderstand(f *testing.F) {
	for _, s := range []string{"help", "grep 'a b' c", "list \"", "go test ./...", "??!.", "grep \xff in \u2028", "`"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w := understand(text)
		if w.do == doGrep && w.word == "" {
			t.Errorf("%q looks for nothing", text)
		}
		if w.do != doNothing && w.why != "" || w.do == doNothing && (w.word != "" || w.where != "") {
			t.Errorf("%q is understood by halves: %+v", text, w)
		}
		if strings.HasPrefix(w.where, "-") {
			t.Errorf("%q has a flag for a place: %+v", text, w)
		}
		if utf8.RuneCountInString(w.why) > 200 {
			t.Errorf("%q gets a long answer", text)
		}
		if w.do != understand(strings.ToUpper(text)).do && strings.EqualFold(strings.ToUpper(text), text) {
			t.Errorf("%q is understood otherwise when it is shouted", text)
		}
	})
}
