// Package web holds what browsers are served: the client library, as it is in client/, and the demo's page.
package web

import (
	"embed"
	"io/fs"
)

//go:embed client/*.js client/*.d.ts demo/*.html demo/*.css demo/*.js demo/*.svg
var files embed.FS

// Sources are the library's: plain ES modules, index.js is all of it and core.js the least.
func Sources() fs.FS { return below("client") }

// Demo is the page of "restante demo --ui"; index.html is its beginning.
func Demo() fs.FS { return below("demo") }

func below(folder string) fs.FS {
	sub, err := fs.Sub(files, folder)
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}
