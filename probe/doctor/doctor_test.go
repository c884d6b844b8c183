package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
)

var now = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func set(e *env.Env, name, value string, o env.Origin, shadowed ...env.Setting) {
	for i := range e.Vars {
		if e.Vars[i].Name == name {
			e.Vars[i] = env.Var{Name: name, Value: value, Origin: o, Shadowed: shadowed}
			return
		}
	}
	e.Vars = append(e.Vars, env.Var{Name: name, Value: value, Origin: o, Shadowed: shadowed})
	slices.SortFunc(e.Vars, func(a, b env.Var) int { return strings.Compare(a.Name, b.Name) })
}

func endpoint(kind probe.Kind, url string, class probe.Class, hops ...int) monitor.EndpointStatus {
	return monitor.EndpointStatus{Result: probe.Result{URL: url, Kind: kind, Class: class, Layer: class.Info().Layer}, Health: monitor.Up, Hops: hops}
}

// healthy are facts in which nothing is wrong: one hop and direct.
func healthy() Facts {
	e := &env.Env{Go: "/usr/bin/go", GoVersion: "go1.26.8"}
	set(e, "GOPROXY", "https://proxy.example.com,direct", env.User)
	set(e, "GOSUMDB", "sum.golang.org", env.Default)
	hop := endpoint(probe.KindProxy, "https://proxy.example.com", probe.OK, 1)
	hop.TLSExpires = wire.At(now.Add(90 * 24 * time.Hour))
	return Facts{
		Now: now, Env: e,
		Snapshot: monitor.Snapshot{
			Chain: monitor.ChainStatus{Hops: []monitor.Hop{
				{N: 1, URL: "https://proxy.example.com", Kind: probe.KindProxy, GoWill: probe.Serve},
				{N: 2, URL: "direct", Kind: probe.KindDirect, GoWill: probe.GoDirect},
			}},
			Endpoints: []monitor.EndpointStatus{hop, endpoint(probe.KindDirect, "direct", probe.OK, 2),
				endpoint(probe.KindSumDB, "https://sum.golang.org", probe.OK)},
			SumDB: monitor.SumDBStatus{Via: 1},
		},
		Project: &project.Project{Module: "app.example", Go: "1.26"},
		Machine: Machine{GoBuilt: now.Add(-60 * 24 * time.Hour), Folders: []Folder{{Name: "GOMODCACHE", Path: "/home/me/go/pkg/mod", Writable: true, Free: 1 << 40}}},
	}
}

func TestHealthy(t *testing.T) {
	steps := Steps(healthy())
	for _, s := range steps {
		if s.State != OK && s.State != Skip || s.Hint != "" {
			t.Errorf("%+v", s)
		}
	}
	if Worst(steps) != OK {
		t.Errorf("worst is %s", Worst(steps))
	}
	var names []string
	for _, s := range steps {
		names = append(names, s.Name)
	}
	const order = "go command, GOPROXY, GOSUMDB, DNS, network, HTTPS_PROXY, hop 1 https://proxy.example.com, hop 2 direct, certificates, clock, checksum database, project, toolchain, go.sum, GOMODCACHE"
	if got := strings.Join(names, ", "); got != order {
		t.Errorf("the order is\n%s, want\n%s", got, order)
	}
}

// What env.Read says of GOENV=off is not said again.
func TestUserFileOff(t *testing.T) {
	dir := t.TempDir()
	e, err := env.Read(t.Context(), env.Options{Dir: dir, Environ: []string{"GOENV=off", "HOME=" + dir}, Go: filepath.Join(dir, "no-go")})
	if err != nil {
		t.Fatal(err)
	}
	var said []Step
	for _, s := range Steps(Facts{Now: now, Env: e}) {
		if strings.Contains(s.Detail, "GOENV") || strings.Contains(s.Detail, "user file") {
			said = append(said, s)
		}
	}
	if len(said) != 1 || said[0].State != Warn || said[0].Hint != "unset GOENV" {
		t.Errorf("%+v", said)
	}
}

// Where there is no go command, a GOROOT may tell a version: nothing runs of it.
func TestNoGoCommand(t *testing.T) {
	f := healthy()
	f.Env.Go = ""
	for _, s := range Steps(f) {
		if s.Name == "toolchain" {
			t.Errorf("%+v", s)
		}
	}
}

// What comes of a setting is not told beside it.
func TestRelativeGOPATH(t *testing.T) {
	f := healthy()
	set(f.Env, "GOPATH", "go", env.User)
	set(f.Env, "GOMODCACHE", "go/pkg/mod", env.Derived)
	var failed []string
	for _, s := range Steps(f) {
		if s.State == Fail {
			failed = append(failed, s.Hint)
		}
	}
	if len(failed) != 1 || !strings.HasPrefix(failed[0], "correct GOPATH;") {
		t.Errorf("%q", failed)
	}
}

