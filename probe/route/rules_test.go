package route

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gpx/envctl/chain"
	"gpx/probe"
)

// in makes a hop of a kind with a fault, for some files or for all.
func in(kind chain.Kind, fault string, sep chain.Separator, only ...probe.File) hop {
	return hop{Kind: kind, Fault: fault, Sep: sep, Only: only}
}

// proxy is a plain http proxy with a fault.
func proxy(fault string, sep chain.Separator, only ...probe.File) hop {
	return in(chain.Proxy, fault, sep, only...)
}

var (
	good   = proxy("", chain.Last)
	first  = proxy("", ",") // healthy, with something after it
	direct = in(chain.Direct, "", chain.Last)
	off    = in(chain.Off, "", chain.Last)
)

const corp = "github.com/gpx-lab-corp/*"

// rules is the specification: one case for every rule of the go command that
// has a name, each held against the go command itself. steps are
// "FILE HOP CLASS ACTION" with hops named A, B, …, "own" for the database's own
// host and "git" for version control; nil leaves them to the go command.
var rules = []struct {
	name   string
	s      scenario
	result string
	steps  []string
}{
	{"one healthy proxy", scenario{Hops: []hop{good}}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A ok serve", "lookup A ok serve", "tile A ok serve", "zip A ok serve"}},
	{"complete go.sum needs no database", scenario{Hops: []hop{good}, Lines: SumLines{Match, Match}}, Served, []string{
		"info A ok serve", "mod A ok serve", "zip A ok serve"}},
	{"a missing zip line is looked up after the zip", scenario{Hops: []hop{good}, Lines: SumLines{Mod: Match}}, Served, []string{
		"info A ok serve", "mod A ok serve", "zip A ok serve", "supported A ok serve", "lookup A ok serve", "tile A ok serve"}},
	{"a missing mod line is looked up at mod", scenario{Hops: []hop{good}, Lines: SumLines{Zip: Match}}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A ok serve", "lookup A ok serve", "tile A ok serve", "zip A ok serve"}},

	// Separators.
	{"404 moves on before a comma", scenario{Hops: []hop{proxy("404", ","), good}, Lines: SumLines{Match, Match}}, Served, []string{
		"info A not_found next", "info B ok serve", "mod A not_found next", "mod B ok serve", "zip A not_found next", "zip B ok serve"}},
	{"410 moves on before a comma", scenario{Hops: []hop{proxy("410", ","), good}, Lines: SumLines{Match, Match}}, Served, nil},
	{"503 stops before a comma", scenario{Hops: []hop{proxy("503", ","), good}}, Stopped, []string{"info A server_error stop"}},
	{"503 moves on before a pipe", scenario{Hops: []hop{proxy("503", "|"), good}, Lines: SumLines{Match, Match}}, Served, []string{
		"info A server_error next", "info B ok serve", "mod A server_error next", "mod B ok serve", "zip A server_error next", "zip B ok serve"}},
	{"a hang stops everything before a pipe", scenario{Hops: []hop{proxy("hang", "|"), good}}, Hangs, []string{"info A timeout hang"}},
	{"a stall in the zip alone", scenario{Hops: []hop{proxy("stall", "|", probe.Zip), good}, Lines: SumLines{Match, Match}}, Hangs, []string{
		"info A ok serve", "mod A ok serve", "zip A stalled hang"}},
	{"two hops serve one module", scenario{Hops: []hop{proxy("500", "|", probe.Zip), good}, Lines: SumLines{Match, Match}}, Served, []string{
		"info A ok serve", "mod A ok serve", "zip A server_error next", "zip B ok serve"}},
	{"nobody has it", scenario{Hops: []hop{proxy("404", ","), proxy("410", chain.Last)}}, NotFound, []string{
		"info A not_found next", "info B not_found stop"}},

	// What decides the error: A's 503 outranks a later "not found".
	{"503 before a pipe and off", scenario{Hops: []hop{proxy("503", "|"), off}}, Stopped, []string{
		"info A server_error next", "info off not_found off"}},
	{"503 before a pipe and a 404", scenario{Hops: []hop{proxy("503", "|"), proxy("404", chain.Last)}}, Stopped, []string{
		"info A server_error next", "info B not_found stop"}},
	{"404 and off", scenario{Hops: []hop{proxy("404", ","), off}}, Off, []string{"info A not_found next", "info off not_found off"}},
	{"off alone", scenario{Hops: []hop{off}}, Off, []string{"info off not_found off"}},
	{"off in the middle ends the chain", scenario{Hops: []hop{proxy("404", ","), in(chain.Off, "", "|"), good}}, Off, []string{
		"info A not_found next", "info off not_found off"}},
	{"direct in the middle ends the chain", scenario{Hops: []hop{proxy("404", ","), in(chain.Direct, "", ","), good}, Lines: SumLines{Match, Match}}, Direct, []string{
		"info A not_found next", "info git ok direct", "mod A not_found next", "mod git ok direct", "zip A not_found next", "zip git ok direct"}},
	{"direct after errors", scenario{Hops: []hop{proxy("500", "|"), direct}, Lines: SumLines{Match, Match}}, Direct, nil},
	{"direct, and the repository is gone", scenario{Hops: []hop{proxy("404", ","), direct}, NoGit: true}, NotFound, []string{
		"info A not_found next", "info git not_found stop"}},
	{"credentials wanted", scenario{Hops: []hop{{Kind: chain.Proxy, Fault: "401", TLS: true, Sep: ","}, good}}, Stopped, []string{"info A auth_required stop"}},

	// What arrives.
	{"a captive portal before a comma", scenario{Hops: []hop{proxy("captive", ","), good}}, Stopped, []string{"info A captive_portal stop"}},
	{"a wrong .info before a pipe", scenario{Hops: []hop{proxy("wrong-version", "|"), good}, Lines: SumLines{Match, Match}}, Served, []string{
		"info A protocol_invalid next", "info B ok serve", "mod A ok serve", "zip A ok serve"}},
	{"a wrong .mod against go.sum, before a pipe", scenario{Hops: []hop{proxy("wrong-mod", "|"), good}, Lines: SumLines{Match, Match}}, Stopped, []string{
		"info A ok serve", "mod A checksum_mismatch stop"}},
	{"a wrong .mod against the database, before a pipe", scenario{Hops: []hop{proxy("wrong-mod", "|"), good}, Foreign: true}, Served, []string{
		"info A ok serve", "mod A checksum_mismatch next", "supported A ok serve", "lookup A ok serve", "tile A ok serve",
		"mod B ok serve", "zip A ok serve"}},
	{"likewise, and go.sum has to be written", scenario{Hops: []hop{proxy("wrong-mod", "|"), good}}, Stopped, []string{
		"info A ok serve", "mod A checksum_mismatch next", "supported A ok serve", "lookup A ok serve", "tile A ok serve",
		"mod B ok serve", "zip A ok serve"}},
	{"a wrong .mod with checksums off is taken", scenario{Hops: []hop{proxy("wrong-mod", "|"), good}, SumDB: "off"}, Served, []string{
		"info A ok serve", "mod A checksum_mismatch serve", "zip A ok serve"}},
	{"an HTML .mod with checksums off is taken", scenario{Hops: []hop{proxy("captive", "|", probe.Mod), good}, SumDB: "off"}, Served, nil},
	{"a wrong zip against go.sum, before a pipe", scenario{Hops: []hop{proxy("wrong-zip", "|"), good}, Lines: SumLines{Match, Match}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "zip A checksum_mismatch stop"}},
	{"a wrong zip against the database, before a pipe", scenario{Hops: []hop{proxy("wrong-zip", "|"), good}, Lines: SumLines{Mod: Match}}, Stopped, nil},
	{"a wrong zip with checksums off is taken", scenario{Hops: []hop{proxy("wrong-zip", "|"), good}, SumDB: "off"}, Served, nil},
	{"a login page for a zip, before a pipe", scenario{Hops: []hop{proxy("captive", "|", probe.Zip), good}, SumDB: "off"}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "zip A captive_portal stop"}},
	{"a zip of other names, before a pipe", scenario{Hops: []hop{proxy("zip-names", "|"), good}, SumDB: "off"}, Stopped, nil},
	{"a 404 whose explanation breaks off moves on before a comma", scenario{Module: "secret", Hops: []hop{proxy("truncated", ","), direct}, SumDB: "off"}, Direct, nil},
	{"half a zip that calls itself whole, before a pipe", scenario{Hops: []hop{proxy("short", "|", probe.Zip), good}, SumDB: "off"}, Stopped, nil},
	{"a zip cut in transfer, before a pipe", scenario{Hops: []hop{proxy("truncated", "|", probe.Zip), good}, SumDB: "off"}, Served, []string{
		"info A ok serve", "mod A ok serve", "zip A truncated next", "zip B ok serve"}},

	// The route to the checksum database.
	{"a captive portal answers /supported", scenario{Hops: []hop{proxy("captive", "|", probe.Supported, probe.Lookup, probe.Tile), good}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "supported A captive_portal serve", "lookup A captive_portal next", "mod B ok stop"}},
	{"503 at /supported before a comma", scenario{Hops: []hop{proxy("sumdb-503", ","), good}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "supported A server_error stop"}},
	{"503 at /supported before a pipe", scenario{Hops: []hop{proxy("sumdb-503", "|"), good}}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A server_error next", "supported B ok serve", "lookup B ok serve", "tile B ok serve", "zip A ok serve"}},
	{"503 at /supported, then off", scenario{Hops: []hop{proxy("sumdb-503", "|"), off}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "supported A server_error next", "mod off not_found off"}},
	{"503 at /supported, then 404", scenario{Hops: []hop{proxy("sumdb-503", "|"), proxy("no-sumdb", chain.Last)}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "supported A server_error next", "supported B not_found next", "mod B ok stop"}},
	{"503 at /supported, then direct dials", scenario{Hops: []hop{proxy("sumdb-503", "|"), direct}}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A server_error next", "lookup own ok serve", "tile own ok serve", "zip A ok serve"}},
	{"nobody serves the database", scenario{Hops: []hop{proxy("no-sumdb", ","), proxy("no-sumdb", chain.Last)}}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A not_found next", "supported B not_found next",
		"lookup own ok serve", "tile own ok serve", "zip A ok serve"}},
	{"nobody serves it, and its own host is down", scenario{Hops: []hop{proxy("no-sumdb", "|"), good}, Own: "503"}, Served, nil},
	{"the database's own host is down", scenario{Hops: []hop{proxy("no-sumdb", chain.Last)}, Own: "503"}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "supported A not_found next", "lookup own server_error stop"}},
	{"lookup fails before a pipe", scenario{Hops: []hop{proxy("500", "|", probe.Lookup), good}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "supported A ok serve", "lookup A server_error next", "mod B ok stop"}},
	{"lookup is 404 before a comma", scenario{Hops: []hop{proxy("404", ",", probe.Lookup), good}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "supported A ok serve", "lookup A not_found stop"}},
	{"lookup fails at the zip", scenario{Hops: []hop{proxy("500", "|", probe.Lookup), good}, Lines: SumLines{Mod: Match}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "zip A ok serve", "supported A ok serve", "lookup A server_error stop"}},
	{"a forged signature", scenario{Hops: []hop{proxy("bad-signature", "|"), good}}, Stopped, nil},
	{"a record that is not in the log", scenario{Hops: []hop{proxy("bad-record", ","), good}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "supported A ok serve", "lookup A ok serve", "tile A sumdb_untrusted stop"}},
	{"a flipped bit in a tile", scenario{Hops: []hop{proxy("bad-tile", "|"), good}}, Stopped, nil},
	{"/supported hangs", scenario{Hops: []hop{proxy("hang", "|", probe.Supported), good}}, Hangs, []string{
		"info A ok serve", "mod A ok serve", "supported A timeout hang"}},
	{"a tile hangs", scenario{Hops: []hop{proxy("hang", "|", probe.Tile), good}}, Hangs, nil},
	{"GOSUMDB with a URL asks no proxy", scenario{Hops: []hop{proxy("sumdb-503", ","), good}, SumDB: "url"}, Served, []string{
		"info A ok serve", "mod A ok serve", "lookup own ok serve", "tile own ok serve", "zip A ok serve"}},
	{"GOSUMDB with a URL that is down", scenario{Hops: []hop{good}, SumDB: "url", Own: "500"}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "lookup own server_error stop"}},
	{"GOSUMDB=off", scenario{Hops: []hop{proxy("sumdb-503", chain.Last)}, SumDB: "off"}, Served, []string{
		"info A ok serve", "mod A ok serve", "zip A ok serve"}},

	// go.sum.
	{"go.sum has another go.mod", scenario{Hops: []hop{proxy("", "|"), good}, Lines: SumLines{Mismatch, Match}}, Stopped, []string{
		"info A ok serve", "mod A ok stop"}},
	{"go.sum has another zip", scenario{Hops: []hop{proxy("", "|"), good}, Lines: SumLines{Match, Mismatch}}, Stopped, []string{
		"info A ok serve", "mod A ok serve", "zip A ok stop"}},

	// Patterns.
	{"GOPRIVATE goes to version control", scenario{Module: "secret", Hops: []hop{good}, Private: corp}, Direct, []string{
		"info git ok direct", "mod git ok direct", "zip git ok direct"}},
	{"GOPRIVATE goes there under off", scenario{Module: "secret", Hops: []hop{off}, Private: corp}, Direct, nil},
	{"GOPRIVATE, and the repository is gone", scenario{Module: "secret", Hops: []hop{proxy("", "|"), off}, Private: corp, NoGit: true}, NotFound, []string{
		"info git not_found stop"}},
	{"GOPRIVATE, the repository gone, and direct at the end", scenario{Module: "secret", Hops: []hop{first, direct}, Private: corp, NoGit: true}, NotFound, nil},
	{"GOPROXY=direct with GOPRIVATE", scenario{Module: "secret", Hops: []hop{direct}, Private: corp}, Direct, nil},
	{"GONOPROXY=none under off", scenario{Module: "secret", Hops: []hop{off}, Private: corp, NoProxy: "none"}, Off, []string{
		"info off not_found off"}},
	{"GONOPROXY=none shows the path to the proxy", scenario{Module: "secret", Hops: []hop{proxy("", ","), off}, Private: corp, NoProxy: "none"}, Off, []string{
		"info A not_found next", "info off not_found off"}},
	{"GONOPROXY alone is still looked up", scenario{Module: "secret", Hops: []hop{good}, NoProxy: corp}, Stopped, []string{
		"info git ok direct", "mod git ok direct", "supported A ok serve", "lookup A not_found stop"}},
	{"GONOSUMDB alone is not looked up", scenario{Hops: []hop{proxy("sumdb-503", chain.Last)}, NoSum: "github.com/gpx-lab"}, Served, []string{
		"info A ok serve", "mod A ok serve", "zip A ok serve"}},
	{"GOPRIVATE of others", scenario{Hops: []hop{proxy("404", ","), good}, Private: corp, Lines: SumLines{Match, Match}}, Served, nil},

	{"the same hop twice is asked once, but for the zip", scenario{Hops: []hop{proxy("500", "|", probe.Mod, probe.Zip), {Kind: chain.Proxy, Again: true, Sep: "|"}, good}, Lines: SumLines{Match, Match}}, Served, []string{
		"info A ok serve", "mod A server_error next", "mod C ok serve", "zip A server_error next", "zip A server_error next", "zip C ok serve"}},

	// Caches.
	{"everything cached", scenario{Hops: []hop{proxy("refuse", chain.Last)}, Lines: SumLines{Match, Match}, Cached: Cached{Info: true, Mod: true, Zip: true, ZipHash: true}}, Served, []string{}},
	{"everything cached, under off, no go.sum: the database is dialled", scenario{Hops: []hop{off}, Cached: Cached{Info: true, Mod: true, Zip: true, ZipHash: true}}, Served, []string{
		"lookup own ok serve", "tile own ok serve"}},
	{"everything cached, the database too", scenario{Hops: []hop{off}, Cached: Cached{Info: true, Mod: true, Zip: true, ZipHash: true}, SumHave: "all"}, Served, []string{}},
	{"the zip is missing", scenario{Hops: []hop{good}, Lines: SumLines{Match, Match}, Cached: Cached{Info: true, Mod: true}}, Served, []string{"zip A ok serve"}},
	{"the .info is missing", scenario{Hops: []hop{off}, Lines: SumLines{Match, Match}, Cached: Cached{Mod: true, Zip: true, ZipHash: true}}, Off, []string{"info off not_found off"}},
	{"a zip without its hash is hashed anew", scenario{Hops: []hop{off}, Lines: SumLines{Match, Match}, Cached: Cached{Info: true, Mod: true, Zip: true}}, Served, []string{}},
	{"a zip without its hash, against go.sum", scenario{Hops: []hop{off}, Lines: SumLines{Match, Mismatch}, Cached: Cached{Info: true, Mod: true, Zip: true}}, Stopped, []string{}},
	{"a cached zip against go.sum", scenario{Hops: []hop{off}, Lines: SumLines{Match, Mismatch}, Cached: Cached{Info: true, Mod: true, Zip: true, ZipHash: true}}, Stopped, []string{}},
	{"a cached .mod against go.sum", scenario{Hops: []hop{good}, Lines: SumLines{Mismatch, Match}, Cached: Cached{Info: true, Mod: true}}, Stopped, []string{}},
	{"a cached .mod whose lookup fails is asked for again", scenario{Hops: []hop{proxy("500", "|", probe.Lookup), good}, Cached: Cached{Info: true, Mod: true}}, Stopped, []string{
		"supported A ok serve", "lookup A server_error next", "mod A ok next", "mod B ok stop"}},
	{"only the zip's lookup is missing, and the database is down", scenario{Hops: []hop{proxy("sumdb-503", chain.Last)}, Lines: SumLines{Mod: Match}, Cached: Cached{Info: true, Mod: true, Zip: true, ZipHash: true}}, Stopped, []string{
		"supported A server_error stop"}},
	{"tiles cached, record not", scenario{Hops: []hop{good}, SumHave: "tiles"}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A ok serve", "lookup A ok serve", "zip A ok serve"}},
	{"after go clean -modcache the head asks for tiles first", scenario{Hops: []hop{good}, SumHave: "head"}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A ok serve", "tile A ok serve", "lookup A ok serve", "tile A ok serve", "zip A ok serve"}},

	// File trees.
	{"a file tree with the database in it", scenario{Hops: []hop{in(chain.File, "", chain.Last)}, Own: "503"}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A ok serve", "lookup A ok serve", "tile A ok serve", "zip A ok serve"}},
	{"a file tree without the database dials", scenario{Hops: []hop{in(chain.File, "no-sumdb", chain.Last)}}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A missing_file next", "lookup own ok serve", "tile own ok serve", "zip A ok serve"}},
	{"a gap in a file tree moves on", scenario{Hops: []hop{in(chain.File, "no-zip", ","), good}, Lines: SumLines{Match, Match}}, Served, []string{
		"info A ok serve", "mod A ok serve", "zip A missing_file next", "zip B ok serve"}},
	{"an empty file tree and nothing after it", scenario{Hops: []hop{in(chain.File, "empty", chain.Last)}}, NotFound, []string{"info A missing_file stop"}},

	{"a file where a tree should be, before a comma", scenario{Hops: []hop{in(chain.File, "no-dir", ","), good}}, Stopped, []string{"info A config_invalid stop"}},
	{"a file where a tree should be, before a pipe", scenario{Hops: []hop{in(chain.File, "no-dir", "|"), good}, Lines: SumLines{Match, Match}}, Served, nil},

	// Settings that cannot be used.
	{"credentials on plain http before a comma", scenario{Hops: []hop{proxy("credentials", ","), good}}, Stopped, []string{"info A config_invalid stop"}},
	{"credentials on plain http before a pipe", scenario{Hops: []hop{proxy("credentials", "|"), good}, Lines: SumLines{Match, Match}}, Served, []string{
		"info A config_invalid next", "info B ok serve", "mod A config_invalid next", "mod B ok serve", "zip A config_invalid next", "zip B ok serve"}},
	{"a chain that cannot be used fails with everything cached", scenario{Hops: []hop{in("ftp://proxy.example.com", "", chain.Last)}, Lines: SumLines{Match, Match}, Cached: Cached{Info: true, Mod: true, Zip: true, ZipHash: true}}, Stopped, []string{}},
	{"GOSUMDB that cannot be used", scenario{Hops: []hop{proxy("", "|"), good}, SumDB: "bad"}, Stopped, []string{
		"info A ok serve", "mod A ok next", "mod B ok stop"}},
	{"GOSUMDB that cannot be used, and complete go.sum", scenario{Hops: []hop{good}, SumDB: "bad", Lines: SumLines{Match, Match}}, Served, nil},

	// Toolchains are verified whatever the settings are, but for one exception.
	{"a toolchain with GOSUMDB=off", scenario{Module: "toolchain", Foreign: true, Hops: []hop{good}, SumDB: "off"}, Stopped, []string{
		"info A ok serve", "mod A ok stop"}},
	{"a toolchain in GONOSUMDB", scenario{Module: "toolchain", Foreign: true, Hops: []hop{good}, NoSum: "golang.org"}, Served, []string{
		"info A ok serve", "mod A ok serve", "supported A ok serve", "lookup A ok serve", "tile A ok serve", "zip A ok serve"}},
	{"a toolchain in a single file tree, GOSUMDB=off", scenario{Module: "toolchain", Foreign: true, Hops: []hop{in(chain.File, "no-sumdb", chain.Last)}, SumDB: "off"}, Served, []string{
		"info A ok serve", "mod A ok serve", "zip A ok serve"}},

	// Before HTTP.
	{"refused before a comma", scenario{Hops: []hop{proxy("refuse", ","), good}}, Stopped, []string{"info A refused stop"}},
	{"refused before a pipe", scenario{Hops: []hop{proxy("refuse", "|"), good}}, Served, []string{
		"info A refused next", "info B ok serve", "mod A refused next", "mod B ok serve",
		"supported A refused next", "supported B ok serve", "lookup B ok serve", "tile B ok serve", "zip A refused next", "zip B ok serve"}},
	{"an intercepted proxy before a comma", scenario{Hops: []hop{{Kind: chain.Proxy, Fault: "tls-self-signed", TLS: true, Sep: ","}, good}}, Stopped, []string{"info A tls_untrusted stop"}},
	{"redirected to plain http", scenario{Hops: []hop{{Kind: chain.Proxy, Fault: "downgrade", TLS: true, Sep: ","}, good}}, Stopped, []string{"info A redirect_insecure stop"}},
}

// TestRules holds every named rule against the prediction and against the go
// command.
func TestRules(t *testing.T) {
	needPrograms(t)
	t.Parallel()
	for _, c := range rules {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			defer slot()()
			// t.TempDir has the case's name in it, with commas that end a hop.
			dir, err := os.MkdirTemp("", "gpx-route-")
			if err != nil {
				t.Fatal(err)
			}
			w, err := build(dir, c.s)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			r := w.predict()
			if r.Result != c.result {
				t.Errorf("result %s, want %s (%s)", r.Result, c.result, r.Why)
			}
			if got := w.words(r); c.steps != nil && !slices.Equal(got, c.steps) {
				t.Errorf("steps\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.steps, "\n\t"))
			}
			seen, err := w.observe(t.Context(), r.Result == Hangs)
			if err != nil {
				t.Fatal(err)
			}
			o, err := w.run(t.Context(), r.Result == Hangs)
			if err != nil {
				t.Fatal(err)
			}
			if diff := w.compare(r, o); diff != "" {
				t.Errorf("%v\n%s", c.s, diff)
			}
			if diff := w.compareObserved(seen, o); diff != "" {
				t.Errorf("%v\n%s", c.s, diff)
			}
		})
	}
}
