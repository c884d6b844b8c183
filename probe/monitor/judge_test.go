package monitor

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/route"
)

// judged builds facts from a chain in words. Every hop is a name, a health and a
// class, and what separates the hops stands between them:
//
//	a:up:ok , b:down:timeout | direct:up:ok
//
// A hop that is called "direct", "off" or "/tree" is that; "corp…" is private.
func judged(t *testing.T, words string) Facts {
	t.Helper()
	f := Facts{Now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), Round: 1, ChainOrigin: "user", Canary: "example.com/m@v1.0.0", Needed: true,
		SumDB: SumFact{EndpointFact: EndpointFact{Name: "sum.golang.org", URL: "https://sum.golang.org", Kind: probe.KindSumDB, Health: Up, Class: probe.OK, Last: probe.OK}}}
	var c chain.Chain
	var classes []probe.Class
	for _, w := range strings.Fields(words) {
		if w == "," || w == "|" {
			c.Hops[len(c.Hops)-1].Separator = chain.Separator(w)
			continue
		}
		part := strings.Split(w, ":")
		h := HopFact{N: len(f.Hops) + 1, Private: strings.HasPrefix(part[0], "corp")}
		hop := chain.Hop{URL: "https://" + part[0] + ".example.com", Kind: chain.Proxy}
		switch {
		case part[0] == "direct" || part[0] == "off":
			hop = chain.Hop{URL: part[0], Kind: chain.Kind(part[0])}
		case strings.HasPrefix(part[0], "/"):
			hop = chain.Hop{URL: "file://" + part[0], Kind: chain.File}
		}
		h.EndpointFact = EndpointFact{Name: nameOf(hop.URL, probe.Kind(hop.Kind)), URL: hop.URL, Kind: probe.Kind(hop.Kind), Health: Unknown, Class: probe.ClassUnknown, Last: probe.ClassUnknown}
		if len(part) > 2 {
			h.Health, h.Class, h.Last = Health(part[1]), probe.Class(part[2]), probe.Class(part[2])
		}
		c.Hops = append(c.Hops, hop)
		classes = append(classes, h.Class)
		f.Hops = append(f.Hops, h)
	}
	for i, a := range route.GoWill(c, classes) {
		f.Hops[i].Action, f.Hops[i].Separator = a, c.Hops[i].Separator
	}
	return f
}

func sumDB(class probe.Class, layer probe.Layer, via int) func(*Facts) {
	return func(f *Facts) {
		f.SumDB.Class, f.SumDB.Last, f.SumDB.Layer, f.SumDB.Via = class, class, layer, via
		if class.Failed() {
			f.SumDB.Health = Down
		}
	}
}

