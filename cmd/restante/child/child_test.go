package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain is also the server that the tests start: CHILD says how it behaves.
func TestMain(m *testing.M) {
	switch how := os.Getenv("CHILD"); how {
	case "":
		goleak.VerifyTestMain(m)
	case "silent":
	default:
		if how == "stubborn" {
			signal.Ignore(syscall.SIGTERM)
		}
		fmt.Println(how2url[how])
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

var how2url = map[string]string{"good": "http://127.0.0.1:1", "stubborn": "http://127.0.0.1:1", "talkative": "hello"}

func started(t *testing.T, how string) (*Server, error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv("RESTANTE_LISTEN", "elsewhere")
	return Start(t.Context(), self, io.Discard, []string{"CHILD=" + how}, "-test.run=^$")
}

func gone(t *testing.T, s *Server) {
	t.Helper()
	require.NotNil(t, s.State(), "it is reaped")
	require.ErrorIs(t, syscall.Kill(s.PID(), 0), syscall.ESRCH)
}

func TestAServerIsStoppedAndReaped(t *testing.T) {
	s, err := started(t, "good")
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:1", s.URL)
	require.Nil(t, s.State())
	require.NotContains(t, s.cmd.Env, "RESTANTE_LISTEN=elsewhere")
	s.Stop()
	gone(t, s)
	s.Stop()
}

func TestAServerThatDoesNotEndIsKilled(t *testing.T) {
	s, err := started(t, "stubborn")
	require.NoError(t, err)
	s.Stop()
	gone(t, s)
}

func TestAServerEndsWithItsStandardInput(t *testing.T) {
	s, err := started(t, "stubborn")
	require.NoError(t, err)
	require.NoError(t, s.held.Close())
	<-s.Exited()
	gone(t, s)
}

func TestWhoSaysNoURLIsNoServer(t *testing.T) {
	for _, how := range []string{"silent", "talkative"} {
		_, err := started(t, how)
		require.ErrorContains(t, err, "did not say its URL", how)
	}
	_, err := Start(t.Context(), "/no/such/program", io.Discard, nil)
	require.Error(t, err)
}

func TestAStartThatIsGivenUpLeavesNoProcess(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("enough")
	cancel(because)
	_, err = Start(ctx, self, io.Discard, []string{"CHILD=good"}, "-test.run=^$")
	if err != nil { // it may have served already
		require.ErrorIs(t, err, because)
	}
}
