package protocol_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/restante/restante/protocol"
)

func TestP19_ATopicsFrame(t *testing.T) {
	b, err := protocol.ParseBody([]byte(`{ "type":"x", "n":1 }`), 0)
	require.NoError(t, err)
	require.False(t, protocol.OfTopic(b))
	in := protocol.WithTopic(b, "a.b", 12)
	require.Equal(t, `{"topic":"a.b","topic_seq":12,"type":"x","n":1}`, string(in))
	require.Equal(t, len(in), cap(in), "exactly sized: it is kept")
	require.True(t, protocol.OfTopic(in))
	require.NoError(t, protocol.CheckStored(in))
	require.NoError(t, protocol.CheckStored(protocol.WithTopic(b, protocol.AllTopic, 1)))
	require.NoError(t, protocol.CheckStored(protocol.WithTopic(protocol.TopicClosed(), "t", protocol.MaxSeq)))
	got, err := protocol.ParseIncoming(protocol.AppendFrame(nil, 7, in))
	require.NoError(t, err)
	require.Equal(t, "a.b", got.Topic)
	require.EqualValues(t, 12, got.TopicSeq)
	require.EqualValues(t, 7, got.Seq)
	require.Equal(t, "x", got.Type)
	for _, bad := range []string{
		`{"topic":"a","type":"x"}`, `{"topic":"a","topic_seq":0,"type":"x"}`, `{"topic":"a..b","topic_seq":1,"type":"x"}`, `{"topic":7,"topic_seq":1,"type":"x"}`,
		`{"topic":"a","topic_seq":1}`, `{"topic":"a","topic_seq":1,"topic":"b","type":"x"}`, `{"topic":"a","topic_seq":1,"seq":1,"type":"x"}`, `{"topic":"a","topic_seq":1, "type":"x"}`,
		`{"topic":"_x","topic_seq":1,"type":"x"}`, `{"topic":"a","topic_seq":1,`,
	} {
		require.Error(t, protocol.CheckStored(protocol.Body(bad)), "%s", bad)
	}
}

func TestP19_AnswersToSubscribers(t *testing.T) {
	floor, head := uint64(0), uint64(7)
	for want, got := range map[string]protocol.Body{
		`{"type":"subscribed","topic":"a","epoch":"e","resume":"replay","floor":0,"head":7}`: protocol.EncodeSubscribed(protocol.Subscribed{
			Topic: "a", Epoch: "e", Resume: protocol.ResumeReplay, Floor: &floor, Head: &head}),
		`{"type":"subscribed","topic":"a.*","resume":"fresh"}`: protocol.EncodeSubscribed(protocol.Subscribed{Topic: "a.*", Resume: protocol.ResumeFresh}),
		`{"type":"subscribed","topic":"a","epoch":"e","resume":"too_old","reason":"epoch","floor":0,"head":7,"snapshot":true,"closed":true}`: protocol.EncodeSubscribed(protocol.Subscribed{
			Topic: "a", Epoch: "e", Resume: protocol.ResumeTooOld, Reason: protocol.ReasonEpoch, Floor: &floor, Head: &head, Snapshot: true, Closed: true}),
		`{"type":"unsubscribed","topic":"a.>"}`:                          protocol.EncodeUnsubscribed("a.>"),
		`{"type":"snapshot","topic":"a","as_of":3,"data":{"sum":6}}`:     protocol.EncodeTopicSnapshot("a", 3, []byte(`{"sum":6}`)),
		`{"type":"error","code":"forbidden","message":"no","topic":"a"}`: protocol.EncodeError(&protocol.Error{Code: protocol.CodeForbidden, Message: "no", Topic: "a"}),
	} {
		require.Equal(t, want, string(got))
	}
	_, err := protocol.ParseMessage([]byte(`{"type":"subscribe","topic":"a.b","since":"no cursor!"}`), 0)
	require.Equal(t, "a.b", protocol.AsError(err).Topic, "a refusal names what it is about")
	_, err = protocol.ParseMessage([]byte(`{"type":"subscribe","topic":"a..b"}`), 0)
	require.Empty(t, protocol.AsError(err).Topic)
}

// expression is the pattern as a regular one.
func expression(pattern string) *regexp.Regexp {
	levels := strings.Split(pattern, ".")
	for i, l := range levels {
		switch l {
		case "*":
			levels[i] = `[^.]+`
		case ">":
			levels[i] = `.+`
		default:
			levels[i] = regexp.QuoteMeta(l)
		}
	}
	return regexp.MustCompile(`^` + strings.Join(levels, `\.`) + `$`)
}

func TestP32_Matches(t *testing.T) {
	level := rapid.SampledFrom([]string{"a", "b", "ab", "a-b"})
	any := rapid.SampledFrom([]string{"a", "b", "ab", "*"})
	rapid.Check(t, func(t *rapid.T) {
		topic := strings.Join(rapid.SliceOfN(level, 1, 5).Draw(t, "topic"), ".")
		pattern := strings.Join(rapid.SliceOfN(any, 1, 5).Draw(t, "pattern"), ".")
		if rapid.Bool().Draw(t, "rest") {
			pattern += ".>"
		}
		require.NoError(t, protocol.CheckPattern(pattern))
		require.NoError(t, protocol.CheckTopic(topic))
		require.Equal(t, expression(pattern).MatchString(topic), protocol.Matches(pattern, topic), "%s %s", pattern, topic)
		require.Equal(t, strings.ContainsAny(pattern, "*>"), protocol.IsPattern(pattern))
	})
	require.True(t, protocol.Matches(">", "a.b"))
	require.False(t, protocol.Matches("a.>", "a"), "one level or more")
}

// FuzzMatches holds whatever is legal to the regular expression.
func FuzzMatches(f *testing.F) {
	f.Add("a.*.>", "a.b.c.d")
	f.Add("*", "a.b")
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		if protocol.CheckPattern(pattern) != nil || protocol.CheckTopic(topic) != nil {
			return
		}
		require.Equal(t, expression(pattern).MatchString(topic), protocol.Matches(pattern, topic))
	})
}
