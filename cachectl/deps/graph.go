package deps

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"gpx/envctl/bounded"
	"gpx/probe"
)

// maxMod bounds the go.mod of a dependency, in bytes (golang.org/x/mod/zip,
// MaxGoMod).
const maxMod = 16 << 20

// pruning says how much of the module graph counts (modload, modPruning).
type pruning int

const (
	pruned    pruning = iota // what go.mod lists, and what that requires
	unpruned                 // everything, however indirect
	workspace                // every member with its own
)

// Requirements are what the main modules require.
type requirements struct {
	pruning pruning
	roots   []module.Version
	max     map[string]string // the highest version of each path in roots
}

// require reads the requirements (modload, requirementsFromModFiles).
func (l *loader) require() {
	rs := &requirements{max: map[string]string{}}
	add := func(m module.Version) {
		rs.roots = append(rs.roots, m)
		if v, ok := rs.max[m.Path]; !ok || compareVersions(m.Path, m.Version, v) > 0 {
			rs.max[m.Path] = m.Version
		}
	}
	if l.work != nil {
		rs.pruning = workspace
		for _, m := range l.mains {
			rs.roots = append(rs.roots, module.Version{Path: m.path})
		}
		add(module.Version{Path: "go", Version: goVersion(l.work.Go)})
	} else {
		main := l.mains[0]
		line := goVersion(main.file.Go)
		if rs.pruning = pruned; !isPruned(line) {
			rs.pruning = unpruned
		}
		for _, r := range main.file.Require {
			if !main.exclude[r.Mod] {
				add(r.Mod)
			}
		}
		add(module.Version{Path: "go", Version: line})
	}
	l.rs = rs
}

// rootSelected is the version of a path by the go.mod alone; "" is a main module.
func (l *loader) rootSelected(path string) (string, bool) {
	if l.mainOf(path) != nil {
		return "", true
	}
	v, ok := l.rs.max[path]
	return v, ok
}

// A graph is the module graph with the selected versions: the highest that
// anything requires (https://research.swtch.com/vgo-mvs).
type graph struct {
	required map[module.Version][]module.Version // of what was read
	selected map[string]string
	troubles []Trouble // .mod files that could not be read
}

// require notes what m requires.
func (g *graph) require(m module.Version, list []module.Version) {
	g.required[m] = list
	for _, r := range list {
		if v, ok := g.selected[r.Path]; !ok || v != "" && compareVersions(r.Path, r.Version, v) > 0 {
			g.selected[r.Path] = r.Version
		}
	}
}

// moduleGraph reads the module graph, once (modload, readModGraph).
func (l *loader) moduleGraph() *graph {
	l.graphOnce.Do(func() {
		g := &graph{required: map[module.Version][]module.Version{}, selected: map[string]string{}}
		for _, m := range l.mains {
			g.selected[m.path] = ""
		}
		r := &graphReader{l: l, g: g, seen: map[graphVisit]bool{}}
		if l.rs.pruning != workspace {
			g.require(module.Version{Path: l.mains[0].path}, l.rs.roots)
		}
		for _, m := range l.rs.roots {
			r.read(m, l.rs.pruning)
		}
		if l.rs.pruning == workspace {
			r.members()
		}
		l.graph = g
	})
	return l.graph
}

type graphVisit struct {
	module.Version
	pruning pruning
}

type graphReader struct {
	l    *loader
	g    *graph
	seen map[graphVisit]bool
}

// read follows m and what counts of what it requires.
func (r *graphReader) read(m module.Version, p pruning) {
	queue := []graphVisit{{m, p}}
	for len(queue) > 0 && r.l.ctx.Err() == nil {
		v := queue[0]
		queue = queue[1:]
		if r.seen[v] || v.Path == "go" {
			continue
		}
		r.seen[v] = true
		s, t := r.l.summary(v.Version)
		if t != nil {
			if !slices.ContainsFunc(r.g.troubles, func(had Trouble) bool { return had.Kind == t.Kind && had.Module == t.Module }) {
				r.g.troubles = append(r.g.troubles, *t)
			}
			continue
		}
		if _, read := r.g.required[v.Version]; !read {
			r.g.require(v.Version, s.require)
		}
		next := unpruned
		if s.pruned && v.pruning != unpruned {
			next = pruned
		}
		for _, req := range s.require {
			if v.pruning != pruned || !s.pruned {
				queue = append(queue, graphVisit{req, next})
			}
		}
	}
}

