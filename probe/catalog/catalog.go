// Package catalog knows the public module proxies, and how well it knows them.
//
// Every entry says where the fact comes from, of which day it is and how sure
// gpx is, because a list of proxies is out of date the day it is written:
// proxies retire, and old guides go on naming them. A retired entry is kept so
// that gpx can say what it is; it is never recommended.
//
// The proxy that the toolchain uses by default is not written down here: it is
// read from $GOROOT/go.env at run time, the only file this package opens. It
// never dials.
package catalog

import (
	"net/url"
	"strings"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// An Entry is one public proxy, or an alias of the checksum database.
type Entry struct {
	Name     string `json:"name"` // what gpx use NAME takes
	URL      string `json:"url"`  // base URL; of a database alias, where it dials
	Kind     string `json:"kind"` // Proxy or Database
	Operator string `json:"operator"`
	Region   string `json:"region"`

	// SumDB says whether the proxy also serves the checksum database, so that
	// its own host need not be reachable.
	SumDB string `json:"sumdb"`

	State      string `json:"state"`
	Source     string `json:"source"`     // where the facts come from
	Date       string `json:"date"`       // of the facts, year and month
	Confidence string `json:"confidence"` // high, medium or low

	Retired      bool   `json:"retired"`        // never recommended
	OffByDefault bool   `json:"off_by_default"` // probed and recommended only when the user names it
	Note         string `json:"note"`
}

// Kinds of entry: a hop of GOPROXY, or a value of GOSUMDB.
const (
	Proxy    = "proxy"
	Database = "sumdb"
)

// Values of Entry.SumDB.
const (
	Yes           = "yes"
	No            = "no"
	Partly        = "partly"
	Unknown       = "unknown"
	NotApplicable = "n/a"
)

// Values of Entry.State.
const (
	Alive        = "alive"
	Unreliable   = "unreliable"
	Retired      = "retired"
	PresumedDead = "presumed dead"
)

// DefaultName is the name of the toolchain's own default proxy.
const DefaultName = "default"

// known are the entries that can be written down. Regions: "global" has points
// of presence everywhere, "cn" is fast in mainland China.
var known = []Entry{
	{Name: "goproxy.cn", URL: "https://goproxy.cn", Kind: Proxy, Operator: "Qiniu", Region: "cn",
		SumDB: Yes, State: Alive, Source: "operator's site and public status reports", Date: "2026-11", Confidence: "high",
		Note: "China with a CDN; serves the checksum database too."},
	{Name: "goproxy.io", URL: "https://goproxy.io", Kind: Proxy, Operator: "goproxyio team", Region: "global",
		SumDB: Yes, State: Unreliable, Source: "operator's site and public issue threads", Date: "2026-11", Confidence: "medium",
		Note: "Wrong bytes were reported in 2025-11 and 502 answers in 2024-12; go.sum and the checksum database catch the former."},
	{Name: "aliyun", URL: "https://mirrors.aliyun.com/goproxy/", Kind: Proxy, Operator: "Alibaba", Region: "cn",
		SumDB: No, State: Alive, Source: "operator's mirror pages", Date: "2026-11", Confidence: "medium",
		Note: "Does not serve the checksum database: the go command dials the database's own host."},
	{Name: "huawei", URL: "https://mirrors.huaweicloud.com/repository/goproxy/", Kind: Proxy, Operator: "Huawei", Region: "cn",
		SumDB: No, State: Alive, Source: "operator's mirror pages", Date: "2026-11", Confidence: "medium",
		Note: "Does not serve the checksum database: the go command dials the database's own host."},
	{Name: "tencent", URL: "https://mirrors.tencent.com/go/", Kind: Proxy, Operator: "Tencent", Region: "cn",
		SumDB: Unknown, State: Alive, Source: "operator's mirror pages", Date: "2026-11", Confidence: "medium",
		Note: "Whether it serves the checksum database is not known; a deep probe says so."},
	{Name: "golang.com.cn", URL: "https://proxy.golang.com.cn", Kind: Proxy, Operator: "goproxyio team", Region: "cn",
		SumDB: Partly, State: Unreliable, Source: "public issue threads", Date: "2026-11", Confidence: "low",
		Note: "Answered 502 in 2026-08."},
	{Name: "baidu", URL: "https://goproxy.baidu.com", Kind: Proxy, Operator: "Baidu", Region: "cn",
		SumDB: Unknown, State: Unreliable, Source: "old guides", Date: "2026-11", Confidence: "low", OffByDefault: true,
		Note: "Little is known of it today; off unless it is named."},
	{Name: "gocenter", URL: "https://gocenter.io", Kind: Proxy, Operator: "JFrog", Region: "global",
		SumDB: NotApplicable, State: Retired, Source: "operator's announcement", Date: "2021-05", Confidence: "high", Retired: true,
		Note: "Retired on 2021-05-01. Old guides still name it; take it out of the chain."},
	{Name: "athens", URL: "https://athens.azurefd.net", Kind: Proxy, Operator: "Athens project", Region: "global",
		SumDB: NotApplicable, State: PresumedDead, Source: "old guides", Date: "2026-11", Confidence: "medium", Retired: true,
		Note: "A public experiment of the Athens project, presumed dead. Running an Athens of one's own is another matter."},
	{Name: "sum.golang.google.cn", URL: "https://sum.golang.google.cn", Kind: Database, Operator: "Go team", Region: "cn",
		SumDB: NotApplicable, State: Alive, Source: "go command source (modfetch/sumdb.go)", Date: "2026-11", Confidence: "high",
		Note: "An alias that the go command knows for sum.golang.org, reachable in mainland China. As GOSUMDB it always dials, whatever GOPROXY says."},
}

// Entries returns the catalog. The first entry is the toolchain's default
// proxy when e knows it.
func Entries(e *env.Env) []Entry {
	var all []Entry
	if d, ok := toolchainDefault(e); ok {
		all = append(all, d)
	}
	return append(all, known...)
}

// Find returns the entry with that name, or with that base URL (with or
// without a scheme, credentials or a slash at the end).
func Find(e *env.Env, nameOrURL string) (Entry, bool) {
	want := strings.TrimSpace(nameOrURL)
	all := Entries(e)
	for _, entry := range all {
		if strings.EqualFold(entry.Name, want) {
			return entry, true
		}
	}
	site, ok := siteOf(want)
	if !ok {
		return Entry{}, false
	}
	for _, entry := range all {
		if s, ok := siteOf(entry.URL); ok && s == site {
			return entry, true
		}
	}
	return Entry{}, false
}

// siteOf is what two spellings of a base URL have in common: host and path.
func siteOf(raw string) (string, bool) {
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || !strings.Contains(u.Host, ".") && u.Port() == "" {
		return "", false
	}
	host := strings.ToLower(u.Hostname())
	if p := u.Port(); p != "" && !(u.Scheme == "https" && p == "443") && !(u.Scheme == "http" && p == "80") {
		host += ":" + p
	}
	return host + strings.TrimRight(u.Path, "/"), true
}

// hasCredentials reports whether a URL names a user: a public host that is used
// with an account may serve that account's private modules.
func hasCredentials(raw string) bool {
	u, err := url.Parse(raw)
	return err != nil || u.User != nil
}

// toolchainDefault is the first proxy of the GOPROXY value that the toolchain
// has when the user sets nothing.
func toolchainDefault(e *env.Env) (Entry, bool) {
	value := DefaultChain(e)
	c, err := chain.Parse(value)
	if err != nil {
		return Entry{}, false
	}
	for _, h := range c.Hops {
		if h.Kind != chain.Proxy {
			continue
		}
		return Entry{Name: DefaultName, URL: h.URL, Kind: Proxy, Operator: "as the toolchain is set", Region: "global",
			SumDB: Yes, State: Alive, Source: "$GOROOT/go.env", Date: "2026-11", Confidence: "high",
			Note: "The first proxy of the toolchain's own default GOPROXY, " + redact.URL(h.URL) +
				". The Go team's is blocked or answers 403 in some countries."}, true
	}
	return Entry{}, false
}
