//go:build !linux

package tests

import "syscall"

// dieWithUs has no way here: a server outlives a test runner that is killed.
func dieWithUs() *syscall.SysProcAttr { return nil }
