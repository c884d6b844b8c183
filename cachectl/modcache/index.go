package modcache

import (
	"encoding/binary"
	"math"
	"path"
	"strings"

	"gpx/cachectl/internal/sealed"
	"gpx/cachectl/internal/walk"
)

// The index is a listing in a sealed file. The next scan needs to look only at
// the stamps of the folders in it, and to list the folders that have another
// one.
//
//	number of folders
//	for each: how much of the path before it begins this one, the rest, role, stamp, …
//
// Numbers are varints, and texts have their length before them. No path in it
// begins outside of the cache: one that was moved within its file system keeps
// its index, one that was copied gets another. What is not exactly that is no
// index: damaged, cut, or another version's. Nothing is lost with it but time.
const (
	indexKind = "modcache-index"
	// maxIndex bounds what is read. A cache of 650,000 files needs 2 MB; one that
	// needs more than this is scanned without an index.
	maxIndex = 16 << 20
)

// encode is the listing as an index.
func (l *listing) encode() []byte {
	var w indexWriter
	w.uint(uint64(len(l.folders)))
	before := ""
	for _, f := range l.folders {
		common := commonPrefix(before, f.path)
		w.uint(uint64(common))
		w.text(f.path[common:])
		before = f.path
		w.uint(uint64(f.role))
		w.flags(f.settled)
		w.stamp(f.stamp)
		w.size(f.bytes, f.files)
		w.uint(uint64(len(f.entries)))
		for i := range f.entries {
			w.entry(&f.entries[i])
		}
		w.uint(uint64(len(f.trees)))
		for i := range f.trees {
			w.tree(&f.trees[i])
		}
	}
	return sealed.Bytes(indexKind, w.buf)
}

// decodeIndex reads an index. It believes nothing but its hash: whatever the
// bytes are, what it returns is a listing whose paths stay in the cache.
func decodeIndex(data []byte) (*listing, error) {
	body, err := sealed.Open(indexKind, data)
	if err != nil {
		return nil, err
	}
	r := indexReader{data: body, texts: string(body)}
	// A folder has 10 bytes at least, an entry 9, a tree 9: no count makes room
	// for more than the file can hold.
	folders := make([]listedFolder, r.count(10))
	l := &listing{folders: make([]*listedFolder, len(folders))}
	before := ""
	for i := range folders {
		f := &folders[i]
		l.folders[i] = f
		common, rest := r.uint(math.MaxInt), r.text()
		if common > uint64(len(before)) {
			r.bad = true
			break
		}
		f.path = before[:common] + rest
		if i > 0 && f.path <= before || !isInside(f.path) {
			r.bad = true
			break
		}
		before = f.path
		f.role = role(r.uint(uint64(roleCount) - 1))
		if f.role == roleVersions && !isPlain(f.path) {
			r.bad = true
		}
		f.settled = r.flags()&1 != 0
		f.stamp = r.stamp()
		f.bytes, f.files = r.size()
		f.entries = make([]listedEntry, r.count(9))
		for i := range f.entries {
			r.entry(&f.entries[i])
		}
		f.trees = make([]listedTree, r.count(9))
		for i := range f.trees {
			r.tree(&f.trees[i], f.path)
		}
		if r.bad {
			break
		}
	}
	if r.bad || r.at != len(r.data) {
		return nil, sealed.ErrNotSealed
	}
	return l, nil
}

// isInside reports whether a path stays in the cache.
func isInside(rel string) bool {
	return rel == "." || rel != "" && rel == path.Clean(rel) && rel[0] != '/' && rel != ".." && !strings.HasPrefix(rel, "../") && strings.IndexByte(rel, 0) < 0
}

// isName reports whether a text is a name in a folder.
func isName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// isPlain reports whether a text may be shown, as escaped paths and versions
// may: they are ASCII.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// An indexWriter appends to an index.
type indexWriter struct{ buf []byte }

func (w *indexWriter) uint(n uint64) { w.buf = binary.AppendUvarint(w.buf, n) }
func (w *indexWriter) int(n int64)   { w.buf = binary.AppendVarint(w.buf, n) }

