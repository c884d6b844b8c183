package needs

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/procs"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
)

// A Run is what the go commands that run now work with.
type Run struct {
	// Roots are those of the projects that go commands work in, raw.
	Roots []string
	// Editors are those of the projects that language servers work in: projects
	// like the known ones, since a server outlives every build.
	Editors []string
	// Paths are the working folders and programs of both: what lies in the
	// module cache must stay there.
	Paths []string
	// Since is when the oldest go command was started, of those that are not
	// older than a day; zero when none runs. What was fetched since may be what
	// it wants to read next, also where it works in no project (go install M@V).
	Since time.Time
	// Unseen says what could not be looked at, clean; "" when all could.
	Unseen string
}

// The programs that read extracted trees: the go command, what it runs, what
// runs it, and language servers.
var (
	tools   = []string{"go", "compile", "asm", "cgo", "link", "vet", "cover", "dlv", "staticcheck", "golangci-lint"}
	servers = []string{"gopls"}
)

// longestBuild is how long a go command may be at work. One that is older is a
// go run, which waits for its program.
const longestBuild = 24 * time.Hour

// Running looks at the running go commands, compilers and language servers that
// work with the module cache at cache (GOMODCACHE), or may do so: those whose
// settings name another are left out. It is a look at one moment: a command
// that starts a moment later is not in it.
func Running(ctx context.Context, cache string) Run {
	return running(ctx, procs.Root, cache, time.Now())
}

func running(ctx context.Context, root, cache string, now time.Time) Run {
	var r Run
	if !procs.Seen {
		r.Unseen = "which go commands run cannot be seen on " + runtime.GOOS
		return r
	}
	list, err := procs.List(ctx, root, now, func(name, exe string) bool {
		return isOne(tools, name, exe) || isOne(servers, name, exe)
	})
	if err != nil {
		r.Unseen = "not all running go commands could be looked at: " + redact.Text(err.Error())
	}
	if real, err := filepath.EvalSymlinks(cache); err == nil {
		cache = real
	}
	hidden := 0
	for _, p := range list {
		if theirs := p.ModCache(); theirs != "" && theirs != cache {
			continue
		}
		if p.Hidden {
			hidden++
		}
		r.add(p, now)
	}
	if hidden > 0 {
		r.Unseen = fmt.Sprintf("%d go commands of other users run, and what they need is unknown", hidden)
	}
	return r
}

// add notes what one process works with.
func (r *Run) add(p procs.Process, now time.Time) {
	if p.Name == "go" && !p.Started.IsZero() && now.Sub(p.Started) <= longestBuild && (r.Since.IsZero() || p.Started.Before(r.Since)) {
		r.Since = p.Started
	}
	roots := &r.Roots
	if isOne(servers, p.Name, p.Exe) {
		roots = &r.Editors
	}
	for _, path := range []string{p.Dir, p.Exe} {
		if filepath.IsAbs(path) && !slices.Contains(r.Paths, path) {
			r.Paths = append(r.Paths, path)
		}
	}
	if p.Dir == "" {
		return
	}
	// Most often the error is project.ErrNone.
	if p, err := project.Find(p.Dir, nil); err == nil && !slices.Contains(*roots, p.Root) {
		*roots = append(*roots, p.Root)
	}
}

// InUse are the needs of the go commands that run now with the module cache at
// cache: for a last look before something is taken out of it.
func InUse(ctx context.Context, cache string) Needs {
	r := Running(ctx, cache)
	n, _ := Of(ctx, r.Roots, &env.Env{Vars: []env.Var{{Name: "GOMODCACHE", Value: cache, Origin: env.OS}}})
	for _, m := range r.In(cache) {
		n.Add(m, "a running program")
	}
	return n
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

// isOne reports whether a process is one of the programs: by its own name, which
// it can change and which is cut off at 15 bytes, or by that of its file.
func isOne(programs []string, name, exe string) bool {
	return slices.Contains(programs, name) || slices.Contains(programs, filepath.Base(exe))
}
