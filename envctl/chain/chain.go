// Package chain is the grammar of GOPROXY and GOSUMDB values.
//
// A GOPROXY value is a chain: hops with the separator that follows each.
//
//	https://a.example , https://b.example | direct
//	└── hop 1 ──────┘ │ └── hop 2 ──────┘ │ └ hop 3
//	     "," moves on after 404 and 410   "|" moves on after any error
//
// [Parse] accepts and rejects what the go command does when it uses the value
// (cmd/go/internal/modfetch/proxy.go, proxyList), and prints back what it read.
// The package does no input or output.
package chain

// Kind says what a hop is.
type Kind string

// The kinds of hop.
const (
	Proxy  Kind = "proxy"  // an http or https module proxy
	File   Kind = "file"   // a file: tree
	Direct Kind = "direct" // version control
	Off    Kind = "off"    // stop here
)

// Separator is what follows a hop; it decides which failures move on to the
// next hop.
type Separator string

// The separators.
const (
	Last  Separator = ""  // nothing follows
	Comma Separator = "," // moves on after 404 and 410 only
	Pipe  Separator = "|" // moves on after any error
)

// A Hop is one entry of a chain.
type Hop struct {
	// URL is the entry as the go command uses it: "https://" added where it
	// adds it, credentials included. For Direct and Off it is that word.
	URL       string
	Kind      Kind
	Separator Separator
}

// A Chain is a GOPROXY value that the go command would use. The zero Chain is
// not valid; get one from [Parse] or [New].
type Chain struct {
	// Hops holds the entries that the go command reads; never empty. What
	// follows "direct" or "off" is not in it.
	Hops []Hop
	// Ignored is the text after "direct" or "off", which the go command never
	// reads.
	Ignored string
}
