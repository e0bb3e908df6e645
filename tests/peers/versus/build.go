package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/restante/restante/tests/peers/nodepeers"
)

// build builds the programs of those servers that are written in Go into dir, and has npm install what the others need. This program runs in the directory of
// its module.
func build(ctx context.Context, dir string, servers []contestant) error {
	var built []string
	for _, c := range servers {
		if c.program == "" {
			if err := nodepeers.Install(); err != nil {
				return err
			}
			continue
		}
		if slices.Contains(built, c.program) {
			continue
		}
		built = append(built, c.program)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(dir, c.program), "./servers/"+c.program)
		if c.program == oursName {
			cmd.Args[len(cmd.Args)-1], cmd.Dir = "./cmd/restante", "../.."
		}
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s cannot be built: %w\n%s", c.program, err, out)
		}
	}
	return nil
}
