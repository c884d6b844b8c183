package modcache

import (
	"cmp"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// splitFile splits a file name of a @v folder. Temporary files have digits and
// ".tmp" behind the name they will get (modfetch/cache.go, tempFile).
func splitFile(name string) (version string, part entryParts, ok bool) {
	if before, found := strings.CutSuffix(name, ".tmp"); found {
		version, _, ok = splitFile(strings.TrimRight(before, "0123456789"))
		return version, hasLeft, ok
	}
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return "", 0, false
	}
	switch name[dot:] {
	case ".info":
		part = hasInfo
	case ".mod":
		part = hasMod
	case ".zip":
		part = hasZip
	case ".ziphash":
		part = hasZipHash
	case ".lock":
		part = hasLock
	case ".partial":
		part = hasPartial
	default:
		return "", 0, false
	}
	return name[:dot], part, true
}

// A treeName is what the name of an extracted tree says.
type treeName struct {
	path    string // escaped
	version string // escaped
	left    bool   // a folder from which go before 1.16 would have renamed the tree
}

// splitTree splits the name of a folder within dir, which has an "@".
func splitTree(dir, name string) treeName {
	element, version, _ := strings.Cut(name, "@")
	t := treeName{path: join(dir, element), version: version}
	if before, number, found := strings.Cut(version, ".tmp-"); found && number != "" && strings.Trim(number, "0123456789") == "" {
		t.version, t.left = before, true
	}
	return t
}

// isTree reports whether that is the name of a module version's tree.
func isTree(dir, name string) bool {
	t := splitTree(dir, name)
	return strings.Contains(name, "@") && isPath(t.path) && isVersion(t.version)
}

// isPath reports whether an escaped module path is one.
func isPath(escaped string) bool {
	_, err := module.UnescapePath(escaped)
	return err == nil
}

// unescapePath is the path of an escaped one that [isPath].
func unescapePath(escaped string) string {
	if strings.IndexByte(escaped, '!') < 0 {
		return escaped
	}
	p, _ := module.UnescapePath(escaped)
	return p
}

// isVersion reports whether the go command could have made files for a version,
// which is escaped here (modfetch/cache.go, CachePath).
func isVersion(escaped string) bool {
	v, err := module.UnescapeVersion(escaped)
	return err == nil && semver.IsValid(v) && module.CanonicalVersion(v) == v
}

// compareVersions orders escaped versions as semver does, and those that semver
// takes for the same (v2.0.0, v2.0.0+incompatible) in some order.
func compareVersions(a, b string) int {
	if a == b {
		return 0
	}
	return cmp.Or(semver.Compare(unescapeVersion(a), unescapeVersion(b)), cmp.Compare(a, b))
}

// unescapeVersion is the version of an escaped one that [isVersion].
func unescapeVersion(escaped string) string {
	if strings.IndexByte(escaped, '!') < 0 {
		return escaped
	}
	v, _ := module.UnescapeVersion(escaped)
	return v
}
