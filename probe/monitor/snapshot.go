package monitor

import (
	"slices"

	"gpx/envctl/wire"
	"gpx/probe"
)

// Health is what the run of an endpoint's classes says about it.
type Health string

// The states of health.
const (
	Up      Health = "up"
	Slow    Health = "slow"
	Suspect Health = "suspect" // failing, but not yet often enough to be down
	Down    Health = "down"
	Unknown Health = "unknown"
)

// A Hop is one entry of the chain in force, as a snapshot shows it.
type Hop struct {
	N         int          `json:"n"`
	URL       string       `json:"url"` // redacted
	Kind      probe.Kind   `json:"kind"`
	Separator string       `json:"separator"`
	Health    Health       `json:"health"`
	Class     probe.Class  `json:"class"`
	GoWill    probe.Action `json:"go_will"`
}

// A Window is the recent past of one endpoint.
type Window struct {
	Samples int         `json:"samples"`
	Lost    float64     `json:"loss"` // 0..1, share of failed probes
	P50     wire.Millis `json:"p50_ms"`
	P95     wire.Millis `json:"p95_ms"`
	P99     wire.Millis `json:"p99_ms"`
	Recent  []Sample    `json:"recent"` // oldest first, bounded
}

// After returns what is in w behind last, the newest sample of an earlier window of
// the endpoint; all of it when last is not, or no more, in w.
func (w Window) After(last Sample) []Sample {
	for i, s := range slices.Backward(w.Recent) {
		if s.At.Equal(last.At.Time) && s.Class == last.Class {
			return w.Recent[i+1:]
		}
	}
	return w.Recent
}

// A Sample is one probe in a window; Lost ones have no meaningful time.
type Sample struct {
	At    wire.Time   `json:"at"`
	Class probe.Class `json:"class"`
	Total wire.Millis `json:"total_ms"`
}

// An EndpointStatus is an endpoint's last result with its health and window.
type EndpointStatus struct {
	probe.Result
	Health Health    `json:"health"`
	Since  wire.Time `json:"since"` // when this health began
	Window Window    `json:"window"`
	// Hops holds the 1-based numbers of the chain's hops that this endpoint is;
	// empty for catalog entries, the database and the forward proxy.
	Hops []int `json:"hops"`
}

// ChainStatus is the chain in force.
type ChainStatus struct {
	Value  string `json:"value"` // redacted
	Origin string `json:"origin"`
	Error  string `json:"error,omitempty"` // why the go command rejects the value
	Hops   []Hop  `json:"hops"`
	// Works reports whether the go command gets what it asks for through this
	// chain as its hops now are; false too while that is not known.
	Works bool `json:"works"`
}

// SumDBStatus is the checksum database by the route the go command would take.
type SumDBStatus struct {
	Value string      `json:"value"`
	Class probe.Class `json:"class"`
	Route string      `json:"route"` // redacted URL that would answer, "off" or ""
	// Health is the database's by that route; Via the number of the hop that
	// answers for it, 0 for its own host.
	Health Health `json:"health"`
	Via    int    `json:"via"`
	// Direct is the class of the database at its own host, where a hop that does
	// not serve it, or "direct", leads; "" where nobody had to ask there.
	Direct probe.Class `json:"direct,omitempty"`
}

// State is the verdict in one word.
type State string

// The states.
const (
	StateOK       State = "ok"
	StateDegraded State = "degraded"
	StateOutage   State = "outage"
	StateOffline  State = "offline"
	StateUnknown  State = "unknown"
)

// Scope says where the trouble is.
type Scope string

// The scopes.
const (
	ScopeNone   Scope = "none"
	ScopeLocal  Scope = "local"  // this machine or its network
	ScopeConfig Scope = "config" // settings
	ScopeChain  Scope = "chain"  // one or more hops
	ScopeSumDB  Scope = "sumdb"  // the checksum database alone
)

// A Fix is something to do about it.
type Fix struct {
	Title   string `json:"title"`
	Command string `json:"command"`
}

// A Verdict says whether modules can be downloaded, and if not, why.
type Verdict struct {
	State    State    `json:"state"`
	Scope    Scope    `json:"scope"`
	Headline string   `json:"headline"`
	Evidence []string `json:"evidence"`
	Fixes    []Fix    `json:"fixes"`
}

// Readiness says whether the project builds with no network.
type Readiness struct {
	State   string `json:"state"` // ready at_risk not_ready unknown
	Ready   int    `json:"ready"`
	Missing int    `json:"missing"`
	AtRisk  int    `json:"at_risk"`
}

// A Snapshot is everything at one instant. Live, recorded and simulated
// outages are all a stream of snapshots.
type Snapshot struct {
	At        wire.Time        `json:"at"`
	Verdict   Verdict          `json:"verdict"`
	Chain     ChainStatus      `json:"chain"`
	SumDB     SumDBStatus      `json:"sumdb"`
	Endpoints []EndpointStatus `json:"endpoints"`
	Readiness Readiness        `json:"readiness"`
	EnvDigest string           `json:"env_digest"`
	Round     int              `json:"round"` // completed rounds; 0 until the first burst is complete

	// Original is the chain that gpx switched away from, judged as if it were
	// still in force; nil when nothing was switched.
	Original *ChainStatus `json:"original,omitempty"`
	// Gap is the time before this snapshot that nobody watched (suspend, a
	// stopped process, a clock that was set); nil in all but the first after it.
	Gap *Gap `json:"gap,omitempty"`
}

// A Gap is a time that counts for nothing.
type Gap struct {
	From wire.Time `json:"from"`
	To   wire.Time `json:"to"`
}
