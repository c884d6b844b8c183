package deps

import (
	"context"
	"fmt"
	"go/build"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"gpx/cachectl/internal/overlap"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/sumdb"
)

// A loader finds the packages of one project and the modules that they come from.
type loader struct {
	ctx     context.Context
	begun   time.Time // before anything was looked at
	env     *env.Env
	project *project.Project

	mains       []*mainModule
	work        *modfile.WorkFile
	workReplace map[module.Version]module.Version
	mode        string // -mod
	stopped     bool   // the project itself is broken: no package was looked at
	vendorDir   string
	vendor      *vendorList // in vendor mode

	running string         // version of the toolchain that would build, such as "1.26.8"
	goroot  string         // its GOROOT
	context *build.Context // what it builds for
	target  string         // the same as a name
	memo    *Memo
	wider   atomic.Bool // the report stands on more than its basis says (kept.go)

	rs        *requirements
	graphOnce sync.Once
	graph     *graph // nil until something needs it

	cache     *cache
	summaries once[module.Version, summaryResult]
	trees     once[module.Version, treeResult]
	proofs    once[module.Version, *Trouble]
	pkgs      once[string, *pkg]
	local     once[string, imports] // of main modules and directories, by folder
	outside   once[string, bool]    // folders of main modules that no basis has (kept.go)
	roots     func() []string       // the packages of ./...
	database  func() (*sumdb.Client, error)

	mu      sync.Mutex // guards closers
	closers []func() error
	used    map[module.Version][]string // by module: a chain of packages that leads to it
}

// A pkg is one package.
type pkg struct {
	path     string
	mod      module.Version // zero for the standard library
	main     bool           // of a main module
	imports  imports
	troubles []Trouble
}

func newLoader(ctx context.Context, o Options) *loader {
	l := &loader{ctx: ctx, begun: time.Now(), env: o.Env, project: o.Project, used: map[module.Version][]string{}}
	l.roots = sync.OnceValue(l.findRoots)
	l.database = sync.OnceValues(func() (*sumdb.Client, error) {
		so, err := sumdb.Of(o.Env)
		if err != nil {
			return nil, err
		}
		return sumdb.New(so), nil
	})
	l.cache = &cache{dir: o.Env.Get("GOMODCACHE")}
	return l
}

// close closes the zips that were looked into.
func (l *loader) close() {
	for _, end := range l.closers {
		_ = end() // they were read only
	}
}

// open reads what everything else stands on. What it returns stops every go
// command in the project.
func (l *loader) open(r *Report) []Trouble {
	l.mode = "readonly"
	bad := l.chooseToolchain(r)
	if l.context == nil {
		l.setContext()
	}
	bad = append(bad, l.openMains()...)
	if len(bad) > 0 {
		return bad
	}
	if bad = l.setMode(); len(bad) > 0 {
		return bad
	}
	l.require()
	if l.mode == "vendor" {
		return l.openVendor()
	}
	return nil
}

// setContext says what is built for, as the go command's own build context does
// (cmd/go/internal/cfg, defaultContext).
func (l *loader) setContext() {
	c := build.Context{
		GOOS: l.env.Get("GOOS"), GOARCH: l.env.Get("GOARCH"), Compiler: "gc",
		CgoEnabled: l.env.Get("CGO_ENABLED") == "1",
		BuildTags:  strings.FieldsFunc(l.env.Flag("tags"), func(r rune) bool { return r == ',' || r == ' ' }),
		ToolTags:   toolTags(l.env),
	}
	var minor int
	fmt.Sscanf(l.running, "1.%d", &minor)
	for n := 1; n <= min(minor, 999); n++ { // what runs may be named by anybody
		c.ReleaseTags = append(c.ReleaseTags, fmt.Sprintf("go1.%d", n))
	}
	l.context, l.target = &c, target(&c)
}

// toolTags are the build tags of experiments and of the processor's level
// (internal/buildcfg).
func toolTags(e *env.Env) []string {
	var tags []string
	for _, x := range strings.Split(e.Get("GOEXPERIMENT"), ",") {
		if x = strings.TrimSpace(x); x != "" && !strings.HasPrefix(x, "no") {
			tags = append(tags, "goexperiment."+x)
		}
	}
	arch := e.Get("GOARCH")
	level := e.Get("GO" + strings.ToUpper(arch))
	switch arch {
	case "amd64":
		for _, v := range []string{"v1", "v2", "v3", "v4"} {
			if tags = append(tags, "amd64."+v); v == level {
				break
			}
		}
	default:
		if level != "" {
			tags = append(tags, arch+"."+level)
		}
	}
	return tags
}

