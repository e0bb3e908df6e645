package transport

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

func metricsText(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httpCall{method: "GET", path: "/metrics"}.do(h)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Contains(t, w.Header().Get("Content-Type"), "text/plain; version=0.0.4")
	return w.Body.String()
}

func TestMetricsHoldEveryReasonFromTheStart(t *testing.T) {
	h, _ := newHTTP(t, Config{})
	text := metricsText(t, h)
	var want []string
	for r := range actors.NumPruneReasons {
		want = append(want, fmt.Sprintf(`restante_pruned_frames_total{reason=%q} 0`, r.String()))
	}
	for r := range actors.NumDropReasons {
		want = append(want, fmt.Sprintf(`restante_dropped_total{reason=%q} 0`, r.String()))
	}
	for k := range actors.NumAttachKinds {
		want = append(want, fmt.Sprintf(`restante_attaches_total{outcome=%q} 0`, k.String()))
	}
	for _, c := range protocol.Codes() {
		want = append(want, fmt.Sprintf(`restante_refused_total{code=%q} 0`, string(c)))
	}
	for _, c := range protocol.CloseCodes() {
		want = append(want, fmt.Sprintf(`restante_closed_total{code=%q} 0`, c.Name()))
	}
	for _, line := range want {
		require.Contains(t, text, line+"\n")
	}
	require.Contains(t, text, "\ngo_goroutines ")
	require.Contains(t, text, "\nprocess_start_time_seconds ")
}

// Whoever adds a counter has to show it: every field gets a number of its own, and the text must hold them all.
func TestMetricsShowEveryCounter(t *testing.T) {
	h, _ := newHTTP(t, Config{})
	n := int64(700_000)
	counters := reflect.ValueOf(h.sys.Counters()).Elem()
	var names []string
	var set func(name string, v reflect.Value)
	set = func(name string, v reflect.Value) {
		switch c := v.Addr().Interface().(type) {
		case *atomic.Int64:
			n++
			c.Store(n)
			names = append(names, name)
		case *actors.CodeCounter:
			n++
			c.Add(fmt.Sprint("code-", n))
			names = append(names, name)
		default:
			require.Equal(t, reflect.Array, v.Kind(), name)
			for i := range v.Len() {
				set(fmt.Sprint(name, i), v.Index(i))
			}
		}
	}
	for i := range counters.NumField() {
		set(counters.Type().Field(i).Name, counters.Field(i))
	}
	text := metricsText(t, h)
	for i, name := range names {
		number := 700_001 + i
		shown := regexp.MustCompile(fmt.Sprintf(`(?m)^restante_\w+(\{\w+="\w+"\})? %d$|\{code="code-%d"\} 1$`, number, number))
		require.Len(t, shown.FindAllString(text, -1), 1, "%s is shown once", name)
	}
}

func TestMetricsAreDocumented(t *testing.T) {
	h, _ := newHTTP(t, Config{})
	var help, families int
	for _, line := range strings.Split(metricsText(t, h), "\n") {
		if !strings.Contains(line, " restante_") {
			continue
		}
		switch {
		case strings.HasPrefix(line, "# HELP "):
			require.Regexp(t, `^# HELP restante_[a-z_]+ [A-Z].*\.$`, line)
			help++
		case strings.HasPrefix(line, "# TYPE "):
			require.Equal(t, strings.HasSuffix(line, " counter"), strings.Contains(line, "_total "), line)
			families++
		}
	}
	require.Equal(t, help, families)
	require.Equal(t, len(singles)+5, families)
}

func TestMetricsOfTwoBrokersInOneProcess(t *testing.T) {
	a, _ := newHTTP(t, Config{})
	b, _ := newHTTP(t, Config{})
	a.sys.Counters().Sweeps.Add(41)
	require.Contains(t, metricsText(t, a), "restante_sweeps_total 41\n")
	require.Contains(t, metricsText(t, b), "restante_sweeps_total 0\n")
}

func TestMetricsCountRefusals(t *testing.T) {
	h, _ := newHTTP(t, Config{})
	httpCall{method: "GET", path: "/nowhere"}.do(h)
	httpCall{method: "GET", path: "/healthz", header: map[string]string{"Origin": "null"}}.do(h)
	text := metricsText(t, h)
	require.Contains(t, text, `restante_refused_total{code="not_found"} 1`)
	require.Contains(t, text, `restante_refused_total{code="forbidden"} 1`)
}

func TestP25_MetricsAreGuarded(t *testing.T) {
	call := httpCall{method: "GET", path: "/metrics"}
	h, _ := newHTTP(t, Config{Authorize: refuseAll})
	requireProblem(t, call.do(h), 401, protocol.CodeUnauthorized)
	h, _ = newHTTP(t, Config{Authorize: func(*http.Request) (Grant, error) {
		return Grant{Allow: func(v Verb, name string) bool { return v == VerbMetrics && name == "" }}, nil
	}})
	require.Equal(t, 200, call.do(h).Code)
	h, _ = newHTTP(t, Config{})
	call.peer = "192.0.2.1:1"
	requireProblem(t, call.do(h), 403, protocol.CodeForbidden)
}