// A hop that the go command does not get to fails nothing.
func TestSpareHop(t *testing.T) {
	f := healthy()
	f.Snapshot.Endpoints[1].Class, f.Snapshot.Endpoints[1].Layer = probe.TLSExpired, probe.LayerTLS
	f.Snapshot.Chain.Hops[1].GoWill = probe.Stop
	if steps := Steps(f); Worst(steps) != Warn {
		t.Errorf("%s: %+v", Worst(steps), steps)
	}
	f.Snapshot.Chain.Hops[0].GoWill = probe.Next
	if steps := Steps(f); Worst(steps) != Fail {
		t.Errorf("the go command gets there: %s", Worst(steps))
	}
}

func TestSteps(t *testing.T) {
	fails := func(i int, c probe.Class) func(*Facts) {
		return func(f *Facts) {
			f.Snapshot.Endpoints[i].Class, f.Snapshot.Endpoints[i].Layer = c, c.Info().Layer
		}
	}
	every := func(c probe.Class) func(*Facts) {
		return func(f *Facts) {
			for i := range f.Snapshot.Endpoints {
				fails(i, c)(f)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Facts)
		step   string
		state  State
		words  string
	}{
		{"no go on PATH", func(f *Facts) { f.Env.Go = "" }, "go command", Fail, "none on PATH"},
		{"go env fails", func(f *Facts) { f.Env, f.EnvErr = nil, errors.New("exit status 2") }, "go settings", Fail, "exit status 2"},
		{"a problem of the environment", func(f *Facts) { f.Env.Problems = []string{"go.env was changed"} }, "go settings", Warn, "was changed"},
		{"a flag that no command has", func(f *Facts) { set(f.Env, "GOFLAGS", "-bogus", env.OS) }, "go settings", Fail, "unknown flag -bogus"},
		{"modules are off", func(f *Facts) { set(f.Env, "GO111MODULE", "off", env.User) }, "go settings", Fail, "disabled by GO111MODULE=off"},
		{"no place for modules", func(f *Facts) { set(f.Env, "GOMODCACHE", "mod", env.User) }, "go settings", Fail, "GOMODCACHE entry is relative"},
		{"GOPROXY cannot be used", func(f *Facts) { set(f.Env, "GOPROXY", "ftp://joe:hunter2@x", env.OS) }, "GOPROXY", Fail, "scheme"},
		{"a retired proxy", func(f *Facts) { set(f.Env, "GOPROXY", "https://gocenter.io,direct", env.User) }, "GOPROXY", Fail, "Retired"},
		{"a database as a proxy", func(f *Facts) { set(f.Env, "GOPROXY", "https://sum.golang.google.cn", env.User) }, "GOPROXY", Fail, "checksum database"},
		{"a hop twice", func(f *Facts) { set(f.Env, "GOPROXY", "https://a.example,https://a.example", env.User) }, "GOPROXY", Warn, "twice"},
		{"plain http", func(f *Facts) { set(f.Env, "GOPROXY", "http://a.example", env.User) }, "GOPROXY", Warn, "plain http"},
		{"something after direct", func(f *Facts) { set(f.Env, "GOPROXY", "direct,https://a.example", env.User) }, "GOPROXY", Warn, "never reads"},
		{"shadowed", func(f *Facts) { set(f.Env, "GOPROXY", "off", env.OS, env.Setting{Origin: env.User, Value: "direct"}) }, "GOPROXY", Warn, "hides"},
		{"a malformed pattern", func(f *Facts) { set(f.Env, "GOPRIVATE", "corp.example,[x", env.User) }, "GOPRIVATE", Warn, "[x"},
		{"a URL as a pattern", func(f *Facts) { set(f.Env, "GOPRIVATE", "https://corp.example", env.User) }, "GOPRIVATE", Warn, "prefix"},
		{"a malformed GOVCS", func(f *Facts) { set(f.Env, "GOVCS", "git", env.User) }, "GOVCS", Warn, "missing colon"},
		{"blanks between patterns", func(f *Facts) { set(f.Env, "GOPRIVATE", "corp.example git.example", env.User) }, "GOPRIVATE", Warn, "blanks"},
		{"GOINSECURE", func(f *Facts) { set(f.Env, "GOINSECURE", "corp.example", env.User) }, "GOINSECURE", Warn, "no effect on proxies"},
		{"checks are off", func(f *Facts) { set(f.Env, "GOSUMDB", "off", env.User) }, "GOSUMDB", Warn, "believed"},
		{"GOSUMDB cannot be used", func(f *Facts) { set(f.Env, "GOSUMDB", "a b c", env.User) }, "GOSUMDB", Fail, "too many fields"},

		{"no name", every(probe.DNSFailure), "DNS", Fail, "none of 3"},
		{"one name", fails(0, probe.DNSNotFound), "DNS", Warn, "2 of 3 names are resolved, not https://proxy.example.com"},
		{"no connection", every(probe.Unreachable), "network", Fail, "none of 3"},
		{"one connection", fails(0, probe.Refused), "network", Warn, "2 of 3"},
		{"no name, so no connection is asked for", every(probe.DNSFailure), "network", Skip, "nothing"},
		{"the forward proxy", func(f *Facts) {
			f.Snapshot.Endpoints = append(f.Snapshot.Endpoints, endpoint(probe.KindForward, "http://squid.example:3128", probe.Refused))
		}, "HTTPS_PROXY http://squid.example:3128", Fail, "refused"},
		{"a hop hangs", func(f *Facts) {
			fails(0, probe.Timeout)(f)
			f.Snapshot.Chain.Hops[0].GoWill = probe.Hang
		}, "hop 1 https://proxy.example.com", Fail, "has no deadline and waits as long as it takes"},
		{"a hop is slow", func(f *Facts) { f.Snapshot.Endpoints[0].Health = monitor.Slow }, "hop 1 https://proxy.example.com", Warn, "slow"},
		{"a hop that go does not come to", func(f *Facts) {
			fails(1, probe.DNSNotFound)(f)
			f.Snapshot.Chain.Hops[1].GoWill = probe.Stop
		}, "hop 2 direct", Warn, "ends at hop 1"},
		{"a hop that go passes", func(f *Facts) {
			fails(0, probe.Refused)(f)
			f.Snapshot.Chain.Hops[0].GoWill = probe.Next
		}, "hop 1 https://proxy.example.com", Warn, "moves on"},
		{"the certificate of a hop that go passes", func(f *Facts) {
			fails(0, probe.TLSExpired)(f)
			f.Snapshot.Chain.Hops[0].GoWill = probe.Next
		}, "certificates", Warn, "https://proxy.example.com"},
		{"a hop has not answered", fails(1, probe.ClassUnknown), "hop 2 direct", Warn, "no answer yet"},
		{"a certificate runs out", func(f *Facts) {
			f.Snapshot.Endpoints[0].TLSExpires = wire.At(now.Add(50 * time.Hour))
		}, "certificates", Warn, "2 days"},
		{"a certificate is not trusted", fails(0, probe.TLSUntrusted), "certificates", Fail, "https://proxy.example.com"},
		{"the clock is before the toolchain's release", func(f *Facts) { f.Now = f.Machine.GoBuilt.Add(-time.Hour) }, "clock", Fail, "was released on"},
		{"the clock, or the certificate", fails(0, probe.TLSExpired), "clock", Warn, "looks expired"},
		{"the database", fails(2, probe.SumDBUnavailable), "checksum database", Fail, "sumdb unavailable"},
		{"the database through a hop", func(*Facts) {}, "checksum database", OK, "through hop 1"},

		{"no project", func(f *Facts) { f.Project = nil }, "project", Skip, "in no module"},
		{"a broken go.mod", func(f *Facts) { f.Project.Problem = errors.New("go.mod:3: unknown directive") }, "project", Fail, "go.mod:3"},
		{"what builds alone refuse in a project", func(f *Facts) {
			f.Project.Problem = &project.BuildError{Err: errors.New("go.work: module x appears multiple times")}
		}, "project", Fail, "multiple times: modules can be downloaded, and nothing builds"},
		{"what a build would take away", func(f *Facts) { f.Project.Untidy = errors.New("go.mod:4: updates to go.mod needed") }, "project", Fail, "go.mod:4"},
		{"a broken project, and a toolchain that is forbidden", func(f *Facts) {
			f.Project.Problem = errors.New("go.mod:3: unknown directive")
			set(f.Env, "GOTOOLCHAIN", "newest", env.User)
		}, "toolchain", Fail, `invalid GOTOOLCHAIN "newest"`},
		{"a setting that builds refuse", func(f *Facts) { set(f.Env, "GOFLAGS", "-mod=x", env.User) }, "go settings", Fail, "-mod=x not supported (can be '', 'mod', 'readonly', or 'vendor'): modules can be downloaded"},
		{"a newer toolchain", func(f *Facts) {
			f.Project.Go = "1.99"
			set(f.Env, "GOTOOLCHAIN", "auto", env.GOROOT)
		}, "toolchain", Warn, "go1.99.0 is wanted"},
		{"a newer toolchain, and a go.env that says nothing", func(f *Facts) { f.Project.Go = "1.99" }, "toolchain", Fail, "requires go >= 1.99"},
		{"a newer toolchain that is forbidden", func(f *Facts) {
			f.Project.Go = "1.99"
			set(f.Env, "GOTOOLCHAIN", "local", env.User)
		}, "toolchain", Fail, "GOTOOLCHAIN=local"},
		{"a newer toolchain line, which nothing demands", func(f *Facts) {
			f.Project.Toolchain = "go1.99.0"
			set(f.Env, "GOTOOLCHAIN", "local", env.User)
		}, "toolchain", OK, "what runs"},
		{"a newer toolchain that has to be on PATH", func(f *Facts) {
			f.Project.Go = "1.99"
			set(f.Env, "GOTOOLCHAIN", "path", env.User)
		}, "toolchain", Fail, `cannot find "go1.99.0" in PATH`},
		{"no toolchain at all, and no project", func(f *Facts) {
			f.Project = nil
			set(f.Env, "GOTOOLCHAIN", "newest", env.User)
		}, "toolchain", Fail, `invalid GOTOOLCHAIN "newest"`},
		{"go.sum lacks lines", func(f *Facts) {
			f.Project.Requires = []project.Require{{Version: module.Version{Path: "golang.org/x/text", Version: "v0.3.0"}}}
		}, "go.sum", Warn, "1 of 1"},
		{"vendored", func(f *Facts) { f.Project.Vendored = true }, "go.sum", Skip, "vendored"},
		{"a cache that cannot be written", func(f *Facts) { f.Machine.Folders[0].Writable = false }, "GOMODCACHE", Fail, "cannot be written"},
		{"a full disk", func(f *Facts) { f.Machine.Folders[0].Free = 1 << 20 }, "GOMODCACHE", Warn, "MB free"},
		{"a file in the place of a cache", func(f *Facts) { f.Machine.Folders[0].Err = "it is no folder" }, "GOMODCACHE", Fail, "no folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			c.change(&f)
			found := false
			for _, s := range Steps(f) {
				if strings.Contains(s.Detail+s.Hint, "hunter2") {
					t.Errorf("a credential is told: %+v", s)
				}
				if s.State == Fail && s.Hint == "" {
					t.Errorf("it fails, and nothing is advised: %+v", s)
				}
				found = found || s.Name == c.step && s.State == c.state && strings.Contains(s.Detail, c.words)
			}
			if !found {
				t.Errorf("no step %s is %s with %q in it: %+v", c.step, c.state, c.words, Steps(f))
			}
		})
	}
}

