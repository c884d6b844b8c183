package salvage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Bounds of looking through folders that may be anybody's.
const (
	maxFolders = 300_000
	maxDepth   = 24
)

// places are where something may be.
type places struct {
	downloads []string            // cache/download of module caches
	caches    []string            // module caches, for their extracted trees
	proxies   map[string][]string // @v folders of trees, by the last element of the module path before it
	trees     map[string][]string // folders that are called path@version, by that name
	bundles   []string            // files
	repos     []string            // folders with a .git, and bare repositories
	vendors   []string            // vendor folders
}

func (s *seeker) places(ctx context.Context) *places {
	p := &places{proxies: map[string][]string{}, trees: map[string][]string{}}
	for _, cache := range s.o.Caches {
		if f, err := os.Open(filepath.Join(cache, "cache", "download")); err == nil {
			f.Close()
		} else if errors.Is(err, fs.ErrPermission) {
			s.problem("%s: cannot be read", cache)
			continue
		}
		p.cache(cache, true)
	}
	if s.o.Cache != "" {
		p.cache(s.o.Cache, false)
	}
	for _, dir := range s.o.Projects {
		if isDir(filepath.Join(dir, ".git")) {
			p.repos = append(p.repos, dir)
		}
		if isDir(filepath.Join(dir, "vendor")) {
			p.vendors = append(p.vendors, filepath.Join(dir, "vendor"))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.For)
	defer cancel()
	for _, root := range s.o.Roots {
		s.report("looking through %s", root)
		s.walk(ctx, root, p)
	}
	return p
}

// cache notes a module cache. Of the own one the files are what is missing.
func (p *places) cache(dir string, other bool) {
	p.caches = append(p.caches, dir)
	if other {
		p.downloads = append(p.downloads, filepath.Join(dir, "cache", "download"))
	}
	clones, _ := os.ReadDir(filepath.Join(dir, "cache", "vcs"))
	for _, e := range clones {
		if e.IsDir() {
			p.repos = append(p.repos, filepath.Join(dir, "cache", "vcs", e.Name()))
		}
	}
}

func isDir(name string) bool {
	fi, err := os.Lstat(name)
	return err == nil && fi.IsDir()
}

// walk looks through a folder. It follows no links.
func (s *seeker) walk(ctx context.Context, root string, p *places) {
	folders, last := 0, time.Time{}
	depth := strings.Count(filepath.Clean(root), string(filepath.Separator))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && path == root:
			return err
		case err != nil:
			s.problem("%s: cannot be read", path)
			return fs.SkipDir
		case !d.IsDir():
			if name := d.Name(); d.Type().IsRegular() && (strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.zst")) {
				p.bundles = append(p.bundles, path)
			}
			return nil
		}
		if folders++; folders > maxFolders {
			return errTooMany
		}
		if now := time.Now(); now.Sub(last) > 100*time.Millisecond {
			last = now
			s.report("looking through %s", path)
		}
		if strings.Count(path, string(filepath.Separator))-depth > maxDepth {
			s.problem("%s: not looked into: it is more than %d folders deep", path, maxDepth)
			return fs.SkipDir
		}
		return p.folder(path, d.Name())
	})
	switch {
	case errors.Is(err, errTooMany):
		s.problem("%s: not looked through to its end: it has more than %d folders", root, maxFolders)
	case errors.Is(err, context.DeadlineExceeded):
		s.problem("%s: not looked through to its end: the time was up", root)
	case err != nil && ctx.Err() == nil:
		s.problem("%v", err)
	}
}

var errTooMany = errors.New("too many folders")

// folder notes what a folder is, and says whether to look below.
func (p *places) folder(path, name string) error {
	switch {
	case isDir(filepath.Join(path, "cache", "download")):
		p.cache(path, true)
		return fs.SkipDir
	case name == "@v":
		last := filepath.Base(filepath.Dir(path))
		p.proxies[last] = append(p.proxies[last], path)
		return fs.SkipDir
	case name == "node_modules" || name == "gpx-trash":
		return fs.SkipDir
	case name == ".git":
		p.repos = append(p.repos, filepath.Dir(path))
		return fs.SkipDir
	case isDir(filepath.Join(path, "objects")) && isDir(filepath.Join(path, "refs")) && isFile(filepath.Join(path, "HEAD")):
		p.repos = append(p.repos, path)
		return fs.SkipDir
	case name == "vendor":
		if fi, err := os.Lstat(filepath.Join(path, "modules.txt")); err == nil && fi.Mode().IsRegular() {
			p.vendors = append(p.vendors, path)
			return fs.SkipDir
		}
	case isTree(name):
		p.trees[name] = append(p.trees[name], path)
		return fs.SkipDir
	}
	return nil
}

// isTree reports whether a folder is called as the go command calls an extracted
// module: only the last element of its path is known here.
func isTree(name string) bool {
	_, version, ok := strings.Cut(name, "@")
	if !ok {
		return false
	}
	version, err := module.UnescapeVersion(version)
	return err == nil && semver.IsValid(version)
}