func forwarded(class probe.Class) func(*Facts) {
	return func(f *Facts) {
		f.Forward = &EndpointFact{Name: "squid.corp.example:3128", Kind: probe.KindForward, Health: Down, Class: class, Last: class}
		for i := range f.Hops {
			f.Hops[i].Forwarded = f.Hops[i].Kind == probe.KindProxy
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name  string
		hops  string
		with  []func(*Facts)
		state State
		scope Scope
		words string // of the headline
		fix   string // one of the commands; with "!" none of them
	}{
		{"all is well", "a:up:ok , direct:up:ok", nil, StateOK, ScopeNone, "OK: go can download from a.example.com", ""},
		{"version control alone", "direct:up:ok", nil, StateOK, ScopeNone, "version control", ""},
		{"a file tree", "/srv/tree:up:ok", nil, StateOK, ScopeNone, "the file tree /srv/tree", ""},
		{"before the first round", "a , b", []func(*Facts){func(f *Facts) { f.Round = 0 }}, StateUnknown, ScopeNone, "UNKNOWN", ""},
		{"bad news waits for the first round", "a:suspect:refused", []func(*Facts){func(f *Facts) { f.Round = 0 }}, StateUnknown, ScopeNone, "UNKNOWN", ""},
		{"good news does not", "a:up:ok , direct:unknown:unknown", []func(*Facts){func(f *Facts) { f.Round = 0 }}, StateOK, ScopeNone, "a.example.com", ""},
		{"one hop has not answered", "a:unknown:unknown", nil, StateUnknown, ScopeNone, "a.example.com has not answered yet", ""},
		{"a later hop has not answered, and is not asked", "a:up:ok , direct:unknown:unknown", nil, StateOK, ScopeNone, "a.example.com", ""},

		{"a hop hangs", "a:down:timeout , direct:up:ok", nil, StateOutage, ScopeChain,
			"OUTAGE: a.example.com hangs and go waits as long as it takes", "gpx use --best"},
		{"a hop hangs before |: no separator helps", "a:down:timeout | b:up:ok", nil, StateOutage, ScopeChain, "waits as long as it takes", "gpx use --best"},
		{"a hop stalls", "a:down:stalled | b:up:ok", nil, StateOutage, ScopeChain, "stalls in mid-answer", ""},
		{"503 before ,", "a:down:server_error , b:up:ok", nil, StateOutage, ScopeChain, "answers 5xx and the go command stops", "gpx use --best"},
		{"503 before |", "a:down:server_error | b:up:ok", nil, StateDegraded, ScopeChain, "a.example.com answers 5xx, go moves on to b.example.com", "gpx use --best"},
		{"packets vanish before ,", "a:down:connect_timeout , b:up:ok", nil, StateOutage, ScopeChain, "go fails after 30 s", ""},
		{"packets vanish before |", "a:down:connect_timeout | b:up:ok", nil, StateDegraded, ScopeChain, "a.example.com costs 30 s per request, then b.example.com serves", ""},
		{"a broken hop that go moves past to one that hangs", "a:down:refused | b:down:timeout | c:up:ok", nil, StateOutage, ScopeChain, "b.example.com hangs", ""},
		{"a broken hop that is not reached", "a:up:ok , b:down:timeout", nil, StateOK, ScopeNone, "a.example.com", ""},
		{"a hop that is suspect has its last good class", "a:suspect:ok", nil, StateOK, ScopeNone, "a.example.com", ""},
		{"slow", "a:slow:ok , direct:up:ok", nil, StateDegraded, ScopeChain, "a.example.com is slow", "gpx use --best"},
		{"401", "a:down:auth_required , b:up:ok", nil, StateOutage, ScopeChain, "wants credentials", "go help goauth"},
		{"a certificate of one hop", "a:down:tls_expired , b:up:ok", nil, StateOutage, ScopeChain, "has an expired certificate", ""},
		{"wrong bytes before |", "a:down:checksum_mismatch | b:up:ok", nil, StateDegraded, ScopeChain, "sends wrong bytes", ""},
		{"the only hop, nothing else known", "a:down:refused", nil, StateOutage, ScopeChain, "refuses connections", "gpx probe --all"},
		{"version control down at the end", "a:down:refused | direct:down:dns_failure", nil, StateOutage, ScopeChain, "version control cannot be resolved", "gpx offline on"},
		{"off at the end", "a:down:refused | off", nil, StateOutage, ScopeChain, "and then the chain is off", ""},

		{"a private hop lacks a public module", "corp:up:not_found , a:up:ok", nil, StateOK, ScopeNone, "a.example.com", ""},
		{"a public hop lacks what the project needs", "a:up:not_found , b:up:ok", nil, StateDegraded, ScopeChain, "a.example.com lacks", "gpx probe --deep"},
		{"nobody has what the project needs", "a:up:not_found , b:up:not_found", nil, StateOutage, ScopeChain, "no hop of the chain has example.com/m@v1.0.0", ""},
		{"nobody has the neutral module", "a:up:not_found", []func(*Facts){func(f *Facts) { f.Needed = false }}, StateDegraded, ScopeChain, "other modules may be there", ""},

		{"every name fails: the resolver", "a:down:dns_failure | b:down:dns_failure | direct:down:dns_failure",
			[]func(*Facts){sumDB(probe.DNSFailure, probe.LayerDNS, 0)}, StateOutage, ScopeLocal, "no name can be resolved", "gpx offline on"},
		{"one name does not exist: that hop", "a:down:dns_not_found , b:up:ok", nil, StateOutage, ScopeChain, "a.example.com is unknown to the DNS", ""},
		{"one name does not exist, and nothing else is asked", "a:down:dns_not_found", []func(*Facts){func(f *Facts) { f.SumDB.Off = true }},
			StateOutage, ScopeChain, "unknown to the DNS", ""},
		{"the resolver is silent, and nothing else is asked", "a:down:dns_timeout", []func(*Facts){func(f *Facts) { f.SumDB.Off = true }},
			StateOutage, ScopeLocal, "no name can be resolved", ""},
		{"no connection anywhere: the network", "a:down:unreachable , direct:down:unreachable",
			[]func(*Facts){sumDB(probe.Unreachable, probe.LayerTCP, 0)}, StateOutage, ScopeLocal, "no host can be reached", ""},
		{"some names, no connections", "a:down:connect_timeout , direct:down:dns_timeout",
			[]func(*Facts){sumDB(probe.ConnectTimeout, probe.LayerTCP, 0)}, StateOutage, ScopeLocal, "no host can be reached", ""},
		{"one name does not exist and one host refuses: both are reached", "a:down:refused , direct:down:dns_not_found",
			[]func(*Facts){sumDB(probe.Refused, probe.LayerTCP, 1)}, StateOutage, ScopeChain, "a.example.com refuses", ""},
		{"the hop on this machine refuses, and the rest has no network", "local:down:refused , direct:down:unreachable",
			[]func(*Facts){sumDB(probe.Refused, probe.LayerTCP, 1), func(f *Facts) { f.Hops[0].URL = "http://127.0.0.1:3000" }},
			StateOutage, ScopeChain, "refuses connections", ""},
		{"one connection works: that hop", "a:down:connect_timeout , b:up:ok",
			[]func(*Facts){sumDB(probe.ConnectTimeout, probe.LayerTCP, 0)}, StateOutage, ScopeChain, "a.example.com drops packets", ""},
		{"the database works: that hop", "a:down:connect_timeout", nil, StateOutage, ScopeChain, "a.example.com drops packets", ""},
		{"every certificate expired: the clock", "a:down:tls_expired | b:down:tls_expired",
			[]func(*Facts){sumDB(probe.TLSExpired, probe.LayerTLS, 0)}, StateOutage, ScopeLocal, "clock", "date -u"},
		{"every certificate untrusted: an interceptor", "a:down:tls_untrusted | b:down:tls_untrusted",
			[]func(*Facts){sumDB(probe.TLSUntrusted, probe.LayerTLS, 0)}, StateOutage, ScopeLocal, "intercepts TLS", "SSL_CERT_FILE"},
		{"a log-in page everywhere", "a:down:captive_portal | b:down:captive_portal",
			[]func(*Facts){sumDB(probe.SumDBUntrusted, probe.LayerSumDB, 1)}, StateOutage, ScopeLocal, "captive portal", ""},

		{"the forward proxy does not listen", "a:down:forward_proxy_down , direct:up:ok", []func(*Facts){forwarded(probe.ForwardProxyDown)},
			StateOutage, ScopeLocal, "HTTPS_PROXY names squid.corp.example:3128, which cannot be reached", "unset HTTPS_PROXY https_proxy"},
		{"the forward proxy wants credentials", "a:down:auth_required", []func(*Facts){forwarded(probe.AuthRequired)},
			StateOutage, ScopeLocal, "wants credentials", ""},
		{"the forward proxy is fine, the hop is not", "a:down:server_error", []func(*Facts){forwarded(probe.OK)},
			StateOutage, ScopeChain, "a.example.com answers 5xx", ""},

		{"the database alone, go.sum not complete", "a:up:ok", []func(*Facts){sumDB(probe.ServerError, probe.LayerHTTP, 0)},
			StateOutage, ScopeSumDB, "checksum database sum.golang.org fails", "gpx sumdb sum.golang.google.cn"},
		{"the database by its own host, and another proxy works", "a:up:ok , b:up:ok", []func(*Facts){sumDB(probe.ServerError, probe.LayerHTTP, 0)},
			StateOutage, ScopeSumDB, "fails", "gpx probe --all"},
		{"the database through a hop, and no other works", "a:up:ok", []func(*Facts){sumDB(probe.ServerError, probe.LayerHTTP, 1)},
			StateOutage, ScopeSumDB, "fails", "gpx probe --all"},
		{"a database of one's own has no alias", "a:up:ok", []func(*Facts){sumDB(probe.ServerError, probe.LayerHTTP, 0), func(f *Facts) { f.SumDB.Name = "sum.corp.example" }},
			StateOutage, ScopeSumDB, "fails", "!google.cn"},
		{"the database where GOSUMDB says: no proxy can help", "a:up:ok", []func(*Facts){sumDB(probe.ServerError, probe.LayerHTTP, 0), func(f *Facts) { f.SumDB.ByURL = true }},
			StateOutage, ScopeSumDB, "fails", "gpx sumdb on"},
		{"the database alone, go.sum complete", "a:up:ok", []func(*Facts){sumDB(probe.ServerError, probe.LayerHTTP, 1), func(f *Facts) { f.SumsComplete = true }},
			StateDegraded, ScopeSumDB, "only new modules need it", "gpx sumdb off --for 1h"},
		{"the database hangs", "a:up:ok , b:up:ok", []func(*Facts){sumDB(probe.Timeout, probe.LayerHTTP, 1)}, StateOutage, ScopeSumDB, "hangs", "gpx use --best"},
		{"the database is off", "a:up:ok", []func(*Facts){func(f *Facts) { f.SumDB = SumFact{Off: true} }}, StateOK, ScopeNone, "a.example.com", ""},
		{"a wrong signature", "a:up:ok , b:up:ok", []func(*Facts){sumDB(probe.SumDBUntrusted, probe.LayerSumDB, 1), func(f *Facts) { f.SumsComplete = true }},
			StateOutage, ScopeSumDB, "tampering", "gpx use --best"},
		{"a wrong signature, and no other proxy", "a:up:ok", []func(*Facts){sumDB(probe.SumDBUntrusted, probe.LayerSumDB, 1)},
			StateOutage, ScopeSumDB, "tampering", "!gpx use --best"},
		{"no other proxy leads to the database", "a:up:ok , b:up:ok", []func(*Facts){sumDB(probe.ServerError, probe.LayerHTTP, 1), func(f *Facts) { f.Hops[1].Unverified = true }},
			StateOutage, ScopeSumDB, "fails", "!gpx use --best"},
		{"what works verifies nothing new", "a:down:refused , b:up:ok", []func(*Facts){func(f *Facts) { f.Hops[1].Unverified = true }},
			StateOutage, ScopeChain, "refuses connections", "!gpx use --best"},
		{"what works verifies nothing new, and go.sum is complete", "a:down:refused , b:up:ok", []func(*Facts){func(f *Facts) { f.Hops[1].Unverified, f.SumsComplete = true, true }},
			StateOutage, ScopeChain, "refuses connections", "gpx use --best"},
		{"GOSUMDB cannot be used", "a:up:ok", []func(*Facts){func(f *Facts) { f.SumDB = SumFact{Err: "invalid GOSUMDB: too many fields"} }},
			StateOutage, ScopeConfig, "rejects GOSUMDB", "gpx sumdb on"},

		{"GOPROXY cannot be used", "", []func(*Facts){func(f *Facts) { f.ChainErr = "invalid proxy URL scheme (must be https, http, file): ftp://x" }},
			StateOutage, ScopeConfig, "rejects GOPROXY: invalid proxy URL scheme", "gpx use default"},
		{"the shell hides the value that was set", "a:down:refused , direct:up:ok",
			[]func(*Facts){func(f *Facts) {
				f.Shadows = []Shadow{{Name: "GOPROXY", Value: "https://a.example.com", Hidden: "https://b.example.com"}}
			}},
			StateOutage, ScopeConfig, "the shell's GOPROXY hides your own", "unset GOPROXY"},
		{"the shell hides a value, and all is well", "a:up:ok",
			[]func(*Facts){func(f *Facts) { f.Shadows = []Shadow{{Name: "GOPROXY", Value: "x", Hidden: "y"}} }},
			StateOK, ScopeNone, "a.example.com", ""},
		{"GOPROXY=off of the user's own", "off", nil, StateOffline, ScopeNone, "GOPROXY=off", "gpx use default"},
		{"GOPROXY=off of the profile", "off", []func(*Facts){func(f *Facts) { f.NoProxy = "none" }}, StateOffline, ScopeNone, "GOPROXY=off", "gpx offline off"},
		{"the offline profile", "/home/me/go/pkg/mod/cache/download:up:ok", []func(*Facts){func(f *Facts) { f.FromCache, f.NoProxy = true, "none" }},
			StateOffline, ScopeNone, "OFFLINE", "gpx offline off"},
		{"GOPROXY=off, and private modules go past it", "off", []func(*Facts){func(f *Facts) { f.NoProxy = "corp.example" }},
			StateOffline, ScopeNone, "only cached and private modules build", "gpx use default"},
		{"a chain that the project does not need", "a:down:refused", []func(*Facts){func(f *Facts) { f.Bypassed = true }},
			StateDegraded, ScopeChain, "go bypasses the chain here, but a.example.com refuses connections", ""},
		{"no network: private modules need it too", "a:down:unreachable | direct:down:unreachable",
			[]func(*Facts){sumDB(probe.Unreachable, probe.LayerTCP, 0), func(f *Facts) { f.Bypassed = true }}, StateOutage, ScopeLocal, "no host can be reached", ""},
		{"a file tree that is not there", "/srv/tree:down:missing_file", nil, StateOutage, ScopeChain, "the file tree /srv/tree is not there", ""},
		{"a file tree that is not there, and a proxy", "/srv/tree:down:missing_file , b:up:ok", nil, StateDegraded, ScopeChain, "is not there, go moves on", "gpx use --best"},
		{"go.mod is broken", "a:up:ok", []func(*Facts){func(f *Facts) { f.ProjectErr = "go.mod:3: unknown directive: requir" }},
			StateDegraded, ScopeConfig, "go.mod:3: unknown directive", ""},
		{"go.mod is broken, and so is the chain", "a:down:refused", []func(*Facts){func(f *Facts) { f.ProjectErr = "go.mod:3: unknown directive: requir" }},
			StateOutage, ScopeChain, "refuses", ""},
		{"the project wants a newer Go", "a:up:ok", []func(*Facts){func(f *Facts) { f.ToolchainErr = "go.mod requires go >= 1.99 (running go 1.26.0; GOTOOLCHAIN=local)" }},
			StateDegraded, ScopeConfig, "every go command fails: go.mod requires go >= 1.99", "gpx env GOTOOLCHAIN"},
		{"the wrong toolchain before a broken go.mod", "a:up:ok", []func(*Facts){func(f *Facts) {
			f.ToolchainErr, f.ProjectErr = `invalid toolchain "go1.x" in go.mod`, "go.mod:3: unknown directive: requir"
		}}, StateDegraded, ScopeConfig, `every go command fails: invalid toolchain "go1.x" in go.mod`, "gpx env GOTOOLCHAIN"},
		{"go.mod is broken, and the chain is degraded", "a:down:refused | b:up:ok", []func(*Facts){func(f *Facts) { f.ProjectErr = "go.mod:3: unknown directive: requir" }},
			StateDegraded, ScopeConfig, "every go command fails: go.mod:3: unknown directive", ""},
		{"a setting that stops builds", "a:up:ok", []func(*Facts){func(f *Facts) { f.BuildSettingErr, f.BuildSettingName = "-mod=x not supported", "GOFLAGS" }},
			StateDegraded, ScopeConfig, "DEGRADED: downloads work, but -mod=x not supported", "gpx env GOFLAGS"},
		{"a setting that stops builds, and a chain that is degraded", "a:down:refused | b:up:ok", []func(*Facts){func(f *Facts) { f.BuildSettingErr, f.BuildSettingName = "-mod=x not supported", "GOFLAGS" }},
			StateDegraded, ScopeConfig, "DEGRADED: nothing builds: -mod=x", "gpx env GOFLAGS"},
		{"a file that stops builds", "a:up:ok", []func(*Facts){func(f *Facts) { f.BuildErr = "go.work: does not list the module in /src" }},
			StateDegraded, ScopeConfig, "DEGRADED: downloads work, but go.work: does not list", ""},
		{"off, and a setting that stops every command", "off", []func(*Facts){func(f *Facts) { f.SettingErr, f.SettingName = "parsing $GOFLAGS: unknown flag -bogus", "GOFLAGS" }},
			StateOffline, ScopeConfig, "OFFLINE: nothing builds: parsing $GOFLAGS: unknown flag -bogus", "gpx env GOFLAGS"},
		{"off, and nowhere to take modules from", "off", []func(*Facts){func(f *Facts) { f.SettingErr, f.SettingName = "GOMODCACHE entry is relative", "GOMODCACHE" }},
			StateOffline, ScopeConfig, "OFFLINE: GOMODCACHE entry is relative", "gpx env GOMODCACHE"},
		{"a module cache that takes nothing", "a:up:ok", []func(*Facts){func(f *Facts) { f.KeepErr = "module cache cannot be written: open /mod: permission denied" }},
			StateDegraded, ScopeConfig, "go downloads nothing: module cache cannot be written", "gpx env GOMODCACHE"},
		{"off, and a module cache that takes nothing", "off", []func(*Facts){func(f *Facts) { f.KeepErr = "module cache cannot be written: open /mod: permission denied" }},
			StateOffline, ScopeNone, "only what is in the module cache builds", "gpx use default"},
		{"off, and a broken go.mod", "off", []func(*Facts){func(f *Facts) { f.ProjectErr = "go.mod:3: unknown directive: requir" }},
			StateOffline, ScopeConfig, "OFFLINE: nothing builds: go.mod:3", ""},
		{"off, and a setting that stops builds", "off", []func(*Facts){func(f *Facts) { f.BuildSettingErr, f.BuildSettingName = "-mod=x not supported", "GOFLAGS" }},
			StateOffline, ScopeConfig, "OFFLINE: nothing builds: -mod=x not supported", "gpx env GOFLAGS"},
		{"a setting that stops every command", "a:up:ok", []func(*Facts){func(f *Facts) { f.SettingErr, f.SettingName = "parsing $GOFLAGS: unknown flag -bogus", "GOFLAGS" }},
			StateDegraded, ScopeConfig, "DEGRADED: go downloads nothing: parsing $GOFLAGS: unknown flag -bogus", "gpx env GOFLAGS"},
		{"such a setting before a broken go.mod", "a:up:ok", []func(*Facts){func(f *Facts) {
			f.SettingErr, f.SettingName = "modules disabled by GO111MODULE=off; see 'go help modules'", "GO111MODULE"
			f.ProjectErr = "go.mod:3: unknown directive: requir"
		}}, StateDegraded, ScopeConfig, "go downloads nothing: modules disabled", "gpx env GO111MODULE"},
		{"such a setting, and a chain that is degraded", "a:down:refused | b:up:ok", []func(*Facts){func(f *Facts) { f.SettingErr, f.SettingName = "x", "GOPATH" }},
			StateDegraded, ScopeConfig, "go downloads nothing: x", "gpx env GOPATH"},
		{"such a setting, and a broken chain", "a:down:refused", []func(*Facts){func(f *Facts) { f.SettingErr, f.SettingName = "x", "GOPATH" }},
			StateOutage, ScopeChain, "refuses", ""},
		{"vendored: builds go on", "a:down:timeout", []func(*Facts){func(f *Facts) { f.Vendored = true }},
			StateDegraded, ScopeChain, "vendor/ builds, downloads fail: a.example.com hangs", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := judged(t, c.hops)
			for _, with := range c.with {
				with(&f)
			}
			v := Judge(f)
			if v.State != c.state || v.Scope != c.scope {
				t.Errorf("%s %s, want %s %s: %s", v.State, v.Scope, c.state, c.scope, v.Headline)
			}
			if !strings.Contains(v.Headline, c.words) {
				t.Errorf("headline %q, want %q in it", v.Headline, c.words)
			}
			if n := utf8.RuneCountInString(v.Headline); n > headlineColumns {
				t.Errorf("headline of %d columns: %q", n, v.Headline)
			}
			if v.Evidence == nil || v.Fixes == nil {
				t.Error("evidence or fixes are null in JSON")
			}
			not, unwanted := strings.CutPrefix(c.fix, "!")
			found := c.fix == "" || unwanted
			for _, fix := range v.Fixes {
				found = found || strings.Contains(fix.Command, c.fix)
				if unwanted && strings.Contains(fix.Command, not) {
					t.Errorf("fix %q is offered", fix.Command)
				}
				if c.name == "a wrong signature" && strings.Contains(fix.Command, "sumdb off") {
					t.Error("switching checks off is offered against tampering")
				}
			}
			if !found {
				t.Errorf("fixes %v, want %q", v.Fixes, c.fix)
			}
		})
	}
}

