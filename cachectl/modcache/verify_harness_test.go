package modcache

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/project"
	"gpx/envctl/sumdb"
	"gpx/probe/lab"
)

// victim is the module that the tests of verification damage. Its path is
// escaped, and one of its files is larger than any buffer.
var victim = module.Version{Path: "lab.example.com/Victim", Version: "v1.2.0"}

func victimFiles() map[string]string {
	return map[string]string{
		"go.mod":         "module lab.example.com/Victim\n\ngo 1.21\n",
		"LICENSE":        "Public domain.\n",
		"victim.go":      "package victim\n",
		"sub/sub.go":     "package sub\n",
		"sub/empty":      "",
		"data/blob":      strings.Repeat("all work and no play makes a cache a dull store\n", 8<<10),
		"testdata/a b.c": "a name with a blank\n",
	}
}

// A playground is a module cache that the real go command filled from the lab,
// with a project that needs its modules.
type playground struct {
	t       *testing.T
	lab     *lab.Lab
	dir     string
	root    string // GOMODCACHE
	project string
	proxy   string
	environ []string
}

// newPlayground starts a lab, and fills a machine's cache from it. Both end with
// the test; its subtests play with copies.
func newPlayground(t *testing.T) *playground {
	t.Helper()
	victimModule, err := lab.NewModule(victim.Path, victim.Version, time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), victimFiles())
	check(t, err)
	modules := append(lab.DefaultModules(), victimModule)
	needed := []string{victim.Path, "lab.example.com/alpha", "lab.example.com/beta", "lab.example.com/delta/v2"}
	modules = slices.DeleteFunc(modules, func(m *lab.Module) bool { return !slices.Contains(needed, m.Path) })
	l, err := lab.Start(lab.Options{Modules: modules})
	check(t, err)
	t.Cleanup(func() { l.Close() })
	p := &playground{t: t, lab: l, dir: t.TempDir()}
	t.Cleanup(func() { makeWritable(p.dir) })
	p.settle(l.Proxy("one", nil).URL())
	gomod, imports := "module example.com/main\n\ngo 1.21\n", "package main\n"
	for _, m := range modules {
		if m.Path != "lab.example.com/alpha" { // which comes through beta
			gomod += "\nrequire " + m.Path + " " + m.Version.Version + "\n"
			imports += fmt.Sprintf("\nimport _ %q\n", m.Path)
		}
	}
	p.write(filepath.Join(p.project, "go.mod"), gomod)
	p.write(filepath.Join(p.project, "main.go"), imports+"\nfunc main() {}\n")
	p.goes("mod", "tidy")
	p.goes("mod", "download")
	return p
}

// goes runs a go command that has to go well.
func (p *playground) goes(args ...string) {
	p.t.Helper()
	if out, err := p.run(p.t.Context(), nil, "go", args...); err != nil {
		p.t.Fatalf("go %q: %v\n%s", args, err, out)
	}
}

// settle says where everything is, below p.dir.
func (p *playground) settle(proxy string) {
	p.root = filepath.Join(p.dir, "gopath", "pkg", "mod")
	p.project = filepath.Join(p.dir, "project")
	// The go command's default is trees that cannot be written to.
	p.proxy = proxy
	p.environ = append(p.lab.GoEnv(p.dir, proxy), "GOFLAGS=-mod=mod", "GOCACHE="+lab.BuildCache())
}

// play returns a copy for a test of its own.
func (from *playground) play(t *testing.T) *playground {
	t.Helper()
	p := &playground{t: t, lab: from.lab, dir: t.TempDir()}
	p.settle(from.proxy)
	for _, folder := range []string{"gopath", "project"} {
		copyTree(t, filepath.Join(from.dir, folder), filepath.Join(p.dir, folder))
	}
	t.Cleanup(func() { makeWritable(p.dir) })
	return p
}

// copyTree copies files with modes and times.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	type folder struct {
		path string
		info fs.FileInfo
	}
	var folders []folder
	check(t, filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		dst := filepath.Join(to, rel)
		if e.IsDir() {
			folders = append(folders, folder{dst, info})
			return os.MkdirAll(dst, 0o777)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(dst, data, 0o666); err != nil {
			return err
		}
		if err := os.Chmod(dst, info.Mode()); err != nil {
			return err
		}
		return os.Chtimes(dst, info.ModTime(), info.ModTime())
	}))
	for _, f := range slices.Backward(folders) {
		check(t, os.Chtimes(f.path, f.info.ModTime(), f.info.ModTime()))
		check(t, os.Chmod(f.path, f.info.Mode()))
	}
}

