package deps

import (
	"bytes"
	"encoding/gob"
	"errors"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/sealed"
)

// A Memo remembers one module cache, so that the next Read only has to find it
// unchanged: what files there are of a version, what its go.mod requires, which
// of its folders are packages, and what these import. The zero Memo is empty.
//
// A version is looked at anew when its @v folder, its tree, its .mod or its
// .ziphash is another one, or has another time or size. Inside a tree nothing is
// looked at again: the go command never changes one.
type Memo struct {
	mu      sync.Mutex
	cache   string // GOMODCACHE
	by      map[module.Version]*record
	goroot  string
	stdlib  map[string]bool
	changed bool
}

// A record is what is remembered of one version.
type record struct {
	memo *Memo

	Known  bool
	Stamps [4]stamp
	Facts  facts

	Mod modFile // once it was read

	Packages map[string]bool               // whether a folder has Go files
	Imports  map[string]map[string]imports // by what is built for, by folder
}

// A stamp tells a file from what later stands in its place.
type stamp struct {
	There bool
	Size  int64
	MTime int64 // Unix nanoseconds
}

func stampOf(name string) stamp {
	fi, err := os.Lstat(name)
	if err != nil {
		return stamp{There: !errors.Is(err, fs.ErrNotExist)}
	}
	return stamp{true, fi.Size(), fi.ModTime().UnixNano()}
}

// use forgets everything when it was about another cache.
func (m *Memo) use(cache string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cache != cache || m.by == nil {
		m.cache, m.by = cache, map[module.Version]*record{}
	}
}

// record is what is remembered of a version.
func (m *Memo) record(v module.Version) *record {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.by[v]
	if r == nil {
		r = &record{}
		m.by[v] = r
	}
	if r.memo == nil { // it is new, or was read from a file
		r.memo = m
	}
	return r
}

// facts are those of a version, looked at when they are not known any more.
func (m *Memo) facts(v module.Version, stamps [4]stamp, look func() facts) facts {
	r := m.record(v)
	m.mu.Lock()
	known := r.Known && r.Stamps == stamps
	f := r.Facts
	m.mu.Unlock()
	if known {
		return f
	}
	f = look()
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Known, r.Stamps, r.Facts = f.err == nil, stamps, f
	r.Mod, r.Packages, r.Imports = modFile{}, nil, nil
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
	if to := is(); *to == nil {
		*to = map[K]V{key: v}
	} else {
		(*to)[key] = v
	}
	r.memo.changed = true
	return v
}

func (r *record) has(rel string, look func() bool) bool {
	return recall(r, func() *map[string]bool { return &r.Packages }, rel, look)
}

func (r *record) imports(target, rel string, read func() imports) imports {
	r.memo.mu.Lock()
	by := r.Imports[target]
	if by == nil {
		if r.Imports == nil {
			r.Imports = map[string]map[string]imports{}
		}
		by = map[string]imports{}
		r.Imports[target] = by
	}
	r.memo.mu.Unlock()
	return recall(r, func() *map[string]imports { return &by }, rel, read)
}

// mod is the go.mod of a version.
func (r *record) mod(parse func() (modFile, error)) (modFile, error) {
	r.memo.mu.Lock()
	f := r.Mod
	r.memo.mu.Unlock()
	if f.Sum != "" {
		return f, nil
	}
	f, err := parse()
	if err != nil {
		return f, err
	}
	r.memo.mu.Lock()
	defer r.memo.mu.Unlock()
	r.Mod, r.memo.changed = f, true
	return f, nil
}

// std reports whether a standard library has a package.
func (m *Memo) std(goroot, path string) bool {
	m.mu.Lock()
	if m.goroot != goroot || m.stdlib == nil {
		m.goroot, m.stdlib = goroot, map[string]bool{}
	}
	is, known := m.stdlib[path]
	m.mu.Unlock()
	if known {
		return is
	}
	is = hasGoFiles(filepath.Join(goroot, "src", filepath.FromSlash(path)))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stdlib[path], m.changed = is, true
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

const memoKind = "deps-index"

// memoFile is how a Memo is kept.
type memoFile struct {
	Cache  string
	By     map[module.Version]*record
	GOROOT string
	Stdlib map[string]bool
}

// OpenMemo reads what Save wrote. Where there is nothing of use the Memo is
// empty: nothing is lost but time.
func OpenMemo(file string) *Memo {
	m := &Memo{}
	body, err := sealed.Read(file, memoKind)
	if err != nil {
		return m
	}
	var f memoFile
	if gob.NewDecoder(bytes.NewReader(body)).Decode(&f) == nil {
		m.cache, m.by, m.goroot, m.stdlib = f.Cache, f.By, f.GOROOT, f.Stdlib
	}
	return m
}

// Save writes what is remembered to a file, when it has changed.
func (m *Memo) Save(file string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.changed {
		return nil
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(memoFile{m.cache, m.by, m.goroot, m.stdlib}); err != nil {
		return err
	}
	if err := sealed.Write(file, sealed.Bytes(memoKind, b.Bytes())); err != nil {
		return err
	}
	m.changed = false
	return nil
}
