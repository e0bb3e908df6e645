package protocol_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/protocol"
)

// spliceTopic puts a topic in front of body, and holds the result to all that can be read in it.
func spliceTopic(t *testing.T, body protocol.Body, topic string, seq uint64) protocol.Body {
	t.Helper()
	kept := bytes.Clone(body)
	out := protocol.WithTopic(body, topic, seq)
	require.Equal(t, kept, []byte(body), "the body is shared, and not changed")
	require.Equal(t, len(out), cap(out), "exactly sized")
	require.True(t, protocol.OfTopic(out))
	require.NoError(t, protocol.CheckStored(out))
	of, n, err := protocol.TopicOf(out)
	require.NoError(t, err)
	require.Equal(t, topic, of)
	require.Equal(t, seq, n)
	in, err := protocol.ParseIncoming(protocol.AppendFrame(nil, 5, out))
	require.NoError(t, err)
	require.Equal(t, []any{uint64(5), topic, seq}, []any{in.Seq, in.Topic, in.TopicSeq})
	return out
}

func TestP1_WithTopicMakesMemoryOfItsOwn(t *testing.T) {
	body := protocol.Body(`{"type":"t"}`)
	one, two := protocol.WithTopic(body, "a", 1), protocol.WithTopic(body, "a", 2)
	require.Equal(t, `{"topic":"a","topic_seq":1,"type":"t"}`, string(one))
	require.Equal(t, `{"topic":"a","topic_seq":2,"type":"t"}`, string(two))
	require.Equal(t, `{"topic":"a","topic_seq":3,"type":"topic_closed"}`, string(protocol.WithTopic(protocol.TopicClosed(), "a", 3)))
}

func TestP1_CheckStoredTopics(t *testing.T) {
	for _, good := range []string{
		`{"topic":"a","topic_seq":1,"type":"t"}`, `{"topic":"_all","topic_seq":9007199254740991,"type":"t","x":[1,2]}`, `{"topic":"a.b","topic_seq":1,"a":"\",\"","type":"t"}`,
	} {
		require.NoError(t, protocol.CheckStored(protocol.Body(good)), good)
	}
	for _, bad := range []string{
		`{"topic":"a"}`, `{"topic":"a","topic_seq":1}`, `{"topic":"a","type":"t"}`, `{"topic":"a","topic_seq":0,"type":"t"}`, `{"topic":"a","topic_seq":01,"type":"t"}`,
		`{"topic":"a","topic_seq":1.0,"type":"t"}`, `{"topic":"a","topic_seq":9007199254740992,"type":"t"}`, `{"topic":"a","topic_seq":"1","type":"t"}`,
		`{"topic":"","topic_seq":1,"type":"t"}`, `{"topic":"a..b","topic_seq":1,"type":"t"}`, `{"topic":"a.*","topic_seq":1,"type":"t"}`, `{"topic":"_b","topic_seq":1,"type":"t"}`,
		`{"topic":1,"topic_seq":1,"type":"t"}`, `{"topic": "a","topic_seq":1,"type":"t"}`, `{"topic":"a", "topic_seq":1,"type":"t"}`, `{"topic":"a","topic_seq":1, "type":"t"}`,
		`{"topic":"a","topic_seq":1,"from":"b","type":"t"}`, `{"topic":"a","topic_seq":1,"topic":"a","topic_seq":1,"type":"t"}`, `{"topic":"a","topic_seq":1,`, `{"topic":`, `{"topic":"a`,
		`{"topic_seq":1,"topic":"a","type":"t"}`, `{"type":"t","topic":"a","topic_seq":1}`, `{"topic":"\u0061","topic_seq":1,"type":"t"}`,
	} {
		require.Error(t, protocol.CheckStored(protocol.Body(bad)), bad)
	}
	_, _, err := protocol.TopicOf(protocol.Body(`{"type":"t"}`))
	require.Equal(t, protocol.CodeBadFrame, code(t, err))
}

type subscriptionVectors struct {
	Description string
	Cases       []struct {
		Name, In, Type, Topic, Epoch string
		Resume                       protocol.Resume
		Reason                       protocol.Reason
		Floor, Head                  *uint64
		AsOf                         *uint64 `json:"as_of"`
		Snapshot, Closed             bool
		Data                         *string
		Code                         protocol.Code
		Message, ID                  string
		RetryAfterMS                 int64 `json:"retry_after_ms"`
	}
}

