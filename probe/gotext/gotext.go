// Package gotext knows the go command's own words for what went wrong, so that
// they can be explained where it ran.
//
// One table holds them all, beside the table of classes in gpx/probe: what a class
// means and what to do about it stands there, and here only what a text adds. The
// texts are those of go1.26; tests have the go command itself say each that can be
// had on loopback.
//
// A security error is never an outage: where there is one, nothing else is found.
package gotext

import (
	"cmp"
	"regexp"
	"strings"
	"sync"

	"gpx/probe"
)

// A Kind names a row of the table.
type Kind string

// A Row is one way in which the go command says that something failed.
type Row struct {
	Kind  Kind
	Class probe.Class // probe.ClassUnknown where no endpoint is to blame
	// Security: somebody may have put other bytes in the place of the right ones.
	Security bool
	Means    string // one sentence; the class's own, where there is nothing to add
	Fix      string // what to do; the class's own, where there is nothing to add

	text func() *regexp.Regexp // compiled when it is first asked for: most commands never do
}

// A Finding is a row, and the line that it was found in.
type Finding struct {
	Row
	Line string // raw: it comes from outside
}

// Parts of the texts. A program that runs behind the go command may have network
// errors of its own, so that a URL must be one that only the go command asks for.
const (
	proxyURL = `[^\s"]*(?:/@v/|/@latest)[^\s"]*`
	sumURL   = `[^\s"]*(?:/sumdb/[^\s"]*|/(?:lookup|tile)/[^\s"]+|/latest|/supported)`
	get      = `Get "(?:` + proxyURL + `|` + sumURL + `|[^\s"]*go-get=1)": `
	status   = `reading ` + proxyURL + `: `
)

func row(k Kind, c probe.Class, text, means, fix string) Row {
	info := c.Info()
	return Row{Kind: k, Class: c, Means: cmp.Or(means, info.Meaning), Fix: cmp.Or(fix, info.Advice), text: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })}
}

func security(k Kind, c probe.Class, text, means, fix string) Row {
	r := row(k, c, text, means, fix)
	r.Security = true
	return r
}

