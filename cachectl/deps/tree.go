package deps

import (
	"archive/zip"
	"fmt"
	"go/build"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// A tree holds the packages of one module.
type tree struct {
	dir    string  // where it is, or would be once it is extracted
	local  bool    // a main module or a replacement's directory: nested modules are cut out
	sealed *record // of a tree in the module cache, which never changes; else nil
	zip    *zipTree
}

// A zipTree is a module that the go command would extract first.
type zipTree struct {
	files map[string][]*zip.File // by folder, slashed, "." is the root
	close func() error
}

// openZip reads a module zip's directory (https://go.dev/ref/mod#zip-files).
func openZip(name string, m module.Version) (*zipTree, error) {
	r, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	t := &zipTree{files: map[string][]*zip.File{}, close: r.Close}
	prefix := m.Path + "@" + m.Version + "/"
	for _, f := range r.File {
		rel, ok := strings.CutPrefix(f.Name, prefix)
		if !ok {
			r.Close()
			return nil, fmt.Errorf("it holds a file outside of %s", prefix)
		}
		dir := path.Dir(rel)
		t.files[dir] = append(t.files[dir], f)
	}
	return t, nil
}

// folder is where a package lies in the module of modPath: below the root,
// slashed; false when its path says that it lies elsewhere.
func folder(pkg, modPath string) (string, bool) {
	if pkg == modPath {
		return ".", true
	}
	rest, ok := strings.CutPrefix(pkg, modPath)
	return strings.TrimPrefix(rest, "/"), ok && strings.HasPrefix(rest, "/")
}

// has reports whether a folder holds Go files and belongs to the module (modload,
// dirInModule). Build constraints do not matter.
func (t *tree) has(rel string) bool {
	if t.sealed != nil && t.zip == nil {
		return t.sealed.has(rel, func() bool { return hasGoFiles(filepath.Join(t.dir, filepath.FromSlash(rel))) })
	}
	if t.zip != nil {
		return slices.ContainsFunc(t.zip.files[rel], func(f *zip.File) bool { return strings.HasSuffix(f.Name, ".go") })
	}
	dir := filepath.Join(t.dir, filepath.FromSlash(rel))
	if t.local {
		for d := rel; d != "."; d = path.Dir(d) {
			if fi, err := os.Stat(filepath.Join(t.dir, filepath.FromSlash(d), "go.mod")); err == nil && !fi.IsDir() {
				return false
			}
		}
	}
	return hasGoFiles(dir)
}

func hasGoFiles(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		if !strings.HasSuffix(e.Name(), ".go") {
			return false
		}
		if e.Type()&fs.ModeSymlink != 0 {
			fi, err := os.Stat(filepath.Join(dir, e.Name()))
			return err == nil && fi.Mode().IsRegular()
		}
		return e.Type().IsRegular()
	})
}

// Imports are what a package imports, each path once.
type imports struct {
	Code, Tests []string
	None        bool // build constraints leave no file over
}

// imports reads what a folder imports in the build context of the go command, once.
// It is remembered from one time to the next.
func (l *loader) imports(t *tree, rel string) imports {
	read := func() imports { return t.imports(l.context, rel) }
	switch {
	case t.zip != nil:
		return read()
	case t.sealed != nil:
		return t.sealed.imports(l.target, rel, read)
	}
	dir := filepath.Join(t.dir, filepath.FromSlash(rel))
	return l.local.do(dir, func() imports { return l.memo.inFolder(localFolder{dir, l.target}, read) })
}

func (t *tree) imports(ctx *build.Context, rel string) imports {
	if t.zip != nil {
		ctx = t.zip.context(ctx)
		return importsOf(ctx, "/"+rel)
	}
	return importsOf(ctx, filepath.Join(t.dir, filepath.FromSlash(rel)))
}

func importsOf(ctx *build.Context, dir string) imports {
	p, err := ctx.ImportDir(dir, 0)
	if _, none := err.(*build.NoGoError); none || p == nil {
		return imports{None: true}
	}
	tests := slices.Concat(p.TestImports, p.XTestImports)
	slices.Sort(tests)
	return imports{Code: p.Imports, Tests: slices.Compact(tests)}
}