// findRoots are the packages of ./... in every main module (cmd/go/internal/search,
// MatchDirs).
func (l *loader) findRoots() []string {
	var out []string
	for _, m := range l.mains {
		for _, rel := range l.folders(m) {
			out = append(out, joinPath(m.path, rel))
		}
	}
	return out
}

func joinPath(modPath, rel string) string {
	if rel == "." {
		return modPath
	}
	return modPath + "/" + rel
}

// tools are the packages of the tool lines.
func (l *loader) tools() []string {
	var out []string
	for _, m := range l.mains {
		for _, t := range m.file.Tool {
			if !slices.Contains(out, t.Path) {
				out = append(out, t.Path)
			}
		}
	}
	return out
}

// answer says what building packages comes to; tests adds the tests of these.
func (l *loader) answer(roots []string, tests bool) Answer {
	w := &closure{l: l, from: map[string]string{}}
	w.load(roots, tests)
	type same struct {
		kind Kind
		module.Version
		text string // where it is no module's fault
	}
	var all []Trouble
	had := map[same]bool{}
	add := func(t Trouble, chain []string) {
		key := same{kind: t.Kind, Version: t.Module}
		if t.Module.Path == "" {
			key.text = t.Text
		}
		if !had[key] {
			had[key], t.Packages = true, chain
			all = append(all, t)
		}
	}
	for _, p := range w.pkgs {
		chain := w.chain(p.path)
		for _, t := range p.troubles {
			add(t, chain)
		}
		if p.mod.Path != "" && !p.main {
			l.use(p.mod, chain)
		}
	}
	for _, t := range l.checkRequirements(w.pkgs, w.testOf) {
		add(t, nil)
	}
	return Answer{Ready: len(all) == 0, Troubles: all}
}

// use notes that a package of m is needed.
func (l *loader) use(m module.Version, chain []string) {
	if _, had := l.used[m]; !had {
		l.used[m] = chain
	}
}

// A closure is what packages import, directly or not. It is gathered level by
// level, so that the chain of each package is a shortest one.
type closure struct {
	l      *loader
	pkgs   []*pkg
	from   map[string]string // who imports it; "" for a root
	testOf []string          // the roots whose tests count too
}

func (w *closure) load(roots []string, tests bool) {
	level := []string{}
	visit := func(path, from string) {
		if _, seen := w.from[path]; !seen && path != "C" {
			w.from[path] = from
			level = append(level, path)
		}
	}
	for _, path := range roots {
		visit(path, "")
	}
	if tests {
		w.testOf = roots
	}
	isRoot := true
	for len(level) > 0 && w.l.ctx.Err() == nil {
		loaded := w.l.loadAll(level)
		w.pkgs = append(w.pkgs, loaded...)
		level = nil
		for _, p := range loaded {
			for _, path := range p.imports.Code {
				visit(path, p.path)
			}
		}
		if isRoot && tests {
			for _, p := range loaded {
				for _, path := range p.imports.Tests {
					visit(path, p.path)
				}
			}
		}
		isRoot = false
	}
	slices.SortFunc(w.pkgs, func(a, b *pkg) int { return strings.Compare(a.path, b.path) })
}

// chain is who imports a package, nearest first, down to a root.
func (w *closure) chain(path string) []string {
	var out []string
	for path != "" && len(out) < 1000 {
		out = append(out, path)
		path = w.from[path]
	}
	return out
}

// loadAll loads packages, several at a time.
func (l *loader) loadAll(paths []string) []*pkg {
	out := make([]*pkg, len(paths))
	var next sync.Mutex
	i := 0
	var wg sync.WaitGroup
	for range min(len(paths), 2*overlap.Cores()) {
		wg.Go(func() {
			for {
				next.Lock()
				n := i
				i++
				next.Unlock()
				if n >= len(paths) || l.ctx.Err() != nil {
					return
				}
				out[n] = l.load(paths[n])
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(out, func(p *pkg) bool { return p == nil || p.mod.Path == "" && len(p.troubles) == 0 })
}

// load finds a package and reads what it imports. What the standard library
// imports needs no module.
func (l *loader) load(path string) *pkg {
	return l.pkgs.do(path, func() *pkg {
		p := &pkg{path: path}
		at, bad := l.resolve(path)
		p.troubles = bad
		if at == nil {
			return p
		}
		p.mod = at.mod
		p.main = l.mainOf(at.mod.Path) != nil && at.mod.Version == ""
		p.imports = l.imports(at.tree, at.rel)
		return p
	})
}

// isStd reports whether the standard library has a package.
func (l *loader) isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	if strings.Contains(first, ".") {
		return false
	}
	if path == "unsafe" || l.goroot == "" {
		return true
	}
	return l.memo.std(l.goroot, l.running, path)
}
