package client_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/restante/restante/client"
	"github.com/restante/restante/protocol"
)

// live attaches a client whose cursor is E1:7 and brings it up to date.
func live(f *fixture) *session {
	f.t.Helper()
	s := f.net.accept()
	s.hello(protocol.ResumeUpToDate, "E1", 0, 7)
	f.happened()
	return s
}

// TestP22_VerdictIsTheRange ends a connection with every code of the table and with codes that are in none.
func TestP22_VerdictIsTheRange(t *testing.T) {
	codes := append(protocol.CloseCodes(), 1012, 4321, 4499, 4599, 4999)
	for _, code := range codes {
		t.Run(strconv.Itoa(int(code)), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, client.Config{Cursor: "E1:7"})
				s := live(f)
				s.close(code)
				require.NotZero(t, s.closed(), "it answers the close")
				if code < 4500 {
					require.Equal(t, "E1:7", f.net.accept().query.Get("since"))
					return
				}
				var stopped *client.StoppedError
				require.ErrorAs(t, <-f.ended, &stopped)
				require.Equal(t, code, stopped.Code)
				require.Equal(t, client.Stopped, f.State().Phase)
				require.Equal(t, 1, f.net.tries())
				want := "E1:7"
				if code == protocol.CloseClientDeleted {
					want = ""
				}
				require.Equal(t, want, f.Cursor())
			})
		})
	}
}

func TestP22_StopCarriesTheReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{})
		s := f.net.accept()
		s.say(`{"type":"error","code":"forbidden","message":"not yours"}`)
		s.close(protocol.CloseUnauthorized)
		var e *protocol.Error
		require.ErrorAs(t, <-f.ended, &e)
		require.Equal(t, protocol.CodeForbidden, e.Code)
		_, err := f.Send(t.Context(), "x", []byte(`{"type":"t"}`))
		require.ErrorAs(t, err, &e, "later sends say why there are no more")
	})
}

func TestP22_DeletedHandsOverWhatHasCome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		let := make(chan struct{})
		var seqs []uint64
		f := start(t, client.Config{Cursor: "E1:7", Handler: func(_ context.Context, fr client.Frame) error {
			<-let
			seqs = append(seqs, fr.Seq)
			return nil
		}})
		s := live(f)
		s.frames(8, 10)
		s.close(protocol.CloseClientDeleted)
		close(let)
		require.Error(t, <-f.ended)
		require.Equal(t, []uint64{8, 9, 10}, seqs)
		require.Empty(t, f.Cursor())
	})
}

func TestP22_RefusedCursorIsDroppedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		refuse := func(s *session) {
			s.say(`{"type":"error","code":"bad_cursor","message":"?"}`)
			s.close(protocol.CloseBadRequest)
		}
		began := time.Now()
		refuse(f.net.accept())
		s := f.net.accept()
		require.False(t, s.query.Has("since"))
		require.Equal(t, began, time.Now(), "at once")
		s.hello(protocol.ResumeFresh, "E1", 3, 3)
		require.Equal(t, []string{"reset bad_cursor E1:3, cursor E1:3"}, f.happened())
		s.cut()
		s = f.net.accept()
		require.Equal(t, "E1:3", s.query.Get("since"))
		refuse(s)
		s = f.net.accept()
		require.False(t, s.query.Has("since"))
		refuse(s)
		var stopped *client.StoppedError
		require.ErrorAs(t, <-f.ended, &stopped, "the second time in a row it stops")
		require.Equal(t, protocol.CloseBadRequest, stopped.Code)
	})
}

func TestP22_OtherBadRequestStops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		s.say(`{"type":"error","code":"bad_request","message":"?"}`)
		s.close(protocol.CloseBadRequest)
		require.Error(t, <-f.ended)
		require.Equal(t, 1, f.net.tries())
	})
}

func TestP22_TokenIsAskedForAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := 0
		f := start(t, client.Config{Token: func(context.Context) (string, error) {
			n++
			if n == 3 {
				return "", errors.New("no network")
			}
			return "T" + strconv.Itoa(n), nil
		}})
		s := f.net.accept()
		require.Equal(t, "Bearer T1", s.header.Get("Authorization"))
		require.False(t, s.query.Has("token"))
		s.hello(protocol.ResumeFresh, "E1", 0, 0)
		s.say(`{"type":"error","code":"token_expired","message":"?"}`)
		s.close(protocol.CloseTokenExpired)
		s = f.net.accept()
		require.Equal(t, "Bearer T2", s.header.Get("Authorization"))
		s.close(protocol.CloseTokenExpired)
		s = f.net.accept()
		require.Equal(t, "Bearer T4", s.header.Get("Authorization"), "a failing Token counts as a failed attach")
	})
}

func TestP24_FullJitterBackoff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Dial: nil})
		f.net.mu.Lock()
		f.net.down = true
		f.net.mu.Unlock()
		time.Sleep(time.Hour)
		f.net.mu.Lock()
		defer f.net.mu.Unlock()
		bound := 500 * time.Millisecond
		var late, longest time.Duration
		for i := 1; i < len(f.net.dials); i++ {
			gap := f.net.dials[i].Sub(f.net.dials[i-1])
			require.LessOrEqual(t, gap, bound, "try %d", i)
			bound = min(2*bound, 30*time.Second)
			if i > 10 {
				late += gap
				longest = max(longest, gap)
			}
		}
		tries := len(f.net.dials) - 11
		require.Greater(t, tries, 100, "no limit on tries")
		mean := late / time.Duration(tries)
		require.InDelta(t, 15, mean.Seconds(), 4, "uniform between 0 and 30 s")
		require.Greater(t, longest, 25*time.Second)
	})
}

