//go:build !unix

package agent

import "os/exec"

// ownGroup does nothing: there are no process groups here.
func ownGroup(*exec.Cmd) {}

// endGroup kills cmd alone. What it has started ends when its output is closed, or by itself.
func endGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
