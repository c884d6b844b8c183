package route

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gpx/envctl/chain"
	"gpx/probe"
)

// settings are what stops the go command beside the chain. What is predicted for
// them comes from the real environment, so it is the observed prediction that is
// held to the go command.
var settings = []struct {
	name   string
	s      scenario
	files  map[string]string // in the project
	result string
	why    string
}{
	{"a relative GOMODCACHE", scenario{Hops: []hop{good}, Set: []string{"GOMODCACHE=rel"}}, nil, Stopped, "no place: GOMODCACHE entry is relative"},
	{"a relative GOMODCACHE, complete go.sum", scenario{Hops: []hop{good}, Lines: SumLines{Match, Match}, Set: []string{"GOMODCACHE=rel"}}, nil, Stopped, "no place"},
	{"a relative GOMODCACHE, and a 404", scenario{Hops: []hop{proxy("404", chain.Last)}, Set: []string{"GOMODCACHE=rel"}}, nil, NotFound, ".info"},
	{"no place for modules at all", scenario{Hops: []hop{good}, SumDB: "off", Set: []string{"GOMODCACHE=", "GOPATH=", "HOME="}}, nil, Stopped, "neither GOMODCACHE nor GOPATH is set"},
	{"GOMODCACHE unset, with a HOME", scenario{Hops: []hop{good}, SumDB: "off", Set: []string{"GOMODCACHE=", "GOPATH="}}, nil, Served, ""},

	{"a GOMODCACHE below a file", scenario{Hops: []hop{good}, Set: []string{"GOMODCACHE=WORLD/proj/go.mod/mod"}}, nil, Stopped, "no place: could not create module cache: "},
	{"a GOMODCACHE that is made", scenario{Hops: []hop{good}, SumDB: "off", Set: []string{"GOMODCACHE=WORLD/not/there/yet"}}, nil, Served, ""},
	{"a GOMODCACHE that takes nothing", scenario{Locked: true, Hops: []hop{good}, Lines: SumLines{Match, Match}}, nil, Stopped, "no place: "},
	{"a GOMODCACHE that takes nothing, with the zip", scenario{Locked: true, Hops: []hop{good}, Lines: SumLines{Match, Match}, Cached: Cached{Info: true, Mod: true, Zip: true, ZipHash: true}}, nil, Stopped, "no place: "},

	{"no GOPATH for the client of the checksum database", scenario{Hops: []hop{good}, Set: []string{"GOPATH=", "HOME="}}, nil, Stopped, "missing $GOPATH"},
	{"no GOPATH, complete go.sum", scenario{Hops: []hop{good}, Lines: SumLines{Match, Match}, Set: []string{"GOPATH=", "HOME="}}, nil, Served, ""},

	{"a flag that no command has", scenario{Hops: []hop{good}, Set: []string{"GOFLAGS=-modcacherw -bogus"}}, nil, Stopped, "unknown flag -bogus"},
	{"a flag of another command", scenario{Hops: []hop{good}, Set: []string{"GOFLAGS=-modcacherw -ldflags=-w"}}, nil, Served, ""},
	{"-modfile names nothing", scenario{Hops: []hop{good}, Set: []string{"GOFLAGS=-modcacherw -modfile=none.mod"}}, nil, Stopped, "none.mod"},

	{"GOWORK names nothing", scenario{Hops: []hop{good}, Set: []string{"GOWORK=WORLD/none/go.work"}}, nil, Stopped, "none/go.work"},
	{"a relative GOWORK", scenario{Hops: []hop{good}, Set: []string{"GOWORK=go.work"}}, nil, Stopped, "invalid GOWORK: not an absolute path"},
	{"a workspace that leaves the module out", scenario{Foreign: true, Hops: []hop{good}, SumDB: "off", Set: []string{"GOWORK="}},
		map[string]string{"go.work": "go 1.21\nuse ./sub\n", "sub/go.mod": "module lab.example.com/sub\ngo 1.21\n"}, Served, ""},
	{"a workspace with a member that is not there", scenario{Hops: []hop{good}, Set: []string{"GOWORK="}},
		map[string]string{"go.work": "go 1.21\nuse .\nuse ./sub\n"}, Stopped, "sub"},
	{"a workspace that is older than a member", scenario{Foreign: true, Hops: []hop{good}, Set: []string{"GOWORK="}},
		map[string]string{"go.work": "go 1.20\nuse .\n"}, Stopped, "go 1.20 is older than go 1.21 of"},
	{"a workspace and a member before go1.21", scenario{Foreign: true, Hops: []hop{good}, SumDB: "off", Set: []string{"GOWORK="}},
		map[string]string{"go.work": "go 1.19\nuse ./sub\n", "sub/go.mod": "module lab.example.com/sub\ngo 1.20\n"}, Served, ""},
	{"a broken go.mod", scenario{Hops: []hop{good}}, map[string]string{"go.mod": "module lab.example.com/main\nrequir x\n"}, Stopped, "requir"},
	{"a malformed module path", scenario{Foreign: true, Hops: []hop{good}}, map[string]string{"go.mod": "module b..\ngo 1.21\n"}, Stopped, `malformed module path "b.."`},
	{"an unknown godebug", scenario{Foreign: true, Hops: []hop{good}}, map[string]string{"go.mod": "module lab.example.com/main\ngo 1.21\ngodebug x=y\n"}, Stopped, `unknown godebug "x"`},
	{"a directory twice in a workspace", scenario{Foreign: true, Hops: []hop{good}, Set: []string{"GOWORK="}},
		map[string]string{"go.work": "go 1.21\nuse .\nuse ./\n"}, Stopped, "appears multiple times in workspace"},
	{"a toolchain line that a build would take away", scenario{Foreign: true, Hops: []hop{good}, SumDB: "off"},
		map[string]string{"go.mod": "module lab.example.com/main\ngo 1.21\ntoolchain default\n"}, Served, ""},
	{"a toolchain line without a release", scenario{Foreign: true, Hops: []hop{good}, Set: []string{"GOTOOLCHAIN=auto"}},
		map[string]string{"go.mod": "module lab.example.com/main\ngo 1.21\ntoolchain go1.x\n"}, Stopped, `invalid toolchain "go1.x" in go.mod`},
	{"-mod=mod in a workspace", scenario{Foreign: true, Hops: []hop{good}, SumDB: "off", Set: []string{"GOWORK=", "GOFLAGS=-modcacherw -mod=mod"}},
		map[string]string{"go.work": "go 1.21\nuse .\n"}, Served, ""},

	{"no such GOTOOLCHAIN", scenario{Hops: []hop{good}, Set: []string{"GOTOOLCHAIN=newest"}}, nil, Stopped, `invalid GOTOOLCHAIN "newest"`},
	{"a newer go line, and GOTOOLCHAIN=local", scenario{Foreign: true, Hops: []hop{good}}, map[string]string{"go.mod": "module lab.example.com/main\ngo 1.99\n"}, Stopped, "requires go >= 1.99"},
	{"a toolchain that must be on PATH", scenario{Hops: []hop{good}, Set: []string{"GOTOOLCHAIN=go1.98.0+path"}}, nil, Stopped, `cannot find "go1.98.0" in PATH`},
	{"a toolchain that no hop has", scenario{Hops: []hop{proxy("404", ","), good}, Set: []string{"GOTOOLCHAIN=go1.98.0"}}, nil, NotFound, "first fetches go1.98.0"},
	{"a toolchain that the go line asks for", scenario{Foreign: true, Hops: []hop{good}, Set: []string{"GOTOOLCHAIN=auto"}},
		map[string]string{"go.mod": "module lab.example.com/main\ngo 1.98\n"}, NotFound, "first fetches go1.98.0"},
	{"a toolchain, and a hop that is down", scenario{Hops: []hop{proxy("503", ","), good}, Set: []string{"GOTOOLCHAIN=go1.98.0"}}, nil, Stopped, "first fetches go1.98.0"},
	{"a toolchain, and a hop that hangs", scenario{Hops: []hop{proxy("hang", "|"), good}, Set: []string{"GOTOOLCHAIN=go1.98.0"}}, nil, Hangs, "first fetches go1.98.0"},
	{"a toolchain, and off", scenario{Hops: []hop{off}, Set: []string{"GOTOOLCHAIN=go1.98.0"}}, nil, Off, "first fetches go1.98.0"},
	{"a toolchain, and a web page", scenario{Hops: []hop{proxy("captive", "|", probe.Zip), good}, Set: []string{"GOTOOLCHAIN=" + running}}, nil, Stopped, "first fetches " + running},
	{"a toolchain with checks off", scenario{Hops: []hop{good}, SumDB: "off", Set: []string{"GOTOOLCHAIN=" + running}}, nil, Stopped, "a toolchain must be verified"},
	{"a toolchain, and no place for it", scenario{Hops: []hop{good}, Set: []string{"GOMODCACHE=rel", "GOTOOLCHAIN=go1.98.0"}}, nil, Stopped, "GOMODCACHE entry is relative"},
	{"a toolchain, for what a directory replaces", scenario{Hops: []hop{proxy("404", chain.Last)}, Set: []string{"GOTOOLCHAIN=go1.98.0"}},
		map[string]string{"go.mod": "module lab.example.com/main\ngo 1.21\nrequire github.com/gpx-lab/one v1.0.0\nreplace github.com/gpx-lab/one => ./one\n", "one/go.mod": "module github.com/gpx-lab/one\n"},
		NotFound, "first fetches go1.98.0"},
	{"a toolchain from a tree, and a comma behind it", scenario{Module: "toolchain", Foreign: true, Hops: []hop{{Kind: chain.File, Sep: ","}}, SumDB: "off"}, nil, Stopped, "a toolchain must be verified"},
	{"a toolchain that is there to be fetched", scenario{Hops: []hop{good}, Lines: SumLines{Match, Match}, Set: []string{"GOTOOLCHAIN=" + running}}, nil, Served, "as " + running + ", which is fetched first: .info"},

	{"GOVCS forbids git", scenario{Hops: []hop{direct}, SumDB: "off", Set: []string{"GOVCS=*:off"}}, nil, Stopped, "GOVCS disallows using git for public github.com/gpx-lab/one"},
	{"GOVCS forbids git behind a proxy", scenario{Hops: []hop{proxy("404", ","), direct}, SumDB: "off", Set: []string{"GOVCS=public:hg"}}, nil, Stopped, "GOVCS disallows"},
	{"GOVCS forbids git where nobody asks it", scenario{Hops: []hop{first, direct}, SumDB: "off", Set: []string{"GOVCS=*:off"}}, nil, Served, ""},
	{"GOVCS forbids git to private modules", scenario{Module: "secret", Hops: []hop{good}, Private: corp, Set: []string{"GOVCS=private:off"}}, nil, Stopped, "for private github.com/gpx-lab-corp/secret"},
	{"GOVCS forbids git to others", scenario{Module: "secret", Hops: []hop{good}, Private: corp, Set: []string{"GOVCS=public:off"}}, nil, Direct, ""},
	{"a malformed GOVCS", scenario{Hops: []hop{direct}, SumDB: "off", Set: []string{"GOVCS=git"}}, nil, Stopped, "malformed entry in GOVCS"},
}

