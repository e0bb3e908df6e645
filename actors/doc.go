// Package actors holds what every actor of the broker needs: the actor system, the small mailbox, supervision,
// ordered shutdown, the keepalive actor with its wheel, and the typed counters.
package actors
