package transport

import (
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/restante/restante/actors"
	"github.com/restante/restante/protocol"
)

// newMetrics returns what answers GET /metrics: counters, and those of the Go runtime and the process. The registry is the
// handler's own, so that several brokers in one process do not meet in the library's global one.
func newMetrics(counters *actors.Counters, store func() StoreMetrics, log *slog.Logger) http.Handler {
	reg := prometheus.NewRegistry()
	if store != nil {
		reg.MustRegister(storeCollector(store))
	}
	reg.MustRegister(collector{counters}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError})
}

// single is one counter or gauge without a label.
type single struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read reader
}

// reader names one of the counters.
type reader func(*actors.Counters) *atomic.Int64

func counter(name, help string, read reader) single {
	return single{describe(name, help), prometheus.CounterValue, read}
}

func gauge(name, help string, read reader) single {
	return single{describe(name, help), prometheus.GaugeValue, read}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("restante_"+name, help, labels, nil)
}

var singles = []single{
	gauge("clients", "Clients that the broker knows.", func(c *actors.Counters) *atomic.Int64 { return &c.Clients }),
	gauge("topics", "Topics that the broker knows.", func(c *actors.Counters) *atomic.Int64 { return &c.Topics }),
	gauge("connections", "Open connections.", func(c *actors.Counters) *atomic.Int64 { return &c.Connections }),
	gauge("places", "Places held for connections that were lost.", func(c *actors.Counters) *atomic.Int64 { return &c.Places }),
	gauge("outbox_frames", "Frames retained in all outboxes.", func(c *actors.Counters) *atomic.Int64 { return &c.OutboxFrames }),
	gauge("outbox_bytes", "Bytes of all outboxes, overhead included.", func(c *actors.Counters) *atomic.Int64 { return &c.OutboxBytes }),
	gauge("clients_awake", "Clients that are in memory.", func(c *actors.Counters) *atomic.Int64 { return &c.Awake }),
	gauge("hot_bytes", "Bytes of retained frames' bodies that are in memory, where a store keeps them.", func(c *actors.Counters) *atomic.Int64 { return &c.HotBytes }),
	gauge("in_flight_bytes", "Bytes of bodies that publishers are waiting for.", func(c *actors.Counters) *atomic.Int64 { return &c.InFlightBytes }),

	counter("clients_created_total", "Clients that came to be.", func(c *actors.Counters) *atomic.Int64 { return &c.ClientsCreated }),
	counter("clients_reaped_total", "Clients that the janitor deleted after their idle time.", func(c *actors.Counters) *atomic.Int64 { return &c.ClientsReaped }),
	counter("clients_deleted_total", "Clients deleted by a call.", func(c *actors.Counters) *atomic.Int64 { return &c.ClientsDeleted }),
	counter("clients_restarted_total", "Client actors that failed or changed their epoch, closing their connections with 4003.",
		func(c *actors.Counters) *atomic.Int64 { return &c.ClientsRestarted }),

	counter("published_frames_total", "Frames confirmed in an outbox or in a topic's log.", func(c *actors.Counters) *atomic.Int64 { return &c.Published }),
	counter("topic_frames_total", "Frames of topics confirmed in followers' outboxes.", func(c *actors.Counters) *atomic.Int64 { return &c.TopicFrames }),
	counter("published_bytes_total", "Bytes of the frames confirmed in an outbox.", func(c *actors.Counters) *atomic.Int64 { return &c.PublishedBytes }),
	counter("delivered_frames_total", "Frames handed to the kernel, once per connection.", func(c *actors.Counters) *atomic.Int64 { return &c.Delivered }),
	counter("delivered_bytes_total", "Bytes handed to the kernel.", func(c *actors.Counters) *atomic.Int64 { return &c.DeliveredBytes }),
	counter("batches_total", "Batches written to connections.", func(c *actors.Counters) *atomic.Int64 { return &c.Batches }),
	counter("acks_total", "Acks that readers sent.", func(c *actors.Counters) *atomic.Int64 { return &c.Acks }),
	counter("duplicates_total", "Repeats of a send or publish that were answered from a record.", func(c *actors.Counters) *atomic.Int64 { return &c.Duplicates }),
	counter("commits_failed_total", "Store writes that failed.", func(c *actors.Counters) *atomic.Int64 { return &c.CommitsFailed }),
	counter("wakes_total", "Clients that were loaded from the store.", func(c *actors.Counters) *atomic.Int64 { return &c.Wakes }),
	counter("sleeps_total", "Clients that left memory.", func(c *actors.Counters) *atomic.Int64 { return &c.Sleeps }),
	counter("spilled_frames_total", "Frames whose bodies left memory.", func(c *actors.Counters) *atomic.Int64 { return &c.Spilled }),
	counter("fetched_frames_total", "Frames whose bodies were read from the store.", func(c *actors.Counters) *atomic.Int64 { return &c.Fetched }),
	counter("sweeps_total", "Sweeps of the janitor.", func(c *actors.Counters) *atomic.Int64 { return &c.Sweeps }),
	counter("panics_total", "Panics that were caught.", func(c *actors.Counters) *atomic.Int64 { return &c.Panics }),
}

