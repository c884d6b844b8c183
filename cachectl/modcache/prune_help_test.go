package modcache_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/lab"
	"gpx/probe/reach"
)

// A house is a user with a module cache that the real go command filled from a
// lab, and with a Changer. Trees are read-only, as the go command leaves them.
type house struct {
	t       testing.TB
	dir     string
	cache   string // GOMODCACHE
	environ []string
	changer *change.Changer
	now     time.Time
}

func newHouse(t testing.TB, modules []*lab.Module) *house {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed")
	}
	l, err := lab.Start(lab.Options{Modules: modules})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	dir := writable(t)
	h := &house{t: t, dir: dir, cache: filepath.Join(dir, "gopath", "pkg", "mod"), now: time.Now()}
	h.environ = append(l.GoEnv(dir, l.Proxy("one", nil, lab.Private()).URL()), "GOFLAGS=", "GOCACHE="+lab.BuildCache(), "GONOSUMDB=corp.example.com")
	h.changer = h.newChanger(change.NewMemoryJournal())
	return h
}

func (h *house) newChanger(j change.Journal) *change.Changer {
	return change.New(change.Options{
		Journal: j, StateDir: filepath.Join(h.dir, "state"), Actor: "test",
		Env: func(ctx context.Context) (*env.Env, error) { return h.readEnv(ctx) },
	})
}

// writable is a temporary folder that can be removed although the go command
// makes its trees read-only.
func writable(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(path, 0o700)
			}
			return nil
		})
	})
	return dir
}

func (h *house) readEnv(ctx context.Context) (*env.Env, error) {
	return env.Read(ctx, env.Options{Dir: h.dir, Environ: h.environ})
}

// goes runs the go command in a project, and fails when it fails.
func (h *house) goes(project string, more []string, args ...string) string {
	h.t.Helper()
	out, err := h.try(project, more, args...)
	if err != nil {
		h.t.Fatalf("%s: go %s: %v\n%s", project, strings.Join(args, " "), err, out)
	}
	return out
}

func (h *house) try(project string, more []string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join(h.dir, project)
	cmd.Env = append(slices.Clone(h.environ), more...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// project writes files and lets the go command complete go.mod and go.sum.
func (h *house) project(name string, files map[string]string) string {
	h.t.Helper()
	root := filepath.Join(h.dir, name)
	for file, text := range files {
		path := filepath.Join(root, file)
		must(h.t, os.MkdirAll(filepath.Dir(path), 0o777))
		must(h.t, os.WriteFile(path, []byte(text), 0o666))
	}
	if _, ok := files["go.mod"]; ok {
		h.goes(name, nil, "mod", "tidy")
		h.goes(name, nil, "build", "./...")
	}
	return root
}

// imports is a project that imports packages. It is no program and imports
// nothing of the standard library, so that it builds in no time.
func imports(module string, paths ...string) map[string]string {
	text := "package p\n"
	for _, path := range paths {
		text += fmt.Sprintf("\nimport _ %q\n", path)
	}
	return map[string]string{"go.mod": "module " + module + "\n\ngo 1.20\n", "p.go": text}
}

func (h *house) scan() *modcache.Inventory {
	h.t.Helper()
	c, err := modcache.Open(h.cache)
	must(h.t, err)
	inv, err := c.Scan(h.t.Context(), modcache.ScanOptions{})
	must(h.t, err)
	return inv
}

func (h *house) needs(roots ...string) needs.Needs {
	h.t.Helper()
	e, err := h.readEnv(h.t.Context())
	must(h.t, err)
	n, problems := needs.Of(h.t.Context(), roots, e)
	if len(problems) > 0 {
		h.t.Fatalf("problems: %v", problems)
	}
	return n
}

func (h *house) plan(o modcache.PruneOptions) (*change.Plan, []modcache.Kept) {
	h.t.Helper()
	o.Now = h.now
	p, kept, err := modcache.PlanPrune(h.t.Context(), h.scan(), o)
	must(h.t, err)
	return p, kept
}

func (h *house) apply(p *change.Plan) change.Change {
	h.t.Helper()
	ch, err := h.changer.Apply(h.t.Context(), p)
	must(h.t, err)
	return ch
}

func (h *house) undo() *change.Plan {
	h.t.Helper()
	p, err := h.changer.PlanUndo(h.t.Context(), "", false)
	must(h.t, err)
	h.apply(p)
	return p
}

// everybody can give everything.
func everybody(_ context.Context, ms []module.Version) (map[module.Version]reach.Answer, error) {
	all := map[module.Version]reach.Answer{}
	for _, m := range ms {
		all[m] = reach.Answer{Version: m, Asked: true, Sources: []reach.Source{{Hop: "https://proxy.example.com", Class: probe.OK}}}
	}
	return all, nil
}

// tree lists everything of the cache but the trash and locks: names, modes,
// times and contents. Folders that merely hold versions have no time in it,
// since what comes and goes below changes that.
func (h *house) tree() map[string]string {
	h.t.Helper()
	all := map[string]string{}
	must(h.t, filepath.WalkDir(h.cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(h.cache, path)
		must(h.t, err)
		if rel == filepath.Join("cache", "gpx-trash") {
			return fs.SkipDir
		}
		info, err := d.Info()
		must(h.t, err)
		line := fmt.Sprint(info.Mode())
		if !d.IsDir() || strings.Contains(rel, "@v") && !strings.Contains(rel, "@v"+string(filepath.Separator)) && !strings.HasSuffix(rel, "@v") {
			line += fmt.Sprint(" ", info.ModTime().UnixNano())
		}
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			must(h.t, err)
			line += " " + string(data)
		}
		if filepath.Ext(rel) != ".lock" {
			all[rel] = line
		}
		return nil
	}))
	return all
}

// sameTree fails unless two trees are equal.
func sameTree(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[name]; !ok {
			t.Errorf("%s: %s is gone", what, name)
		} else if got[name] != want[name] {
			t.Errorf("%s: %s is %.80q, was %.80q", what, name, got[name], want[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is new", what, name)
		}
	}
}

func targets(p *change.Plan) []string {
	list := []string{}
	for _, a := range p.Actions {
		list = append(list, a.Target)
	}
	return list
}

func mv(s string) module.Version {
	path, version, _ := strings.Cut(s, "@")
	return module.Version{Path: path, Version: version}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
