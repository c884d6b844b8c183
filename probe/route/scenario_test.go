package route

import (
	"fmt"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/lab"
)

// A scenario is one situation, from which both sides of the differential test
// are made: the input of Predict, and a lab with a project for the go command.
type scenario struct {
	Module  string // "one" (public, also in git), "secret" (private, also in git), or "toolchain"
	Hops    []hop
	NoProxy string // GONOPROXY, GOPRIVATE, GONOSUMDB
	Private string
	NoSum   string
	SumDB   string // "key", "off", "url", "bad" (a value that cannot be used)
	Own     string // fault of the database's own host
	Lines   SumLines
	Cached  Cached
	SumHave string // what the checksum cache holds: "", "all", "tiles", "head"
	NoGit   bool   // the repository behind "direct" is gone
	Foreign bool   // go.mod does not require the module
	Locked  bool   // nobody may write in GOMODCACHE
	// Set are settings beside those above, "NAME=value"; WORLD stands for the
	// directory of the world.
	Set []string
}

// A hop is one entry of the chain with what is wrong with it.
type hop struct {
	Kind  chain.Kind
	Fault string       // name in faults; for a file tree: "", "empty", "no-sumdb", "no-zip", "no-dir" (a file)
	Only  []probe.File // the fault concerns these requests alone
	TLS   bool
	Sep   chain.Separator
	Again bool // the chain's first hop, which is a proxy, once more
}

func (h hop) String() string {
	s := string(h.Kind)
	if h.Again {
		return "again" + string(h.Sep)
	}
	if h.TLS {
		s += "+tls"
	}
	if h.Fault != "" {
		s += "(" + h.Fault
		if len(h.Only) > 0 {
			s += fmt.Sprint(" on ", h.Only)
		}
		s += ")"
	}
	return s + string(h.Sep)
}

func (s scenario) String() string {
	var b strings.Builder
	for _, h := range s.Hops {
		b.WriteString(h.String())
	}
	add := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %s=%s", name, value)
		}
	}
	add("module", s.Module)
	add("GONOPROXY", s.NoProxy)
	add("GOPRIVATE", s.Private)
	add("GONOSUMDB", s.NoSum)
	add("GOSUMDB", s.SumDB)
	add("own", s.Own)
	add("go.sum/mod", string(s.Lines.Mod))
	add("go.sum/zip", string(s.Lines.Zip))
	if s.Cached != (Cached{}) {
		add("cached", fmt.Sprintf("%+v", s.Cached))
	}
	add("sumcache", s.SumHave)
	if s.NoGit {
		add("git", "gone")
	}
	if s.Foreign {
		add("go.mod", "without it")
	}
	for _, set := range s.Set {
		b.WriteString("  " + set)
	}
	return b.String()
}

// version is the module version that the scenario asks for.
func (s scenario) version() module.Version {
	switch s.Module {
	case "secret":
		return module.Version{Path: "github.com/gpx-lab-corp/secret", Version: "v1.0.0"}
	case "toolchain":
		return toolchain
	default:
		return module.Version{Path: "github.com/gpx-lab/one", Version: "v1.0.0"}
	}
}

// toolchain is a Go toolchain as a module; go.mod cannot require it.
var toolchain = module.Version{Path: "golang.org/toolchain", Version: "v0.0.1-go1.99.0.plan9-arm"}

func (s scenario) secret() bool { return s.Module == "secret" }

// A fault is what the lab does, and the classes that a probe of it has.
type fault struct {
	lab   lab.Fault
	class probe.Class // of every request, unless files or sum says otherwise
	// files are the requests that it concerns, with their classes; nil is all.
	files map[probe.File]probe.Class
	whole bool // the bytes arrive with status 200
	tls   bool // needs a server that speaks TLS
	early bool // the request is never seen by the server
	slow  bool // the go command waits 10 or 30 s each time
}

