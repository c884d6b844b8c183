// Package project reads what a Go project asks of the module system: go.mod,
// go.work, go.sum and vendor.
//
// A project is what the go command calls its main modules: the one that a
// directory is in, or the members of the workspace around it. The package
// reads files and runs nothing, so it works while nothing else does; a file
// that is broken is reported with its line and the rest is read nevertheless.
package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
)

// ErrNone says that a directory is in no module.
var ErrNone = errors.New("no go.mod in this directory or above it")

// A Require is one require line.
type Require struct {
	module.Version
	Indirect bool
}

// A Replace is one replace line.
type Replace struct {
	Old module.Version // Version "" replaces every version
	New module.Version // Version "" means that Path is a directory, absolute
}

// A Project is a main module, or a workspace of several.
type Project struct {
	Root      string    // directory of go.work, or of go.mod
	GoMod     string    // path of the go.mod around the directory; the first member's in a workspace without one there
	GoWork    string    // path of go.work, "" outside a workspace
	Module    string    // path of GoMod's module
	Go        string    // the go line that counts, such as "1.26": go.work's, or go.mod's
	Toolchain string    // the toolchain line that counts, such as "go1.26.8"; "" without one
	Members   []string  // directories of the main modules, absolute, GoMod's first
	Modules   []string  // module paths of the members, in the order of Members; "" when unknown
	Requires  []Require // of every member, sorted, each module version once, main modules left out
	Replaces  []Replace // in force, go.work's before go.mod's
	Vendored  bool      // vendor/modules.txt exists in Root
	Sums      Sums      // go.sum of every member, and go.work.sum
	Problem   error     // what is broken, with file and line; the rest is what could be read
	Untidy    error     // of a sound go.mod, with its line: what no build goes past before "go mod tidy"
}

// Find reads the project that dir is in, as the go command in the environment
// e finds it (e may be nil): GOWORK, or the go.work around dir that lists the
// module; go.mod around dir otherwise, or what -modfile in GOFLAGS names.
//
// Without go.mod and go.work the error is ErrNone. What is broken in a file is
// the Project's Problem, not an error.
func Find(dir string, e *env.Env) (*Project, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	at, workErr := locate(dir, e)
	if at.GoMod == "" && at.GoWork == "" {
		return nil, ErrNone
	}
	r := &reader{env: e, p: &Project{GoMod: at.GoMod, GoWork: at.GoWork, Sums: Sums{}}}
	if workErr != nil {
		r.problem(workErr)
	}
	if at.GoWork != "" {
		r.work()
	} else {
		r.p.Root = at.Root
		r.p.Members = []string{r.p.Root}
	}
	r.members()
	r.checkWorkspace()
	r.checkToolchain()
	r.checkGodebug()
	r.sums()
	_, err = os.Stat(filepath.Join(r.p.Root, "vendor", "modules.txt"))
	r.p.Vendored = err == nil
	r.finish()
	return r.p, nil
}

// A Place says where the files of a project are.
type Place struct {
	Root   string // directory of go.work, or of go.mod
	GoMod  string // as the go command finds it around the directory; "" without one
	GoWork string // "" outside a workspace
}

// Locate is the place of the project that [Find] reads, without reading it: a few
// calls of the system. It is false where there is none, or GOWORK names none.
func Locate(dir string, e *env.Env) (Place, bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Place{}, false
	}
	at, err := locate(dir, e)
	return at, err == nil && at.Root != ""
}

// locate finds go.mod and go.work; an error is about GOWORK.
func locate(dir string, e *env.Env) (at Place, err error) {
	at.GoMod = findUp(dir, "go.mod", "")
	at.GoWork, err = findWork(dir, e)
	switch {
	case at.GoWork != "":
		at.Root = filepath.Dir(at.GoWork)
	case at.GoMod != "":
		at.Root = filepath.Dir(at.GoMod)
		if file := modFile(dir, e); file != "" {
			at.GoMod = file
		}
	}
	return at, err
}

