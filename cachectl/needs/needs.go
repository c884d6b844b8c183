// Package needs says which module versions projects need, so that nothing that
// a build depends on is taken out of a cache. It errs on the side of needing:
//
//   - all that go.sum and go.work.sum have a hash of: every build under the
//     default -mod=readonly stops at a version without one;
//   - what go.mod requires, replacements applied;
//   - for what go.sum does not know yet, the module graph of the cached .mod files;
//   - the toolchain of the go and toolchain lines.
//
// A workspace counts as a whole and member by member, since GOWORK=off builds a
// member alone. What is broken is said and protects what could be read of it.
//
// The package reads files; it runs nothing and asks nobody.
package needs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
)

// Needs are module versions, each with what needs it: the roots of projects,
// raw, or a few words. As in go.sum a version that ends in /go.mod stands for
// the .mod file alone (with its .info), which the module graph needs; whatever
// is needed whole is there in that form too.
type Needs map[module.Version][]string

// Whole reports who needs the sources of m.
func (n Needs) Whole(m module.Version) []string { return n[m] }

// Mod reports who needs the .mod file of m.
func (n Needs) Mod(m module.Version) []string { return n[goMod(m)] }

// Add notes that by needs the sources of m, and so its .mod file.
func (n Needs) Add(m module.Version, by string) {
	n.add(m, by)
	n.add(goMod(m), by)
}

func (n Needs) add(m module.Version, by string) {
	if !slices.Contains(n[m], by) {
		n[m] = append(n[m], by)
	}
}

// Merge adds what o holds.
func (n Needs) Merge(o Needs) {
	for m, who := range o {
		for _, by := range who {
			n.add(m, by)
		}
	}
}

func goMod(m module.Version) module.Version {
	return module.Version{Path: m.Path, Version: m.Version + goModSuffix}
}

const goModSuffix = "/go.mod"

// A Problem is why a root may need more than could be found out.
type Problem struct {
	Root string // raw
	Text string // clean, one line
}

// String is one clean line.
func (p Problem) String() string { return redact.Clean(p.Root) + ": " + p.Text }

// Of returns what the projects at roots need: the modules or workspaces that
// these folders are in. e says where the module cache is and which settings
// count; it may be nil, and then the module graph is not read.
func Of(ctx context.Context, roots []string, e *env.Env) (Needs, []Problem) {
	c := &collector{needs: Needs{}, mods: map[string]summary{}, most: maxGraph, env: e}
	if e != nil {
		c.download = filepath.Join(e.Get("GOMODCACHE"), "cache", "download")
		c.settings()
	}
	for i, root := range roots {
		if slices.Contains(roots[:i], root) {
			continue
		}
		if ctx.Err() != nil {
			c.problem(root, "not read: interrupted")
			continue
		}
		c.root(ctx, root)
	}
	return c.needs, c.problems
}

// A collector gathers the needs of several projects.
type collector struct {
	needs    Needs
	problems []Problem
	env      *env.Env
	download string             // GOMODCACHE/cache/download, "" when unknown
	mods     map[string]summary // by file: projects share most of their graphs
	most     int                // go.mod files that are read for one graph
}

func (c *collector) problem(root, text string) {
	if p := (Problem{root, redact.Text(text)}); !slices.Contains(c.problems, p) {
		c.problems = append(c.problems, p)
	}
}

// root collects what is needed at one root, in every way in which the go
// command may be run there.
func (c *collector) root(ctx context.Context, root string) {
	if _, err := os.Stat(root); err != nil {
		text := err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			text = "is gone, so nothing is known about what it needs"
		}
		c.problem(root, text)
		return
	}
	done := map[[2]string]bool{}
	collect := func(dir string, e *env.Env) *project.Project {
		p, err := project.Find(dir, e)
		if err != nil {
			c.problem(dir, err.Error())
			return nil
		}
		if id := [2]string{p.GoWork, p.GoMod}; !done[id] {
			done[id] = true
			c.project(ctx, p)
		}
		return p
	}
	for _, e := range []*env.Env{c.env, nil} { // this shell's GOWORK and -modfile, and none
		p := collect(root, e)
		if p == nil {
			return
		}
		if p.GoWork == "" {
			continue
		}
		for _, member := range p.Members {
			if _, err := os.Stat(filepath.Join(member, "go.mod")); err == nil { // else the workspace has said so
				collect(member, workOff)
			}
		}
	}
}

// workOff is an environment in which no workspace counts.
var workOff = &env.Env{Vars: []env.Var{{Name: "GOWORK", Value: "off", Origin: env.OS}}}

// project collects what one project needs.
func (c *collector) project(ctx context.Context, p *project.Project) {
	if p.Problem != nil {
		c.problem(p.Root, p.Problem.Error()+"; kept is what could be read of it")
	}
	for m := range p.Sums {
		if version, ok := strings.CutSuffix(m.Version, goModSuffix); ok {
			c.needs.add(goMod(module.Version{Path: m.Path, Version: version}), p.Root)
			continue
		}
		c.needs.Add(m, p.Root)
	}
	for _, r := range p.Requires {
		if m, ok := actual(p, r.Version); ok {
			c.needs.Add(m, p.Root)
		}
	}
	c.toolchains(p)
	if c.download == "" {
		return
	}
	for _, versions := range c.graph(ctx, p) {
		selected := module.Version{} // by minimal version selection: the highest
		for v := range versions {
			if m, ok := actual(p, v); ok {
				c.needs.add(goMod(m), p.Root)
			}
			if selected.Version == "" || semver.Compare(v.Version, selected.Version) > 0 {
				selected = v
			}
		}
		if m, ok := actual(p, selected); ok {
			c.needs.Add(m, p.Root)
		}
	}
}

// actual is what stands in the cache for m: its replacement, or itself; false
// for a folder outside of it.
func actual(p *project.Project, m module.Version) (module.Version, bool) {
	if r, ok := p.Replacement(m); ok {
		return r, r.Version != ""
	}
	return m, m.Version != ""
}
