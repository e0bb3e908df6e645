package ui

import (
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/restante/restante/web"
)

// files are what needs no key, since nothing of it is secret: the page, and the library where a broker has it.
var files = sync.OnceValue(func() web.Files {
	f := maps.Clone(web.Client())
	if err := f.Add("/demo/", web.Demo()); err != nil {
		panic(err) // they are in memory
	}
	f["/"] = f["/demo/index.html"]
	return f
})

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
	switch {
	case !files().Has(r.URL.Path):
		refuse(w, notFound(r.URL.Path))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuse(w, notAllowed(http.MethodGet, http.MethodHead))
	default:
		files().ServeHTTP(w, r)
	}
}
