package bundle

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/tlog"
	modzip "golang.org/x/mod/zip"

	"gpx/envctl/redact"
)

// A part says what a file of a bundle is.
type part string

// The parts. The first five are of a module, the last three of a checksum
// database.
const (
	partManifest  part = "manifest"
	partList      part = "list"
	partInfo      part = "info"
	partMod       part = "mod"
	partZip       part = "zip"
	partSupported part = "supported"
	partLookup    part = "lookup"
	partTile      part = "tile"
)

// limits are the largest files of each part, in bytes. What the go command
// itself bounds has its bound (x/mod/zip); a tile is 256 hashes; the rest is
// far above what occurs.
var limits = map[part]int64{
	partManifest:  64 << 20,
	partList:      16 << 20,
	partInfo:      1 << 20,
	partMod:       modzip.MaxGoMod,
	partZip:       modzip.MaxZipFile,
	partSupported: 0,
	partLookup:    1 << 20,
	partTile:      256 * tlog.HashSize,
}

// maxFiles bounds the files of one bundle. A cache of ten thousand versions has
// forty thousand.
const maxFiles = 1 << 20

// maxNames bounds the names of one bundle together, in bytes: they are kept while
// it is read.
const maxNames = 128 << 20

// A name is a file's place in a bundle, understood.
type name struct {
	path    string // with slashes, clean
	part    part
	version module.Version // of .info, .mod, .zip and lookup; a list has only the path
	db      string         // of a database's files: its name
}

// maxName and maxElement bound a name and what stands between its slashes: what
// file systems take, less room for the endings that come with a version.
const (
	maxName    = 1024
	maxElement = 255 - len(".ziphash")
)

// checkPath refuses what is no plain relative path: absolute, with .., not
// clean, too long, not text. A name in a bundle is never repaired, because what
// two programs repair differently is where one of them is fooled.
func checkPath(p string) error {
	switch {
	case !utf8.ValidString(p):
		return fmt.Errorf("%q: a name that is not UTF-8", redact.Clean(p))
	case len(p) > maxName:
		return fmt.Errorf("%s…: a name of %d bytes, longer than any in a module cache", redact.Clean(p[:64]), len(p))
	case redact.Clean(p) != p:
		return fmt.Errorf("%q: a name with control characters", redact.Clean(p))
	case !fs.ValidPath(p) || p == "." || strings.Contains(p, `\`):
		return fmt.Errorf("%q: a name that leads out of the bundle, or is not clean", p)
	}
	for element := range strings.SplitSeq(p, "/") {
		if len(element) > maxElement {
			return fmt.Errorf("%s…: a name longer than file systems take", element[:64])
		}
	}
	return nil
}

// parseName says what the file at p is; ok is false for a harmless file that
// does not belong to a bundle. What looks like a module's file and cannot be
// one is an error: "A" beside "!a" is how a bundle would make two files of one
// on a file system without case.
func parseName(p string) (n name, ok bool, err error) {
	if err := checkPath(p); err != nil {
		return name{}, false, err
	}
	n.path = p
	switch {
	case p == ManifestName:
		n.part = partManifest
		return n, true, nil
	case strings.HasPrefix(p, "sumdb/"):
		ok := n.parseDatabase(strings.TrimPrefix(p, "sumdb/"))
		return n, ok, nil
	}
	return n.parseModule()
}

func (n name) parseModule() (name, bool, error) {
	dir, file := path.Split(n.path)
	escaped, isModule := strings.CutSuffix(dir, "/@v/")
	if !isModule {
		return n, false, nil
	}
	bad := func(err error) (name, bool, error) {
		return name{}, false, fmt.Errorf("%s: %s", n.path, redact.Clean(err.Error()))
	}
	var err error
	if n.version.Path, err = module.UnescapePath(escaped); err != nil {
		return bad(err)
	}
	if file == "list" {
		n.part = partList
		return n, true, nil
	}
	ext := path.Ext(file)
	switch n.part = part(strings.TrimPrefix(ext, ".")); n.part {
	case partInfo, partMod, partZip:
	default:
		return n, false, nil // .lock, .ziphash and what else a cache has there
	}
	if n.version.Version, err = module.UnescapeVersion(strings.TrimSuffix(file, ext)); err != nil {
		return bad(err)
	}
	if module.CanonicalVersion(n.version.Version) != n.version.Version {
		return n, false, nil // the answer to a query: master.info, v1.info
	}
	if err := module.Check(n.version.Path, n.version.Version); err != nil {
		return bad(err)
	}
	return n, true, nil
}

// parseDatabase understands NAME/supported, NAME/lookup/M@V and
// NAME/tile/8/…; a database's name may have slashes.
func (n *name) parseDatabase(p string) bool {
	if db, ok := strings.CutSuffix(p, "/supported"); ok {
		n.db, n.part = db, partSupported
		return true
	}
	if db, rest, ok := strings.Cut(p, "/lookup/"); ok {
		escPath, escVersion, ok := strings.Cut(rest, "@")
		path, perr := module.UnescapePath(escPath)
		version, verr := module.UnescapeVersion(escVersion)
		n.db, n.part, n.version = db, partLookup, module.Version{Path: path, Version: version}
		return ok && perr == nil && verr == nil
	}
	if db, rest, ok := strings.Cut(p, "/tile/"); ok {
		_, err := tlog.ParseTilePath("tile/" + rest)
		n.db, n.part = db, partTile
		return err == nil
	}
	return false
}

// versionDir is the folder of a module's files: <escaped path>/@v.
func versionDir(modPath string) (string, error) {
	escaped, err := module.EscapePath(modPath)
	return escaped + "/@v", err
}

// versionFile is the path of one of a version's files.
func versionFile(m module.Version, p part) (string, error) {
	dir, err := versionDir(m.Path)
	if err != nil {
		return "", err
	}
	v, err := module.EscapeVersion(m.Version)
	return dir + "/" + v + "." + string(p), err
}

// lookupFile is the path of the database's record of a version.
func lookupFile(db string, m module.Version) (string, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	v, err := module.EscapeVersion(m.Version)
	return "sumdb/" + db + "/lookup/" + path + "@" + v, err
}
