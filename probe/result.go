package probe

import "gpx/envctl/wire"

// Kind says what an endpoint is: the kinds of hop (envctl/chain) and two more.
type Kind string

// The kinds of endpoint.
const (
	KindProxy   Kind = "proxy"
	KindFile    Kind = "file"
	KindDirect  Kind = "direct"
	KindOff     Kind = "off"
	KindSumDB   Kind = "sumdb"
	KindForward Kind = "forward" // the proxy of HTTPS_PROXY
)

// A File is a kind of request that the go command makes of a proxy.
type File string

// The kinds of request.
const (
	Info      File = "info"
	Mod       File = "mod"
	Zip       File = "zip"
	List      File = "list"
	Latest    File = "latest"
	Supported File = "supported" // /sumdb/NAME/supported
	Lookup    File = "lookup"    // /sumdb/NAME/lookup/MODULE@VERSION
	Tile      File = "tile"      // /sumdb/NAME/tile/…
	Head      File = "head"      // the signed tree head, which comes with a lookup
)

// Phases are the times of one probe; a phase that was not reached is zero. They
// follow one another: TTFB runs from the request written to the first byte of the
// answer. What redirects add is in each phase.
type Phases struct {
	DNS   wire.Millis `json:"dns_ms"`
	TCP   wire.Millis `json:"tcp_ms"`
	TLS   wire.Millis `json:"tls_ms"`
	TTFB  wire.Millis `json:"ttfb_ms"`
	Total wire.Millis `json:"total_ms"`
}

// SumDBResult is what a proxy said about serving the checksum database.
type SumDBResult struct {
	Name      string `json:"name"`
	Supported bool   `json:"supported"`
	Class     Class  `json:"class"`
}

// A Check is one request of a deep probe.
type Check struct {
	File       File        `json:"file"`
	Class      Class       `json:"class"`
	HTTPStatus int         `json:"http_status"`
	Detail     string      `json:"detail"`
	Total      wire.Millis `json:"total_ms"`
	Sum        string      `json:"sum,omitempty"`
}

// A Result is the outcome of one probe. All text in it is redacted and free of
// control characters.
type Result struct {
	At         wire.Time    `json:"at"`
	URL        string       `json:"url"`
	Kind       Kind         `json:"kind"`
	Class      Class        `json:"class"`
	Layer      Layer        `json:"layer"`
	Detail     string       `json:"detail"`
	Module     string       `json:"module"` // the canary that was asked for, path@version
	HTTPStatus int          `json:"http_status"`
	RemoteAddr string       `json:"remote_addr"`
	TLSExpires wire.Time    `json:"tls_expires"`
	Phases     Phases       `json:"phases"`
	SumDB      *SumDBResult `json:"sumdb,omitempty"`
	Checks     []Check      `json:"checks,omitempty"` // of a deep probe

	// Sum is the h1: hash of the .mod or .zip that came, "" where it was not read
	// to its end.
	Sum string `json:"sum,omitempty"`

	// Whole reports that the answer came complete and with status 200: whatever
	// its class says of the content, the go command has bytes to go on with.
	Whole bool `json:"-"`

	// Lines are the module version's lines of go.sum as the checksum database has
	// them: of a [Tile] that was asked for with success, because the tiles are
	// what proves them.
	Lines []string `json:"-"`

	// Record is the answer to a [Lookup] that was one: with it, and what is
	// cached, can be told which tiles the go command still asks for.
	Record []byte `json:"-"`

	// RetryAfter is how long a 429 or 503 asks to be left alone.
	RetryAfter wire.Millis `json:"retry_after_ms,omitempty"`
}