// context reads files out of the zip.
func (t *zipTree) context(ctx *build.Context) *build.Context {
	c := *ctx
	rel := func(name string) string {
		if name = strings.TrimPrefix(path.Clean(name), "/"); name == "" {
			return "."
		}
		return name
	}
	c.JoinPath = path.Join
	c.SplitPathList = func(list string) []string { return nil }
	c.IsAbsPath = path.IsAbs
	c.HasSubdir = func(root, dir string) (string, bool) { return "", false }
	c.IsDir = func(name string) bool { return t.files[rel(name)] != nil }
	c.ReadDir = func(dir string) ([]fs.FileInfo, error) {
		var out []fs.FileInfo
		for _, f := range t.files[rel(dir)] {
			out = append(out, f.FileInfo())
		}
		slices.SortFunc(out, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
		return out, nil
	}
	c.OpenFile = func(name string) (io.ReadCloser, error) {
		dir, base := path.Split(name)
		for _, f := range t.files[rel(dir)] {
			if path.Base(f.Name) == base {
				return f.Open()
			}
		}
		return nil, fs.ErrNotExist
	}
	return &c
}

// fetch is the tree of a module, or what stops the go command from having it
// (modload, fetch; modfetch, Download).
func (l *loader) fetch(m module.Version) (*tree, *Trouble) {
	r := l.trees.do(m, func() treeResult {
		t, bad := l.find(m)
		return treeResult{t, bad}
	})
	return r.tree, r.t
}

type treeResult struct {
	tree *tree
	t    *Trouble
}

func (l *loader) find(m module.Version) (*tree, *Trouble) {
	if main := l.mainOf(m.Path); main != nil && m.Version == "" {
		return &tree{dir: main.dir, local: true}, nil
	}
	actual := l.actual(m)
	if actual.Version == "" {
		if _, err := os.Stat(actual.Path); err != nil {
			return nil, trouble(NoReplacement, m, "", "%s is replaced by the directory %s, which is not there", m.Path, actual.Path)
		}
		return &tree{dir: actual.Path, local: true}, nil
	}
	if l.mustHaveSums() && !l.haveSum(actual) {
		return nil, trouble(NoSum, actual, "go mod download "+m.Path, "%s: go.sum has no line for it", actual)
	}
	return l.fromCache(actual)
}

// fromCache is the tree of a version in the module cache, extracted or not.
func (l *loader) fromCache(m module.Version) (*tree, *Trouble) {
	f := l.cache.at(m)
	get := "go mod download " + m.String()
	switch {
	case f.err != nil:
		return nil, trouble(Damaged, m, "", "%s: %v", m, f.err)
	case !f.Dir && !f.Zip:
		what := "it is not in the module cache"
		if f.partial {
			what = "its extraction was cut short, and the zip is gone"
		} else if fi, err := os.Stat(f.tree); err == nil && fi.IsDir() {
			what = "its tree is in the module cache without .zip and .ziphash, so that the go command would fetch it again"
		}
		return nil, trouble(NoZip, m, get, "%s: %s", m, what)
	}
	if !f.Dir || f.hash == "" {
		l.wider.Store(true) // the zip is read
	}
	sum, err := f.zipSum(l.ctx)
	if err != nil {
		return nil, trouble(Damaged, m, "gpx cache verify", "%s: %v", m, err)
	}
	if t := l.checkSum(m, sum); t != nil {
		return nil, t
	}
	t := &tree{dir: f.tree, sealed: l.memo.record(m)}
	if !f.Dir {
		if t.zip, err = openZip(f.zip(), m); err != nil {
			return nil, trouble(Damaged, m, "gpx cache verify", "%s: its zip cannot be extracted: %v", m, err)
		}
		l.mu.Lock()
		l.closers = append(l.closers, t.zip.close)
		l.mu.Unlock()
	}
	return t, nil
}
