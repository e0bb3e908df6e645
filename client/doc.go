// Package client is the Go client of a Restante broker. It is written from the wire contract alone (protocol/PROTOCOL.md,
// rules P-n) and shares no code with the server.
//
// A Client attaches to one client's outbox and hands its frames over, each once and in order, however often the connection
// breaks: it keeps the cursor, drops duplicates, acknowledges what has been applied, answers pings, notices silence, and
// comes back by the rules of P-22 and P-24. Send puts a frame into another client's outbox and repeats it until the broker
// has said that it is stored. Subscribe follows a topic, or all that a pattern takes in: again after each hello, from where the client stands in it.
//
// Frames are taken either by Config.Handler or by calling Next; Run moves the bytes in both cases.
package client
