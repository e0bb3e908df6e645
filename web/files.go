package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// Files is an http.Handler for files that do not change while the process lives, by their paths from "/" on. They are held in memory, have strong tags, and are to
// be asked for again each time (Cache-Control: no-cache), since the next version has the same names. Nothing in them is secret: pages of any origin may load them.
type Files map[string]file

type file struct {
	kind        string
	body, small []byte // small is body compressed with gzip
	tag         string // without its quotes
}

// Add takes up every file of fsys below the path prefix, which ends with a slash.
func (f Files) Add(prefix string, fsys fs.FS) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(fsys, name)
		if err == nil {
			f.Set(prefix+name, body)
		}
		return err
	})
}

// Set takes up one file; its name says what kind it is.
func (f Files) Set(name string, body []byte) {
	sum := sha256.Sum256(body)
	f[name] = file{kind: kindOf(name), body: body, small: compressed(body), tag: hex.EncodeToString(sum[:12])}
}

// kindOf does not trust the system's own table for what a browser refuses to run under another name.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".ts", "":
		return "text/plain; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func compressed(body []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a legal one
	}
	_, _ = w.Write(body) // into memory
	_ = w.Close()
	return b.Bytes()
}

// Has reports whether there is a file at that path.
func (f Files) Has(name string) bool {
	_, ok := f[name]
	return ok
}

// ServeHTTP answers GET and HEAD.
func (f Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := f[r.URL.Path]
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Vary", "Accept-Encoding")
	body, tag := file.body, file.tag
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") { // nobody who loads a script refuses it by ;q=0
		h.Set("Content-Encoding", "gzip")
		body, tag = file.small, tag+"-gzip"
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
