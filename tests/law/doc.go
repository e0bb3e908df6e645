// Package law reads the tree's own source and says where it breaks the laws that docs/ARCHITECTURE.md sets down: who may import
// whom, what rooms are pure, what packages may be called, that exported names are explained, and that every rule of the protocol
// that is built has a test that names it. Its tests hold the tree to them.
package law
