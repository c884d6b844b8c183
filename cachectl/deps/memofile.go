package deps

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/sealed"
)

// memoKind is the kind of the sealed file that a Memo is kept in:
//
//	GOMODCACHE  GOROOT
//	n × (package of the standard library, whether there is one)
//	n × (path, version, record)
//	n × (folder, what is built for, its stamp and imports)
//
// Numbers are varints, a text is its length and its bytes, and so is a record:
// only those that a project needs are taken apart. Of 500 versions that takes a
// millisecond, where encoding/gob took nine.
const memoKind = "deps-memo"

// OpenMemo reads what Save wrote. Where there is nothing of use the Memo is
// empty: nothing is lost but time.
func OpenMemo(file string) *Memo {
	body, err := sealed.Read(file, memoKind)
	if err != nil {
		return &Memo{}
	}
	r := &decoder{rest: string(body)}
	m := &Memo{cache: r.text(), goroot: r.text(), stdlib: map[string]bool{}}
	for range r.count() {
		path := r.text()
		m.stdlib[path] = r.flag()
	}
	n := r.count()
	m.by, m.packed = make(map[module.Version]*record, n), make(map[module.Version]string, n)
	for range n {
		v := module.Version{Path: r.text(), Version: r.text()}
		m.packed[v] = r.text()
	}
	for range r.count() {
		f := localFolder{r.text(), r.text()}
		set(&m.folders, f, r.text())
	}
	if r.err != nil {
		return &Memo{}
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
	var w encoder
	w.text(m.cache)
	w.text(m.goroot)
	w.number(len(m.stdlib))
	for _, path := range slices.Sorted(maps.Keys(m.stdlib)) {
		w.text(path)
		w.flag(m.stdlib[path])
	}
	for v, r := range m.by {
		m.packed[v] = r.pack()
	}
	w.number(len(m.packed))
	for v, packed := range m.packed {
		w.text(v.Path)
		w.text(v.Version)
		w.text(packed)
	}
	if len(m.folders) > maxFolders {
		maps.DeleteFunc(m.folders, func(f localFolder, _ string) bool { return !m.seen[f] })
	}
	w.number(len(m.folders))
	for f, packed := range m.folders {
		w.text(f.dir)
		w.text(f.target)
		w.text(packed)
	}
	if err := sealed.Write(file, sealed.Bytes(memoKind, w.b)); err != nil {
		return err
	}
	m.changed = false
	return nil
}

func (r *record) pack() string {
	var w encoder
	w.flag(r.known)
	for _, s := range r.stamps {
		w.stamp(s)
	}
	f := &r.found
	for _, is := range []bool{f.Info, f.Mod, f.Zip, f.Dir, f.hasHash, f.partial} {
		w.flag(is)
	}
	w.text(f.hash)
	w.text(r.gomod.sum)
	w.text(r.gomod.path)
	w.text(r.gomod.goLine)
	w.number(len(r.gomod.require))
	for _, q := range r.gomod.require {
		w.text(q.Path)
		w.text(q.Version)
	}
	w.number(len(r.packages))
	for rel, is := range r.packages {
		w.text(rel)
		w.flag(is)
	}
	w.number(len(r.imported))
	for target, by := range r.imported {
		w.text(target)
		w.number(len(by))
		for rel, i := range by {
			w.text(rel)
			w.imports(i)
		}
	}
	return string(w.b)
}

// unpack is the record that was packed; an empty one when it is damaged, which
// its seal says it is not.
func unpack(packed string) *record {
	d := &decoder{rest: packed}
	r := &record{known: d.flag()}
	for i := range r.stamps {
		r.stamps[i] = d.stamp()
	}
	f := &r.found
	for _, is := range []*bool{&f.Info, &f.Mod, &f.Zip, &f.Dir, &f.hasHash, &f.partial} {
		*is = d.flag()
	}
	f.hash = d.text()
	r.gomod = modFile{sum: d.text(), path: d.text(), goLine: d.text()}
	for range d.count() {
		r.gomod.require = append(r.gomod.require, module.Version{Path: d.text(), Version: d.text()})
	}
	for range d.count() {
		set(&r.packages, d.text(), d.flag())
	}
	for range d.count() {
		target, by := d.text(), map[string]imports{}
		for range d.count() {
			rel := d.text()
			by[rel] = d.imports()
		}
		set(&r.imported, target, by)
	}
	if d.err != nil {
		return &record{}
	}
	return r
}

// set puts a value into a map that there may not be yet.
func set[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

// An encoder appends.
type encoder struct{ b []byte }

func (w *encoder) number(n int) { w.b = binary.AppendVarint(w.b, int64(n)) }

func (w *encoder) flag(is bool) {
	if is {
		w.number(1)
	} else {
		w.number(0)
	}
}

func (w *encoder) text(s string) {
	w.number(len(s))
	w.b = append(w.b, s...)
}

func (w *encoder) texts(list []string) {
	w.number(len(list))
	for _, s := range list {
		w.text(s)
	}
}

func (w *encoder) stamp(s stamp) {
	w.flag(s.there)
	for _, n := range []int64{s.size, int64(s.Inode), s.MTime, s.CTime} {
		w.b = binary.AppendVarint(w.b, n)
	}
}

func (w *encoder) imports(i imports) {
	w.flag(i.None)
	w.texts(i.Code)
	w.texts(i.Tests)
}

// A decoder takes off what an encoder appended. After an error it gives zero
// values.
type decoder struct {
	rest string
	err  error
}

var errCut = errors.New("it ends too early")

func (r *decoder) number() int64 {
	// A string has no varint of its own; ten bytes are the longest one.
	var head [binary.MaxVarintLen64]byte
	n, size := binary.Varint(head[:copy(head[:], r.rest)])
	if size <= 0 {
		r.err, r.rest = errCut, ""
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *decoder) flag() bool { return r.number() != 0 }

// count is the length of what follows, which has a byte for each at least.
func (r *decoder) count() int {
	n := r.number()
	if n < 0 || n > int64(len(r.rest)) {
		r.err, r.rest = errCut, ""
		return 0
	}
	return int(n)
}

func (r *decoder) text() string {
	n := r.count()
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *decoder) texts() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.text()
	}
	return list
}

func (r *decoder) stamp() stamp {
	s := stamp{there: r.flag(), size: r.number()}
	s.Inode, s.MTime, s.CTime = uint64(r.number()), r.number(), r.number()
	return s
}

func (r *decoder) imports() imports {
	return imports{None: r.flag(), Code: r.texts(), Tests: r.texts()}
}
