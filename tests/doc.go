// Package tests holds what the broker is held to from outside: every test starts the built binary as a process of its
// own (built with the race detector), speaks to it through real sockets, and names the rule of the wire contract (P-n)
// that it checks. The few rules that the command line cannot reach (snapshots, rights) are tested through the
// embedding API, with real sockets too. See main_test.go for the binaries, server_test.go for the process,
// socket_test.go for the raw WebSocket peer, checker_test.go for what "exactly once and in order" means.
package tests
