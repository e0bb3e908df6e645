// Package transport turns bytes into messages and pieces into bytes: HTTP handlers, the upgrade, the WebSocket connection actor.
// It knows frames and codes, not outboxes.
package transport
