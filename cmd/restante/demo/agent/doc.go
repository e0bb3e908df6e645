// Package agent is the agent of the demo's page: a program with rules instead of a model, which does real work in one folder of this machine. It reads what people
// type from its own outbox, works one turn after the other, and publishes all that it says and does to a topic, each frame once and in order, however often the broker is killed.
//
// It runs a fixed list of commands, never through a shell, each with a time limit, and none of them outside its folder. They only read, but for the folder's tests, which do what
// they do, and about which it asks before.
package agent
