// Package broker is the composition root and the embedding API.
package broker
