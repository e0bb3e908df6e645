// Package web holds what browsers are served: the client library, as it is in client/, and the demo's page.
package web

import (
	"embed"
	"io/fs"
)

//go:embed client/*.js client/*.d.ts
var files embed.FS

// Client are the library's sources: plain ES modules, index.js is all of it and core.js the least.
func Client() fs.FS {
	sub, err := fs.Sub(files, "client")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}
