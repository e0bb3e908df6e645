package tests

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDemo_EveryLineOfAProgramOverManyCuts(t *testing.T) {
	t.Parallel()
	binary, err := plainBinary()
	require.NoError(t, err)
	d := runBinary(t, binary, nil, "demo", "--seed", "7", "--duration", "8s", "--cuts", "12", "--", "sh", "-c",
		`i=0; while [ $i -lt 800 ]; do echo "line $i <&> é"; i=$((i+1)); done`)
	require.Zero(t, d.done(), "%s\n%s", d.stdout, d.stderr)
	out := d.stdout.String()
	require.Contains(t, out, "sent 800, received 800, missing 0, doubled 0, altered 0; order ok")
	cuts := regexp.MustCompile(`cuts survived (\d+)`).FindStringSubmatch(out)
	require.NotNil(t, cuts, out)
	n, err := strconv.Atoi(cuts[1])
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, 12)
	t.Log(strings.TrimSpace(out))
}

// TestDemo_TheBrokerIsKilledToo is the demo of the store on disk: the broker's process is killed in the middle of its work, and no line is lost for it.
func TestDemo_TheBrokerIsKilledToo(t *testing.T) {
	t.Parallel()
	binary, err := plainBinary()
	require.NoError(t, err)
	temp := t.TempDir()
	d := runWith(t, binary, []string{"TMPDIR=" + temp}, "demo", "--kill", "--seed", "7", "--duration", "8s", "--cuts", "8", "--", "sh", "-c",
		`i=0; while [ $i -lt 800 ]; do echo "line $i <&> é"; i=$((i+1)); done`)
	require.Zero(t, d.done(), "%s\n%s", d.stdout, d.stderr)
	out := d.stdout.String()
	require.Contains(t, out, "sent 800, received 800, missing 0, doubled 0, altered 0; order ok")
	require.Contains(t, out, "resets 0,")
	kills := regexp.MustCompile(`kills of the broker (\d+)`).FindStringSubmatch(out)
	require.NotNil(t, kills, out)
	n, err := strconv.Atoi(kills[1])
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, 5)
	require.Equal(t, n, strings.Count(out, "the broker was killed;"), "each is told")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "the folder of its outboxes is gone")
	t.Log(strings.TrimSpace(out))
}

func TestDemo_SendingNothingIsNoSuccess(t *testing.T) {
	t.Parallel()
	binary, err := plainBinary()
	require.NoError(t, err)
	require.Equal(t, 1, runBinary(t, binary, nil, "demo", "--duration", "3s", "--", "true").done())
	require.Equal(t, 1, runBinary(t, binary, nil, "demo", "--duration", "3s", "--", "/no/such/program").done())
}

func TestDemo_AnInterruptLeavesNoBroker(t *testing.T) {
	t.Parallel()
	binary, err := plainBinary()
	require.NoError(t, err)
	temp := t.TempDir()
	d := runWith(t, binary, []string{"TMPDIR=" + temp}, "demo", "--duration", "30s", "--", "sh", "-c", "seq 1 500")
	d.says(d.stdout, "broker http://")
	at := regexp.MustCompile(`broker (http://127\.0\.0\.1:\d+)`).FindStringSubmatch(d.stdout.String())
	require.NotNil(t, at, d.stdout)
	e := &endpoint{t: t, url: at[1]}
	require.Equal(t, 200, e.do("GET", "/healthz", nil).status)
	d.signal(syscall.SIGINT)
	require.NotZero(t, d.wait(), "an interrupted demo has shown nothing")
	_, err = e.try(t.Context(), "GET", "/healthz", nil)
	require.Error(t, err, "its broker has ended too")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "and nothing of it is left")
}
