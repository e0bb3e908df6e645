// Package nodepeers starts the servers of tests/peers/node, and has npm install what they need.
package nodepeers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// scripts are the servers by name, each with its flags.
var scripts = map[string][]string{
	"ws":                {"ws.mjs"},
	"socketio":          {"socketio.mjs"},
	"socketio-recovery": {"socketio.mjs", "--recovery"},
}

// Names are the servers that there are, as their dialects are called.
func Names() []string { return []string{"ws", "socketio", "socketio-recovery"} }

// Start starts the server of that name, which listens on listen: a loopback address with a port. It does not wait until it does: GET /bench/ready answers
// then. What it needs of npm is installed first where it is missing. The process is the caller's, who ends it with SIGTERM and waits for it; it dies with the
// caller.
func Start(name, listen string) (*exec.Cmd, error) {
	script, ok := scripts[name]
	if !ok {
		return nil, fmt.Errorf("there is no Node server %q; there are %q", name, Names())
	}
	if err := Install(); err != nil {
		return nil, err
	}
	dir, err := home()
	if err != nil {
		return nil, err
	}
	args := append([]string{"--expose-gc"}, script...)
	cmd := exec.Command("node", append(args, "--listen", listen)...)
	cmd.Dir, cmd.Stderr, cmd.SysProcAttr = dir, os.Stderr, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// A developer's own settings would make other servers of these.
	cmd.Env = without(os.Environ(), "NODE_OPTIONS", "DEBUG")
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	return cmd, nil
}

// Install has npm install exactly what package-lock.json says, unless that has been done.
func Install() error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("the peers on Node need node 20 or later and npm, and there is no %s on the PATH: install them, or leave out %q", program, Names())
		}
	}
	dir, err := home()
	if err != nil {
		return err
	}
	if installed(dir) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s failed (%w), so the peers on Node cannot be run: it must reach its registry: %s", dir, err, bytes.TrimSpace(out))
	}
	return nil
}

// installed says whether an installation has been finished, and is not older than what it should hold. npm writes that file last.
func installed(dir string) bool {
	done, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err != nil {
		return false
	}
	want, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	return err == nil && !done.ModTime().Before(want.ModTime())
}

// home finds the directory of the servers from the working directory, which is in this repository.
func home() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		for _, candidate := range []string{filepath.Join(dir, "node"), filepath.Join(dir, "tests", "peers", "node")} {
			if _, err := os.Stat(filepath.Join(candidate, "ws.mjs")); err == nil {
				return candidate, nil
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("tests/peers/node is not found: run this inside of the repository")
		}
		dir = parent
	}
}

func without(env []string, names ...string) []string {
	var kept []string
	for _, e := range env {
		keep := true
		for _, n := range names {
			keep = keep && (len(e) <= len(n) || e[:len(n)+1] != n+"=")
		}
		if keep {
			kept = append(kept, e)
		}
	}
	return kept
}
