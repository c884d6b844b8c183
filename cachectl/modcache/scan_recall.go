package modcache

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"gpx/cachectl/internal/sealed"
	"gpx/cachectl/internal/walk"
	"gpx/envctl/bounded"
)

// unsettled is how long a folder counts as being changed. A file system's clock
// stands still for some milliseconds, or for two seconds (FAT): what is changed
// twice within that has the same stamp both times, so that a look in between
// would never be followed by another. Git does the same with its index.
const unsettled = 2 * time.Second

// settled reports whether what has the stamp had stopped changing when the scan
// began. By a clock that was set back it is the future, and has not.
func (s *scan) settled(stamp walk.Stamp) bool {
	return max(stamp.MTime, stamp.CTime) < s.started.Add(-unsettled).UnixNano()
}

// recall reads the index and looks which of its folders are as they were. It
// returns all that are still there, and of these the paths of those that have to
// be read again; with no index nothing, and the cache's own folder.
func (s *scan) recall(ctx context.Context) (known *listing, stale []string, err error) {
	l := readIndex(s.opt.IndexFile)
	if l == nil {
		return &listing{}, []string{"."}, nil
	}
	looks := l.looks()
	paths := make([]string, len(looks))
	for i := range looks {
		paths[i] = looks[i].path
	}
	gone := map[string]bool{}
	err = walk.Stat(ctx, s.dir, paths, s.walkOptions(), func(i int, e walk.Entry, err error) {
		if look := &looks[i]; err != nil || !look.is(e) {
			s.mu.Lock()
			defer s.mu.Unlock()
			look.folder.settled = false
			if look.path == look.folder.path && (err != nil || !e.Type.IsDir()) {
				gone[look.path] = true
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	known = &listing{folders: make([]*listedFolder, 0, len(l.folders))}
	for _, f := range l.folders { // a folder comes before those in it
		if len(gone) > 0 && (gone[f.path] || gone[path.Dir(f.path)]) {
			gone[f.path] = true
			continue
		}
		known.folders = append(known.folders, f)
		if !f.settled {
			stale = append(stale, f.path)
		}
	}
	if len(known.folders) == 0 || gone["."] {
		return &listing{}, []string{"."}, nil
	}
	return known, stale, nil
}

// A look is something whose stamp tells whether a folder has to be read again.
type look struct {
	folder *listedFolder
	path   string
	stamp  walk.Stamp
	size   int64
	kind   fs.FileMode
}

func (l *look) is(e walk.Entry) bool {
	return e.Stamp == l.stamp && e.Type == l.kind && (l.kind != 0 || e.Size == l.size)
}

// looks are what has to be looked at: the folders; of what is in those that need
// not be read again for themselves, zips and trees, which may be replaced
// without a new name.
func (l *listing) looks() []look {
	n := 0
	for _, f := range l.folders {
		n += 1 + len(f.entries) + len(f.trees)
	}
	looks := make([]look, 0, n)
	for _, f := range l.folders {
		looks = append(looks, look{folder: f, path: f.path, stamp: f.stamp, kind: fs.ModeDir})
		if !f.settled {
			continue
		}
		for i := range f.entries {
			if e := &f.entries[i]; e.has&hasZip != 0 {
				looks = append(looks, look{folder: f, path: f.below(e.version + ".zip"), stamp: e.zip, size: e.zipBytes})
			}
		}
		for i := range f.trees {
			if t := &f.trees[i]; t.counted {
				looks = append(looks, look{folder: f, path: f.below(t.name), stamp: t.stamp, kind: fs.ModeDir})
			}
		}
	}
	return looks
}

// recall takes over what an older listing of the folder knew of the zips and
// trees that are still the same.
func (f *listedFolder) recall(old *listedFolder) {
	for i := range f.entries {
		e := &f.entries[i]
		j, ok := slices.BinarySearchFunc(old.entries, e.version, func(o listedEntry, v string) int { return compareVersions(o.version, v) })
		if ok && e.has&hasZip != 0 && old.entries[j].zip == e.zip && old.entries[j].zipBytes == e.zipBytes {
			o := &old.entries[j]
			e.central, e.inZip, e.inZipFiles = o.central, o.inZip, o.inZipFiles
		}
	}
	for i := range f.trees {
		t := &f.trees[i]
		j, ok := slices.BinarySearchFunc(old.trees, t.name, func(o listedTree, name string) int { return strings.Compare(o.name, name) })
		if ok && old.trees[j].counted && old.trees[j].stamp == t.stamp && !t.noFolder {
			t.counted, t.bytes, t.files = true, old.trees[j].bytes, old.trees[j].files
		}
	}
}

// Quick is the inventory as the index has it, where all folders are as they were
// when it was written, and not ok where a scan would have to read any. Clones
// and trash are measured.
func (c *Cache) Quick(ctx context.Context, indexFile string) (inv *Inventory, ok bool) {
	s := newScan(c.dir, ScanOptions{IndexFile: indexFile})
	known, stale, err := s.recall(ctx)
	if err != nil || len(stale) > 0 {
		return nil, false
	}
	s.listing = known
	for _, f := range s.listing.folders {
		for i := range f.trees {
			if t := &f.trees[i]; !t.counted && (t.part == partNone || t.part == partOther) {
				return nil, false
			}
		}
	}
	s.rows = s.listing.rows()
	if err := s.count(ctx); err != nil {
		return nil, false
	}
	return s.inventory(), true
}

// readIndex is the listing in a file, or nil.
func readIndex(file string) *listing {
	if file == "" {
		return nil
	}
	data, err := bounded.ReadFile(file, maxIndex)
	if err != nil {
		return nil
	}
	l, err := decodeIndex(data)
	if err != nil {
		return nil
	}
	return l
}

// remember writes what the scan found out, if it did, for the next one.
func (s *scan) remember() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opt.IndexFile == "" || !s.learned {
		return
	}
	for i := range s.rows {
		if r := &s.rows[i]; r.tree != nil && r.entry != nil && r.entry.has&hasPartial != 0 {
			r.tree.settled = false // a go command may be writing into it
		}
	}
	if data := s.listing.encode(); len(data) <= maxIndex {
		_ = sealed.Write(s.opt.IndexFile, data) // the next scan takes longer, that is all
	}
}