// Long names and every class fit into a headline, whatever the rest is.
func TestHeadlinesFit(t *testing.T) {
	for _, info := range probe.Classes {
		for _, hops := range []string{"HOP:down:CLASS", "HOP:down:CLASS , b:up:ok", "HOP:down:CLASS | HOP2:up:ok", "HOP:down:CLASS | off"} {
			words := strings.ReplaceAll(hops, "CLASS", string(info.Class))
			words = strings.ReplaceAll(words, "HOP", "artifacts-and-more.internal.subsidiary-of-a-very-long-name.holding")
			f := judged(t, words)
			for _, vendored := range []bool{false, true} {
				f.Vendored = vendored
				v := Judge(f)
				if n := utf8.RuneCountInString(v.Headline); n > headlineColumns || v.Headline == "" {
					t.Errorf("%s: %d columns: %q", info.Class, n, v.Headline)
				}
			}
		}
	}
}

// A name may be shortened, the sentence around it may not.
func TestHeadlineOfAShadow(t *testing.T) {
	for _, info := range probe.Classes {
		f := judged(t, "proxy.internal:down:"+string(info.Class))
		f.Shadows = []Shadow{{Name: "GOPROXY", Value: "https://a.example.com", Hidden: "https://b.example.com"}}
		v := Judge(f)
		if v.Scope == ScopeConfig && (!strings.Contains(v.Headline, "hides your own, and its ") || utf8.RuneCountInString(v.Headline) > headlineColumns) {
			t.Errorf("%s: %q", info.Class, v.Headline)
		}
	}
}

