// Package demo shows what the broker promises: a real program's output reaches a client once, whole and in order, while the
// client's connection is cut again and again, and the broker killed if that is asked for.
//
// The broker is a child process that keeps its outboxes in a temporary folder; one that was killed is followed by another on the same folder. The output lines of a real program (the agent) are published into a client's outbox over HTTP, in small batches spread
// over the run. A client.Client reads that outbox through a Proxy, which resets connections, cuts them inside a frame, stalls
// them and closes one direction, at moments that a seed decides. In the end every line is accounted for.
package demo
