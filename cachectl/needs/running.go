package needs

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"

	"golang.org/x/mod/module"

	"gpx/envctl/project"
)

// A Run is what the go commands that run now work with.
type Run struct {
	// Roots are those of the projects that they work in, raw.
	Roots []string
	// Paths are their working folders and programs: what lies in the module
	// cache must stay there.
	Paths []string
	// Unseen says what could not be looked at, clean; "" when all could.
	Unseen string
}

// tools are the names of the programs that read extracted trees: the go
// command, what it runs, and what runs it.
var tools = []string{
	"go", "compile", "asm", "cgo", "link", "vet", "cover", "gopls", "dlv", "staticcheck", "golangci-lint",
}

// Running looks at the running go commands, compilers and language servers that
// work with the module cache at cache (GOMODCACHE), or may do so: those whose
// environment names another are left out. It is a look at one moment: a command
// that starts a moment later is not in it.
func Running(ctx context.Context, cache string) Run {
	r := processes(ctx, cache)
	for _, dir := range r.Paths {
		p, err := project.Find(dir, nil)
		if err != nil { // most often project.ErrNone
			continue
		}
		if !slices.Contains(r.Roots, p.Root) {
			r.Roots = append(r.Roots, p.Root)
		}
	}
	return r
}

// In are the module versions in the cache (GOMODCACHE) whose extracted trees
// are worked in or run from.
func (r Run) In(cache string) []module.Version {
	var in []module.Version
	for _, path := range r.Paths {
		if m, ok := TreeOf(cache, path); ok && !slices.Contains(in, m) {
			in = append(in, m)
		}
	}
	return in
}

// worksElsewhere reports whether a process's environment, as proc(5) has it, names
// another module cache. The OS environment goes before any file, so that decides;
// without the variable a process may work with any.
func worksElsewhere(environ []byte, cache string) bool {
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if dir, ok := bytes.CutPrefix(entry, []byte("GOMODCACHE=")); ok && len(dir) > 0 {
			return resolved(string(dir)) != resolved(cache)
		}
	}
	return false
}

func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

// isTool reports whether a program of that path or name is one of tools.
func isTool(program string) bool { return slices.Contains(tools, filepath.Base(program)) }
