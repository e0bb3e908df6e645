package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/bench"
)

// TestBench_RunsItsOwnServer has the real binary load itself, in another process, and tell what came of it.
func TestBench_RunsItsOwnServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, data := filepath.Join(dir, "results.json"), filepath.Join(dir, "data")
	brief := []string{"bench", "run", "--clients", "20", "--duration", "300ms", "--warmup", "50ms", "--log-level", "error", "--json"}
	// What is in the environment is meant for this process: the server under load keeps to its own.
	p := runWith(t, raceBinary(), []string{"RESTANTE_DATA_DIR=" + data, "RESTANTE_LISTEN=nowhere"}, append(brief, file, "unicast", "fanout", "publish")...)
	require.Zero(t, p.done(), "%s\n%s", p.stdout, p.stderr)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var results []bench.Result
	require.NoError(t, json.Unmarshal(text, &results))
	require.Len(t, results, 3)
	for i, profile := range []string{bench.ProfileUnicast, bench.ProfileFanout, bench.ProfilePublish} {
		r := results[i]
		require.Equal(t, profile, r.Profile)
		require.Equal(t, 20, r.Clients)
		require.Zero(t, r.Lost+r.Doubled+r.Disordered)
		require.Empty(t, r.Failed)
		require.Positive(t, r.Figures[bench.FigureDelivered])
		require.Contains(t, p.stdout.String(), profile)
	}
	left, err := os.ReadDir(data)
	require.NoError(t, err)
	require.Empty(t, left, "what the server kept is gone with it")
}

func TestBench_AServerThatRunsAlready(t *testing.T) {
	t.Parallel()
	p := runTool(t, nil, "bench", "run", "unicast", "--url", "http://127.0.0.1:1")
	require.Equal(t, 2, p.done())
	require.Contains(t, p.stderr.String(), "--url and --pid go together")
	p = runTool(t, nil, "bench", "run", "nothing")
	require.Equal(t, 2, p.done())
	require.Contains(t, p.stderr.String(), "idle, unicast, rate")
}

func TestBench_ASignalEndsTheRunAndItsServer(t *testing.T) {
	t.Parallel()
	p := runBinary(t, raceBinary(), nil, "bench", "run", "unicast", "--clients", "20", "--warmup", "1h")
	p.says(p.stderr, "warming up")
	p.signal(syscall.SIGTERM)
	require.Equal(t, 128+int(syscall.SIGTERM), p.done(), "done waits for whoever holds its output, the server included")
}