func (w *indexWriter) text(s string) {
	w.uint(uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *indexWriter) flags(flags ...bool) {
	var n uint64
	for i, f := range flags {
		if f {
			n |= 1 << i
		}
	}
	w.uint(n)
}

func (w *indexWriter) size(bytes, files int64) {
	w.uint(uint64(bytes))
	w.uint(uint64(files))
}

func (w *indexWriter) stamp(s walk.Stamp) {
	w.uint(s.Inode)
	w.int(s.MTime)
	w.int(s.CTime - s.MTime)
}

func (w *indexWriter) entry(e *listedEntry) {
	w.text(e.version)
	w.uint(uint64(e.has))
	w.size(e.meta, e.files)
	w.uint(uint64(e.left))
	w.int(e.fetched)
	if e.has&hasZip != 0 {
		w.uint(uint64(e.zipBytes))
		w.stamp(e.zip)
	}
	central := e.central
	if !e.settled {
		central = centralUnread
	}
	w.flags(e.settled)
	w.uint(uint64(central))
	if central == centralRead {
		w.size(e.inZip, e.inZipFiles)
	}
}

func (w *indexWriter) tree(t *listedTree) {
	w.text(t.name)
	w.uint(uint64(t.part))
	w.flags(t.counted && t.settled, t.settled, t.noFolder)
	w.stamp(t.stamp)
	w.size(t.bytes, t.files)
}

// An indexReader reads an index. What it cannot read makes it bad, and is zero.
type indexReader struct {
	data  []byte
	texts string // the same; what is returned of it needs no memory of its own
	at    int
	bad   bool
}

func (r *indexReader) uint(most uint64) uint64 {
	n, size := binary.Uvarint(r.data[r.at:])
	if size <= 0 || n > most {
		r.bad = true
		return 0
	}
	r.at += size
	return n
}

func (r *indexReader) int() int64 {
	n, size := binary.Varint(r.data[r.at:])
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.at += size
	return n
}

func (r *indexReader) text() string {
	n := int(r.uint(uint64(len(r.data) - r.at)))
	if n > len(r.data)-r.at {
		r.bad = true
		return ""
	}
	s := r.texts[r.at : r.at+n]
	r.at += n
	return s
}

// count is the number of things that follow, of which each has least bytes.
func (r *indexReader) count(least int) int {
	return int(r.uint(uint64((len(r.data) - r.at) / least)))
}

func (r *indexReader) flags() uint64 { return r.uint(math.MaxUint8) }

func (r *indexReader) size() (bytes, files int64) {
	return int64(r.uint(math.MaxInt64)), int64(r.uint(math.MaxInt64))
}

func (r *indexReader) stamp() walk.Stamp {
	s := walk.Stamp{Inode: r.uint(math.MaxUint64), MTime: r.int()}
	s.CTime = s.MTime + r.int()
	return s
}

func (r *indexReader) entry(e *listedEntry) {
	e.version = r.text()
	e.has = entryParts(r.uint(hasAll))
	e.meta, e.files = r.size()
	e.left = int64(r.uint(math.MaxInt64))
	e.fetched = r.int()
	if e.has&hasZip != 0 {
		e.zipBytes = int64(r.uint(math.MaxInt64))
		e.zip = r.stamp()
	}
	e.settled = r.flags()&1 != 0
	e.central = centralState(r.uint(uint64(centralBad)))
	if e.central == centralRead {
		e.inZip, e.inZipFiles = r.size()
	}
	r.bad = r.bad || !isName(e.version) || !isPlain(e.version)
}

func (r *indexReader) tree(t *listedTree, dir string) {
	t.name = r.text()
	t.part = partID(r.uint(uint64(partCount) - 1))
	flags := r.flags()
	t.counted, t.settled, t.noFolder = flags&1 != 0, flags&2 != 0, flags&4 != 0
	t.stamp = r.stamp()
	t.bytes, t.files = r.size()
	r.bad = r.bad || !isName(t.name) || t.part == partNone && !(isPlain(t.name) && isPlain(dir))
}