// members reads the selected versions of what the members of a workspace
// require, where they are higher than what was read: whatever a member builds
// may come from these.
func (r *graphReader) members() {
	inAll, seen := map[string]bool{}, map[module.Version]bool{}
	for _, m := range r.l.mains {
		inAll[m.path] = true
	}
	for r.l.ctx.Err() == nil {
		more := map[module.Version]bool{}
		for path := range inAll {
			m := module.Version{Path: path, Version: r.g.selected[path]}
			if !seen[m] {
				more[m] = true
				continue
			}
			for _, q := range r.g.required[m] {
				s := module.Version{Path: q.Path, Version: r.g.selected[q.Path]}
				if s.Version != "" && compareVersions(q.Path, s.Version, q.Version) > 0 && !seen[s] {
					more[s] = true
				}
			}
		}
		if len(more) == 0 {
			return
		}
		for m := range more {
			seen[m], inAll[m.Path] = true, true
			if m.Path != "go" {
				r.read(m, workspace)
			}
		}
	}
}

// A modFile is what counts of the go.mod of a dependency.
type modFile struct {
	sum     string // its hash, as in go.sum
	path    string // of the module line, "" without one
	goLine  string // its version, "" without one
	require []module.Version
}

// parseMod reads a go.mod as that of a dependency: what is unknown in it is
// skipped.
func parseMod(name string, data []byte) (modFile, error) {
	f, err := modfile.ParseLax(name, data, nil)
	if err != nil {
		return modFile{}, err
	}
	return modFileOf(f, probe.ModSum(data)), nil
}

func modFileOf(f *modfile.File, sum string) modFile {
	out := modFile{sum: sum}
	if f.Module != nil {
		out.path = f.Module.Mod.Path
	}
	if f.Go != nil {
		out.goLine = f.Go.Version
	}
	for _, r := range f.Require {
		out.require = append(out.require, r.Mod)
	}
	return out
}

// A summary is what the graph needs of one go.mod.
type summary struct {
	require []module.Version
	pruned  bool
}

type summaryResult struct {
	s *summary
	t *Trouble
}

// summary reads the go.mod that counts for m (modload, goModSummary).
func (l *loader) summary(m module.Version) (*summary, *Trouble) {
	r := l.summaries.do(m, func() summaryResult {
		if main := l.mainOf(m.Path); main != nil && m.Version == "" {
			return summaryResult{l.summarize(modFileOf(main.file, "")), nil}
		}
		actual := l.actual(m)
		f, t := l.goMod(m, actual)
		switch {
		case t != nil:
		case actual.Version != "" && f.path != m.Path && f.path != actual.Path:
			t = trouble(BadFile, actual, "", "%s: its go.mod declares the path %q", actual, f.path)
		case f.goLine != "" && newer(f.goLine, l.running):
			t = trouble(TooNew, actual, "", "%s requires go >= %s, and go%s would build it", actual, f.goLine, l.running)
		default:
			return summaryResult{l.summarize(f), nil}
		}
		return summaryResult{nil, t}
	})
	return r.s, r.t
}

// summarize leaves out what is excluded.
func (l *loader) summarize(f modFile) *summary {
	s := &summary{pruned: f.goLine != "" && isPruned(f.goLine)}
	for _, r := range f.require {
		if !l.excluded(r) {
			s.require = append(s.require, r)
		}
	}
	if f.goLine != "" && !newer("1.21", f.goLine) {
		s.require = append(s.require, module.Version{Path: "go", Version: f.goLine})
	}
	return s
}

// goMod is the go.mod of a module, out of the module cache or of a replacement's
// directory, checked by go.sum.
func (l *loader) goMod(m, actual module.Version) (modFile, *Trouble) {
	if actual.Version == "" {
		name := filepath.Join(actual.Path, "go.mod")
		data, err := bounded.ReadFile(name, maxMod)
		var f modFile
		if err == nil {
			f, err = parseMod(name, data)
		}
		if err != nil {
			return f, trouble(NoReplacement, m, "", "%s is replaced by %s: %v", m, actual.Path, err)
		}
		return f, nil
	}
	key := module.Version{Path: actual.Path, Version: actual.Version + "/go.mod"}
	if l.mustHaveSums() && !l.haveSum(key) {
		return modFile{}, trouble(NoSum, actual, "go mod download "+m.Path, "%s: go.sum has no line for its go.mod", actual)
	}
	f, err := l.cache.mod(actual)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, trouble(NoMod, actual, "go mod download "+actual.String(), "%s: its .mod is not in the module cache", actual)
	case err != nil:
		return f, trouble(Damaged, actual, "", "%s: %v", actual, err)
	}
	return f, l.checkSum(key, f.sum)
}
