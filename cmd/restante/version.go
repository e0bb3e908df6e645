package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd prints what the binary was built from.
type versionCmd struct{}

// Run prints one line.
func (versionCmd) Run(p *process) error {
	_, err := fmt.Fprintln(p.out, versionLine(debug.ReadBuildInfo()))
	return err
}

// versionLine says the module's version, the revision and the Go version that built it, as far as they are known.
func versionLine(b *debug.BuildInfo, ok bool) string {
	version, revision, dirty := "unknown", "", ""
	if ok {
		version = b.Main.Version
		for _, s := range b.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = " " + s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = " (modified)"
			}
		}
	}
	if version == "" {
		version = "unknown"
	}
	return fmt.Sprintf("restante %s%s%s %s %s/%s", version, revision, dirty, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
