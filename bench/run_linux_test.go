package bench

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restante/restante/bench/stand"
	embedded "github.com/restante/restante/broker"
)

// standing is a broker with a publisher inside, in this process. spoil, if it is not nil, says what becomes of each frame.
type standing struct {
	b     *embedded.Broker
	spoil func(frame []byte) [][]byte
}

func (s standing) frames(frame []byte) [][]byte {
	if s.spoil == nil {
		return [][]byte{frame}
	}
	return s.spoil(frame)
}

func (s standing) Unicast(_ int, client string, frame []byte) error {
	for _, f := range s.frames(frame) {
		if _, err := s.b.Client(client).Publish(context.Background(), f); err != nil {
			return err
		}
	}
	return nil
}

func (s standing) Fanout(topic string, frame []byte) error {
	for _, f := range s.frames(frame) {
		if _, err := s.b.Topic(topic).Publish(context.Background(), f); err != nil {
			return err
		}
	}
	return nil
}

// stood returns the URL of a stand.
func stood(t *testing.T, spoil func(frame []byte) [][]byte) string {
	t.Helper()
	b, err := embedded.New(embedded.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", b.Handler())
	mux.Handle("/bench/", stand.Handler("restante", "test", standing{b, spoil}))
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		if res, err := http.Post(s.URL+"/bench/stop", "application/json", nil); err == nil { // a run that was broken off leaves its publisher
			_ = res.Body.Close()
		}
		http.DefaultClient.CloseIdleConnections()
		require.NoError(t, b.Close())
		s.Close()
	})
	return s.URL
}

func briefly(url, profile string, clients int) Run {
	return Run{URL: url, PID: os.Getpid(), Dialect: Restante{}, Profile: profile, Clients: clients, Duration: 300 * time.Millisecond, Warmup: 50 * time.Millisecond}
}

// figures are what each profile has to say at least.
var figures = map[string][]string{
	ProfileIdle: {FigureRSSPer, FigureHeapPer}, ProfileUnicast: {FigureCPU, FigureRate, FigureP50, FigureP99}, ProfileRate: {FigureCPU, FigureRate},
	ProfileFanout: {FigureCPU, FigureRate}, ProfileFanoutOne: {FigureP50, FigureP99}, ProfileStorm: {FigureCPUTotal, FigureTook, FigureDelivered},
	ProfileBacklog: {FigureRSSPer, FigureHeapPer}, ProfileOffline: {FigureRSSPer, FigureHeapPer}, ProfileChurn: {FigureCPUVisit, FigureRate},
	ProfilePublish: {FigureCPU, FigureRate}, ProfilePublishMany: {FigureCPU, FigureRate},
}

func TestEachProfileFindsTheBrokerWhole(t *testing.T) {
	require.Len(t, Profiles(), len(figures))
	for _, profile := range Profiles() {
		t.Run(profile, func(t *testing.T) {
			r, err := briefly(stood(t, nil), profile, 70).Do(t.Context())
			require.NoError(t, err)
			require.Empty(t, r.Failed)
			require.Zero(t, r.Lost+r.Doubled+r.Disordered)
			for _, f := range figures[profile] {
				require.Contains(t, r.Figures, f)
			}
			if n, counted := r.Figures[FigureDelivered]; counted {
				require.Positive(t, n)
			}
		})
	}
}

// TestFewClientsComeAndGoByTurns has fewer clients than may be there at once: none may come while it is there.
func TestFewClientsComeAndGoByTurns(t *testing.T) {
	r, err := briefly(stood(t, nil), ProfileChurn, 3).Do(t.Context())
	require.NoError(t, err)
	require.Empty(t, r.Failed)
	require.Positive(t, r.Figures[FigureRate])
}

// TestAServerThatLosesOrDoublesIsFound has the server's own side lose and double frames, with seqs that are in order: the frames' numbers tell.
func TestAServerThatLosesOrDoublesIsFound(t *testing.T) {
	var n atomic.Int64
	for _, x := range []struct {
		name  string
		spoil func(frame []byte) [][]byte
		check func(r Result)
	}{
		{"lost", func(f []byte) [][]byte {
			if n.Add(1)%10 == 0 {
				return nil
			}
			return [][]byte{f}
		}, func(r Result) { require.Positive(t, r.Lost) }},
		{"doubled", func(f []byte) [][]byte { return [][]byte{f, f} }, func(r Result) { require.Positive(t, r.Doubled) }},
	} {
		t.Run(x.name, func(t *testing.T) {
			restTime = time.Second
			defer func() { restTime = 10 * time.Second }()
			r, err := briefly(stood(t, x.spoil), ProfileRate, 20).Do(t.Context())
			require.NoError(t, err)
			x.check(r)
		})
	}
}

func TestAFrameThatIsChangedIsTheServersFault(t *testing.T) {
	spoil := func(f []byte) [][]byte { return [][]byte{[]byte(strings.Replace(string(f), `"k":"0`, `"k":"x`, 1))} }
	r, err := briefly(stood(t, spoil), ProfileRate, 20).Do(t.Context())
	require.NoError(t, err)
	require.Contains(t, r.Failed, errChanged.Error())
}

func TestWhatCannotBeRunIsSaid(t *testing.T) {
	for _, r := range []Run{
		{Profile: "nothing"}, {Profile: ProfileIdle, URL: "https://127.0.0.1:1"}, {Profile: ProfileIdle, URL: "http://192.0.2.1:80"}, {Profile: ProfileIdle, URL: "http://localhost:80"},
		{Profile: ProfileIdle, URL: "http://127.0.0.1:1", Clients: -1},
	} {
		r.Dialect = Restante{}
		_, err := r.Do(t.Context())
		require.Error(t, err)
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	url := stood(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	r := briefly(url, ProfileUnicast, 20)
	r.Duration = time.Hour
	because := errors.New("enough")
	r.Say = func(string, ...any) { cancel(because) }
	_, err := r.Do(ctx)
	require.ErrorIs(t, err, because)
}
