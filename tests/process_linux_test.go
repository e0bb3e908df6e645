package tests

import "syscall"

// dieWithUs lets no server outlive the tests, not even where the test runner is killed.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
