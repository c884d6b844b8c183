package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"gpx/envctl/advice"
	"gpx/envctl/bounded"
	"gpx/envctl/redact"
)

// A collector finds what goes into a bundle.
type collector struct {
	o        *ExportOptions
	checked  *checked
	download string // GOMODCACHE/cache/download
}

// A collection is what was found, by version.
type collection struct {
	by    map[module.Version]*found
	left  []LeftOut
	first error // why the first of them is left out
}

// found are the files of one version that go into a bundle.
type found struct {
	module.Version
	info, mod, zip *source
	modSum         string // h1 of the .mod, as go.sum has it
}

// collect reads and checks. It fails when nothing is left.
func (c *collector) collect(ctx context.Context) (*collection, error) {
	c.o.report(Listing, 0, 0)
	wanted := c.o.Versions
	if wanted == nil {
		var err error
		if wanted, err = c.list(ctx); err != nil {
			return nil, err
		}
	}
	got := &collection{by: map[module.Version]*found{}}
	for _, m := range wanted {
		if got.by[m] != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := c.find(m, true)
		if err != nil {
			got.left = append(got.left, leftOut(m, err.Error()))
			if got.first == nil {
				got.first = fmt.Errorf("nothing can be exported: %s: %w", redact.Clean(m.String()), err)
			}
			continue
		}
		got.by[m] = f
	}
	for _, m := range c.o.Mods {
		if got.by[m] == nil {
			c.addMod(got, m)
		}
	}
	if err := c.graph(ctx, got); err != nil {
		return nil, err
	}
	if err := c.check(ctx, got); err != nil {
		return nil, err
	}
	slices.SortFunc(got.left, func(a, b LeftOut) int {
		return compareVersions(module.Version{Path: a.Path, Version: a.Version}, module.Version{Path: b.Path, Version: b.Version})
	})
	if len(got.by) == 0 {
		if got.first != nil {
			return nil, got.first
		}
		if len(got.left) > 0 {
			l := got.left[0]
			return nil, fmt.Errorf("nothing can be exported: %s@%s: %s", l.Path, l.Version, l.Why)
		}
		return nil, errors.New("there is nothing to export")
	}
	return got, nil
}

