package deps

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/mod/module"

	"gpx/cachectl/internal/sealed"
	"gpx/envctl/env"
	"gpx/envctl/project"
)

// again reads with a folder for reports, and says whether the report was a kept
// one: nothing is remembered of the module cache then. Without p the project is
// found, or recalled with the report.
func (m *machine) again(folder string, p *project.Project) (r *Report, recalled bool) {
	m.t.Helper()
	e, err := env.Read(m.t.Context(), env.Options{Dir: m.project, Environ: m.env("off")})
	must(m.t, err)
	memo := &Memo{}
	r, err = Read(m.t.Context(), Options{Env: e, Project: p, Memo: memo, Kept: folder})
	must(m.t, err)
	return r, memo.by == nil
}

// check compares a report with one that is made anew.
func (m *machine) check(when, folder string) (recalled bool) {
	m.t.Helper()
	want := m.read(nil)
	got, recalled := m.again(folder, nil)
	known, _ := m.again(folder, want.Project)
	early := ReadEarly(m.t.Context(), folder, m.project)
	e, err := env.Read(m.t.Context(), env.Options{Dir: m.project, Environ: m.env("off")})
	must(m.t, err)
	before, err := Read(m.t.Context(), Options{Env: e, Kept: folder, Early: early})
	must(m.t, err)
	for _, r := range []*Report{got, known, before} {
		if d := cmp.Diff(want, r, cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) }), cmpopts.IgnoreFields(Report{}, "Basis")); d != "" {
			m.t.Errorf("%s: %s", when, d)
		}
	}
	return recalled
}

// In every state of the readiness tests, after a report was kept of the state
// before, the report is the one that is made anew.
func TestKeptReportInEveryState(t *testing.T) {
	w := newWorld(t)
	machines := w.everyBase(t)
	every := map[string]int{"": 20, "system": 20}[os.Getenv("GPX_TEST_SCALE")] // soak: all
	every = max(every, 1)
	var n, kept, changed atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d states, of %d the report was kept; %d did not change it", n.Load(), kept.Load(), changed.Load())
		if kept.Load() < n.Load()/2 || changed.Load() > n.Load()/4 {
			t.Error("that is no test of what is kept")
		}
	})
	for i, s := range states() {
		if i%every != 0 {
			continue
		}
		n.Add(1)
		t.Run(s.base+": "+s.name, func(t *testing.T) {
			t.Parallel()
			m := machines[s.base].copy(t)
			folder := filepath.Join(m.dir, "kept")
			m.check("before", folder)
			if m.check("before, again", folder) {
				kept.Add(1)
			}
			s.do(m)
			if m.check("after", folder) {
				changed.Add(1)
			}
			m.check("after, again", folder)
		})
	}
}

