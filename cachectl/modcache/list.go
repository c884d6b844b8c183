package modcache

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"gpx/cachectl/internal/walk"
)

// A listing says what the folders of a cache hold, all but the insides of
// extracted trees, which are only measured.
type listing struct {
	folders []*listedFolder // by path
}

func listingOf(folders map[string]*listedFolder) *listing {
	return &listing{folders: slices.SortedFunc(maps.Values(folders), func(a, b *listedFolder) int { return cmp.Compare(a.path, b.path) })}
}

// A listedFolder is one folder and what was found right in it.
type listedFolder struct {
	path  string // below GOMODCACHE, with slashes; "." is GOMODCACHE
	role  role
	stamp walk.Stamp // from before it was read
	// settled says that the stamp was old enough when the folder was read to
	// change with the folder. It stays in the index; others are read again.
	settled bool

	bytes, files int64         // regular files that belong to no version
	entries      []listedEntry // of a @v folder, by version
	trees        []listedTree  // by name
}

// A listedEntry is what cache/download has of one version.
type listedEntry struct {
	version  string // escaped
	has      entryParts
	zip      walk.Stamp
	zipBytes int64
	meta     int64 // bytes of the other files
	left     int64 // bytes of what a killed go command left behind
	files    int64 // regular files, all together
	fetched  int64 // Unix nanoseconds, the .zip's or the .info's mtime

	// What the zip's central directory says, once central is not centralUnread;
	// settled says that it may be believed as long as the zip's stamp is the same.
	central    centralState
	settled    bool
	inZip      int64 // bytes of all files
	inZipFiles int64
}

// learn takes what reading the zip's central directory gave. An error of the
// file system says nothing of the next time.
func (e *listedEntry) learn(total, files int64, err error) {
	if err == nil {
		e.central, e.inZip, e.inZipFiles = centralRead, total, files
		return
	}
	e.central = centralBad
	e.settled = e.settled && errors.Is(err, errZip)
}

// entryParts are the files of a version in cache/download.
type entryParts uint16

const (
	hasInfo entryParts = 1 << iota
	hasMod
	hasZip
	hasZipHash
	hasLock
	hasPartial
	hasLeft  // a temporary file
	hasWrong // one of them is no regular file

	hasAll = 1<<iota - 1
)

type centralState uint8

const (
	centralUnread centralState = iota
	centralRead
	centralBad // it cannot be read: the zip is damaged
)

// A listedTree is a folder whose inside is measured and not listed.
type listedTree struct {
	name  string // in its folder
	part  partID // what it belongs to, when it is no version's
	stamp walk.Stamp
	// Counted says that bytes and files are those of the tree itself, and
	// settled that they may be believed as long as the stamp is the same.
	counted, settled bool
	noFolder         bool // a file or a link stands where the tree should be
	bytes, files     int64
}

// A partID is one of [Inventory.Parts], in that order.
type partID uint8

const (
	partNone partID = iota // of a module version
	partDatabase
	partClones
	partTrash
	partOther
	partCount
)

var partNames = [partCount]string{partDatabase: "checksum database", partClones: "clones", partTrash: "trash", partOther: "other"}

// restless reports whether trees of the part change in places that their own
// folder says nothing of: git writes into files of clones, and gpx moves
// versions into the trash and out of it.
func (p partID) restless() bool { return p == partClones || p == partTrash }

// A role is what a folder is there for; it says what its names mean.
type role uint8

const (
	roleTop      role = iota // GOMODCACHE
	roleAbove                // elements of module paths, above extracted trees
	roleCache                // cache
	roleDownload             // cache/download, and elements of module paths in it
	roleVersions             // a @v folder
	roleDatabase             // cache/download/sumdb, and all below
	roleOther                // what the go command does not make
	roleCount
)

const (
	cacheRel    = "cache"
	downloadRel = "cache/download"
	versionsDir = "@v"
)

// roleBelow is the role of the folder name within dir, which is a p. Not ok
// means that it is a tree, measured for the part as a whole; partNone is a
// module version's, if its name is one.
func roleBelow(p role, dir, name string) (below role, part partID, ok bool) {
	switch p {
	case roleTop, roleAbove:
		switch {
		case p == roleTop && name == cacheRel:
			return roleCache, 0, true
		case isTree(dir, name):
			return 0, partNone, false
		case strings.Contains(name, "@"): // which no element of a module path does
			return 0, partOther, false
		}
		return roleAbove, 0, true
	case roleCache:
		switch name {
		case "download":
			return roleDownload, 0, true
		case "vcs":
			return 0, partClones, false
		case "gpx-trash":
			return 0, partTrash, false
		}
		return roleOther, 0, true
	case roleDownload:
		switch {
		case dir == downloadRel && name == "sumdb":
			return roleDatabase, 0, true
		case name == versionsDir && strings.HasPrefix(dir, downloadRel+"/") && isPath(dir[len(downloadRel)+1:]):
			return roleVersions, 0, true
		case name == versionsDir:
			return roleOther, 0, true
		}
		return roleDownload, 0, true
	case roleDatabase:
		return roleDatabase, 0, true
	}
	return roleOther, 0, true
}

