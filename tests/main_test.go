package tests

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// binaries is where TestMain had the programs built.
var binaries string

// plainBinary is the program as it ships, without the race detector: for memory, and for the demo.
var plainBinary = sync.OnceValues(func() (string, error) { return build("restante-plain", "CGO_ENABLED=0") })

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for a process, not for a processor: more of them at once than there are processors.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("6"); err != nil {
			panic(err)
		}
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if binaries, err = os.MkdirTemp("", "restante-tests-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(binaries)
	if _, err := build("restante", "CGO_ENABLED=1", "-race"); err != nil {
		fmt.Fprintln(os.Stderr, "tests: the race detector needs a C compiler (gcc or clang):", err)
		return 1
	}
	code := m.Run()
	httpClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "tests:", err)
		return 1
	}
	return code
}

func build(name, cgo string, flags ...string) (string, error) {
	path := filepath.Join(binaries, name)
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), "../cmd/restante")...)
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ../cmd/restante: %w\n%s", err, out)
	}
	return path, nil
}

func raceBinary() string { return filepath.Join(binaries, "restante") }