// Table is in the order in which a line is compared: what says more comes first.
var Table = []Row{
	security("go.sum mismatch", probe.ChecksumMismatch, `does NOT match an earlier download recorded in go\.sum`,
		"What was downloaded is not what go.sum has recorded: this is no outage.",
		"Do not delete the go.sum line. Find out who changed the bytes; gpx cache verify looks at what is cached."),
	security("checksum database mismatch", probe.ChecksumMismatch, `does NOT match the one reported by the checksum server`,
		"What was downloaded is not what the checksum database has recorded: this is no outage.",
		"Do not switch checks off. Another proxy may have the right bytes: gpx use --best"),
	security("checksum database misbehaves", probe.SumDBUntrusted, `go\.sum database server misbehavior detected|downloaded inconsistent tile|(?:verifying|initializing) .*(?:malformed note|invalid signature|unverified note|no verifiable signatures)`,
		"", ""),

	row("forward proxy down", probe.ForwardProxyDown, `proxyconnect tcp: `, "", ""),
	row("forward proxy wants credentials", probe.AuthRequired, get+`Proxy Authentication Required`, "The forward proxy of HTTPS_PROXY wants credentials (407).", "Put them into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT"),
	row("checksum database unreachable", probe.SumDBUnavailable, `verifying (?:module|go\.mod)?:? ?\S+: (?:`+get+`|reading )|reading `+sumURL+`: |`+`Get "`+sumURL+`": `, "", ""),

	row("no such host", probe.DNSNotFound, get+`dial tcp: lookup \S+(?: on \S+)?: no such host`, "", ""),
	row("name server fails", probe.DNSFailure, get+`dial tcp: lookup \S+(?: on \S+)?: (?:server misbehaving|.*connection refused)`, "", ""),
	row("name server silent", probe.DNSTimeout, get+`dial tcp: lookup \S+(?: on \S+)?: .*i/o timeout`, "", ""),
	row("refused", probe.Refused, get+`dial tcp \S+: (?:connect: connection refused|connectex: No connection could be made)`, "", ""),
	row("unreachable", probe.Unreachable, get+`dial tcp \S+: connect: (?:no route to host|network is unreachable)`, "", ""),
	row("packets dropped", probe.ConnectTimeout, get+`dial tcp \S+: (?:i/o timeout|connect: connection timed out)`, "", ""),
	row("TLS silent", probe.TLSTimeout, get+`net/http: TLS handshake timeout`, "", ""),
	row("plain http", probe.TLSHandshake, get+`http: server gave HTTP response to HTTPS client`, "", ""),
	row("certificate expired", probe.TLSExpired, get+`.*x509: certificate has expired or is not yet valid`, "", ""),
	row("certificate of another", probe.TLSHostname, get+`.*x509: (?:certificate is valid for |certificate is not valid for any names|cannot validate certificate for )`, "", ""),
	row("certificate untrusted", probe.TLSUntrusted, get+`.*x509: certificate signed by unknown authority`, "", ""),
	row("reset", probe.Reset, `(?:`+get+`|read "`+proxyURL+`": ).*read: connection reset by peer`, "", ""),
	row("closed", probe.EOF, get+`(?:EOF|unexpected EOF)`, "", ""),

	row("credentials wanted", probe.AuthRequired, status+`(?:401|407) `, "", ""),
	row("forbidden", probe.Forbidden, status+`403 `, "", ""),
	row("not found", probe.NotFound, status+`(?:404|410) `, "No hop of the chain has this version.", "Check its spelling; a fresh version can be missing from a public mirror for up to 30 minutes. For a private module set GOPRIVATE."),
	row("too many requests", probe.RateLimited, status+`429 `, "", ""),
	row("rejected", probe.ClientError, status+`4\d\d `, "", ""),
	row("server error", probe.ServerError, status+`5\d\d `, "", ""),
	row("gap in a file tree", probe.NotFound, `reading file://\S+: no such file or directory`, "The file tree lacks this version.", "Add it with: gpx cache export --sync -o TREE"),
	row("web page", probe.CaptivePortal, `invalid response from proxy "[^"]*": .*invalid character '<'`, "", ""),
	row("no proxy", probe.ProtocolInvalid, `invalid response from proxy "|`+get+`net/http: HTTP/1\.x transport connection broken: malformed `, "", ""),
	row("another version", probe.ProtocolInvalid, `proxy returned info for version \S+ instead of requested version`, "The proxy answers with another version than it was asked for.", ""),
	row("zip cut", probe.Truncated, `read "`+proxyURL+`": unexpected EOF|zip: not a valid zip file`, "", ""),

	row("lookups are off", probe.ClassUnknown, `module lookup disabled by GOPROXY=off`, "GOPROXY=off forbids every download, and this module is not cached.", "Fetch it once with a proxy: gpx fetch --missing"),
	row("no git", probe.ConfigInvalid, `exec: "(?:git|hg|svn|fossil|bzr)": executable file not found`, "The module comes from version control, whose program is not installed.", "Install it, or use a proxy: gpx use --best"),
	row("version control wants credentials", probe.AuthRequired, `fatal: could not read Username for|fatal: Authentication failed for|terminal prompts disabled|Permission denied \(publickey`, "Version control wants credentials, and there is nobody to type them.", "Give git the credentials (a credential helper, or url.….insteadOf with ssh)."),
	row("version control unreachable", probe.Unreachable, `fatal: unable to access '[^']*': |fatal: Could not read from remote repository`, "Version control cannot be reached.", "Check the network connection; what a proxy has needs no version control: gpx use --best"),
	row("go.sum line missing", probe.ClassUnknown, `missing go\.sum entry`, "go.sum has no line for a module that the build needs: this is no outage.", "go mod tidy, or: go mod download MODULE"),
	row("toolchain missing", probe.ClassUnknown, `toolchain not available`, "The go or toolchain line asks for a Go release that cannot be downloaded.", "Install it, or lower the line; GOTOOLCHAIN=local uses the one that is there."),
	row("toolchain too old", probe.ClassUnknown, `requires go >= \S+ \(running go \S+; GOTOOLCHAIN=`, "The project or a module wants a newer Go than this one, and GOTOOLCHAIN does not let it be downloaded.", "Install it, or: GOTOOLCHAIN=auto"),
}

// most findings of one text.
const most = 3

// Find finds what the go command said in its output: each kind once, at most
// three, the last ones, since the earlier may have been overcome. Where one is a
// security error, only such are told.
func Find(output []byte) []Finding {
	var found []Finding
	last := map[Kind]int{}
	secure := true
	n := 0
	for line := range strings.Lines(string(output)) {
		for _, r := range Table {
			if !r.text().MatchString(line) {
				continue
			}
			secure = secure && !r.Security
			if i, ok := last[r.Kind]; ok {
				found[i].Line = ""
			}
			last[r.Kind] = n
			found = append(found, Finding{r, strings.TrimSpace(line)})
			n++
			break
		}
	}
	var out []Finding
	for i := len(found) - 1; i >= 0 && len(out) < most; i-- {
		if f := found[i]; f.Line != "" && (secure || f.Security) {
			out = append(out, f)
		}
	}
	return out
}
