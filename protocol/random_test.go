package protocol_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

var (
	randomNames = []string{
		`"type"`, `"t\u0079pe"`, `"Type"`, `"seq"`, `"\u0073eq"`, `"ſeq"`, `"\u017fEQ"`, `"topic"`, `"topic_seq"`, `"from"`, `"id"`, `"to"`, `"frame"`,
		`"a"`, `"\u0061"`, `"\ud800"`, `"\uD800"`, `"\udc00"`, `"\ud83d\ude00"`, `"😀"`, `"x y"`, `""`, `"\/"`, `"/"`,
	}
	randomValues = []string{
		`0`, `-1`, `1.5`, `1e9`, `7`, `9007199254740992`, `true`, `false`, `null`, `"t"`, `"u1"`, `"send"`, `"\ud800"`, `" "`, `{}`, `[]`, `[ [],{} , 1]`,
		`{"a":1,"a":2}`, `{"type":"t"}`, `{ "type" : "t", "b":[{"seq":1}] }`, `{"seq":1,"type":"t"}`,
	}
	randomSpaces = []string{"", "", "", "", " ", "\n", "\t\r"}
	// randomFaults are put anywhere, and nearly always make a text no JSON.
	randomFaults = []string{`{`, `}`, `[`, `]`, `,`, `:`, `"`, `\`, "\x00", "\xff", "\xed\xa0\x80", "é", `01`, `1.`, `-`, `nul`, "\f", "\u00a0"}
)

// randomText returns an object that begins with start and is often, but not always, JSON.
func randomText(r *rand.Rand, start string) string {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	b := []byte("{" + start)
	for i := range r.IntN(24) {
		name := pick(randomNames)
		if r.IntN(8) > 0 {
			name = `"n` + strconv.Itoa(r.IntN(200)) + `"`
		}
		if i > 0 || start != "" {
			b = append(b, ',')
		}
		b = append(b, pick(randomSpaces)+name+pick(randomSpaces)+":"+pick(randomSpaces)+pick(randomValues)+pick(randomSpaces)...)
	}
	b = append(b, '}')
	if r.IntN(3) == 0 {
		b = slices.Insert(b, r.IntN(len(b)+1), []byte(pick(randomFaults))...)
	}
	if r.IntN(10) == 0 {
		b = b[:r.IntN(len(b)+1)]
	}
	return string(b)
}

// TestP02_RandomTexts compares the scanner with the second opinion on texts that a fuzzer would take long to find.
func TestP02_RandomTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	verdicts := map[protocol.Code]int{}
	for range 10_000 {
		src := randomText(r, []string{"", `"type":"t"`}[r.IntN(2)])
		body, err := protocol.ParseBody([]byte(src), fuzzMax)
		got := code(t, err)
		if want := naiveBody([]byte(src), fuzzMax); want != got {
			require.Equal(t, want, got, "%q: %v", src, err)
		}
		verdicts[got]++
		if err == nil && !strings.ContainsAny(src, " \n\t\r") {
			require.Equal(t, src, string(body))
		}
	}
	for _, c := range []protocol.Code{"", protocol.CodeBadJSON, protocol.CodeBadFrame} {
		require.Greater(t, verdicts[c], 500, "the texts reach the verdict %q often: %v", c, verdicts)
	}
}

// TestP20_RandomMessages holds that an id is given back whatever else is wrong, and that what is accepted is JSON.
func TestP20_RandomMessages(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	starts := []string{"", `"type":"send","id":"u1","to":"b","frame":{"type":"t"}`, `"type":"ack","seq":7`, `"id":"u1","type":"ack"`, `"id":"u1"`, `"type":"what"`}
	verdicts := map[protocol.Code]int{}
	for range 10_000 {
		src := []byte(randomText(r, starts[r.IntN(len(starts))]))
		m, err := protocol.ParseMessage(src, fuzzMax)
		got := code(t, err)
		verdicts[got]++
		if err == nil {
			checkMessage(t, src, m)
			continue
		}
		if naiveBody(src, fuzzMax) != protocol.CodeBadJSON {
			require.Equal(t, naiveID(src), protocol.AsError(err).ID, "%q", src)
		}
	}
	for _, c := range []protocol.Code{"", protocol.CodeBadJSON, protocol.CodeBadFrame, protocol.CodeUnknownType} {
		require.Greater(t, verdicts[c], 100, "the texts reach the verdict %q often: %v", c, verdicts)
	}
}
