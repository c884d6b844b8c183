package project

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/module"

	"gpx/envctl/env"
)

// write makes files in a new directory, whose name is without symbolic links.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func find(t *testing.T, dir string, e *env.Env) *Project {
	t.Helper()
	p, err := Find(dir, e)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mv(s string) module.Version {
	path, version, _ := strings.Cut(s, "@")
	return module.Version{Path: path, Version: version}
}

// environment is an Env in which nothing is set but what is given.
func environment(t *testing.T, dir string, set ...string) *env.Env {
	t.Helper()
	home := t.TempDir()
	for _, config := range []string{".config", "Library/Application Support"} {
		// Otherwise the go command leaves a process behind that writes there.
		telemetry := filepath.Join(home, config, "go", "telemetry")
		if err := errors.Join(os.MkdirAll(telemetry, 0o777), os.WriteFile(filepath.Join(telemetry, "mode"), []byte("off"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	e, err := env.Read(context.Background(), env.Options{Dir: dir, Environ: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GOENV=off", "GOCACHE=" + home}, set...)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const gomod = `module example.com/main

go 1.26

toolchain go1.26.8

require example.com/direct v1.2.3

require (
	example.com/indirect v0.1.0 // indirect
	corp.internal/x v1.0.0
	golang.org/x/text v0.3.0
)

replace example.com/direct => ../direct

replace example.com/indirect v0.1.0 => example.com/fork v0.1.1

tool example.com/direct/cmd/x
`

func TestModule(t *testing.T) {
	dir := write(t, map[string]string{
		"m/go.mod":             gomod,
		"m/go.sum":             "example.com/indirect v0.1.0 h1:aaa=\nexample.com/indirect v0.1.0/go.mod h1:bbb=\n\ngolang.org/x/text v0.3.0/go.mod h1:ccc=\nold v1.0.0/go.mod " + emptyGoModHash + "\n",
		"m/vendor/modules.txt": "",
		"m/sub/deep/x.go":      "",
	})
	p := find(t, filepath.Join(dir, "m/sub/deep"), nil)
	root := filepath.Join(dir, "m")
	want := &Project{
		Root: root, GoMod: filepath.Join(root, "go.mod"), Module: "example.com/main", Go: "1.26", Toolchain: "go1.26.8",
		Members: []string{root}, Modules: []string{"example.com/main"},
		Requires: []Require{
			{mv("corp.internal/x@v1.0.0"), false}, {mv("example.com/direct@v1.2.3"), false}, {mv("example.com/indirect@v0.1.0"), true}, {mv("golang.org/x/text@v0.3.0"), false},
		},
		Replaces: []Replace{{mv("example.com/direct"), module.Version{Path: filepath.Join(dir, "direct")}}, {mv("example.com/indirect@v0.1.0"), mv("example.com/fork@v0.1.1")}},
		Vendored: true,
		Sums: Sums{
			mv("example.com/indirect@v0.1.0"):        {"h1:aaa="},
			mv("example.com/indirect@v0.1.0/go.mod"): {"h1:bbb="},
			mv("golang.org/x/text@v0.3.0/go.mod"):    {"h1:ccc="},
		},
	}
	if d := cmp.Diff(want, p); d != "" {
		t.Error(d)
	}
	if m := mv("example.com/indirect@v0.1.0"); !p.Sums.Has(m) || !p.Sums.HasGoMod(m) {
		t.Error("go.sum lines of example.com/indirect not found")
	}
	if m := mv("golang.org/x/text@v0.3.0"); p.Sums.Has(m) || !p.Sums.HasGoMod(m) {
		t.Error("golang.org/x/text has a go.mod line and no zip line")
	}
	for m, want := range map[string]string{
		"example.com/direct@v9.9.9": filepath.Join(dir, "direct"), "example.com/indirect@v0.1.0": "example.com/fork@v0.1.1", "example.com/indirect@v0.2.0": "", "golang.org/x/text@v0.3.0": "",
	} {
		got, ok := p.Replacement(mv(m))
		if ok != (want != "") || ok && strings.TrimSuffix(got.Path+"@"+got.Version, "@") != want {
			t.Errorf("Replacement(%s) = %v, %v, want %q", m, got, ok, want)
		}
	}
	if d := cmp.Diff([]string{"corp.internal/x", "example.com/direct", "example.com/indirect"}, p.Private("corp.internal,example.com/*")); d != "" {
		t.Error(d)
	}
	if got := p.Private(""); len(got) != 0 || got == nil {
		t.Errorf("Private of no pattern = %#v", got)
	}
}

func TestNone(t *testing.T) {
	dir := write(t, map[string]string{"x.go": ""})
	if p, err := Find(dir, nil); !errors.Is(err, ErrNone) {
		t.Errorf("Find = %+v, %v, want ErrNone", p, err)
	}
}

var workspace = map[string]string{
	"go.work":     "go 1.26.1\n\ntoolchain go1.26.8\n\nuse (\n\t./a\n\t./b\n)\n\nreplace example.com/x v1.0.0 => ./x\n",
	"go.work.sum": "example.com/s v1.0.0 h1:w=\n",
	"a/go.mod":    "module example.com/a\ngo 1.25\nrequire (\n\texample.com/b v1.0.0\n\texample.com/x v1.0.0 // indirect\n\texample.com/y v1.1.0\n)\n",
	"a/go.sum":    "example.com/y v1.1.0 h1:a=\n",
	"b/go.mod":    "module example.com/b\ngo 1.26\nrequire (\n\texample.com/x v1.0.0\n\texample.com/y v1.0.0\n)\nreplace example.com/x => ../other\n",
	"b/go.sum":    "example.com/y v1.1.0 h1:a=\nexample.com/y v1.0.0 h1:b=\n",
	"b/sub/x.go":  "",
	"c/go.mod":    "module example.com/c\n",
}

func TestWorkspace(t *testing.T) {
	dir := write(t, workspace)
	p := find(t, filepath.Join(dir, "b/sub"), nil)
	if p.Problem != nil {
		t.Error(p.Problem)
	}
	want := []string{dir, "example.com/b", "1.26.1", "go1.26.8", filepath.Join(dir, "go.work"), filepath.Join(dir, "b/go.mod")}
	if d := cmp.Diff(want, []string{p.Root, p.Module, p.Go, p.Toolchain, p.GoWork, p.GoMod}); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{filepath.Join(dir, "b"), filepath.Join(dir, "a")}, p.Members); d != "" {
		t.Error(d)
	}
	// A member is not required; what is direct anywhere is direct.
	if d := cmp.Diff([]Require{{mv("example.com/x@v1.0.0"), false}, {mv("example.com/y@v1.0.0"), false}, {mv("example.com/y@v1.1.0"), false}}, p.Requires); d != "" {
		t.Error(d)
	}
	if got, _ := p.Replacement(mv("example.com/x@v1.0.0")); got.Path != filepath.Join(dir, "x") {
		t.Errorf("the workspace's replacement does not go first: %v", got)
	}
	for _, m := range []string{"example.com/s@v1.0.0", "example.com/y@v1.0.0", "example.com/y@v1.1.0"} {
		if len(p.Sums[mv(m)]) != 1 {
			t.Errorf("%s: %d hashes, want 1", m, len(p.Sums[mv(m)]))
		}
	}
}

func TestWorkspaceByGOWORK(t *testing.T) {
	dir := write(t, workspace)
	tests := []struct {
		name, dir, gowork string
		root, module      string
		problem           string
	}{
		{"off", "a", "off", "a", "example.com/a", ""},
		{"named", ".", filepath.Join(dir, "go.work"), ".", "example.com/a", ""},
		{"searched for", "a", "auto", ".", "example.com/a", ""},
		{"relative", "a", "go.work", "a", "example.com/a", "GOWORK=go.work (from the os environment) is no absolute path"},
		{"not listed", "c", "", ".", "example.com/a", "go.work: does not list the module in " + filepath.Join(dir, "c")},
		{"gone", "a", filepath.Join(dir, "none.work"), ".", "example.com/a", "none.work: no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := filepath.Join(dir, tt.dir)
			p := find(t, d, environment(t, d, "GOWORK="+tt.gowork))
			if p.Root != filepath.Join(dir, tt.root) || p.Module != tt.module {
				t.Errorf("root %s, module %s, want %s, %s", p.Root, p.Module, tt.root, tt.module)
			}
			checkProblem(t, p, tt.problem)
		})
	}
}

func checkProblem(t *testing.T, p *Project, want string) {
	t.Helper()
	switch {
	case want == "" && p.Problem != nil:
		t.Errorf("Problem: %v", p.Problem)
	case want != "" && (p.Problem == nil || !strings.Contains(p.Problem.Error(), want)):
		t.Errorf("Problem: %v, want %q in it", p.Problem, want)
	}
}

func TestModFile(t *testing.T) {
	dir := write(t, map[string]string{
		"go.mod": "module example.com/m\n", "alt.mod": "module example.com/m\nrequire example.com/x v1.0.0\n", "alt.sum": "example.com/x v1.0.0 h1:x=\n", "go.sum": "example.com/y v1.0.0 h1:y=\n",
	})
	p := find(t, dir, environment(t, dir, "GOFLAGS=-mod=mod -modfile=alt.mod"))
	if len(p.Requires) != 1 || !p.Sums.Has(mv("example.com/x@v1.0.0")) || p.Sums.Has(mv("example.com/y@v1.0.0")) || p.Root != dir {
		t.Errorf("-modfile is not followed: %+v", p)
	}
}

// A broken file is named with its line, and the rest is read.
func TestProblems(t *testing.T) {
	tests := []struct {
		name     string
		files    map[string]string
		problem  string
		requires int
	}{
		{"syntax error", map[string]string{"go.mod": "module example.com/m\ngo 1.26\nrequire example.com/a v1.0.0\n<<<<<<< HEAD\nrequire (\n\texample.com/b v1.0.0\n\texample.com/c one\n)\n"}, "go.mod:4:", 2},
		{"a version to look up", map[string]string{"go.mod": "module example.com/m\nrequire example.com/a latest\nrequire example.com/b v1.0.0\n"}, `go.mod:2: example.com/a "latest" is looked up: updates to go.mod needed`, 1},
		{"a path without versions", map[string]string{"go.mod": "module example.com/m\nrequire gopkg.in/x v2.0.0\n"}, `go.mod:2: require gopkg.in/x: version "v2.0.0" invalid: malformed module path "gopkg.in/x"`, 0},
		{"unknown directive", map[string]string{"go.mod": "module example.com/m\nfuture thing\nrequire example.com/a v1.0.0\n"}, "go.mod:2: unknown directive: future", 1},
		{"no module line", map[string]string{"go.mod": "go 1.26\n"}, "go.mod: no module line", 0},
		{"empty", map[string]string{"go.mod": ""}, "go.mod: no module line", 0},
		{"open block", map[string]string{"go.mod": "module example.com/m\nrequire (\n\texample.com/a v1.0.0\n"}, "go.mod:4:", 1},
		{"go.sum", map[string]string{"go.mod": "module example.com/m\n", "go.sum": "example.com/a v1.0.0 h1:x=\n=======\nb v1.0.0\n"}, "go.sum:2: malformed go.sum", 0},
		{"go.work", map[string]string{"go.mod": "module example.com/m\nrequire example.com/a v1.0.0\n", "go.work": "go 1.26\nuse\n"}, "go.work:2:", 1},
		{"go.work of a lost member", map[string]string{"go.mod": "module example.com/m\nrequire example.com/a v1.0.0\n", "go.work": "go 1.26\nuse (\n\t.\n\t./gone\n)\n"}, "gone", 1},
		{"go.work older than a member", map[string]string{"go.mod": "module example.com/m\ngo 1.22\nrequire example.com/a v1.0.0\n", "go.work": "go 1.21\nuse .\n"}, "go.work: go 1.21 is older than go 1.22 of ", 1},
		{"go.work without a go line", map[string]string{"go.mod": "module example.com/m\ngo 1.21\n", "go.work": "use .\n"}, "go.work: go 1.18 is older than go 1.21 of ", 0},
		{"terminal escapes", map[string]string{"go.mod": "module example.com/m\n\x1b[31mfuture\u202e x\n"}, "go.mod:2:", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := find(t, write(t, tt.files), nil)
			checkProblem(t, p, tt.problem)
			if len(p.Requires) != tt.requires {
				t.Errorf("%d requirements read, want %d", len(p.Requires), tt.requires)
			}
			if strings.ContainsAny(p.Problem.Error(), "\x1b\u202e") {
				t.Errorf("%q can drive the terminal", p.Problem)
			}
			var fe *FileError
			if !errors.As(p.Problem, &fe) {
				t.Errorf("%T is no FileError", p.Problem)
			}
		})
	}
}

// Before go1.21, a member could be newer than its workspace.
func TestOldWorkspace(t *testing.T) {
	p := find(t, write(t, map[string]string{"go.mod": "module example.com/m\ngo 1.20\n", "go.work": "go 1.18\nuse .\n"}), nil)
	checkProblem(t, p, "")
}

func TestCanary(t *testing.T) {
	require := func(lines ...string) *Project {
		p := find(t, write(t, map[string]string{"go.mod": "module example.com/m\nrequire (\n" + strings.Join(lines, "\n") + "\n)\n"}), nil)
		if p.Problem != nil {
			t.Fatal(p.Problem)
		}
		return p
	}
	private := func(path string) bool { return module.MatchPrefixPatterns("git.example.com", path) }
	tests := []struct {
		name string
		p    *Project
		want string
	}{
		{"none", require(), ""},
		{"direct before indirect", require("a.example.com/a v1.0.0 // indirect", "b.example.com/b v1.0.0"), "b.example.com/b@v1.0.0"},
		{"one that everybody has", require("b.example.com/b v1.0.0", "golang.org/x/text v0.3.0"), "golang.org/x/text@v0.3.0"},
		{"a direct one before one that everybody has", require("b.example.com/b v1.0.0", "golang.org/x/text v0.3.0 // indirect"), "b.example.com/b@v1.0.0"},
		{"not private", require("git.example.com/b v1.0.0", "z.example.com/z v1.0.0 // indirect"), "z.example.com/z@v1.0.0"},
		{"not internal", require("gitlab.corp/b v1.0.0", "intranet/c v1.0.0", "10.0.0.1/d v1.0.0"), ""},
		{"not replaced", require("a.example.com/a v1.0.0", "b.example.com/b v1.0.0", ")", "replace (", "a.example.com/a => ./a"), "b.example.com/b@v1.0.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, ok := tt.p.Canary(private)
			if got := strings.TrimSuffix(m.Path+"@"+m.Version, "@"); got != tt.want || ok != (tt.want != "") {
				t.Errorf("Canary = %s, %v, want %q", got, ok, tt.want)
			}
		})
	}
}

// The go command finds the same files and reads the same lines.
func TestAsTheGoCommand(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("missing program: go")
	}
	files := map[string]string{"solo/go.mod": gomod, "solo/sub/x.go": ""}
	for name, data := range workspace {
		files["ws/"+name] = data
	}
	dir := write(t, files)
	for _, sub := range []string{"solo/sub", "ws/a", "ws/b/sub"} {
		d := filepath.Join(dir, sub)
		e := environment(t, d)
		p := find(t, d, e)
		if got, want := p.GoMod, e.Get("GOMOD"); got != want {
			t.Errorf("%s: go.mod %s, the go command says %s", sub, got, want)
		}
		if got, want := p.GoWork, e.Get("GOWORK"); got != want {
			t.Errorf("%s: go.work %s, the go command says %s", sub, got, want)
		}
		if p.GoWork != "" {
			continue
		}
		out, err := e.Command(context.Background(), "", "mod", "edit", "-json").Output()
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			Module  struct{ Path string }
			Go      string
			Require []struct {
				Path, Version string
				Indirect      bool
			}
		}
		if err := json.Unmarshal(out, &said); err != nil {
			t.Fatal(err)
		}
		var reqs []Require
		for _, r := range said.Require {
			reqs = append(reqs, Require{module.Version{Path: r.Path, Version: r.Version}, r.Indirect})
		}
		if said.Module.Path != p.Module || said.Go != p.Go || len(reqs) != len(p.Requires) {
			t.Errorf("%s: %+v, the go command says %+v", sub, p, said)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add(gomod, "a v1 h1:x=\nbad\n", workspace["go.work"])
	f.Add("module \"x\ny\"\nrequire (\n)\n(", "", "")
	f.Add("require (\nx v1.0.0\n", "\x00", "use (\n.\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, mod, sum, work string) {
		for name, data := range map[string]string{"go.mod": mod, "go.sum": sum, "go.work": work} {
			file := filepath.Join(dir, name)
			if name == "go.work" && data == "" {
				os.Remove(file)
			} else if err := os.WriteFile(file, []byte(data), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		p, err := Find(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.Canary(nil)
		p.Private("*")
		if p.Problem != nil && strings.ContainsAny(p.Problem.Error(), "\x1b\r\x00") {
			t.Fatalf("%q can drive the terminal", p.Problem)
		}
	})
}