// Whatever the facts are, there is a verdict, and it agrees with the walk: an
// outage is where the go command stops or hangs, and nowhere else.
func TestJudgeAgreesWithTheWalk(t *testing.T) {
	healths := []Health{Up, Slow, Suspect, Down, Unknown}
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 11))
		var words []string
		for i := range r.IntN(4) {
			if i > 0 {
				words = append(words, []string{",", "|"}[r.IntN(2)])
			}
			words = append(words, fmt.Sprintf("%s%d:%s:%s", []string{"a", "corp", "/tree"}[r.IntN(3)], i, healths[r.IntN(5)], probe.Classes[r.IntN(len(probe.Classes))].Class))
		}
		if len(words) > 0 && r.IntN(2) == 0 {
			words = append(words, "|", []string{"off", "direct:up:ok", "direct:down:dns_failure"}[r.IntN(3)])
		}
		f := judged(t, strings.Join(words, " "))
		f.Round, f.Needed, f.SumsComplete = r.IntN(3), r.IntN(2) == 0, r.IntN(2) == 0
		if r.IntN(3) == 0 {
			sumDB(probe.Classes[r.IntN(len(probe.Classes))].Class, "", r.IntN(2))(&f)
		}
		if r.IntN(4) == 0 {
			forwarded(probe.Classes[r.IntN(len(probe.Classes))].Class)(&f)
		}
		v := Judge(f)
		if v.Headline == "" || utf8.RuneCountInString(v.Headline) > headlineColumns {
			t.Errorf("seed %d: headline %q", seed, v.Headline)
		}
		w := walkChain(f.Hops)
		broken := w.end == probe.Stop || w.end == probe.Hang
		switch {
		case f.Round == 0 || len(f.Hops) == 0 || f.Hops[0].Kind == probe.KindOff:
		case broken && v.State != StateOutage && !(lacks(w.hop(f).Class) && !f.Needed):
			t.Errorf("seed %d, %v: the go command would %s, the verdict is %s", seed, words, w.end, v.State)
		case !broken && w.end != probe.GoOff && v.State == StateOutage && v.Scope != ScopeSumDB:
			t.Errorf("seed %d, %v: the go command would %s, the verdict is %s: %s", seed, words, w.end, v.State, v.Headline)
		}
	}
}

