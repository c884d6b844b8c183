package lab

import (
	"strings"

	"golang.org/x/mod/module"

	"gpx/probe"
)

// classify names a request by its path.
func (s *Server) classify(path string) (probe.File, string) {
	rest, ok := strings.CutPrefix(path, s.opts.prefix)
	if !ok {
		return "", ""
	}
	if s.opts.sumdbOnly {
		return classifySumDB(rest)
	}
	if after, ok := strings.CutPrefix(rest, "/sumdb/"+s.lab.sumdbName()); ok {
		return classifySumDB(after)
	}
	mod, version, kind := splitProxyPath(rest)
	if kind != "" && version != "" {
		mod += "@" + version
	}
	return kind, mod
}

func classifySumDB(path string) (probe.File, string) {
	switch {
	case path == "/supported":
		return probe.Supported, ""
	case path == "/latest":
		return probe.Lookup, "" // the signed head alone
	case strings.HasPrefix(path, "/tile/"):
		return probe.Tile, ""
	}
	what, ok := strings.CutPrefix(path, "/lookup/")
	if !ok {
		return "", ""
	}
	escPath, escVersion, _ := strings.Cut(what, "@")
	mod, err1 := module.UnescapePath(escPath)
	version, err2 := module.UnescapeVersion(escVersion)
	if err1 != nil || err2 != nil {
		return probe.Lookup, ""
	}
	return probe.Lookup, mod + "@" + version
}

// splitProxyPath takes a path of the module protocol apart; kind is "" when it
// is none.
func splitProxyPath(path string) (mod, version string, kind probe.File) {
	path = strings.TrimPrefix(path, "/")
	esc, ok := strings.CutSuffix(path, "/@latest")
	file := ""
	if ok {
		kind = probe.Latest
	} else if esc, file, ok = strings.Cut(path, "/@v/"); !ok {
		return "", "", ""
	}
	mod, err := module.UnescapePath(esc)
	if err != nil {
		return "", "", ""
	}
	if kind == probe.Latest {
		return mod, "", kind
	}
	if file == "list" {
		return mod, "", probe.List
	}
	for _, k := range []probe.File{probe.Info, probe.Mod, probe.Zip} {
		if escVersion, ok := strings.CutSuffix(file, "."+string(k)); ok {
			if version, err = module.UnescapeVersion(escVersion); err == nil {
				return mod, version, k
			}
		}
	}
	return "", "", ""
}