func makeWritable(dir string) {
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			os.Chmod(path, 0o777)
		}
		return nil
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a program in the project.
func (p *playground) run(ctx context.Context, more []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = p.project, append(slices.Clone(p.environ), more...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// file is the path of one of the victim's files in the download cache.
func (p *playground) file(suffix string) string {
	return filepath.Join(p.root, "cache", "download", "lab.example.com", "!victim", "@v", victim.Version+"."+suffix)
}

// tree is a path in the victim's tree, which it makes writable.
func (p *playground) tree(name string) string {
	dir := filepath.Join(p.root, "lab.example.com", "!victim@"+victim.Version)
	makeWritable(dir)
	return filepath.Join(dir, filepath.FromSlash(name))
}

func (p *playground) write(path string, data string) {
	p.t.Helper()
	check(p.t, os.MkdirAll(filepath.Dir(path), 0o777))
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		check(p.t, os.Chmod(path, 0o666))
	}
	check(p.t, os.WriteFile(path, []byte(data), 0o666))
}

func (p *playground) read(path string) string {
	p.t.Helper()
	data, err := os.ReadFile(path)
	check(p.t, err)
	return string(data)
}

// edit changes a file.
func (p *playground) edit(path string, change func([]byte) []byte) {
	p.t.Helper()
	p.write(path, string(change([]byte(p.read(path)))))
}

// remove takes files and folders away.
func (p *playground) remove(paths ...string) {
	p.t.Helper()
	for _, path := range paths {
		makeWritable(path)
		check(p.t, os.RemoveAll(path))
	}
}

// prune does to the victim what gpx cache prune does: zip, hash and tree go.
func (p *playground) prune() {
	p.remove(p.file("ziphash"), p.tree(""), p.file("zip"), p.file("partial"))
}

// versions are all that the cache holds.
func (p *playground) versions() []Version {
	p.t.Helper()
	var list []Version
	seen := map[module.Version]bool{}
	download := filepath.Join(p.root, "cache", "download")
	check(p.t, filepath.WalkDir(download, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(download, path)
		escaped, file, ok := strings.Cut(filepath.ToSlash(rel), "/@v/")
		version := strings.TrimSuffix(file, filepath.Ext(file))
		if !ok || file == "list" || e.IsDir() && filepath.Ext(file) != ".zip" {
			return nil
		}
		m := module.Version{}
		if m.Path, err = module.UnescapePath(escaped); err != nil {
			return nil
		}
		if m.Version, err = module.UnescapeVersion(version); err != nil || seen[m] {
			return nil
		}
		seen[m] = true
		v := Version{Version: m}
		if info, err := os.Stat(filepath.Join(download, filepath.FromSlash(escaped), "@v", version+".zip")); err == nil {
			v.ZipBytes = info.Size()
		}
		list = append(list, v)
		return nil
	}))
	return list
}

// sums are the go.sum lines of the project.
func (p *playground) sums() project.Sums {
	p.t.Helper()
	found, err := project.Find(p.project, nil)
	check(p.t, err)
	check(p.t, found.Problem)
	return found.Sums
}

// lookup asks the checksum database by what the go command kept of it.
func (p *playground) lookup() func(context.Context, module.Version) ([]string, error) {
	p.t.Helper()
	db, err := chain.ParseSumDB(p.lab.VerifierKey())
	check(p.t, err)
	return sumdb.New(sumdb.Options{
		DB:     db,
		Cache:  filepath.Join(p.root, "cache", "download", "sumdb"),
		Config: filepath.Join(p.dir, "gopath", "pkg", "sumdb"),
	}).Lookup
}

func (p *playground) verify(o VerifyOptions) VerifyResult {
	p.t.Helper()
	c, err := Open(p.root)
	check(p.t, err)
	if o.Versions == nil {
		o.Versions = p.versions()
	}
	r, err := c.Verify(p.t.Context(), o)
	check(p.t, err)
	return r
}

// module is the lab's module that the victim is.
func (p *playground) module() *lab.Module {
	for _, m := range p.lab.Modules() {
		if m.Version == victim {
			return m
		}
	}
	p.t.Fatal("the lab has no victim")
	return nil
}

// other is the victim with other content: its zip and that zip's hash.
func (p *playground) other(files map[string]string) (zip, hash string) {
	p.t.Helper()
	m, err := lab.NewModule(victim.Path, victim.Version, time.Now(), files)
	check(p.t, err)
	return string(m.Zip), m.ZipHash
}

// system reports whether the long tests are wanted.
func system() bool { return os.Getenv("GPX_TEST_SCALE") != "" }

func flip(at int) func([]byte) []byte {
	return func(data []byte) []byte {
		data = bytes.Clone(data)
		data[at] ^= 1
		return data
	}
}

// needsShell skips where the commands that mend are not for sh.
func needsShell(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands that mend are for another shell here")
	}
}