func TestLayers(t *testing.T) {
	r := probe.Result{URL: "https://proxy.example.com", Kind: probe.KindProxy, Class: probe.TLSExpired, Layer: probe.LayerTLS,
		Phases: probe.Phases{DNS: wire.Millis(2 * time.Millisecond)}}
	want := map[string]State{"configuration": OK, "dns": OK, "tcp": OK, "tls": Fail, "http": Skip, "protocol": Skip, "content": Skip}
	for _, s := range Layers(r) {
		if want[s.Name] != s.State {
			t.Errorf("%s is %s, want %s", s.Name, s.State, want[s.Name])
		}
	}
	r = probe.Result{URL: "https://proxy.example.com", Class: probe.OK, Layer: probe.LayerContent,
		Checks: []probe.Check{{File: probe.Zip, Class: probe.ChecksumMismatch}}}
	if steps := Layers(r); Worst(steps) != Fail || steps[len(steps)-1].Name != "request zip" {
		t.Errorf("%+v", steps)
	}
}

func TestLook(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "VERSION"), []byte("go1.26.8\ntime 2026-09-01T10:00:00Z\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	e := &env.Env{GOROOT: root}
	set(e, "GOMODCACHE", filepath.Join(dir, "not", "there"), env.Default)
	set(e, "GOCACHE", file, env.Default)
	m := Look(e)
	if m.GoBuilt.IsZero() {
		t.Error("the toolchain's release is not read")
	}
	if f := m.Folders[0]; !f.Missing || !f.Writable || f.Err != "" || runtime.GOOS == "linux" && f.Free <= 0 {
		t.Errorf("a folder that is not there yet: %+v", f)
	}
	if f := m.Folders[1]; f.Err == "" {
		t.Errorf("a file in the place of a folder: %+v", f)
	}
	if m := Look(nil); len(m.Folders) != 0 {
		t.Errorf("%+v", m)
	}
}
