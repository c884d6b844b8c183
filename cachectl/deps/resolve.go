package deps

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// folders are those of a main module that hold packages of ./... (search,
// MatchDirs): slashed, "." is the root.
func (l *loader) folders(m *mainModule) []string {
	var out []string
	root := m.dir + string(filepath.Separator) // a link is followed
	filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // the go command stops; what can be read is looked at all the same
		}
		if l.ctx.Err() != nil {
			return fs.SkipAll
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, root))
		if rel == "" {
			rel = "."
		}
		if rel != "." {
			if hidden(d.Name()) || m.ignores(rel) || isNested(p) {
				return fs.SkipDir
			}
		}
		t := &tree{dir: m.dir, local: true}
		if hasGoFiles(p) && !l.imports(t, rel).None {
			out = append(out, rel)
		}
		return nil
	})
	return out
}

// ignores reports whether an ignore line of go.mod names a folder: "./x" is one
// at the root, "x" one anywhere (search, IgnorePatterns).
func (m *mainModule) ignores(rel string) bool {
	around := func(s string) string { return "/" + strings.Trim(s, "/") + "/" }
	for _, i := range m.file.Ignore {
		if at, atRoot := strings.CutPrefix(i.Path, "./"); atRoot {
			if strings.HasPrefix(around(rel), around(at)) {
				return true
			}
		} else if strings.Contains(around(rel), around(i.Path)) {
			return true
		}
	}
	return false
}

// A place is where a package is.
type place struct {
	mod  module.Version
	tree *tree
	rel  string // the folder in it
}

// resolve finds the one module that has a package, nil for the standard library
// and where something is in the way (modload, importFromModules).
func (l *loader) resolve(pkg string) (*place, []Trouble) {
	if err := module.CheckImportPath(pkg); err != nil {
		return nil, []Trouble{*trouble(NoPackage, module.Version{}, "", "%s: %v", pkg, err)}
	}
	std := l.isStd(pkg)
	if l.mode == "vendor" {
		if std {
			return nil, nil
		}
		return l.resolveVendored(pkg)
	}
	if p, found, bad := l.resolveIn(pkg, std, l.rootSelected); found || bad != nil {
		return p, bad
	}
	g := l.moduleGraph()
	if len(g.troubles) > 0 {
		return nil, g.troubles
	}
	p, found, bad := l.resolveIn(pkg, std, func(path string) (string, bool) { v, ok := g.selected[path]; return v, ok })
	if found || bad != nil {
		return p, bad
	}
	fix := ""
	if l.mode != "vendor" {
		fix = "go get " + pkg
	}
	return nil, []Trouble{*trouble(NoPackage, module.Version{}, fix, "%s: no module that is required has this package", pkg)}
}

// resolveIn looks among the selected modules whose path could be the package's.
func (l *loader) resolveIn(pkg string, std bool, selected func(path string) (string, bool)) (*place, bool, []Trouble) {
	var at []place
	var noSum []Trouble
	for prefix := pkg; prefix != "."; prefix = path.Dir(prefix) {
		if prefix == "go" || prefix == "toolchain" {
			continue
		}
		v, ok := selected(prefix)
		if !ok {
			continue
		}
		m := module.Version{Path: prefix, Version: v}
		t, bad := l.fetch(m)
		if bad != nil && bad.Kind == NoSum {
			noSum = append(noSum, *bad)
			continue
		}
		if bad != nil {
			return nil, false, []Trouble{*bad} // the package may be here: nobody can say
		}
		rel, ok := folder(pkg, prefix)
		if ok && t.local && l.beyond(t.dir, rel) {
			l.wider.Store(true)
		}
		if ok && t.has(rel) {
			at = append(at, place{m, t, rel})
		}
	}
	switch {
	case len(at) > 1 || len(at) == 1 && std:
		var names []string
		if std {
			names = append(names, "the standard library")
		}
		for _, p := range at {
			names = append(names, p.mod.String())
		}
		return nil, false, []Trouble{*trouble(Ambiguous, module.Version{}, "", "%s: it is in %s", pkg, strings.Join(names, " and "))}
	case len(noSum) > 0:
		slices.Reverse(noSum)
		return nil, false, noSum
	case std:
		return nil, true, nil
	case len(at) == 0:
		return nil, false, nil
	}
	if m := at[0].mod; m.Version != "" {
		// Its go line says how it is compiled.
		if _, bad := l.summary(m); bad != nil {
			return nil, false, []Trouble{*bad}
		}
	}
	return &at[0], true, nil
}