// roleOf is the role of a folder by its path.
func roleOf(rel string) (p role, ok bool) {
	dir := "."
	for rel != "." && rel != "" {
		name, rest, _ := strings.Cut(rel, "/")
		if p, _, ok = roleBelow(p, dir, name); !ok {
			return 0, false
		}
		dir, rel = join(dir, name), rest
	}
	return p, true
}

// part is what the folder's loose files belong to.
func (f *listedFolder) part() partID {
	if f.role == roleDatabase {
		return partDatabase
	}
	return partOther
}

// A folderReader makes a listedFolder of the parts in which its names come.
type folderReader struct {
	folder  *listedFolder
	entries map[string]*listedEntry
	settled func(walk.Stamp) bool
}

func newFolderReader(f *walk.Folder, settled func(walk.Stamp) bool) *folderReader {
	r, _ := roleOf(f.Path)
	return &folderReader{
		folder:  &listedFolder{path: f.Path, role: r, stamp: f.Stamp, settled: settled(f.Stamp)},
		entries: map[string]*listedEntry{}, settled: settled,
	}
}

// add takes some of the folder's names, and says of folders whether they are
// entered.
func (r *folderReader) add(names []walk.Entry) {
	for i := range names {
		e := &names[i]
		switch {
		case e.Type == fs.ModeDir && r.folder.role == roleVersions && r.addFile(e):
		case e.Type == fs.ModeDir:
			if _, part, ok := roleBelow(r.folder.role, r.folder.path, e.Name); !ok {
				e.Skip = true
				r.folder.trees = append(r.folder.trees, listedTree{name: e.Name, part: part, stamp: e.Stamp, settled: !part.restless() && r.settled(e.Stamp)})
			}
		case r.folder.role == roleVersions && r.addFile(e):
		case r.folder.above() && isTree(r.folder.path, e.Name):
			t := listedTree{name: e.Name, stamp: e.Stamp, counted: true, noFolder: true}
			r.folder.settled = false // a file can be written without a trace in the folder
			if e.Type == 0 {
				t.bytes, t.files = e.Size, 1
			}
			r.folder.trees = append(r.folder.trees, t)
		case e.Type == 0:
			r.folder.bytes += e.Size
			r.folder.files++
		}
	}
}

// below is the path of a name in the folder.
func (f *listedFolder) below(name string) string { return join(f.path, name) }

// join is path.Join for a clean path and a name.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// above reports whether extracted trees stand in the folder.
func (f *listedFolder) above() bool { return f.role == roleTop || f.role == roleAbove }

// addFile takes a name of a @v folder, if it is one of a version. A folder with
// such a name is entered all the same: what it holds is counted elsewhere.
func (r *folderReader) addFile(e *walk.Entry) bool {
	version, part, ok := splitFile(e.Name)
	if !ok {
		return false
	}
	v := r.entries[version]
	if v == nil {
		if !isVersion(version) {
			return false
		}
		v = &listedEntry{version: version}
		r.entries[version] = v
	}
	if e.Type != 0 {
		v.has |= hasWrong
		return true
	}
	v.has |= part
	v.files++
	switch part {
	case hasZip:
		v.zip, v.zipBytes, v.fetched, v.settled = e.Stamp, e.Size, e.Stamp.MTime, r.settled(e.Stamp)
	case hasLeft:
		v.left += e.Size
	default:
		v.meta += e.Size
	}
	if part == hasInfo && v.has&hasZip == 0 || part == hasMod && v.fetched == 0 {
		v.fetched = e.Stamp.MTime
	}
	return true
}

// finish puts what was added in order. A lock alone makes no version: the go
// command makes one before it asks for anything, and nobody may remove it.
func (r *folderReader) finish() *listedFolder {
	f := r.folder
	for _, v := range r.entries {
		if v.has == hasLock {
			f.bytes += v.meta
			f.files += v.files
			continue
		}
		f.entries = append(f.entries, *v)
	}
	slices.SortFunc(f.entries, func(a, b listedEntry) int { return compareVersions(a.version, b.version) })
	slices.SortFunc(f.trees, func(a, b listedTree) int { return cmp.Compare(a.name, b.name) })
	return f
}
