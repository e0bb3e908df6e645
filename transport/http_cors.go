package transport

import "net/http"

// exposed are the headers of an answer that such a page may read.
const exposed = "ETag, Retry-After, " + headerClosed + ", " + headerCursor + ", " + headerFloor + ", " + headerHead + ", " + headerMore + ", " + headerReason + ", " + headerResume

// allowCORS lets a page of an allowed origin read the answer (P-31): exactly that origin is named, never "*". Cookies are
// not allowed across origins; a credential travels in Authorization or in the URL.
func (h *Handler) allowCORS(hdr http.Header, r *http.Request) {
	if len(h.origins) == 0 {
		return
	}
	hdr.Add("Vary", "Origin")
	if o := r.Header["Origin"]; len(o) == 1 && h.allowedOrigin(o[0]) {
		hdr.Set("Access-Control-Allow-Origin", o[0])
		hdr.Set("Access-Control-Expose-Headers", exposed)
	}
}

// preflight reports whether r is a browser's question ahead of a call. It comes without a credential, so it is answered
// before any is asked for, and for every path alike.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

func answerPreflight(w http.ResponseWriter) {
	hdr := w.Header()
	hdr.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE")
	hdr.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID")
	hdr.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
}
