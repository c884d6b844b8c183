package monitor

import (
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
)

// Facts are all that [Judge] knows. Every text in them is redacted.
type Facts struct {
	Now   time.Time
	Round int // completed rounds, as in [Snapshot]

	// Chain and what is wrong with it as a value.
	ChainOrigin string
	ChainErr    string // why the go command rejects GOPROXY; "" when it does not
	Hops        []HopFact

	SumDB   SumFact
	Forward *EndpointFact // nil when no HTTPS_PROXY is set
	// Others are endpoints that the go command would not use: the original chain
	// after a switch, the catalog, the user's own.
	Others []EndpointFact

	Shadows []Shadow

	// NoProxy is the effective GONOPROXY: what matches it goes past every chain,
	// even past "off".
	NoProxy string
	// ProjectErr is what is broken in go.mod, go.work or go.sum: every go command
	// in the project fails of it, whatever can be downloaded. "" without one.
	ProjectErr string
	// ToolchainErr is why the go command refuses its toolchain, which ends every
	// command too. "" where it does not.
	ToolchainErr string
	// SettingErr is why the go command refuses the variable SettingName: nothing can
	// be downloaded then, whatever the chain answers. "" where it does not.
	SettingErr, SettingName string
	// BuildErr is what keeps builds of the project from going ahead, and downloads not;
	// BuildSettingErr why builds refuse the variable BuildSettingName. "" where nothing
	// does.
	BuildErr                          string
	BuildSettingErr, BuildSettingName string
	// KeepErr is why GOMODCACHE takes no module that it has not: builds go on with those
	// that it has. "" where it does.
	KeepErr string
	// Bypassed is set when all that the project requires matches GONOPROXY.
	Bypassed bool

	// FromCache is set when GOPROXY is nothing but the module cache, as the
	// offline profile sets it.
	FromCache bool
	// Vendored is set when builds use the vendor directory.
	Vendored bool
	// Canary is what the hops were asked for; Needed says that the project
	// really needs it.
	Canary string
	Needed bool
	// SumsComplete is set when go.sum has a line for all that the project
	// requires, so that its build asks no checksum database.
	SumsComplete bool
}

// An EndpointFact is what is known of one endpoint.
type EndpointFact struct {
	Name   string // host, or what else a person calls it
	URL    string // redacted
	Kind   probe.Kind
	Health Health
	Class  probe.Class // settled, see [Condition.Settled]
	Last   probe.Class // of the latest probe
	Layer  probe.Layer // where the latest probe ended
	Status int         // HTTP status of the latest probe, 0 without one
	Detail string
	P99    time.Duration
	// Forwarded is set when the go command reaches it through HTTPS_PROXY.
	Forwarded bool
	// Unverified is set where a chain of nothing but this hop cannot reach the
	// checksum database, and that is wanted.
	Unverified bool
}

// A HopFact is a hop of the chain in force.
type HopFact struct {
	EndpointFact
	N         int
	Separator chain.Separator
	Action    probe.Action // what the go command does here, by Class
	Private   bool         // not a public proxy: lacking a public module is normal
}

// A SumFact is the checksum database by the route that the go command takes.
type SumFact struct {
	EndpointFact
	Off bool
	Err string // why the go command rejects GOSUMDB
	Via int    // number of the hop that answers for it, 0 for its own host
	// ByURL is set when GOSUMDB says where the database is dialled: no hop can
	// stand in for it.
	ByURL bool
}

// A Shadow is a variable of the OS environment that hides another value in the
// user's file.
type Shadow struct {
	Name   string // "GOPROXY"
	Value  string // in force
	Hidden string // in the user's file
}
