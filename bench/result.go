package bench

// Result is what one profile has come to against one server.
type Result struct {
	// Server is the dialect's name, Profile one of the Profile constants.
	Server  string `json:"server"`
	Profile string `json:"profile"`
	// Clients is how many took part.
	Clients int `json:"clients"`
	// Figures are by the names of the Figure constants; a name says its unit.
	Figures map[string]float64 `json:"figures"`
	// Lost frames never came, Doubled came more than once, Disordered out of their order. Each is a failure of the server, or a property of it.
	Lost       uint64 `json:"lost"`
	Doubled    uint64 `json:"doubled"`
	Disordered uint64 `json:"disordered"`
	// Failed says why the profile could not be finished; "" where it was.
	Failed string `json:"failed,omitempty"`
}

// The profiles. Each works on the same frames, of Frame bytes.
const (
	ProfileIdle        = "idle"         // connections that nothing is sent to
	ProfileUnicast     = "unicast"      // frames to each client in turn, 4,000 in flight in all
	ProfileRate        = "rate"         // frames to each client in turn, 10,000 a second
	ProfileFanout      = "fanout"       // one topic that all follow, 4 frames in flight
	ProfileFanoutOne   = "fanout-one"   // the same with 1 in flight: when the last follower has it
	ProfileStorm       = "storm"        // all come back at once and lack 100 frames each
	ProfileBacklog     = "backlog"      // 100 frames each for clients that are away
	ProfileOffline     = "offline"      // one frame each for clients that are away
	ProfileChurn       = "churn"        // connect, resume, leave, 64 at once
	ProfilePublish     = "publish"      // HTTP, one frame a request
	ProfilePublishMany = "publish-many" // HTTP, 50 frames a request
)

// The figures. CPU is the server's, read from the operating system, as is resident memory; heap is what the server says of itself, 0 where it cannot.
const (
	FigureRSSPer    = "rss_bytes_per"     // connection, frame or client: what the profile counts
	FigureHeapPer   = "heap_bytes_per"    // likewise, after a collection
	FigureCPU       = "cpu_s_per_million" // deliveries, or published frames
	FigureCPUTotal  = "cpu_s"             // of a storm
	FigureCPUVisit  = "cpu_ms_per_visit"  // of churn
	FigureRate      = "per_s"             // deliveries, visits or published frames a second
	FigureTook      = "took_s"
	FigureP50       = "p50_us" // of latency, from the moment a frame was due to be published
	FigureP99       = "p99_us"
	FigureP999      = "p999_us"
	FigureMax       = "max_us"
	FigureDelivered = "delivered"
)

// Frame is the length of the JSON object that is published, in bytes: with what a server puts round it, about 256 on the wire.
const Frame = 240
