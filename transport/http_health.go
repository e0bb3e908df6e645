package transport

import (
	"errors"
	"net/http"

	"github.com/restante/restante/protocol"
)

// healthz is GET /healthz: the process lives. Like readyz it passes the guard of P-31 but asks for no credential: a load
// balancer has none, and the answer tells nothing else.
func (h *Handler) healthz(*call) (answer, error) {
	return answer{status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: []byte("ok")}, nil
}

// readyz is GET /readyz: 200, or 503 with the reason, whatever status the reason's code has elsewhere.
func (h *Handler) readyz(c *call) (answer, error) {
	err := h.reg.Ready()
	if err == nil {
		return answer{status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: []byte("ready")}, nil
	}
	var e *protocol.Error
	if !errors.As(err, &e) {
		h.log.Warn("not ready", "err", err)
		e = protocol.Errorf(protocol.CodeOverloaded, "not ready; the server's log says more")
	}
	// Not an error to dispatch: a probe that finds us draining has been answered, not refused, and is not counted so.
	p := &statusError{err: e, status: http.StatusServiceUnavailable}
	problemHeaders(c.w.Header(), p)
	return answer{status: p.status, contentType: typeProblem, body: encodeProblem(p)}, nil
}

// serveMetrics is GET /metrics. It asks for the metrics right like any other call: where the operator has no Authorize,
// the guard has already seen to it that only loopback reads them, or he said Insecure.
func (h *Handler) serveMetrics(c *call) (answer, error) {
	if err := c.may(VerbMetrics, ""); err != nil {
		return answer{}, err
	}
	h.metrics.ServeHTTP(c.w, c.r)
	return answer{}, nil
}
