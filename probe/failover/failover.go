// Package failover recommends a chain: which hops, in which order, with which
// separators, given how each of them is.
//
//	candidates ──drop: failing, hanging, retired──▶ healthy
//	healthy ──private before public, then by strategy──▶ A | B | C
//	… | direct        when version control is healthy and the chain is not "off"
//
// [Recommend] is a pure function. It changes nothing; a switch is a plan of
// envctl/profiles. When one is made without a person, and taken back again, a
// [Pilot] decides.
//
// # Private and public hops
//
// A hop is public when its site is in the catalog and its URL holds no
// credentials, and private otherwise: a proxy that gpx does not know may serve
// modules whose names are secret, and a file: tree is the user's own. A private
// hop stands before every public one, because what stands behind it sees the
// path of every module that it lacks, and the path of every module at all when
// it fails. Where a recommendation puts a public hop behind a private one, or in
// its place, it lists the paths that do not look public (see [Leak]) and the
// GOPRIVATE patterns that keep them at home.
package failover

import (
	"time"

	"gpx/envctl/chain"
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

// Strategies lists them, the default first, for help texts and completion.
var Strategies = []Strategy{Latency, Availability, Region, Manual}

// MaxProxies bounds the proxies of a recommended chain. Each one more is one
// more wait when all are down, and one more host that learns what is built.
const MaxProxies = 3

// A Candidate is a hop that the chain could have, as it is known to be.
type Candidate struct {
	Hop    chain.Hop // raw; the separator does not matter
	Health monitor.Health
	Class  probe.Class
	P50    time.Duration // 0 when nothing was answered
	Lost   float64       // 0..1
	Region string        // as the catalog has it, "" when unknown
	// ServesSum says whether it serves the checksum database: catalog.Yes and so
	// on; a probe's answer counts before the catalog's.
	ServesSum string
	// BreaksSum is the class of the checksum database when the go command asks it
	// through this hop and fails there for good: the hop says that it serves the
	// database and does not, or it never answers. "" when it does no such harm.
	BreaksSum probe.Class
	// RefusesSum is the class with which it answers whether it serves the database,
	// where that is an error and no plain no. Before "|" the go command asks on, and
	// "direct" still dials; at the end of all others the error stands. "" without one.
	RefusesSum probe.Class
	Private    bool
	Retired    bool
	Current    bool // it stands in the chain in force
}

// healthy reports whether go gets what it asks for, or a clean 404 from a hop
// that is there for other modules.
func (c Candidate) healthy() bool {
	return (c.Health == monitor.Up || c.Health == monitor.Slow) && (c.serves() || c.lacks())
}

func (c Candidate) serves() bool { return c.Class == probe.OK }

// lacks reports a hop that is alive and does not have the public module it was
// asked for: normal for a private one, useless in a public one.
func (c Candidate) lacks() bool {
	return c.Private && c.Class == probe.NotFound
}

// A Request is all that a recommendation depends on.
type Request struct {
	Strategy   Strategy    // "" is Latency
	Region     string      // what Region wants
	Current    chain.Chain // in force; the zero Chain when the value cannot be used
	Candidates []Candidate // the current chain's hops first, in order
	// Modules are the module paths that the project requires.
	Modules   []string
	Own       []string // the main modules' paths: what shares their owner looks private
	GOPRIVATE string
	NoProxy   string // effective GONOPROXY
	NoSumDB   string // effective GONOSUMDB

	SumDB chain.SumDB
	// SumsComplete says that go.sum has what the project's build verifies.
	SumsComplete bool
	// SumDBDirect is the class of the database at its own host, and "unknown"
	// when it was not asked there.
	SumDBDirect probe.Class
}

// A Leak is a module path of the project that a public hop would be asked for.
// Paths that the world knows anyway are left out: those of the well-known code
// hosts, unless they share their owner with the project's own module or match
// GONOSUMDB.
type Leak struct {
	Module string `json:"module"`
	Hop    string `json:"hop"` // redacted
}

// A Recommendation is the chain that gpx would switch to.
type Recommendation struct {
	Chain chain.Chain // raw: it may hold credentials; print Chain.Redacted()
	Found bool        // false: there is nothing better, and Reasons say why
	// Sure says of a chain that is Found that it is known to serve what the project
	// needs, also what go.sum does not have.
	Sure     bool
	Reasons  []string
	Warnings []string // of other things than Leaks
	Leaks    []Leak
	// Patterns is the GOPRIVATE value that keeps the leaking modules away from
	// every proxy and from the checksum database, where GONOPROXY and GONOSUMDB
	// are not set: they then come from version control. "" without leaks.
	Patterns string
}
