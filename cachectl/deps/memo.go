package deps

import (
	"context"
	"crypto/sha256"
	"errors"
	"go/build"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/walk"
)

// A Memo remembers one module cache, so that the next Read only has to find it
// unchanged: what files there are of a version, what its go.mod requires, which
// of its folders are packages, and what these import. The zero Memo is empty.
//
// Of main modules it remembers what their folders import, as long as the files
// have the same names, sizes and times.
//
// A version is looked at anew when its @v folder, its tree, its .mod or its
// .ziphash is another one, or has another time or size, and each time while one of
// them is a symbolic link, or so new that the next change may have the same time.
// Inside a tree nothing is looked at again: the go command never changes one.
type Memo struct {
	mu      sync.Mutex
	cache   string // GOMODCACHE
	by      map[module.Version]*record
	packed  map[module.Version]string // those that nobody has asked for yet
	goroot  string                    // with the version of what is in it
	stdlib  map[string]bool
	folders map[localFolder]string // what main modules import, packed with the stamp of the folder
	seen    map[localFolder]bool   // those that were asked for since the Memo was opened
	changed bool
}

// A localFolder is one of a main module or a replacement, and what it is built for.
type localFolder struct{ dir, target string }

// A record is what is remembered of one version.
type record struct {
	memo *Memo

	known  bool
	stamps [4]stamp
	found  facts

	gomod modFile // once it was read

	packages map[string]bool               // whether a folder has Go files
	imported map[string]map[string]imports // by what is built for, by folder
}

// A stamp tells a file or folder from what later stands in its place.
type stamp struct {
	there bool
	size  int64
	walk.Stamp
}

// unseen is the stamp of what may be anything.
var unseen = stamp{there: true}

// tells reports whether a change after at has another stamp.
func (s stamp) tells(at time.Time) bool {
	return s != unseen && at.Sub(time.Unix(0, s.MTime)) >= fresh
}

// tell reports whether each of them tells.
func tell(stamps [4]stamp, at time.Time) bool {
	return !slices.ContainsFunc(stamps[:], func(s stamp) bool { return !s.tells(at) })
}

// use forgets everything when it was about another cache.
func (m *Memo) use(cache string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cache != cache || m.by == nil {
		m.cache, m.by, m.packed = cache, map[module.Version]*record{}, map[module.Version]string{}
	}
}

// record is what is remembered of a version.
func (m *Memo) record(v module.Version) *record {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.by[v]
	if r == nil {
		r = unpack(m.packed[v])
		r.memo = m
		m.by[v] = r
	}
	return r
}

// facts are those of a version, looked at when they are not known any more.
func (m *Memo) facts(v module.Version, stamps [4]stamp, look func() facts) facts {
	r := m.record(v)
	m.mu.Lock()
	known := r.known && r.stamps == stamps
	f := r.found
	m.mu.Unlock()
	if known {
		return f
	}
	begun := time.Now()
	f = look()
	m.mu.Lock()
	defer m.mu.Unlock()
	r.known, r.stamps, r.found = f.err == nil && !f.linked && tell(stamps, begun), stamps, f
	r.gomod, r.packages, r.imported = modFile{}, nil, nil
	m.changed = true
	return f
}

// recall is what was computed before and put where is says, or is computed now.
func recall[K comparable, V any](r *record, is func() *map[K]V, key K, compute func() V) V {
	r.memo.mu.Lock()
	v, ok := (*is())[key]
	r.memo.mu.Unlock()
	if ok {
		return v
	}
	v = compute()
	r.memo.mu.Lock()
	defer r.memo.mu.Unlock()
	set(is(), key, v)
	r.memo.changed = true
	return v
}

func (r *record) has(rel string, look func() bool) bool {
	return recall(r, func() *map[string]bool { return &r.packages }, rel, look)
}

func (r *record) imports(target, rel string, read func() imports) imports {
	r.memo.mu.Lock()
	by := r.imported[target]
	if by == nil {
		by = map[string]imports{}
		set(&r.imported, target, by)
	}
	r.memo.mu.Unlock()
	return recall(r, func() *map[string]imports { return &by }, rel, read)
}

// mod is the go.mod of a version.
func (r *record) mod(parse func() (modFile, error)) (modFile, error) {
	r.memo.mu.Lock()
	f := r.gomod
	r.memo.mu.Unlock()
	if f.sum != "" {
		return f, nil
	}
	f, err := parse()
	if err != nil {
		return f, err
	}
	r.memo.mu.Lock()
	defer r.memo.mu.Unlock()
	r.gomod, r.memo.changed = f, true
	return f, nil
}

// maxFolders bounds the folders of main modules that are remembered; beyond it
// those of other projects are forgotten.
const maxFolders = 10_000

// fresh is the age of a file below which another change of it may have the same
// time (cmd/go/internal/modindex, modTimeCutoff).
const fresh = 2 * time.Second

// inFolder is what a folder outside of the module cache imports: what was read
// before, as long as its files are the same, or what read says.
func (m *Memo) inFolder(f localFolder, read func() imports) imports {
	stamp, ok := stampOfFolder(f.dir)
	if !ok {
		return read()
	}
	m.mu.Lock()
	set(&m.seen, f, true)
	packed := m.folders[f]
	m.mu.Unlock()
	d := &decoder{rest: packed}
	if d.text() == stamp && d.err == nil {
		if i := d.imports(); d.err == nil {
			return i
		}
	}
	i := read()
	var w encoder
	w.text(stamp)
	w.imports(i)
	m.mu.Lock()
	defer m.mu.Unlock()
	set(&m.folders, f, string(w.b))
	m.changed = true
	return i
}

// stampOfFolder tells the Go files of a folder from what they may be later; false
// when they were just changed, or cannot be told.
func stampOfFolder(dir string) (string, bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", false
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") {
			names = append(names, e.Name())
		}
	}
	files := make([]walk.Entry, len(names))
	errs := make([]error, len(names))
	err = walk.Stat(context.Background(), dir, names, walk.Options{}, func(i int, e walk.Entry, err error) { files[i], errs[i] = e, err })
	if err != nil || errors.Join(errs...) != nil {
		return "", false
	}
	var w encoder
	for i, f := range files {
		s := stamp{size: f.Size, Stamp: f.Stamp}
		// What a link leads to has times of its own.
		if f.Type != 0 || !s.tells(time.Now()) {
			return "", false
		}
		w.text(names[i])
		w.stamp(s)
	}
	sum := sha256.Sum256(w.b)
	return string(sum[:]), true
}

// std reports whether the standard library of a toolchain has a package. Another
// version may stand in the same GOROOT later.
func (m *Memo) std(goroot, version, path string) bool {
	from := goroot + " " + version
	m.mu.Lock()
	if m.goroot != from || m.stdlib == nil {
		m.goroot, m.stdlib = from, map[string]bool{}
	}
	is, known := m.stdlib[path]
	m.mu.Unlock()
	if known {
		return is
	}
	is = hasGoFiles(filepath.Join(goroot, "src", filepath.FromSlash(path)))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.goroot == from {
		m.stdlib[path], m.changed = is, true
	}
	return is
}

// target names what is built for: another one has other imports.
func target(c *build.Context) string {
	cgo := ""
	if c.CgoEnabled {
		cgo = "cgo"
	}
	last := ""
	if n := len(c.ReleaseTags); n > 0 {
		last = c.ReleaseTags[n-1]
	}
	return strings.Join(slices.Concat([]string{c.GOOS, c.GOARCH, cgo, last}, c.BuildTags, c.ToolTags), " ")
}