func TestP24_EveryCloseCountsUntilAConnectionHasLived(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7", Backoff: client.Backoff{Min: time.Hour, Max: time.Hour}})
		live(f).cut()
		waits := func() time.Duration {
			synctest.Wait()
			s := f.State()
			require.Equal(t, client.Waiting, s.Phase)
			return s.Wait
		}
		require.Positive(t, waits(), "a first attach that was cut counts")
		f.Online()
		s := live(f)
		time.Sleep(29 * time.Second)
		s.cut()
		require.Positive(t, waits())
		f.Online()
		s = live(f)
		for range 3 {
			time.Sleep(10 * time.Second)
			s.say(`{"type":"ping","head":7}`)
		}
		before := time.Now()
		s.cut()
		f.net.accept()
		require.Equal(t, before, time.Now(), "the first try is at once")
	})
}

func TestP24_OnlineCutsTheWaitShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7", Backoff: client.Backoff{Min: time.Hour, Max: time.Hour}})
		live(f).cut()
		require.Equal(t, client.Waiting, f.State().Phase)
		before := time.Now()
		f.Online()
		s := f.net.accept()
		require.Equal(t, before, time.Now())
		f.Online() // while it connects: it is not kept for an outage to come
		s.hello(protocol.ResumeUpToDate, "E1", 0, 7)
		s.cut()
		require.Equal(t, client.Waiting, f.State().Phase)
	})
}

func TestP23_GoawayIsObeyed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := live(f)
		s.say(`{"type":"goaway","retry_after_ms":12000}`)
		s.frames(8, 8)
		require.Equal(t, []string{"8"}, f.happened(), "it reads on until it is closed")
		s.close(protocol.CloseDraining)
		before := time.Now()
		f.net.accept()
		require.GreaterOrEqual(t, time.Since(before), 12*time.Second)
		require.Less(t, time.Since(before), 13*time.Second)
	})
}

func TestP22_OverloadedComesBackAfterItsDelay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{})
		s := f.net.accept()
		s.say(`{"type":"error","code":"overloaded","message":"full","retry_after_ms":7000}`)
		s.close(protocol.CloseOverloaded)
		before := time.Now()
		f.net.accept()
		require.GreaterOrEqual(t, time.Since(before), 7*time.Second)
	})
}

func TestP21_HTTPRefusalComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Backoff: client.Backoff{Min: time.Millisecond, Max: time.Millisecond}})
		conn := <-f.net.calls
		req := make([]byte, 4096)
		_, err := conn.Read(req)
		require.NoError(t, err)
		body := `{"code":"rate_limited","detail":"slow down"}`
		_, err = conn.Write([]byte("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 20\r\nContent-Type: application/problem+json\r\nContent-Length: " +
			strconv.Itoa(len(body)) + "\r\n\r\n" + body))
		require.NoError(t, err)
		before := time.Now()
		f.net.accept()
		require.GreaterOrEqual(t, time.Since(before), 20*time.Second)
		var e *protocol.Error
		require.ErrorAs(t, f.errs[0], &e)
		require.Equal(t, protocol.CodeRateLimited, e.Code)
		require.ErrorContains(t, f.errs[0], strconv.Itoa(http.StatusTooManyRequests))
	})
}

func TestP24_StatesInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		live(f).close(protocol.CloseSlowConsumer)
		live(f).close(protocol.CloseReplaced)
		<-f.ended
		got := f.states
		require.True(t, strings.HasPrefix(got[4], "waiting("), got)
		require.Equal(t, []string{"connecting", "catching_up", "live", "offline(4001 slow_consumer)"}, got[:4])
		require.Equal(t, []string{"connecting", "catching_up", "live", "offline(4500 replaced)", "stopped(4500 replaced)"}, got[5:])
	})
}

func TestP17_SilenceEndsTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Cursor: "E1:7"})
		s := f.net.accept()
		began := time.Now()
		s.hello(protocol.ResumeUpToDate, "E1", 0, 7)
		time.Sleep(59 * time.Second)
		s.raw([]byte{0x89}) // one byte, the beginning of a ping
		time.Sleep(59 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, f.net.tries(), "any byte is a sign of life")
		f.net.accept()
		require.Equal(t, 119*time.Second, time.Since(began).Round(time.Second))
		require.Equal(t, 4000, s.closed())
	})
}

func TestP16_PingsAreAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		let := make(chan struct{})
		f := start(t, client.Config{Cursor: "E1:7", Handler: func(context.Context, client.Frame) error { <-let; return nil }})
		s := live(f)
		s.frames(8, 8)
		s.say(`{"type":"ping","head":8}`)
		require.Equal(t, []string{`{"type":"pong"}`}, s.heard(), "also while a handler runs")
		s.raw(ws.MustCompileFrame(ws.NewPingFrame([]byte("x"))))
		synctest.Wait()
		s.mu.Lock()
		require.Equal(t, []string{"x"}, s.pongs)
		s.mu.Unlock()
		close(let)
		f.stop()
		<-f.ended
	})
}

func TestP16_PingAndTakeoverAreAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, client.Config{Ping: 90500 * time.Millisecond, Takeover: true})
		for range 2 {
			s := f.net.accept()
			require.Equal(t, "91", s.query.Get("ping"))
			require.Equal(t, "takeover", s.query.Get("attach"))
			require.Equal(t, protocol.Subprotocol, s.protocol)
			s.cut()
		}
	})
}
