package stand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
)

// maxBody is the longest body of a control call, in bytes.
const maxBody = 64 << 10

func (s *stand) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bench/ready", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"name": s.name, "version": s.version})
	})
	mux.HandleFunc("POST /bench/start", s.serveStart)
	mux.HandleFunc("POST /bench/credit", s.serveCredit)
	mux.HandleFunc("POST /bench/stop", s.serveStop)
	mux.HandleFunc("POST /bench/fill", s.serveFill)
	mux.HandleFunc("POST /bench/settle", serveSettle)
	return mux
}

func (s *stand) serveStart(w http.ResponseWriter, r *http.Request) {
	var what work
	if err := parse(http.MaxBytesReader(w, r.Body, maxBody), &what); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	s.start(what)
	answer(w, struct{}{})
}

func (s *stand) serveCredit(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 1 || n > maxCredit {
		refuse(w, http.StatusBadRequest, fmt.Errorf("n is %q: it must be from 1 to %d frames", r.URL.Query().Get("n"), maxCredit))
		return
	}
	if err := s.credit(n); err != nil {
		refuse(w, status(err), err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *stand) serveStop(w http.ResponseWriter, _ *http.Request) {
	published, err := s.stop()
	if err != nil {
		refuse(w, status(err), err)
		return
	}
	answer(w, map[string]uint64{"published": published})
}

func (s *stand) serveFill(w http.ResponseWriter, r *http.Request) {
	var what filling
	if err := parse(http.MaxBytesReader(w, r.Body, maxBody), &what); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	published, err := s.fill(r.Context(), what)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	answer(w, map[string]uint64{"published": published})
}

// fill publishes so many frames to each client, in rounds. Their ids are made anew for each frame, as any publisher's would be: what a server keeps of them is
// its own.
func (s *stand) fill(ctx context.Context, what filling) (published uint64, err error) {
	f := newFrame(what.Bytes)
	s.press.turn.Lock()
	defer s.press.turn.Unlock()
	counts := s.press.numbers(what.Prefix, what.Clients)
	var id []byte
	for range what.Per {
		for i := range what.Clients {
			if ctx.Err() != nil {
				return published, fmt.Errorf("the caller has gone after %d frames: %w", published, context.Cause(ctx))
			}
			id = appendID(id[:0], what.Prefix, i)
			if err := s.press.unicast(counts, i, string(id), f, s.clock.now()); err != nil {
				return published, fmt.Errorf("the server failed at frame %d of the fill: %w", published+1, err)
			}
			published++
		}
	}
	return published, s.press.flush()
}

// serveSettle gives back what memory it can, and says what is in use. The second collection takes what the first has only found finalizers for.
func serveSettle(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	answer(w, map[string]uint64{"heap_bytes": m.HeapAlloc})
}

// status is the one that a publisher's error is told with: a call that comes at the wrong time is a conflict, all else the server's failure.
func status(err error) int {
	if errors.Is(err, errNoPublisher) || errors.Is(err, errPaced) {
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a caller that has gone needs no answer
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}