// faults is the table of what can be wrong with a proxy.
var faults = map[string]fault{
	"":                {class: probe.OK},
	"refuse":          {lab: lab.Refuse(), class: probe.Refused, early: true},
	"reset":           {lab: lab.Reset(), class: probe.Reset},
	"eof":             {lab: lab.EOF(), class: probe.EOF},
	"garbage":         {lab: lab.Of(lab.ModeGarbage), class: probe.ProtocolInvalid},
	"hang":            {lab: lab.Hang(), class: probe.Timeout},
	"stall":           {lab: lab.Stall(-1), class: probe.Stalled},
	"endless":         {lab: lab.Of(lab.ModeEndless), class: probe.TooLarge},
	"400":             {lab: lab.Status(400, ""), class: probe.ClientError},
	"401":             {lab: lab.Auth("user", "password"), class: probe.AuthRequired},
	"403":             {lab: lab.Status(403, ""), class: probe.Forbidden},
	"404":             {lab: lab.Status(404, ""), class: probe.NotFound},
	"410":             {lab: lab.Status(410, ""), class: probe.NotFound},
	"429":             {lab: lab.RateLimited(0), class: probe.RateLimited},
	"500":             {lab: lab.Status(500, ""), class: probe.ServerError},
	"502":             {lab: lab.Hostile(), class: probe.ServerError},
	"503":             {lab: lab.HTML(503, "<h1>down</h1>"), class: probe.ServerError},
	"captive":         {lab: lab.Captive(), class: probe.CaptivePortal, whole: true},
	"credentials":     {class: probe.ConfigInvalid, early: true}, // in a plain http URL
	"redirect-loop":   {lab: lab.Of(lab.ModeRedirect), class: probe.RedirectLoop},
	"downgrade":       {lab: lab.Of(lab.ModeDowngrade), class: probe.RedirectInsecure, tls: true},
	"truncated":       {lab: lab.Of(lab.ModeTruncated), class: probe.Truncated},
	"tls-self-signed": {lab: lab.Of(lab.ModeTLSSelfSigned), class: probe.TLSUntrusted, tls: true, early: true},
	"tls-expired":     {lab: lab.Of(lab.ModeTLSExpired), class: probe.TLSExpired, tls: true, early: true},
	"tls-wrong-host":  {lab: lab.Of(lab.ModeTLSWrongHost), class: probe.TLSHostname, tls: true, early: true},
	"tls-plain-http":  {lab: lab.Of(lab.ModeTLSPlainHTTP), class: probe.TLSHandshake, tls: true, early: true},
	"tls-garbage":     {lab: lab.Of(lab.ModeTLSGarbage), class: probe.TLSHandshake, tls: true, early: true},

	"short": {lab: lab.Of(lab.ModeShort), whole: true, files: map[probe.File]probe.Class{
		probe.Info: probe.ProtocolInvalid, probe.Mod: probe.ChecksumMismatch, probe.Zip: probe.ProtocolInvalid,
		probe.Lookup: probe.ProtocolInvalid, probe.Tile: probe.SumDBUntrusted}},
	"wrong-version": {lab: lab.Of(lab.ModeWrongVersion), whole: true, files: map[probe.File]probe.Class{probe.Info: probe.ProtocolInvalid}},
	"not-json":      {lab: lab.Of(lab.ModeNotJSON), whole: true, files: map[probe.File]probe.Class{probe.Info: probe.ProtocolInvalid}},
	"wrong-mod":     {lab: lab.Of(lab.ModeWrongMod), whole: true, files: map[probe.File]probe.Class{probe.Mod: probe.ChecksumMismatch}},
	"wrong-zip":     {lab: lab.Of(lab.ModeWrongZip), whole: true, files: map[probe.File]probe.Class{probe.Zip: probe.ChecksumMismatch}},
	"zip-names":     {lab: lab.Of(lab.ModeZipNames), whole: true, files: map[probe.File]probe.Class{probe.Zip: probe.ProtocolInvalid}},

	"no-sumdb":      {lab: lab.NoSumDB(404), files: sumFiles(probe.NotFound)},
	"sumdb-503":     {lab: lab.NoSumDB(503), files: sumFiles(probe.ServerError)},
	"sumdb-captive": {lab: lab.Of(lab.ModeSumDBCaptive), files: map[probe.File]probe.Class{probe.Lookup: probe.CaptivePortal, probe.Tile: probe.CaptivePortal}},
	"bad-signature": {lab: lab.Of(lab.ModeBadSignature), files: map[probe.File]probe.Class{probe.Lookup: probe.SumDBUntrusted}},
	"other-key":     {lab: lab.Of(lab.ModeOtherKey), files: map[probe.File]probe.Class{probe.Lookup: probe.SumDBUntrusted}},
	// The record is signed and well-formed; that it is not in the log shows at the tiles.
	"bad-record": {lab: lab.Of(lab.ModeBadRecord), files: map[probe.File]probe.Class{probe.Tile: probe.SumDBUntrusted}},
	"bad-tile":   {lab: lab.Of(lab.ModeBadTile), files: map[probe.File]probe.Class{probe.Tile: probe.SumDBUntrusted}},

	"tls-silent": {lab: lab.Of(lab.ModeTLSSilent), class: probe.TLSTimeout, tls: true, early: true, slow: true},
	"blackhole":  {lab: lab.Blackhole(), class: probe.ConnectTimeout, early: true, slow: true},
}

