package ui

import (
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/restante/restante/web"
)

// types are the files that the page consists of; what is of no other kind is not served.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// clientJS is /client.js: the library under the name that a broker serves it by.
const clientJS = "export * from \"./client/index.js\"\n"

// static returns the bytes and the type of what is served at a path, and whether there is something. Nothing of it is secret.
func static(at string) (data []byte, contentType string, ok bool) {
	var from fs.FS
	name := ""
	switch {
	case at == "/":
		from, name = web.Demo(), "index.html"
	case at == "/client.js":
		return []byte(clientJS), types[".js"], true
	default:
		var below string
		if below, ok = strings.CutPrefix(at, "/demo/"); ok {
			from, name = web.Demo(), below
		} else if below, ok = strings.CutPrefix(at, "/client/"); ok {
			from, name = web.Sources(), below
		} else {
			return nil, "", false
		}
	}
	contentType, known := types[path.Ext(name)]
	if !known || strings.HasSuffix(name, ".d.ts") {
		return nil, "", false
	}
	data, err := fs.ReadFile(from, name)
	return data, contentType, err == nil
}

// policy is what the page may do: run what this server serves, and talk to it and to the broker behind the networks.
func policy(networks map[string]*network) string {
	connect := []string{"'self'"}
	for _, device := range devices() {
		addr := networks[device].proxy.Addr()
		connect = append(connect, "http://"+addr, "ws://"+addr)
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src " + strings.Join(connect, " ") +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// servePage serves a file of the page.
func servePage(w http.ResponseWriter, r *http.Request) {
	data, contentType, ok := static(r.URL.Path)
	switch {
	case !ok:
		refuse(w, notFound(r.URL.Path))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuse(w, notAllowed(http.MethodGet, http.MethodHead))
	default:
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-cache") // the next demo on this port may be of another version
		_, _ = w.Write(data)                        // who has left gets nothing
	}
}