// list names every version of which the cache has a .mod or a .zip.
func (c *collector) list(ctx context.Context) ([]module.Version, error) {
	seen := map[module.Version]bool{}
	sums := filepath.Join(c.download, "sumdb")
	err := filepath.WalkDir(c.download, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && p != c.download {
				return nil // it went meanwhile
			}
			return err
		}
		if d.IsDir() {
			if p == sums {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(c.download, p)
		if err != nil {
			return err
		}
		n, ok, err := parseName(filepath.ToSlash(rel))
		if err == nil && ok && (n.part == partMod || n.part == partZip) {
			seen[n.version] = true
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("the module cache is empty, so there is nothing to export")
	}
	return slices.SortedFunc(maps.Keys(seen), compareVersions), err
}

// toolchain is the module that the go command takes its own releases from. It
// reads nothing of it but the zip (cmd/go/internal/toolchain).
const toolchain = "golang.org/toolchain"

var errAbsent = errors.New("it is not in the module cache")

// find looks at the files of one version in the cache. Without withZip only its
// .mod and .info are wanted. Zips are looked at, not read yet.
func (c *collector) find(m module.Version, withZip bool) (*found, error) {
	if err := module.Check(m.Path, m.Version); err != nil {
		return nil, err
	}
	f := &found{Version: m}
	var err error
	if f.mod, err = c.read(m, partMod); err != nil {
		return nil, err
	}
	if withZip {
		if f.zip, err = c.stat(m, partZip); err != nil {
			return nil, err
		}
	}
	switch {
	case f.mod == nil && f.zip == nil:
		return nil, advice.Add(errAbsent, "get it with: go mod download %s", m)
	case f.mod != nil && bytes.HasPrefix(f.mod.data, []byte("//vgo 0.0.")):
		f.mod = nil // the go command ignores what its first releases made up (modfetch, oldVgoPrefix)
	}
	if f.mod == nil && m.Path != toolchain {
		return nil, advice.Add(errors.New("its .mod is not in the module cache"), "get it with: go mod download %s", m)
	}
	if c.o.Versions != nil && withZip && f.zip == nil {
		return nil, advice.Add(errors.New("its .zip is not in the module cache"), "get it with: go mod download %s", m)
	}
	if f.mod != nil {
		if f.modSum, err = goModSum(f.mod.data); err != nil {
			return nil, err
		}
		if want := c.o.Sums[module.Version{Path: m.Path, Version: m.Version + "/go.mod"}]; len(want) > 0 && !slices.Contains(want, f.modSum) {
			return nil, fmt.Errorf("its .mod differs from go.sum (%s, want %s)", f.modSum, want[0])
		}
	}
	return f, c.addInfo(f)
}

// goModSum is the hash of a go.mod file in go.sum (modfetch, goModSum).
func goModSum(data []byte) (string, error) {
	return dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
}

// path is where the cache keeps one of a version's files.
func (c *collector) path(m module.Version, p part) (string, name, error) {
	file, err := versionFile(m, p)
	return filepath.Join(c.download, filepath.FromSlash(file)), name{path: file, part: p, version: m}, err
}

// read reads a small file; nil when there is none.
func (c *collector) read(m module.Version, p part) (*source, error) {
	file, n, err := c.path(m, p)
	if err != nil {
		return nil, err
	}
	data, err := bounded.ReadFile(file, limits[p])
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := sourceOf(n, data)
	return &s, nil
}

// stat looks at a zip; nil when there is none.
func (c *collector) stat(m module.Version, p part) (*source, error) {
	file, n, err := c.path(m, p)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("its .%s is not a regular file", p)
	case info.Size() > limits[p]:
		return nil, fmt.Errorf("its .%s has %d bytes, more than the go command takes", p, info.Size())
	}
	return &source{File: File{Path: n.path, Size: info.Size(), name: n}, from: file}, nil
}

// An info is a .info file (cmd/go/internal/modfetch, RevInfo).
type info struct {
	Version string
	Time    *time.Time `json:",omitempty"`
	Origin  json.RawMessage
}

// addInfo takes the cached .info, or makes one. A go command that was told an
// exact version never asked for it, but one that uses the bundle as a proxy
// will. What it needs is the version; the time is known for pseudo-versions
// alone, and is left out of the others.
func (c *collector) addInfo(f *found) error {
	cached, err := c.read(f.Version, partInfo)
	if err != nil {
		return err
	}
	want := info{Version: f.Version.Version}
	if cached != nil {
		var have info
		if json.Unmarshal(cached.data, &have) == nil && have.Version == f.Version.Version {
			if redact.Text(string(have.Origin)) == redact.Clean(string(have.Origin)) {
				f.info = cached
				return nil
			}
			want.Time = have.Time // the origin is an address with a credential in it
		}
	}
	if f.zip == nil {
		return nil // the module graph needs none
	}
	if t, err := module.PseudoVersionTime(f.Version.Version); err == nil && want.Time == nil {
		want.Time = &t
	}
	data, err := json.Marshal(struct {
		Version string
		Time    *time.Time `json:",omitempty"`
	}{want.Version, want.Time})
	if err != nil {
		return err
	}
	_, n, err := c.path(f.Version, partInfo)
	s := sourceOf(n, data)
	f.info = &s
	return err
}

// maxGraph bounds the .mod files that come along. The unpruned graph of
// kubernetes has some 2,000.
const maxGraph = 1 << 17

// graph adds the .mod files that the module graphs of what was found name, as
// far as they are cached: the go command reads them to decide on versions.
func (c *collector) graph(ctx context.Context, got *collection) error {
	queue := slices.SortedFunc(maps.Keys(got.by), compareVersions)
	seen := maps.Clone(got.by)
	for len(queue) > 0 && len(seen) < maxGraph {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := got.by[queue[0]]
		queue = queue[1:]
		if f == nil || f.mod == nil {
			continue
		}
		mod, err := modfile.ParseLax("go.mod", f.mod.data, nil)
		if err != nil {
			continue // the go command will say so too
		}
		for _, r := range mod.Require {
			if _, ok := seen[r.Mod]; ok {
				continue
			}
			seen[r.Mod] = nil
			if c.addMod(got, r.Mod) {
				queue = append(queue, r.Mod)
			}
		}
	}
	return nil
}

// addMod adds the .mod of a version, if it is cached.
func (c *collector) addMod(got *collection, m module.Version) bool {
	f, err := c.find(m, false)
	switch {
	case err == nil:
		got.by[m] = f
	case !errors.Is(err, errAbsent):
		got.left = append(got.left, leftOut(m, err.Error()))
	}
	return err == nil
}

// versions lists what was found, in order.
func (g *collection) versions() []*found {
	list := slices.Collect(maps.Values(g.by))
	slices.SortFunc(list, func(a, b *found) int { return compareVersions(a.Version, b.Version) })
	return list
}

// leaveOut takes versions out again.
func (g *collection) leaveOut(list []LeftOut) {
	for _, l := range list {
		delete(g.by, module.Version{Path: l.Path, Version: l.Version})
	}
	g.left = append(g.left, list...)
}

// files lists the files in the order of an archive: for every module its list,
// then version by version .info, .mod, .zip.
func (g *collection) files() []source {
	var files []source
	all := g.versions()
	for i, f := range all {
		if i == 0 || all[i-1].Path != f.Path {
			files = append(files, listOf(f.Path, all[i:]))
		}
		for _, s := range []*source{f.info, f.mod, f.zip} {
			if s != nil {
				files = append(files, *s)
			}
		}
	}
	return files
}

// listOf makes the @v/list of a module: what can be downloaded and is no
// pseudo-version, as proxies list it.
func listOf(path string, all []*found) source {
	var names []string
	for _, f := range all {
		if f.Path != path {
			break
		}
		if f.zip != nil {
			names = append(names, f.Version.Version)
		}
	}
	return listSource(path, names)
}

func listSource(path string, versions []string) source {
	dir, err := versionDir(path)
	if err != nil {
		panic("bundle: " + err.Error()) // the path was checked when it was found
	}
	var b strings.Builder
	for _, v := range versions {
		if !module.IsPseudoVersion(v) {
			b.WriteString(v + "\n")
		}
	}
	return sourceOf(name{path: dir + "/list", part: partList, version: module.Version{Path: path}}, []byte(b.String()))
}
