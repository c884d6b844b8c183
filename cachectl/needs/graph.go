package needs

import (
	"context"
	"fmt"
	"go/version"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"gpx/envctl/project"
)

// maxGraph bounds how many go.mod files are read for one project. The graph of
// kubernetes, unpruned, has some 2,000.
const maxGraph = 50_000

// maxGoMod bounds a go.mod file, in bytes (golang.org/x/mod/zip, MaxGoMod).
const maxGoMod = 16 << 20

// A summary is what the graph needs to know of one go.mod.
type summary struct {
	requires []module.Version
	excludes []module.Version // counts in main modules only
	// pruned: from go 1.17 on, a go.mod lists all that is needed to build the
	// packages of its module, so that the go command reads no further
	// (cmd/go/internal/modload, pruningForGoVersion).
	pruned bool
}

// A graph holds the versions that the go.mod files of a project name, directly
// or not, by path.
type graph map[string]map[module.Version]bool

func (g graph) add(m module.Version) {
	if g[m.Path] == nil {
		g[m.Path] = map[module.Version]bool{}
	}
	g[m.Path][m] = true
}

// graph walks the module graph of p as the go command does (modload,
// readModGraph), as far as the .mod files are cached: what the cache lacks
// cannot be built without a download anyway.
func (c *collector) graph(ctx context.Context, p *project.Project) graph {
	g := graph{}
	type visit struct {
		m    module.Version
		full bool // all that it requires, however indirectly
	}
	var queue []visit
	seen := map[visit]bool{}
	mains, excluded := c.mains(p)
	add := func(m module.Version) bool {
		if slices.Contains(p.Modules, m.Path) || excluded[m] {
			return false
		}
		g.add(m)
		return true
	}
	push := func(m module.Version, full bool) {
		if v := (visit{m, full}); add(m) && !seen[v] && !seen[visit{m, true}] {
			seen[v] = true
			queue = append(queue, v)
		}
	}
	for _, s := range mains {
		for _, r := range s.requires {
			push(r, !s.pruned)
		}
	}
	for read := 0; len(queue) > 0; read++ {
		if ctx.Err() != nil || read == c.most {
			c.problem(p.Root, fmt.Sprintf("its module graph was not read to its end, only %d go.mod files of it", read))
			return g
		}
		v := queue[0]
		queue = queue[1:]
		s, ok := c.goMod(c.fileOf(p, v.m))
		if !ok {
			continue
		}
		for _, r := range s.requires {
			if v.full || !s.pruned {
				push(r, true)
			} else {
				add(r)
			}
		}
	}
	return g
}

// mains reads the go.mod files of the main modules, and what they exclude.
func (c *collector) mains(p *project.Project) (mains []summary, excluded map[module.Version]bool) {
	excluded = map[module.Version]bool{}
	for i, dir := range p.Members {
		file := filepath.Join(dir, "go.mod")
		if i == 0 {
			file = p.GoMod // -modfile may name another
		}
		s, ok := c.goMod(file)
		if !ok {
			continue // the project's Problem says why
		}
		mains = append(mains, s)
		for _, m := range s.excludes {
			excluded[m] = true
		}
	}
	return mains, excluded
}

// fileOf names the go.mod that counts for m, "" when there can be none.
func (c *collector) fileOf(p *project.Project, m module.Version) string {
	if r, ok := p.Replacement(m); ok {
		if r.Version == "" {
			return filepath.Join(r.Path, "go.mod")
		}
		m = r
	}
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return ""
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return ""
	}
	return filepath.Join(c.download, filepath.FromSlash(path), "@v", version+".mod")
}

// goMod reads a go.mod whole, or else as a dependency's is read: what is unknown
// in it is skipped. It is false where there is nothing to read.
func (c *collector) goMod(file string) (summary, bool) {
	if s, ok := c.mods[file]; ok {
		return s, true
	}
	data, err := readBounded(file)
	if err != nil {
		return summary{}, false
	}
	f, err := modfile.Parse(file, data, nil)
	if err != nil {
		f, err = modfile.ParseLax(file, data, nil)
	}
	if err != nil {
		return summary{}, false
	}
	s := summary{}
	for _, x := range f.Exclude {
		s.excludes = append(s.excludes, x.Mod)
	}
	if f.Go != nil {
		s.pruned = version.Compare("go"+f.Go.Version, "go1.17") >= 0
	}
	for _, r := range f.Require {
		s.requires = append(s.requires, r.Mod)
	}
	c.mods[file] = s
	return s, true
}

func readBounded(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, fmt.Errorf("%s: not a regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxGoMod+1))
	if err == nil && len(data) > maxGoMod {
		err = fmt.Errorf("%s: larger than %d bytes", file, maxGoMod)
	}
	return data, err
}
