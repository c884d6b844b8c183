package relay

import (
	"errors"
	"strings"

	"golang.org/x/mod/module"

	"gpx/probe"
)

// A target is what a request asks for.
type target struct {
	m    module.Version // without a version for a list or @latest
	file probe.File     // Info, Mod, Zip, List or Latest; "" for the checksum database
	sum  string         // what stands behind /sumdb/; "" for a module's file
}

// maxPath bounds a request's path, in bytes. The longest module paths have some
// 150.
const maxPath = 1024

var errPath = errors.New("this is no path of the GOPROXY protocol")

// parse reads the path of a request as strictly as the go command writes it: what
// does not come back as it was when it is written again is refused. So nothing in
// a target can lead out of a folder or to another host.
func parse(path string) (target, error) {
	if len(path) > maxPath || !strings.HasPrefix(path, "/") {
		return target{}, errPath
	}
	if sum, ok := strings.CutPrefix(path, "/sumdb/"); ok {
		return target{sum: sum}, nil
	}
	escaped, rest, ok := strings.Cut(path[1:], "/@")
	if !ok {
		return target{}, errPath
	}
	mod, err := module.UnescapePath(escaped)
	if err != nil {
		return target{}, err
	}
	t := target{m: module.Version{Path: mod}}
	switch rest {
	case "latest":
		t.file = probe.Latest
	case "v/list":
		t.file = probe.List
	default:
		if err := t.version(rest); err != nil {
			return target{}, err
		}
	}
	return t, nil
}

// version reads v/<version>.<extension>.
func (t *target) version(rest string) error {
	name, ok := strings.CutPrefix(rest, "v/")
	dot := strings.LastIndexByte(name, '.')
	if !ok || dot < 0 {
		return errPath
	}
	v, err := module.UnescapeVersion(name[:dot])
	if err != nil {
		return err
	}
	// No revision has these, and a server behind the next hop may read them twice.
	if strings.Contains(v, "..") || strings.ContainsAny(v, `%\`) {
		return errPath
	}
	t.m.Version = v
	switch t.file = probe.File(name[dot+1:]); t.file {
	case probe.Info:
	case probe.Mod, probe.Zip:
		if v != module.CanonicalVersion(v) {
			return errors.New("a ." + string(t.file) + " is that of a whole version, not of a branch")
		}
	default:
		return errPath
	}
	return nil
}

// String is the path of the request.
func (t target) String() string {
	if t.file == "" {
		return "/sumdb/" + t.sum
	}
	path, _ := module.EscapePath(t.m.Path)
	switch t.file {
	case probe.Latest:
		return "/" + path + "/@latest"
	case probe.List:
		return "/" + path + "/@v/list"
	}
	version, _ := module.EscapeVersion(t.m.Version)
	return "/" + path + "/@v/" + version + "." + string(t.file)
}

// constant reports whether the answer is the same for ever. An .info of a branch
// is a question, and so is that of a version that does not belong to the path
// (v2.0.0 of a path without /v2), for which a proxy may name another.
func (t target) constant() bool {
	switch t.file {
	case probe.Mod, probe.Zip:
		return true
	case probe.Info:
		return t.m.Version == module.CanonicalVersion(t.m.Version) && module.Check(t.m.Path, t.m.Version) == nil
	}
	return false
}