// findUp finds a file in dir or a directory above it, but does not go up into
// the directory stop.
func findUp(dir, name, stop string) string {
	for {
		file := filepath.Join(dir, name)
		if fi, err := os.Stat(file); err == nil && !fi.IsDir() {
			return file
		}
		up := filepath.Dir(dir)
		if up == dir || up == stop {
			return ""
		}
		dir = up
	}
}

// findWork finds go.work as the go command does (cmd/go/internal/modload,
// FindGoWork): GOWORK names it, or switches it off, or it is searched for, but
// not from below GOROOT in GOROOT.
func findWork(dir string, e *env.Env) (file string, err error) {
	goroot := ""
	if e != nil {
		goroot = e.GOROOT
		// What a search found for e.Dir says nothing about dir: only a setting
		// counts.
		if v, _ := e.Lookup("GOWORK"); v.Origin == env.OS || v.Origin == env.User || v.Origin == env.GOROOT {
			switch {
			case v.Value == "off":
				return "", nil
			case v.Value == "auto" || v.Value == "":
			case !filepath.IsAbs(v.Value):
				return "", fmt.Errorf("GOWORK=%s (from the %s environment) is no absolute path; unset it, or name a go.work from the root", v.Value, v.Origin)
			default:
				return v.Value, nil
			}
		}
	}
	return findUp(dir, "go.work", goroot), nil
}

// modFile is the value of -modfile in GOFLAGS, "" without one: the go.mod that
// counts instead of the one in the module's root.
func modFile(dir string, e *env.Env) string {
	if e == nil {
		return ""
	}
	file := e.Flag("modfile")
	if file != "" && !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	return file
}

// Direct are the required modules without "// indirect".
func (p *Project) Direct() []module.Version {
	var out []module.Version
	for _, r := range p.Requires {
		if !r.Indirect {
			out = append(out, r.Version)
		}
	}
	return out
}

// Replacement is what m is replaced by. A replacement of one version goes
// before one of all, a workspace's before a member's.
func (p *Project) Replacement(m module.Version) (module.Version, bool) {
	for _, r := range p.Replaces {
		if r.Old == m {
			return r.New, true
		}
	}
	for _, r := range p.Replaces {
		if r.Old.Path == m.Path && r.Old.Version == "" {
			return r.New, true
		}
	}
	return module.Version{}, false
}

// Canary is a module that the project really needs and that every public proxy
// may be asked for without telling it anything: private(path) is false, it is
// not replaced, and its path could be public. A direct requirement goes before
// an indirect one, a path that Go itself publishes before others; the choice
// is the same every time.
func (p *Project) Canary(private func(path string) bool) (module.Version, bool) {
	best, rank := module.Version{}, 0
	for _, r := range p.Requires { // sorted: the first of a rank wins
		if _, replaced := p.Replacement(r.Version); replaced || !isPublic(r.Path) || private != nil && private(r.Path) {
			continue
		}
		n := 1
		if !r.Indirect {
			n += 2
		}
		if strings.HasPrefix(r.Path, "golang.org/x/") {
			n++
		}
		if n > rank {
			best, rank = r.Version, n
		}
	}
	return best, rank > 0
}

// isPublic reports whether a path begins with a name that the whole Internet
// could resolve.
func isPublic(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	labels := strings.Split(host, ".")
	if len(labels) < 2 {
		return false
	}
	switch labels[len(labels)-1] {
	case "local", "localhost", "localdomain", "internal", "intranet", "lan", "home", "corp", "private", "test", "example", "invalid", "onion":
		return false
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != "" // an IP address
}

// Private lists the required module paths that match patterns, a GOPRIVATE
// value; sorted, each once.
func (p *Project) Private(patterns string) []string {
	out := []string{}
	for _, r := range p.Requires {
		if module.MatchPrefixPatterns(patterns, r.Path) && !slices.Contains(out, r.Path) {
			out = append(out, r.Path)
		}
	}
	slices.Sort(out)
	return out
}
