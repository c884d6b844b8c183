package trash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/module"

	"gpx/envctl/change"
	"gpx/envctl/env"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A cache is a module cache with a Changer, and no go command anywhere.
type cache struct {
	t       testing.TB
	root    string
	state   string
	changer *change.Changer
	ids     int
}

func newCache(t testing.TB) *cache {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	c := &cache{t: t, root: filepath.Join(dir, "mod"), state: filepath.Join(dir, "state")}
	must(t, os.Mkdir(c.root, 0o777))
	t.Cleanup(func() { unlockTree(dir) })
	c.changer = change.New(change.Options{
		StateDir: c.state, Actor: "test", Journal: change.NewMemoryJournal(),
		Env:   func(context.Context) (*env.Env, error) { return &env.Env{}, nil },
		NewID: func() string { c.ids++; return fmt.Sprintf("id%04d", c.ids) },
	})
	return c
}

// unlockTree makes read-only folders removable.
func unlockTree(dir string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
}

// old is a time that nothing has by accident.
var old = time.Date(2024, 3, 4, 5, 6, 7, 89, time.UTC)

// write makes a file, dated old.
func (c *cache) write(rel, text string) {
	c.t.Helper()
	path := filepath.Join(c.root, filepath.FromSlash(rel))
	must(c.t, os.MkdirAll(filepath.Dir(path), 0o777))
	must(c.t, os.WriteFile(path, []byte(text), 0o644))
	must(c.t, os.Chtimes(path, old, old))
}

// version puts a whole version into the cache as the go command leaves it: its
// tree is read-only, with a folder in it.
func (c *cache) version(m module.Version) {
	c.t.Helper()
	n, err := NamesOf(m)
	must(c.t, err)
	for _, suffix := range []string{"zip", "ziphash", "info", "mod", "lock"} {
		c.write(n.File(suffix), suffix+" of "+m.String())
	}
	c.tree(n)
}

// tree extracts a read-only tree.
func (c *cache) tree(n Names) {
	c.t.Helper()
	c.write(n.Tree+"/sub/deep/x.go", "package x")
	for _, dir := range []string{"/sub/deep", "/sub", ""} {
		path := filepath.Join(c.root, filepath.FromSlash(n.Tree+dir))
		must(c.t, os.Chmod(path, 0o555))
		must(c.t, os.Chtimes(path, old, old))
	}
}

// removal describes what of m is there.
func (c *cache) removal(m module.Version, meta bool, more ...string) *Removal {
	c.t.Helper()
	n, err := NamesOf(m)
	must(c.t, err)
	r := &Removal{Root: c.root, Path: m.Path, Version: m.Version}
	for _, rel := range n.Order(meta, more...) {
		p, err := Look(c.root, rel)
		if errors.Is(err, fs.ErrNotExist) {
			r.Absent = append(r.Absent, rel)
			continue
		}
		must(c.t, err)
		r.Parts = append(r.Parts, p)
	}
	return r
}

// plan takes versions away.
func (c *cache) plan(kind string, rs ...*Removal) *change.Plan {
	c.t.Helper()
	p := &change.Plan{Title: "prune"}
	for _, r := range rs {
		s, err := r.Step(kind, 1)
		must(c.t, err)
		p.Add(s)
	}
	return p
}

func (c *cache) apply(p *change.Plan) change.Change {
	c.t.Helper()
	ch, err := c.changer.Apply(c.t.Context(), p)
	must(c.t, err)
	return ch
}

// listing is everything in the cache but the trash and locks, with modes, times
// of files and trees, and contents.
func (c *cache) listing() string {
	c.t.Helper()
	var b strings.Builder
	must(c.t, filepath.WalkDir(c.root, func(path string, d fs.DirEntry, err error) error {
		must(c.t, err)
		rel, err := filepath.Rel(c.root, path)
		must(c.t, err)
		if path == Dir(c.root) {
			return fs.SkipDir
		}
		info, err := d.Info()
		must(c.t, err)
		switch {
		case info.Mode().IsRegular() && filepath.Ext(rel) != ".lock":
			data, err := os.ReadFile(path)
			must(c.t, err)
			fmt.Fprintln(&b, rel, info.Mode(), info.ModTime().UnixNano(), string(data))
		case d.IsDir() && strings.Contains(rel, "@") && d.Name() != "@v":
			fmt.Fprintln(&b, rel, info.Mode(), info.ModTime().UnixNano())
		}
		return nil
	}))
	return b.String()
}

// inTrash lists the names in the trash, but for its lock.
func (c *cache) inTrash() []string {
	entries, err := os.ReadDir(Dir(c.root))
	if !errors.Is(err, fs.ErrNotExist) {
		must(c.t, err)
	}
	names := []string{}
	for _, e := range entries {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

// files lists the files below a folder of the cache, by their names there.
func (c *cache) files(rel string) []string {
	c.t.Helper()
	found := map[string]bool{}
	dir := filepath.Join(c.root, filepath.FromSlash(rel))
	must(c.t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err := filepath.Rel(dir, path)
			must(c.t, err)
			found[filepath.ToSlash(name)] = true
		}
		return err
	}))
	return slices.Sorted(maps.Keys(found))
}

var (
	one = module.Version{Path: "example.com/One", Version: "v1.0.0"}
	two = module.Version{Path: "example.com/One", Version: "v1.1.0-RC1"}
	sub = module.Version{Path: "example.com/One/sub/v2", Version: "v2.0.0"}
)