// checkRequirements finds what the go command would write to go.mod if it might
// (modload, updateRequirements and updateRoots).
func (l *loader) checkRequirements(pkgs []*pkg, testOf []string) (bad []Trouble) {
	if l.mode == "mod" {
		return nil
	}
	bad = l.checkDirect(pkgs, testOf)
	switch {
	case l.mode == "vendor" || l.rs.pruning == workspace:
		return bad
	case l.rs.pruning == unpruned:
		g := l.moduleGraph()
		if len(g.troubles) > 0 {
			return append(bad, g.troubles...)
		}
		return append(bad, l.checkSelected(g)...)
	}
	spot := map[module.Version]bool{}
	for _, p := range pkgs {
		if p.mod.Version == "" {
			continue
		}
		if _, ok := l.rootSelected(p.mod.Path); !ok {
			return append(bad, *l.needsUpdate("%s: %s is built from, and go.mod does not require it", p.mod, p.path))
		}
		spot[p.mod] = true
	}
	if l.graph == nil && l.rootsSuffice(spot) {
		return bad
	}
	g := l.moduleGraph()
	if len(g.troubles) > 0 {
		return append(bad, g.troubles...)
	}
	return append(bad, l.checkSelected(g)...)
}

// rootsSuffice reports whether no module that is built from wants more than
// go.mod says (modload, spotCheckRoots).
func (l *loader) rootsSuffice(mods map[module.Version]bool) bool {
	for m := range mods {
		s, bad := l.summary(m)
		if bad != nil {
			return false
		}
		for _, r := range s.require {
			// A main module has no version, and one that requires it does not
			// suffice either: the go command reads the graph to be sure.
			if v, ok := l.rootSelected(r.Path); ok && (v == "" || compareVersions(r.Path, v, r.Version) < 0) {
				return false
			}
		}
	}
	return true
}

// checkSelected compares go.mod with the versions that the graph selects.
func (l *loader) checkSelected(g *graph) []Trouble {
	for _, m := range l.rs.roots {
		if v, ok := g.selected[m.Path]; ok && v != m.Version && v != "" && l.rs.max[m.Path] == m.Version {
			return []Trouble{*l.needsUpdate("%s %s: something that is required wants %s", m.Path, m.Version, v)}
		}
	}
	return nil
}

func (l *loader) needsUpdate(format string, args ...any) *Trouble {
	return trouble(NeedsUpdate, module.Version{}, "go mod tidy", "go.mod needs an update: "+format, args...)
}

// checkDirect finds imports of the main modules whose module they do not
// require themselves.
func (l *loader) checkDirect(pkgs []*pkg, testOf []string) (bad []Trouble) {
	if l.rs.pruning == workspace && l.mode == "vendor" {
		return nil
	}
	for _, p := range pkgs {
		if !p.main {
			continue
		}
		deps := p.imports.Code
		if slices.Contains(testOf, p.path) {
			deps = slices.Concat(deps, p.imports.Tests)
		}
		for _, path := range deps {
			d := l.loaded(path)
			if d == nil || d.mod.Version == "" {
				continue
			}
			ok := false
			if l.rs.pruning == workspace {
				_, ok = l.moduleGraph().required[d.mod]
			} else {
				v, is := l.rootSelected(d.mod.Path)
				ok = is && v == d.mod.Version
			}
			if !ok {
				bad = append(bad, *trouble(ImplicitDirect, d.mod, "go mod tidy", "%s imports %s from %s, which go.mod does not require", p.path, path, d.mod))
			}
		}
	}
	return bad
}

// loaded is a package that was loaded, nil otherwise.
func (l *loader) loaded(path string) *pkg {
	l.pkgs.mu.Lock()
	defer l.pkgs.mu.Unlock()
	if e := l.pkgs.by[path]; e != nil {
		return e.value
	}
	return nil
}
