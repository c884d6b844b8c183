package modcache

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
)

// A versionRow is all that a listing has of one module version.
type versionRow struct {
	module.Version
	entry *listedEntry // in cache/download, or nil
	tree  *listedTree  // extracted, or nil
	left  []*listedTree
}

// rows brings together what lies in cache/download and what is extracted, by
// path and then by version.
func (l *listing) rows() []versionRow {
	type half struct {
		version string // escaped
		entry   *listedEntry
		tree    *listedTree
		left    bool
	}
	halves := map[string][]half{} // by escaped path
	n := 0
	for _, f := range l.folders {
		n += len(f.entries)
		switch f.role {
		case roleVersions:
			escaped := strings.TrimPrefix(path.Dir(f.path), downloadRel+"/")
			list := slices.Grow(halves[escaped], len(f.entries))
			for i := range f.entries {
				list = append(list, half{version: f.entries[i].version, entry: &f.entries[i]})
			}
			halves[escaped] = list
		case roleTop, roleAbove:
			for i := range f.trees {
				t := &f.trees[i]
				if t.part == partNone {
					name := splitTree(f.path, t.name)
					halves[name.path] = append(halves[name.path], half{version: name.version, tree: t, left: name.left})
				}
			}
		}
	}
	type named struct{ path, escaped string }
	paths := make([]named, 0, len(halves))
	for escaped := range halves {
		paths = append(paths, named{unescapePath(escaped), escaped})
	}
	slices.SortFunc(paths, func(a, b named) int { return cmp.Compare(a.path, b.path) })

	rows := make([]versionRow, 0, n)
	for _, p := range paths {
		list := halves[p.escaped]
		slices.SortFunc(list, func(a, b half) int { return compareVersions(a.version, b.version) })
		for i, h := range list {
			if i == 0 || h.version != list[i-1].version {
				rows = append(rows, versionRow{Version: module.Version{Path: p.path, Version: unescapeVersion(h.version)}})
			}
			switch row := &rows[len(rows)-1]; {
			case h.entry != nil:
				row.entry = h.entry
			case h.left:
				row.left = append(row.left, h.tree)
			default:
				row.tree = h.tree
			}
		}
	}
	return rows
}

// version is the row as it is shown.
func (r *versionRow) version() Version {
	v := Version{Version: r.Version, State: stateOf(r.Path, r.entry, r.tree, len(r.left) > 0), FetchedAt: fetchedAt(r.entry, r.tree), Exact: true}
	if e := r.entry; e != nil {
		v.Info, v.Mod, v.Zip, v.ZipHash = e.has&hasInfo != 0, e.has&hasMod != 0, e.has&hasZip != 0, e.has&hasZipHash != 0
		v.ZipBytes, v.MetaBytes, v.LeftBytes = e.zipBytes, e.meta, e.left
	}
	if t := r.tree; t != nil {
		v.Dir = !t.noFolder
		v.DirBytes, v.Files, v.Exact = t.bytes, t.files, t.counted
		if e := r.entry; !t.counted && e != nil && e.central == centralRead {
			v.DirBytes, v.Files = e.inZip, e.inZipFiles
		}
	}
	for _, t := range r.left {
		v.LeftBytes += t.bytes
		v.Exact = v.Exact && t.counted
	}
	return v
}

// inventory is the listing as it is shown; rows are its own.
func (l *listing) inventory(dir string, rows []versionRow, at time.Time) *Inventory {
	inv := &Inventory{Dir: dir, Versions: make([]Version, len(rows)), Exact: true, At: at}
	parts := make([]Part, partCount)
	for _, f := range l.folders {
		part := &parts[f.part()]
		part.Bytes += f.bytes
		part.Files += f.files
		for i := range f.entries {
			inv.Files += f.entries[i].files
		}
		for i := range f.trees {
			t := &f.trees[i]
			inv.Exact = inv.Exact && t.counted
			if t.part == partNone {
				inv.Files += t.files
			}
			parts[t.part].Bytes += t.bytes
			parts[t.part].Files += t.files
		}
	}
	for i := range rows {
		v := &inv.Versions[i]
		*v = rows[i].version()
		inv.Bytes += v.Bytes()
		if !v.Exact && v.Dir {
			inv.Files += v.Files - rows[i].tree.files
		}
	}
	inv.Parts = parts[partNone+1:]
	for i := range inv.Parts {
		p := &inv.Parts[i]
		p.Name = partNames[partNone+1:][i]
		inv.Bytes += p.Bytes
		inv.Files += p.Files
	}
	return inv
}

// fetchedAt is when the version came.
func fetchedAt(e *listedEntry, t *listedTree) time.Time {
	switch {
	case e != nil && e.fetched != 0:
		return time.Unix(0, e.fetched)
	case t != nil:
		return time.Unix(0, t.stamp.MTime)
	}
	return time.Time{}
}

// stateOf says how much of a version is there, by what modfetch.DownloadDir and
// DownloadZip make of it. Either of e and t may be nil; left says that there is
// a folder that was to become the tree.
func stateOf(path string, e *listedEntry, t *listedTree, left bool) State {
	if e == nil {
		e = &listedEntry{}
	}
	has := func(p entryParts) bool { return e.has&p != 0 }
	switch {
	case has(hasWrong), e.central == centralBad, t != nil && t.noFolder:
		return Damaged
	case has(hasPartial):
		return Partial
	case t != nil && path == fips140 && !has(hasZip):
		return TreeOnly // extracted from GOROOT: never has a zip or a .ziphash
	case t != nil && !has(hasZipHash):
		return Partial // the go command extracts it again
	case t != nil && has(hasZip):
		return Whole
	case t != nil:
		return TreeOnly
	case has(hasZip):
		return Unextracted // also without .ziphash: the go command makes that from the zip
	case has(hasZipHash|hasLeft) || left:
		return Partial
	}
	return ModOnly
}

// fips140 is the module that the go command extracts from its own folder.
const fips140 = "golang.org/fips140"
