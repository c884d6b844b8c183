package deps

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A source is a module of the world.
type source struct {
	path, version string
	files         map[string]string // go.mod has the module line already
}

var sources = []source{
	{"lab.example.com/util", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "util.go": "package util\n"}},
	{"lab.example.com/util", "v1.1.0", map[string]string{"go.mod": "go 1.21\n", "util.go": "package util\n", "more/more.go": "package more\n"}},
	{"lab.example.com/lib", "v1.0.0", map[string]string{
		"go.mod":         "go 1.21\nrequire lab.example.com/util v1.0.0\nrequire lab.example.com/unused v1.0.0\n",
		"lib.go":         "package lib\nimport _ \"lab.example.com/util\"\n",
		"lib_test.go":    "package lib\nimport _ \"lab.example.com/far\"\n",
		"extra/extra.go": "package extra\nimport _ \"lab.example.com/unused\"\n",
	}},
	{"lab.example.com/lib/nested", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "nested.go": "package nested\n"}},
	{"lab.example.com/unused", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "unused.go": "package unused\n"}},
	{"lab.example.com/far", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "far.go": "package far\n"}},
	{"lab.example.com/check", "v1.0.0", map[string]string{
		"go.mod": "go 1.21\nrequire lab.example.com/far v1.0.0\n", "check.go": "package check\nimport _ \"lab.example.com/far\"\n"}},
	{"lab.example.com/old", "v1.0.0", map[string]string{
		"go.mod": "go 1.13\nrequire lab.example.com/util v1.1.0\n", "old.go": "package old\nimport _ \"lab.example.com/util/more\"\n"}},
	{"lab.example.com/windows", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "w.go": "package windows\n"}},
	{"lab.example.com/cgo", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "c.go": "package cgo\n"}},
	{"lab.example.com/tagged", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "t.go": "package tagged\n"}},
	{"lab.example.com/tool", "v1.0.0", map[string]string{
		"go.mod": "go 1.21\nrequire lab.example.com/toolib v1.0.0\n", "cmd/tool/main.go": "package main\nimport _ \"lab.example.com/toolib\"\nfunc main() {}\n"}},
	{"lab.example.com/toolib", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "t.go": "package toolib\n"}},
	{"lab.example.com/fork", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "fork.go": "package util\n"}},
	{"lab.example.com/back", "v1.0.0", map[string]string{"go.mod": "go 1.21\nrequire example.com/app v1.0.0\n", "back.go": "package back\n"}},
	{"example.com/app", "v1.0.0", map[string]string{"go.mod": "go 1.21\n", "app.go": "package app\n"}},
	{"lab.example.com/future", "v1.0.0", map[string]string{"go.mod": "go 1.99\n", "f.go": "package future\n"}},
}

// A world is a proxy, and machines that build from it.
type world struct {
	t     *testing.T
	lab   *lab.Lab
	proxy string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("missing program: go")
	}
	var modules []*lab.Module
	for _, s := range sources {
		files := maps.Clone(s.files)
		files["go.mod"] = "module " + s.path + "\n" + files["go.mod"]
		m, err := lab.NewModule(s.path, s.version, time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), files)
		must(t, err)
		modules = append(modules, m)
	}
	// The name resolves nowhere: what is not cached of the database is not there.
	l, err := lab.Start(lab.Options{Modules: modules, SumDBName: "sumdb.lab.example"})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return &world{t: t, lab: l, proxy: l.Proxy("one", nil).URL()}
}

// A machine is a home folder with a project.
type machine struct {
	w       *world
	t       *testing.T
	dir     string
	project string   // the folder that go runs in
	environ []string // what differs from the lab's
}

func (w *world) machine(t *testing.T) *machine {
	m := &machine{w: w, t: t, dir: t.TempDir()}
	m.project = filepath.Join(m.dir, "project")
	return m
}

func (m *machine) cache(parts ...string) string {
	return filepath.Join(m.dir, "gopath", "pkg", "mod", filepath.Join(parts...))
}

// write writes files of the project.
func (m *machine) write(files map[string]string) {
	m.t.Helper()
	for name, text := range files {
		file := filepath.Join(m.dir, "project", filepath.FromSlash(name))
		must(m.t, os.MkdirAll(filepath.Dir(file), 0o777))
		must(m.t, os.WriteFile(file, []byte(text), 0o666))
	}
}

// edit changes a file of the project.
func (m *machine) edit(name string, change func(string) string) {
	m.t.Helper()
	file := filepath.Join(m.dir, "project", filepath.FromSlash(name))
	data, err := os.ReadFile(file)
	must(m.t, err)
	text := change(string(data))
	if text == string(data) {
		m.t.Fatalf("%s does not change", name)
	}
	must(m.t, os.WriteFile(file, []byte(text), 0o666))
}

// env is the environment of a go command without a network.
func (m *machine) env(proxy string) []string {
	return append(append(m.w.lab.GoEnv(m.dir, proxy), "GOCACHE="+lab.BuildCache(), "GOFLAGS=-modcacherw"), m.environ...)
}

func (m *machine) run(proxy string, args ...string) (string, error) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), "go", args...)
	cmd.Dir, cmd.Env = m.project, m.env(proxy)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m *machine) mustRun(proxy string, args ...string) {
	m.t.Helper()
	if out, err := m.run(proxy, args...); err != nil {
		m.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// copy is a machine with the same files, which are old enough to be remembered.
func (m *machine) copy(t *testing.T) *machine {
	c := m.w.machine(t)
	must(t, os.RemoveAll(c.dir))
	must(t, os.CopyFS(c.dir, os.DirFS(m.dir)))
	old := time.Now().Add(-time.Hour)
	for _, name := range filesBelow(c.dir) {
		must(t, os.Chtimes(name, old, old))
	}
	rel, err := filepath.Rel(m.dir, m.project)
	must(t, err)
	c.project = filepath.Join(c.dir, rel)
	c.environ = slices.Clone(m.environ)
	return c
}

// read is what deps says.
func (m *machine) read(memo *Memo) *Report {
	m.t.Helper()
	e, err := env.Read(m.t.Context(), env.Options{Dir: m.project, Environ: m.env("off")})
	must(m.t, err)
	p, err := project.Find(m.project, e)
	must(m.t, err)
	r, err := Read(m.t.Context(), Options{Env: e, Project: p, Memo: memo})
	must(m.t, err)
	return r
}

// remove takes parts of a version out of the module cache.
func (m *machine) remove(path, version string, parts ...string) {
	m.t.Helper()
	for _, part := range parts {
		name := m.cache("cache", "download", filepath.FromSlash(path), "@v", version+"."+part)
		if part == "dir" {
			name = m.cache(filepath.FromSlash(path) + "@" + version)
		}
		if _, err := os.Stat(name); err != nil {
			m.t.Fatal(err)
		}
		must(m.t, os.RemoveAll(name))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// filesBelow lists what is below a folder.
func filesBelow(dir string) (names []string) {
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		names = append(names, p)
		return nil
	})
	return names
}