// TestSettings holds what is predicted under settings that stop the go command, or
// seem to, against the go command.
func TestSettings(t *testing.T) {
	needPrograms(t)
	t.Parallel()
	program, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range settings {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && slices.Contains(c.s.Set, "GOTOOLCHAIN="+running) {
				t.Skip("the lab's toolchain is a shell script")
			}
			if c.s.Locked && (os.Geteuid() == 0 || runtime.GOOS == "windows") {
				t.Skip("a mode does not hold this user back")
			}
			defer slot()()
			dir, err := os.MkdirTemp("", "gpx-route-")
			if err != nil {
				t.Fatal(err)
			}
			c.s.Set = append(slices.Clone(c.s.Set), "LAB_GO="+program)
			w, err := build(dir, c.s)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			for name, text := range c.files {
				if err := write(w.path("proj", name), []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			r, err := w.observe(t.Context(), c.result == Hangs)
			if err != nil {
				t.Fatal(err)
			}
			if r.Result != c.result || !strings.Contains(r.Why, c.why) {
				t.Errorf("%s: %s; want %s with %q", r.Result, r.Why, c.result, c.why)
			}
			o, err := w.run(t.Context(), r.Result == Hangs)
			if err != nil {
				t.Fatal(err)
			}
			if c.why != "" && strings.HasPrefix(c.why, "GO") && !strings.Contains(o.output, c.why) {
				t.Errorf("the go command does not say %q: %s", c.why, o.output)
			}
			if diff := w.compareObserved(r, o); diff != "" {
				t.Errorf("%v\n%s", c.s, diff)
			}
		})
	}
}