var (
	descPruned  = describe("pruned_frames_total", "Retained frames that went, by reason.", "reason")
	descDropped = describe("dropped_total", "Things dropped on their way, by reason. A dropped batch is not a lost frame: it is still in the outbox.", "reason")
	descAttach  = describe("attaches_total", "Attaches, by what they came to.", "outcome")
	descRefused = describe("refused_total", "Calls and messages that were refused, by error code.", "code")
	descClosed  = describe("closed_total", "Connections that ended, by the name of the close code sent.", "code")
)

// collector reads the broker's counters when it is asked; nothing is counted twice. Every reason and code is there from the
// start with 0, so that an alert on its rate sees the first one.
type collector struct{ counters *actors.Counters }

// Describe is part of prometheus.Collector.
func (collector) Describe(out chan<- *prometheus.Desc) {
	for _, s := range singles {
		out <- s.desc
	}
	for _, d := range []*prometheus.Desc{descPruned, descDropped, descAttach, descRefused, descClosed} {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	n := c.counters
	for _, s := range singles {
		out <- prometheus.MustNewConstMetric(s.desc, s.kind, float64(s.read(n).Load()))
	}
	labelled := func(d *prometheus.Desc, value int64, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), label)
	}
	for r := range actors.NumPruneReasons {
		labelled(descPruned, n.Pruned[r].Load(), r.String())
	}
	for r := range actors.NumDropReasons {
		labelled(descDropped, n.Dropped[r].Load(), r.String())
	}
	for k := range actors.NumAttachKinds {
		labelled(descAttach, n.Attach[k].Load(), k.String())
	}
	for code, value := range withZeroes(n.Refused.Snapshot(), protocol.Codes()) {
		labelled(descRefused, value, code)
	}
	names := []string{protocol.CloseCode(0).Name()}
	for _, code := range protocol.CloseCodes() {
		names = append(names, code.Name())
	}
	for name, value := range withZeroes(n.Closed.Snapshot(), names) {
		labelled(descClosed, value, name)
	}
}

var (
	descGroups = describe("store_groups_total", "Groups of updates that the store on disk committed together.")
	descSyncs  = describe("store_syncs_total", "Syncs of the store on disk.")
	descDisk   = describe("store_disk_bytes", "Bytes that the store on disk occupies.")
)

// storeCollector asks the store on disk.
type storeCollector func() StoreMetrics

// Describe is part of prometheus.Collector.
func (storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descGroups, descSyncs, descDisk} {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (c storeCollector) Collect(out chan<- prometheus.Metric) {
	m := c()
	out <- prometheus.MustNewConstMetric(descGroups, prometheus.CounterValue, float64(m.Groups))
	out <- prometheus.MustNewConstMetric(descSyncs, prometheus.CounterValue, float64(m.Syncs))
	out <- prometheus.MustNewConstMetric(descDisk, prometheus.GaugeValue, float64(m.DiskBytes))
}

// withZeroes adds those of names that counts lacks.
func withZeroes[S ~string](counts map[string]int64, names []S) map[string]int64 {
	for _, name := range names {
		counts[string(name)] += 0
	}
	return counts
}