func TestP19_SubscriptionVectors(t *testing.T) {
	for _, c := range load[subscriptionVectors](t, "subscriptions.json").Cases {
		t.Run(c.Name, func(t *testing.T) {
			var got protocol.Body
			switch c.Type {
			case protocol.TypeSubscribed:
				got = protocol.EncodeSubscribed(protocol.Subscribed{
					Topic: c.Topic, Epoch: c.Epoch, Resume: c.Resume, Reason: c.Reason, Floor: c.Floor, Head: c.Head, Snapshot: c.Snapshot, Closed: c.Closed,
				})
			case protocol.TypeUnsubscribed:
				got = protocol.EncodeUnsubscribed(c.Topic)
			case protocol.TypeSnapshot:
				got = protocol.EncodeTopicSnapshot(c.Topic, *c.AsOf, []byte(*c.Data))
			case protocol.TypeError:
				got = protocol.EncodeError(&protocol.Error{Code: c.Code, Message: c.Message, ID: c.ID, Topic: c.Topic, RetryAfterMS: c.RetryAfterMS})
			}
			require.Equal(t, c.In, string(got))
			in, err := protocol.ParseIncoming(got)
			require.NoError(t, err)
			require.Equal(t, protocol.Incoming{Type: c.Type, Topic: c.Topic, Raw: got}, in)
		})
	}
}

func TestP29_AProblemNamesItsTopic(t *testing.T) {
	b := protocol.EncodeProblem(&protocol.Error{Code: protocol.CodeForbidden, Message: "no", Topic: "a.*"})
	require.Equal(t, `{"type":"about:blank","title":"Forbidden","status":403,"code":"forbidden","detail":"no","topic":"a.*"}`, string(b))
}

type matchVectors struct {
	Description string
	Cases       []struct {
		Pattern, Topic string
		Match          bool
	}
}

func TestP32_MatchVectors(t *testing.T) {
	for _, c := range load[matchVectors](t, "matching.json").Cases {
		require.NoError(t, protocol.CheckPattern(c.Pattern))
		require.NoError(t, protocol.CheckTopic(c.Topic))
		require.Equal(t, c.Match, protocol.Matches(c.Pattern, c.Topic), "%s %s", c.Pattern, c.Topic)
		require.Equal(t, c.Match, naiveMatch(c.Pattern, c.Topic), "the second opinion of the fuzz test")
	}
}

// naiveMatch is P-32 read once more, as a regular expression.
func naiveMatch(pattern, topic string) bool {
	levels := strings.Split(pattern, ".")
	for i, l := range levels {
		switch {
		case l == "*":
			levels[i] = `[^.]+`
		case l == ">" && i == len(levels)-1:
			levels[i] = `[^.]+(\.[^.]+)*`
		default:
			levels[i] = regexp.QuoteMeta(l)
		}
	}
	return regexp.MustCompile(`^` + strings.Join(levels, `\.`) + `$`).MatchString(topic)
}

func FuzzMatches(f *testing.F) {
	for _, c := range load[matchVectors](f, "matching.json").Cases {
		f.Add(c.Pattern, c.Topic)
	}
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		if protocol.CheckTopic(topic) != nil || protocol.CheckPattern(pattern) != nil {
			return
		}
		require.Equal(t, naiveMatch(pattern, topic), protocol.Matches(pattern, topic))
		require.True(t, protocol.Matches(topic, topic))
		require.True(t, protocol.Matches(">", topic))
		require.False(t, protocol.IsPattern(topic))
		require.Equal(t, protocol.CheckTopic(pattern) != nil, protocol.IsPattern(pattern))
	})
}

// FuzzCheckStored holds what is taken for a topic's frame to what WithTopic makes.
func FuzzCheckStored(f *testing.F) {
	for _, c := range loadFrames(f).Splice {
		f.Add([]byte(c.Body))
		f.Add([]byte(c.Stored))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if tooDeepForJSON(src) {
			return
		}
		b := protocol.Body(bytes.Clone(src))
		stored := protocol.CheckStored(b)
		require.Equal(t, src, []byte(b))
		if stored != nil {
			code(t, stored)
			return
		}
		require.True(t, json.Valid(b))
		topic, seq, err := protocol.TopicOf(b)
		require.Equal(t, protocol.OfTopic(b), err == nil)
		if err != nil {
			return
		}
		rest := protocol.Body("{" + string(b[len(protocol.WithTopic(protocol.Body("{}"), topic, seq))-1:]))
		body, err := protocol.ParseBody(rest, -1)
		require.NoError(t, err)
		require.Equal(t, string(b), string(protocol.WithTopic(body, topic, seq)))
	})
}
