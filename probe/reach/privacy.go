package reach

import (
	"net"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/probe/catalog"
)

// tellable reports whether a public host may learn that the user has a module.
//
// Nobody public is told of what the user calls private, of what shares its owner
// with a project of the user's own, and of what can be no public module. All
// else a build shows to the first hop, so asking that tells nothing new. Any
// other public host learns only what the world knows anyway: a path at a
// well-known code host, or one that the public checksum database has a record of.
func (r *Reacher) tellable(m module.Version, first bool) bool {
	if module.MatchPrefixPatterns(r.o.Private, m.Path) || !canBePublic(m.Path) {
		return false
	}
	if slices.ContainsFunc(r.o.Own, func(own string) bool { return own == m.Path || catalog.SameOwner(own, m.Path) }) {
		return false
	}
	return first || catalog.Known(m.Path, r.o.Own) || r.recorded(m)
}

// nowhere are names under which nothing public can be: reserved by RFC 2606, 6761,
// 6762 and 8375, by ICANN for private use, or in wide use inside companies.
var nowhere = []string{
	"test", "example", "invalid", "localhost", "local", "internal", "home.arpa", "onion",
	"corp", "home", "lan", "intranet", "private",
}

// canBePublic reports whether a module of that path can be downloaded from the
// public internet: its first element is a host name there.
func canBePublic(path string) bool {
	host, _, _ := strings.Cut(strings.ToLower(path), "/")
	if !strings.Contains(host, ".") || strings.Contains(host, ":") || net.ParseIP(host) != nil {
		return false
	}
	return !slices.ContainsFunc(nowhere, func(name string) bool { return strings.HasSuffix(host, "."+name) })
}

// publicSumDB is the database whose records everybody can read.
const publicSumDB = "sum.golang.org"

// recorded reports whether the module cache holds the public checksum database's
// record of a version: then its path is public.
func (r *Reacher) recorded(m module.Version) bool {
	path, err1 := module.EscapePath(m.Path)
	version, err2 := module.EscapeVersion(m.Version)
	if r.o.Cache == "" || err1 != nil || err2 != nil {
		return false
	}
	return isFile(filepath.Join(r.o.Cache, "cache", "download", "sumdb", publicSumDB, "lookup", filepath.FromSlash(path)+"@"+version))
}
