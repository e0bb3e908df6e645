package client_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

func TestP24_SchemesAndPath(t *testing.T) {
	for in, want := range map[string]struct{ addr, path string }{
		"http://b.test:7480":          {"b.test:7480", "/v1/ws"},
		"ws://b.test":                 {"b.test:80", "/v1/ws"},
		"https://b.test":              {"b.test:443", ""},
		"wss://b.test:8443/v1/ws":     {"b.test:8443", ""},
		"http://b.test/prefix/":       {"b.test:80", "/prefix/v1/ws"},
		"http://b.test/prefix/v1/ws":  {"b.test:80", "/prefix/v1/ws"},
		"http://b.test/?tenant=7#top": {"b.test:80", "/v1/ws"},
	} {
		t.Run(in, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{URL: in})
				synctest.Wait()
				require.Equal(t, want.addr, f.net.lastAddr())
				if want.path == "" {
					return // TLS: the dial is all that is looked at
				}
				s := f.net.accept()
				require.Equal(t, want.path, s.path)
				if s.query.Has("tenant") {
					require.Equal(t, "7", s.query.Get("tenant"))
				}
			})
		})
	}
}

func TestNew_RefusesInSentences(t *testing.T) {
	ok := client.Config{URL: "http://b.test", ClientID: "a"}
	_, err := client.New(ok)
	require.NoError(t, err)
	for name, change := range map[string]func(*client.Config){
		"no URL":              func(c *client.Config) { c.URL = "" },
		"another scheme":      func(c *client.Config) { c.URL = "ftp://b.test" },
		"no host":             func(c *client.Config) { c.URL = "http:///v1/ws" },
		"no URL at all":       func(c *client.Config) { c.URL = "http://[::1" },
		"a password":          func(c *client.Config) { c.URL = "http://u:p@b.test" },
		"bad client_id":       func(c *client.Config) { c.ClientID = "a b" },
		"bad cursor":          func(c *client.Config) { c.Cursor = "E1:x" },
		"cursor without id":   func(c *client.Config) { c.ClientID, c.Cursor = "", "E1:7" },
		"backoff off":         func(c *client.Config) { c.Backoff.Min = -1 },
		"backoff upside down": func(c *client.Config) { c.Backoff = client.Backoff{Min: time.Minute, Max: time.Second} },
	} {
		t.Run(name, func(t *testing.T) {
			c := ok
			change(&c)
			_, err := client.New(c)
			require.ErrorContains(t, err, "client: ")
		})
	}
}

func TestRun_OnlyOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{})
		synctest.Wait()
		require.ErrorIs(t, f.Run(t.Context()), client.ErrRunning)
		_, err := f.Next(t.Context())
		require.ErrorContains(t, err, "exclude")
	})
}

func TestClose_BeforeRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPipes(t)
		c, err := client.New(client.Config{URL: "http://b.test", Dial: p.dial})
		require.NoError(t, err)
		require.NoError(t, c.Close(t.Context()))
		require.NoError(t, c.Run(t.Context()))
		require.Zero(t, p.tries())
	})
}

func TestResumeReport_Sentences(t *testing.T) {
	for want, r := range map[string]client.ResumeReport{
		"caught up on 212 frames, nothing lost":                            {Mode: protocol.ResumeReplay, Missed: 212, Replayed: 212},
		"caught up on 1 frame, nothing lost":                               {Mode: protocol.ResumeReplay, Replayed: 1},
		"up to date, nothing missed":                                       {Mode: protocol.ResumeUpToDate},
		"started with 0 frames":                                            {Mode: protocol.ResumeFresh},
		"started with 2 frames, 1 frame older than what is kept":           {Mode: protocol.ResumeFresh, Replayed: 2, Lost: 1},
		"started over (pruned) with 10 frames, 45 frames lost":             {Mode: protocol.ResumeTooOld, Reason: protocol.ReasonPruned, Replayed: 10, Lost: 45},
		"started over (epoch) with 10 frames, what was lost is unknown":    {Mode: protocol.ResumeTooOld, Reason: protocol.ReasonEpoch, Replayed: 10, LostUnknown: true},
		"started over (epoch) with a snapshot and 10 frames, nothing lost": {Mode: protocol.ResumeTooOld, Reason: protocol.ReasonEpoch, Replayed: 10, Snapshot: true},
	} {
		require.Equal(t, want, r.String())
	}
}
