package project

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// A go.mod may name a version as go get does: "latest", a branch, v1. The go command
// looks up what that is each time it reads the file (modload, fixVersion). "go mod
// download" and "go mod tidy" write the answer down, a build must not.

// unresolved stands behind the major version of what is named so.
const unresolved = ".0.0-00010101000000-000000000000"

func isUnresolved(version string) bool { return strings.HasSuffix(version, unresolved) }

// A query is a version to look up.
type query struct{ path, version string }

// fixVersion is the modfile.VersionFixer of the go command, but for what it would
// look up, which is kept in queries.
func fixVersion(queries *[]query) modfile.VersionFixer {
	return func(path, version string) (string, error) {
		_, major, ok := module.SplitPathVersion(path)
		if !ok {
			return "", &module.ModuleError{Path: path, Err: &module.InvalidVersionError{Version: version, Err: fmt.Errorf("malformed module path %q", path)}}
		}
		if strings.HasPrefix(path, "gopkg.in/") { // what early go commands wrote
			if i := strings.Index(version, "-gopkgin-"); i >= 0 {
				version = version[i+len("-gopkgin-"):]
			}
		}
		if version != "" && module.CanonicalVersion(version) == version {
			if err := module.CheckPathMajor(version, major); err != nil {
				return "", module.VersionError(module.Version{Path: path, Version: version}, err)
			}
			return version, nil
		}
		*queries = append(*queries, query{path, version})
		if prefix := module.PathMajorPrefix(major); prefix != "" {
			return prefix + unresolved, nil
		}
		return "v0" + unresolved, nil
	}
}

// checkQueries says what comes of versions that have to be looked up, and takes the
// lines with them out of f: what they ask for is not known.
func (r *reader) checkQueries(file string, f *modfile.File, queries []query) {
	for _, q := range queries {
		what := fmt.Sprintf("%s: %s %q is looked up", file, q.path, q.version)
		switch {
		case r.env != nil && r.env.Get("GOPROXY") == "off" && !module.MatchPrefixPatterns(r.env.NoProxy(), q.path):
			r.problem(fmt.Errorf("%s: module lookup disabled by GOPROXY=off", what))
		case r.p.GoWork == "" && (r.env == nil || r.env.Flag("mod") != "mod"):
			r.buildProblem("%s: updates to go.mod needed; to update it: go mod tidy", what)
		}
	}
	f.Require = slices.DeleteFunc(f.Require, func(q *modfile.Require) bool { return isUnresolved(q.Mod.Version) })
	f.Replace = slices.DeleteFunc(f.Replace, func(l *modfile.Replace) bool { return isUnresolved(l.Old.Version) || isUnresolved(l.New.Version) })
}