// Evidence says whether the forward proxy's port is listening, and what is broken
// in the project, in the words of who found it.
func TestEvidence(t *testing.T) {
	f := judged(t, "a:down:forward_proxy_down")
	forwarded(probe.ForwardProxyDown)(&f)
	f.Forward.Detail = "forward proxy squid.corp.example:3128: nothing is listening on its port (connection refused)"
	f.ProjectErr = "go.mod:3: unknown directive: requir"
	f.ToolchainErr = "go.mod requires go >= 1.99 (running go 1.26.0; GOTOOLCHAIN=local)"
	f.SettingErr, f.SettingName = "modules disabled by GO111MODULE=off; see 'go help modules'", "GO111MODULE"
	f.BuildErr = "go.mod:4: toolchain default: updates to go.mod needed"
	f.BuildSettingErr = "-mod=x not supported"
	lines := strings.Join(Judge(f).Evidence, "\n")
	for _, want := range []string{
		"settings: modules disabled by GO111MODULE=off; see 'go help modules': no go command can download",
		"forward proxy squid.corp.example:3128: forward proxy down: nothing is listening on its port",
		"project: go.mod:3: unknown directive: requir: every go command in it fails",
		"toolchain: go.mod requires go >= 1.99 (running go 1.26.0; GOTOOLCHAIN=local): every go command here fails",
		"project: go.mod:4: toolchain default: updates to go.mod needed: no build goes ahead",
		"settings: -mod=x not supported: no build goes ahead",
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
}

// The separator behind "direct" means nothing: the chain ends there.
func TestEvidenceOfDirect(t *testing.T) {
	for _, line := range Judge(judged(t, "direct:down:dns_failure , a:up:ok")).Evidence {
		if strings.Contains(line, "moves on") {
			t.Error(line)
		}
	}
}
