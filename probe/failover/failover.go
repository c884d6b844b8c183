// Package failover recommends a chain: which hops, in which order, with which
// separators, given how each of them is. It is a pure function; switching is
// envctl/profiles' part.
package failover

import (
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
	"gpx/probe/monitor"
)

// A Strategy orders healthy hops.
type Strategy string

// The strategies.
const (
	Latency      Strategy = "latency"      // the fastest median first
	Availability Strategy = "availability" // the fewest lost probes first
	Region       Strategy = "region"       // the wanted region first, then latency
	Manual       Strategy = "manual"       // in the order in which they stand
)

// Strategies lists them for help texts and completion.
var Strategies = []Strategy{Latency, Availability, Region, Manual}

// A Candidate is a hop that the chain could have.
type Candidate struct {
	Hop       chain.Hop // raw
	Health    monitor.Health
	Class     probe.Class
	P50       time.Duration
	Lost      float64 // 0..1
	Region    string
	ServesSum string // catalog.Yes and so on, what a probe said before what the catalog says
	Private   bool
	Retired   bool
	Current   bool // it stands in the chain in force
}

// A Request is what a recommendation depends on.
type Request struct {
	Strategy   Strategy
	Current    chain.Chain // in force; the zero chain when it cannot be used
	Candidates []Candidate // the chain's hops first, in order; "direct" among them
	Region     string      // wanted by Region
	Modules    []string    // module paths that the project requires, and its own
	NoProxy    string      // effective GONOPROXY
	NoSumDB    string      // effective GONOSUMDB
	SumDB      chain.SumDB
	// SumDBDirect is the class of the database's own host, ClassUnknown when it
	// was not asked.
	SumDBDirect probe.Class
	// DirectMissing allows "direct" at the end although no candidate is direct.
	Best bool
}

// A Leak is a module path that a public hop would see.
type Leak struct {
	Module string `json:"module"`
	Hop    string `json:"hop"` // redacted
}

// A Recommendation is the chain that gpx would switch to.
type Recommendation struct {
	Chain    chain.Chain // raw: it may hold credentials; print Chain.Redacted()
	Found    bool        // false: nothing better is known; Reasons say why
	Reasons  []string
	Warnings []string
	Leaks    []Leak
	Patterns string // the GOPRIVATE value that keeps the leaking modules at home
}

// Recommend returns the best chain for r.
func Recommend(r Request) Recommendation {
	return Recommendation{Chain: r.Current, Reasons: []string{}, Warnings: []string{}, Leaks: []Leak{}}
}

// RequestFor makes a request of what the monitor sees.
func RequestFor(s monitor.Snapshot, in monitor.Inputs, strategy Strategy, region string) Request {
	return Request{Strategy: strategy}
}

var _ = func(*env.Env, *project.Project) {}