// A kept report holds as long as nothing changes that it stands on.
func TestKeptReportAndOneChange(t *testing.T) {
	w := newWorld(t)
	base := w.prepare(t, "pruned")
	touch := func(name string) func(*machine) {
		return func(m *machine) {
			old := time.Now().Add(-2 * time.Hour)
			must(m.t, os.Chtimes(name, old, old))
		}
	}
	add := func(name, text string) func(*machine) {
		return func(m *machine) { m.write(map[string]string{name: text}) }
	}
	set := func(kv string) func(*machine) {
		return func(m *machine) { m.environ = append(m.environ, kv) }
	}
	part := func(name string) string {
		return filepath.Join("cache", "download", "lab.example.com", "lib", "@v", "v1.0.0."+name)
	}
	for _, c := range []struct {
		name string
		do   func(*machine)
		same bool
	}{
		{"nothing", func(*machine) {}, true},
		{"a file that is no Go file", add("README", "x"), true},
		{"another proxy", set("GOPROXY=https://joe:hunter2@a.example.com"), true},
		{"a Go file in a folder that is left out", add("testdata/y.go", "package x\n"), true},
		{"a comment in go.mod", func(m *machine) { m.edit("go.mod", func(s string) string { return s + "// x\n" }) }, false},
		{"a line more in go.sum", func(m *machine) {
			m.edit("go.sum", func(s string) string { return s + "a.example.com/b v1.0.0 h1:x\n" })
		}, false},
		{"a Go file that has other times", func(m *machine) { touch(filepath.Join(m.project, "app.go"))(m) }, false},
		{"a new folder", add("new/new.go", "package new\n"), false},
		{"a folder that becomes a module", add("sub/go.mod", "module example.com/app/sub\n"), false},
		{"a folder that is none any more", func(m *machine) { must(m.t, os.Remove(filepath.Join(m.project, "other", "go.mod"))) }, false},
		{"a go.work", add("go.work", "go 1.22\nuse .\n"), false},
		{"a vendor folder", add("vendor/x", "x"), false},
		{"another folder of the module", func(m *machine) { m.project = filepath.Join(m.project, "sub") }, true},
		{"a link to a folder", func(m *machine) { must(m.t, os.Symlink("sub", filepath.Join(m.project, "link"))) }, false},
		{"a .mod of other times", func(m *machine) { touch(m.cache(part("mod")))(m) }, false},
		{"a .ziphash of other times", func(m *machine) { touch(m.cache(part("ziphash")))(m) }, false},
		{"a zip less", func(m *machine) { must(m.t, os.Remove(m.cache(part("zip")))) }, false},
		{"a tree less", func(m *machine) { must(m.t, os.RemoveAll(m.cache("lab.example.com", "lib@v1.0.0"))) }, false},
		{"windows", set("GOOS=windows"), false},
		{"no cgo", set("CGO_ENABLED=0"), false},
		{"a tag", set("GOFLAGS=-tags=other"), false},
		{"private modules", set("GOPRIVATE=lab.example.com"), false},
		{"another toolchain setting", set("GOTOOLCHAIN=auto"), false},
		{"another module cache", func(m *machine) { set("GOMODCACHE=" + filepath.Join(m.dir, "empty"))(m) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := base.copy(t)
			folder := filepath.Join(m.dir, "kept")
			m.check("before", folder)
			c.do(m)
			if got := m.check("after", folder); got != c.same {
				t.Errorf("recalled: %v, want %v", got, c.same)
			}
		})
	}
}

// What a report stands on beside its basis keeps it from being kept.
func TestReportThatIsNotKept(t *testing.T) {
	w := newWorld(t)
	machines := map[string]*machine{"pruned": w.prepare(t, "pruned"), "replace": w.prepare(t, "replace")}
	for _, c := range []struct {
		name, base string
		do         func(*machine)
	}{
		{"a folder as a replacement", "replace", func(*machine) {}},
		{"a zip that is not extracted", "pruned", func(m *machine) { m.remove("lab.example.com/lib", "v1.0.0", "dir") }},
		{"something is missing", "pruned", func(m *machine) { m.remove("lab.example.com/lib", "v1.0.0", "dir", "zip") }},
		{"a Go file of this moment", "pruned", func(m *machine) { m.write(map[string]string{"sub/sub.go": "package sub\n"}) }},
		{"a link", "pruned", func(m *machine) { must(m.t, os.Symlink("sub.go", filepath.Join(m.project, "sub", "link.go"))) }},
		{"a package in a folder that is left out", "pruned", func(m *machine) {
			m.write(map[string]string{"testdata/x.go": "package x\n", "sub/sub.go": "package sub\n\nimport _ \"example.com/app/testdata\"\n"})
			old := time.Now().Add(-time.Hour)
			must(m.t, os.Chtimes(filepath.Join(m.project, "sub", "sub.go"), old, old))
		}},
		{"a package behind a link", "pruned", func(m *machine) {
			elsewhere := filepath.Join(m.dir, "elsewhere")
			old := time.Now().Add(-time.Hour)
			m.write(map[string]string{"sub/sub.go": "package sub\n\nimport _ \"example.com/app/link/x\"\n"})
			writeAll(m.t, map[string]string{filepath.Join(elsewhere, "x", "x.go"): "package x\n"})
			for _, name := range []string{filepath.Join(m.project, "sub", "sub.go"), filepath.Join(elsewhere, "x", "x.go")} {
				must(m.t, os.Chtimes(name, old, old))
			}
			must(m.t, os.Symlink(elsewhere, filepath.Join(m.project, "link")))
		}},
		{"a module cache that has just been changed", "pruned", func(m *machine) {
			now := time.Now().Add(time.Hour) // however long the test takes
			must(m.t, os.Chtimes(m.cache("cache", "download", "lab.example.com", "lib", "@v"), now, now))
		}},
		{"go.sum has no line, and the database has", "pruned", func(m *machine) {
			m.environ = append(m.environ, "GOFLAGS=-modcacherw -mod=mod")
			m.edit("go.sum", func(s string) string { return cutLine(s, "lab.example.com/lib v1.0.0 ") })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := machines[c.base].copy(t)
			folder := filepath.Join(m.dir, "kept")
			c.do(m)
			m.check("at first", folder)
			if m.check("again", folder) {
				t.Error("it was kept")
			}
		})
	}
}

