package route

import (
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/probe"
)

// Hop numbers outside the chain, for [Input.Classes].
const (
	// NoProxy is version control as the entry that the go command puts before
	// the chain when GONOPROXY is set; only matching modules use it.
	NoProxy = -1
	// SumDBHost is the checksum database's own host, or the URL that GOSUMDB
	// names.
	SumDBHost = -2
)

// The values of [Route.Result].
const (
	Served   = "served"    // every file comes from a hop or from the cache
	Direct   = "direct"    // served, and at least one file comes from version control
	Stopped  = "stopped"   // an error ends it
	Hangs    = "hangs"     // a hop does not answer in time, and the go command has no deadline
	Off      = "off"       // nobody had it, and the chain ends in "off"
	NotFound = "not_found" // nobody had it
	Unknown  = "unknown"   // a hop on the way was not probed
)

// A Line is what go.sum says about one file of the module version.
type Line string

// The lines.
const (
	NoLine   Line = ""         // no line: the checksum database is asked
	Match    Line = "match"    // the line of the genuine file
	Mismatch Line = "mismatch" // a line that the genuine file does not have
)

// SumLines are the two go.sum lines of a module version.
type SumLines struct {
	Mod Line // MODULE VERSION/go.mod
	Zip Line // MODULE VERSION
}

// Cached says which files of the module version are in GOMODCACHE. They are
// taken to be genuine, as the go command takes them.
type Cached struct {
	Info, Mod, Zip, ZipHash bool
	// Dir is the extracted tree. `go mod download` wants the zip nevertheless;
	// a build does not.
	Dir bool
}

// Vendor says whether a build uses the vendor directory.
type Vendor string

// The states of vendoring.
const (
	NotVendored   Vendor = ""         // -mod=mod or readonly: modules are downloaded
	Vendored      Vendor = "vendored" // -mod=vendor, and vendor/modules.txt has the module
	VendorLacking Vendor = "lacking"  // -mod=vendor, and it has not
)

// Input is all that decides a route.
type Input struct {
	Module module.Version
	// Refusal is why no go command gets any module: a setting, the project's files
	// or the toolchain that is wanted.
	Refusal error
	// CacheErr is why GOMODCACHE can hold no module.
	CacheErr error

	Chain    chain.Chain
	ChainErr error  // GOPROXY cannot be used
	NoProxy  string // effective GONOPROXY patterns
	NoSumDB  string // effective GONOSUMDB patterns
	SumDB    chain.SumDB
	SumDBErr error // GOSUMDB cannot be used

	SumLines SumLines
	// Required reports that the project's go.mod requires this very version, so
	// that its checksums are written to go.sum in the end.
	Required bool
	Cached   Cached
	// SumNeeds lists what a lookup of this module still needs from the network,
	// in order, given the tiles and records in GOMODCACHE/cache/download/sumdb
	// and the head in GOPATH/pkg/sumdb. Nil means everything: lookup, then tile.
	// Empty and not nil means that the cache alone verifies it.
	SumNeeds []probe.File
	Vendor   Vendor
	// VCSErr is why GOVCS keeps the go command from the module's repository. Unless
	// VCSKnown, the host of the module is asked first what its repository is.
	VCSErr   error
	VCSKnown bool

	// Classes says what hop (an index of Chain.Hops, [NoProxy] or [SumDBHost])
	// answers to a request for file. It is called only for what the go command
	// asks, in the order in which it asks.
	Classes func(hop int, file probe.File) probe.Class
	// Whole reports that the answer to a request came with status 200 and
	// complete, whatever its class says of the content: the go command then has
	// bytes to go on with. Nil takes that to be so for captive_portal and
	// checksum_mismatch.
	Whole func(hop int, file probe.File) bool
	// Waited is how long an answer was waited for that did not come. Nil, or 0: that
	// is not known.
	Waited func(hop int, file probe.File) time.Duration
}

// A Step is one request of the go command, or one hop that ends the walk
// without a request ("off").
type Step struct {
	File   string       `json:"file"`
	Hop    string       `json:"hop"` // redacted
	Class  probe.Class  `json:"class"`
	Action probe.Action `json:"action"`
	// N is the 1-based number of the hop, 0 for version control before the
	// chain and for the checksum database's own host.
	N int `json:"n"`
	// Why says in a few words what decided the action, where the class alone
	// does not.
	Why string `json:"why,omitempty"`
}

// A Route is what the go command does for one module version.
type Route struct {
	Module  string `json:"module"`
	Version string `json:"version"`
	// Private reports that the module matches GONOPROXY: it never goes to a proxy.
	Private bool `json:"private"`
	// SumDB says what verifies the module: "go.sum", "cache", "off", the redacted
	// URL that answers lookups, or "" when it does not come to that.
	SumDB  string `json:"sumdb"`
	Steps  []Step `json:"steps"`
	Result string `json:"result"`
	// Why is the headline: which file ends where, and for what reason.
	Why string `json:"why"`
}
