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

// queries are what has to be looked up, "latest" for one, by the version that stands
// for it in the meantime.
type queries map[string]string

// fixVersion is the modfile.VersionFixer of the go command, but for what it would
// look up, which is kept in qs.
func (qs queries) fixVersion() modfile.VersionFixer {
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
		prefix := module.PathMajorPrefix(major)
		if prefix == "" {
			prefix = "v0"
		}
		standIn := fmt.Sprintf("%s.0.0-query%d", prefix, len(qs)) // modfile wants one of that major
		qs[standIn] = version
		return standIn, nil
	}
}

// checkQueries says what comes of versions that have to be looked up, and takes the
// lines with them out of f: what they ask for is not known.
func (r *reader) checkQueries(file string, f *modfile.File, qs queries) {
	check := func(m module.Version, line *modfile.Line) (is bool) {
		version, is := qs[m.Version]
		if is {
			r.checkQuery(fmt.Sprintf("%s: %s %q is looked up", at(file, line), m.Path, version), m.Path)
		}
		return is
	}
	f.Require = slices.DeleteFunc(f.Require, func(q *modfile.Require) bool { return check(q.Mod, q.Syntax) })
	f.Replace = slices.DeleteFunc(f.Replace, func(l *modfile.Replace) bool { return check(l.Old, l.Syntax) || check(l.New, l.Syntax) })
	f.Exclude = slices.DeleteFunc(f.Exclude, func(x *modfile.Exclude) bool { return check(x.Mod, x.Syntax) })
	f.Retract = slices.DeleteFunc(f.Retract, func(x *modfile.Retract) bool {
		path := f.Module.Mod.Path
		return check(module.Version{Path: path, Version: x.Low}, x.Syntax) || check(module.Version{Path: path, Version: x.High}, x.Syntax)
	})
}

// checkQuery is what comes of one query, in words that begin with what.
func (r *reader) checkQuery(what, path string) {
	switch {
	case r.env != nil && r.env.Get("GOPROXY") == "off" && !module.MatchPrefixPatterns(r.env.NoProxy(), path):
		r.problem(fmt.Errorf("%s: module lookup disabled by GOPROXY=off", what))
	case r.p.GoWork == "" && (r.env == nil || r.env.Flag("mod") != "mod"):
		r.buildProblem("%s: updates to go.mod needed; to update it: go mod tidy", what)
	}
}
