package web

import "sync"

// Client serves the library's sources as they are, below /client/, and /client.js, which is all of it in one import (the files come by themselves). The same Files each time.
var Client = sync.OnceValue(func() Files {
	f := Files{}
	if err := f.Add("/client/", Sources()); err != nil {
		panic(err) // they are in memory
	}
	f.Set("/client.js", []byte("export * from \"./client/index.js\"\n"))
	return f
})