// What a link in the module cache leads to changes while the link stays as it is:
// nothing of it is kept, and nothing is remembered.
func TestLinksInTheModuleCache(t *testing.T) {
	base := newWorld(t).prepare(t, "pruned")
	const at, version = "cache/download/lab.example.com/lib/@v", "v1.0.0"
	for _, c := range []struct{ name, link, gone string }{
		{"the folder of the versions", at, at + "/" + version + ".zip"},
		{"the tree", "lab.example.com/lib@" + version, "lab.example.com/lib@" + version},
		{"the zip", at + "/" + version + ".zip", at + "/" + version + ".zip"},
		{"the hash", at + "/" + version + ".ziphash", at + "/" + version + ".ziphash"},
		{"the go.mod", at + "/" + version + ".mod", at + "/" + version + ".mod"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := base.copy(t)
			folder, elsewhere, link := filepath.Join(m.dir, "kept"), filepath.Join(m.dir, "elsewhere"), m.cache(c.link)
			must(t, os.Rename(link, elsewhere))
			must(t, os.Symlink(elsewhere, link))
			old := time.Now().Add(-time.Hour)
			must(t, os.Chtimes(filepath.Dir(link), old, old))
			memo := &Memo{}
			m.read(memo)
			m.check("before", folder)
			if m.check("again", folder) {
				t.Error("it was kept")
			}
			gone, err := filepath.EvalSymlinks(m.cache(c.gone))
			must(t, err)
			must(t, os.RemoveAll(gone))
			m.check("after", folder)
			if d := cmp.Diff(m.read(nil), m.read(memo), cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })); d != "" {
				t.Errorf("remembered: %s", d)
			}
		})
	}
}

// Another program of the same size and time is another one.
func TestProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gpx")
	names := map[string]bool{}
	for _, text := range []string{"one", "two"} {
		writeAll(t, map[string]string{file + ".new": text})
		must(t, os.Chtimes(file+".new", time.Unix(0, 0), time.Unix(0, 0)))
		must(t, os.Rename(file+".new", file))
		name, ok := programOf(file)
		if names[name] = true; !ok {
			t.Error("it is not there")
		}
	}
	if len(names) != 2 {
		t.Errorf("it goes by %v", names)
	}
	if _, ok := programOf(file + ".none"); ok {
		t.Error("one that is not there has a name")
	}
}

// A version that go.mod does not list is not in the basis.
func TestVersionsBesideTheBasis(t *testing.T) {
	a, b := module.Version{Path: "a.example.com/a", Version: "v1.0.0"}, module.Version{Path: "b.example.com/b", Version: "v1.0.0"}
	c := &cache{ahead: map[module.Version][4]stamp{a: {}}}
	for _, v := range []module.Version{a, b} {
		c.facts.do(v, func() facts { return facts{} })
		if got := c.onlyAhead(); got != (v == a) {
			t.Errorf("after %s: %v", v, got)
		}
	}
}