func sumFiles(c probe.Class) map[probe.File]probe.Class {
	return map[probe.File]probe.Class{probe.Supported: c, probe.Lookup: c, probe.Tile: c}
}

// touches reports whether the fault concerns a request, and with what class.
func (f fault) touches(file probe.File) (probe.Class, bool) {
	if f.files == nil {
		return f.class, f.class != probe.OK
	}
	c, ok := f.files[file]
	return c, ok
}

// covers reports whether hop h's fault is in force for a request.
func (h hop) covers(file probe.File) bool {
	if len(h.Only) == 0 {
		return true
	}
	for _, o := range h.Only {
		if o == file {
			return true
		}
	}
	return false
}

// class is what a request to hop h ends in; whole says that bytes arrived with
// status 200.
func (s scenario) class(h hop, file probe.File) (c probe.Class, whole bool) {
	if h.Again {
		h = s.Hops[0]
	}
	switch h.Kind {
	case chain.Direct:
		if s.NoGit {
			return probe.NotFound, false
		}
		return probe.OK, true
	case chain.File:
		return s.tree(h, file)
	}
	missing := s.secret() && (file == probe.Info || file == probe.Mod || file == probe.Zip || file == probe.Lookup)
	f := faults[h.Fault]
	c, hit := f.touches(file)
	switch {
	case !h.covers(file) || !hit:
		hit = false
	case f.files == nil && c == probe.Truncated && missing:
		hit = false // a 404 with half its text is a 404
	case f.files != nil && missing && c != probe.NotFound && c != probe.ServerError && c != probe.CaptivePortal:
		hit = false // the fault is in the content of a file that is not there
	}
	switch {
	case hit:
		return c, f.whole
	case missing:
		return probe.NotFound, false
	default:
		return probe.OK, true
	}
}

// tree is what a file tree has.
func (s scenario) tree(h hop, file probe.File) (probe.Class, bool) {
	if h.Fault == "no-dir" {
		return probe.ConfigInvalid, false
	}
	var has bool
	switch file {
	case probe.Supported, probe.Tile:
		has = h.Fault != "no-sumdb"
	case probe.Lookup:
		has = h.Fault != "no-sumdb" && !s.secret()
	case probe.Zip:
		has = h.Fault != "no-zip" && !s.secret()
	default:
		has = !s.secret()
	}
	if !has || h.Fault == "empty" {
		return probe.MissingFile, false
	}
	return probe.OK, true
}

// input is the scenario as Predict sees it.
func (s scenario) input(goproxy, gosumdb string) Input {
	c, err := chain.Parse(goproxy)
	db, dbErr := chain.ParseSumDB(gosumdb)
	noproxy, nosum := s.NoProxy, s.NoSum
	if noproxy == "" {
		noproxy = s.Private
	}
	if nosum == "" {
		nosum = s.Private
	}
	in := Input{
		Module: s.version(), Chain: c, ChainErr: err, NoProxy: noproxy, NoSumDB: nosum,
		SumDB: db, SumDBErr: dbErr, SumLines: s.Lines, Required: !s.Foreign, Cached: s.Cached,
	}
	switch s.SumHave {
	case "all":
		in.SumNeeds = []probe.File{}
	case "tiles":
		in.SumNeeds = []probe.File{probe.Lookup}
	case "head":
		// The head's own tiles, the record, then the tile that holds the record.
		in.SumNeeds = []probe.File{probe.Tile, probe.Lookup, probe.Tile}
	}
	at := func(n int, f probe.File) (probe.Class, bool) {
		switch n {
		case NoProxy:
			return s.class(hop{Kind: chain.Direct}, f)
		case SumDBHost:
			return s.class(hop{Kind: chain.Proxy, Fault: s.Own, TLS: true}, f)
		default:
			return s.class(s.Hops[n], f)
		}
	}
	in.Classes = func(n int, f probe.File) probe.Class { c, _ := at(n, f); return c }
	in.Whole = func(n int, f probe.File) bool { _, w := at(n, f); return w }
	return in
}
