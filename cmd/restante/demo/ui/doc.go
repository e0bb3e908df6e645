// Package ui is the demo that is looked at in a browser: one session with an agent, shown on two devices. It starts a broker as a process of its own, a proxy for each device in front of
// it, an HTTP server for the page and its buttons, and the agent; the buttons break the networks, kill the broker and flood the topic.
//
// All of it is on loopback, and all but the page itself needs the key of the URL that is printed.
package ui