// What was kept is what is recalled, of whatever there may be in a module; cut or
// changed it is nothing.
func TestKeptFile(t *testing.T) {
	folder, basis := t.TempDir(), strings.Repeat("b", 32)
	a, b := module.Version{Path: "a.example.com/a", Version: "v1.0.0"}, module.Version{Path: "b.example.com/b", Version: "v1.0.0"}
	p := &project.Project{
		Root: "/p", GoMod: "/p/other.mod", GoWork: "/p/go.work", Module: "m", Go: "1.26", Toolchain: "go1.26.8", Members: []string{"/p", "/p/q"}, Modules: []string{"m", ""},
		Requires: []project.Require{{Version: a}, {Version: b, Indirect: true}}, Replaces: []project.Replace{{Old: module.Version{Path: b.Path}, New: a}},
		Sums: project.Sums{a: {"h1:x", "h1:y"}, b: {"h1:z"}},
	}
	file := keptFor(folder, p.Root).file
	recall := func(basis string) *Report {
		k := keptFor(folder, p.Root)
		k.basis = basis
		return k.report(k.project)
	}
	want := &Report{
		Project: p, Basis: basis,
		Mode: "readonly", Toolchain: Toolchain{"go1.26.0", true}, Packages: 7,
		Build: Answer{Ready: true}, Test: Answer{Ready: true}, Tools: Answer{Ready: true},
		Modules: []Module{
			{Version: a, Direct: true, Needed: true, Cache: Parts{Info: true, Dir: true}, Sum: SumOK, Verdict: AtRisk, Why: "its zip is gone", Fix: "go mod download", By: []string{"x", "y"}},
			{Version: b, Replacement: module.Version{Path: "c", Version: "v2.0.0"}, Private: true, Unknown: true, Cache: Parts{Mod: true, Zip: true}, Sum: SumNone, Verdict: Ready},
		},
	}
	var w encoder
	w.text(basis)
	w.text("/cache")
	w.project(p)
	w.report(want)
	must(t, sealed.Write(file, sealed.Bytes(keptKind, w.b)))
	if d := cmp.Diff(want, recall(basis)); d != "" {
		t.Error(d)
	}
	if r := recall(strings.Repeat("c", 32)); r != nil {
		t.Error("it is recalled for something else")
	}
	for n := range len(w.b) {
		must(t, sealed.Write(file, sealed.Bytes(keptKind, w.b[:n])))
		if r := recall(basis); r != nil {
			t.Fatalf("of %d bytes %d were enough: %+v", len(w.b), n, r)
		}
	}
	data := sealed.Bytes(keptKind, w.b)
	damaged := slices.Clone(data)
	damaged[len(data)-2] ^= 1
	must(t, os.WriteFile(file, damaged, 0o600))
	if recall(basis) != nil {
		t.Error("a damaged one is recalled")
	}
}

// A text is that of one report of one project, or it is none.
func TestKeptText(t *testing.T) {
	folder := t.TempDir()
	p := &project.Project{Root: "/p"}
	r := &Report{Project: p, Basis: strings.Repeat("b", 32)}
	if got := KeptText(folder, r); got != nil {
		t.Errorf("before: %q", got)
	}
	KeepText(folder, r, []byte("text"))
	if got := KeptText(folder, r); string(got) != "text" {
		t.Errorf("after: %q", got)
	}
	for name, other := range map[string]*Report{
		"another report": {Project: p, Basis: strings.Repeat("c", 32)}, "another project": {Project: &project.Project{Root: "/q"}, Basis: r.Basis}, "one that is not kept": {Project: p},
	} {
		if got := KeptText(folder, other); got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	KeepText(folder, &Report{Project: p}, []byte("of one that is not kept"))
	if got := KeptText(folder, r); string(got) != "text" {
		t.Errorf("at last: %q", got)
	}
	must(t, os.WriteFile(textFile(folder, r), []byte("text"), 0o600))
	if got := KeptText(folder, r); got != nil {
		t.Errorf("damaged: %q", got)
	}
}

// The reports of projects that nobody asks for any more make room.
func TestKeptReportsAreFew(t *testing.T) {
	dir := t.TempDir()
	for i := range maxKept + 3 {
		name := filepath.Join(dir, fmt.Sprint(i))
		must(t, os.WriteFile(name, nil, 0o600))
		must(t, os.Chtimes(name, time.Time{}, time.Unix(int64(1e9+i), 0)))
	}
	r := &Report{Project: &project.Project{Root: "/p"}, Basis: strings.Repeat("b", 32)}
	KeepText(dir, r, []byte("text"))
	entries, err := os.ReadDir(dir)
	must(t, err)
	if got := KeptText(dir, r); len(entries) != maxKept || string(got) != "text" {
		t.Errorf("%d are left, the newest has %q", len(entries), got)
	}
}
