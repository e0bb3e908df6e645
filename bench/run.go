package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Run is one profile against one server. The server's process is elsewhere, and speaks the control calls of bench/stand beside its own protocol. It needs Linux.
type Run struct {
	// URL is the server's base URL, http:// and an IPv4 loopback address only; PID its process.
	URL string
	PID int
	// Dialect is how its clients speak.
	Dialect Dialect
	// Profile is one of Profiles.
	Profile string
	// Clients is how many there are; 0: as many as the profile has by itself.
	Clients int
	// Duration is how long a profile that goes on is measured, 5 s where it is 0; Warmup how long it has gone on before that, 2 s where it is 0.
	Duration, Warmup time.Duration
	// Say, if it is not nil, is told once a second how far it is.
	Say func(format string, args ...any)
}

// playing is what a profile does with p, whose result it completes. It has so many clients unless told otherwise.
type playing struct {
	profile string
	clients int
	play    func(p *play) error
}

// table is all profiles.
var table = []playing{
	{ProfileIdle, 19_500, (*play).idle},
	{ProfileUnicast, 1_000, (*play).unicast},
	{ProfileRate, 10_000, (*play).rate},
	{ProfileFanout, 10_000, (*play).fanout},
	{ProfileFanoutOne, 10_000, (*play).fanoutOne},
	{ProfileStorm, 5_000, (*play).storm},
	{ProfileBacklog, 10_000, (*play).backlog},
	{ProfileOffline, 100_000, (*play).offline},
	{ProfileChurn, 1_000, (*play).churn},
	{ProfilePublish, 1_000, (*play).publishOne},
	{ProfilePublishMany, 1_000, (*play).publishMany},
}

// Profiles returns the names of all profiles, in the order in which they are run.
func Profiles() []string {
	var names []string
	for _, p := range table {
		names = append(names, p.profile)
	}
	return names
}

const (
	defaultDuration = 5 * time.Second
	defaultWarmup   = 2 * time.Second
	// connectTime is how long the clients of a profile get to connect.
	connectTime = 90 * time.Second
)

// restTime is how long frames that have been published get to arrive after the end; what comes no more then is lost.
var restTime = 10 * time.Second

// Do plays the profile. Where the server could not finish it, the result says so. The error is of the run itself: what it was asked for, a server
// that cannot be reached, ctx's end.
func (r Run) Do(ctx context.Context) (Result, error) {
	at := slices.IndexFunc(table, func(p playing) bool { return p.profile == r.Profile })
	if at < 0 {
		return Result{}, fmt.Errorf("there is no profile %q; there are %s", r.Profile, strings.Join(Profiles(), ", "))
	}
	if r.Clients == 0 {
		r.Clients = table[at].clients
	}
	if r.Duration == 0 {
		r.Duration = defaultDuration
	}
	if r.Warmup == 0 {
		r.Warmup = defaultWarmup
	}
	if r.Clients < 1 || r.Clients > 1_000_000 || r.Duration < 0 || r.Warmup < 0 {
		return Result{}, fmt.Errorf("a run has 1 to 1,000,000 clients and a duration, not %d clients and %s after %s", r.Clients, r.Duration, r.Warmup)
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme != "http" {
		return Result{}, fmt.Errorf("%q is no http:// URL", r.URL)
	}
	to, err := netip.ParseAddrPort(u.Host)
	if err != nil || !to.Addr().Is4() || !to.Addr().IsLoopback() {
		return Result{}, fmt.Errorf("%q names no IPv4 loopback address with a port, such as http://127.0.0.1:7480: the load is for servers on this machine", r.URL)
	}
	e, err := newEngine(r.Dialect, to, strings.TrimSuffix(u.Path, "/"))
	if err != nil {
		return Result{}, err
	}
	defer e.close()
	p := &play{
		Run: r, e: e, ctl: newControl(u.Scheme + "://" + u.Host), ctx: ctx, lat: newLatencies(),
		prefix: string(r.Profile[0]) + strconv.FormatInt(time.Now().UnixMilli()%(36*36*36*36*36), 36) + "-",
		result: Result{Server: r.Dialect.Name(), Profile: r.Profile, Clients: r.Clients, Figures: map[string]float64{}},
	}
	defer p.ctl.close()
	err = table[at].play(p)
	var failed unfinished
	if errors.As(err, &failed) && ctx.Err() == nil {
		p.result.Failed = failed.Error()
		err = nil
	}
	p.result.Doubled, p.result.Disordered = e.doubled, e.disordered
	return p.result, err
}
