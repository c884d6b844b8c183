package project

import (
	"errors"
	"fmt"
	"go/version"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// What the go command refuses of files whose syntax is sound, in its own words where
// it has room for them (cmd/go/internal/modload, loadModFile and makeMainModules).
// Nothing here is asked of the network, or of other modules.

// A BuildError, as a Problem, keeps the go command from building and not from
// downloading: what "go mod download" is asked for arrives. (Of some of these it
// complains nevertheless, and ends with status 1.)
type BuildError struct{ Err error }

func (e *BuildError) Error() string { return e.Err.Error() }
func (e *BuildError) Unwrap() error { return e.Err }

// Refusal is what in the project's files stops every go command that wants a module,
// in one line; nil where nothing does, and for no project.
func (p *Project) Refusal() error {
	every, _ := p.refusals()
	return every.one()
}

// BuildRefusal is what else stops every build, while modules can be downloaded.
func (p *Project) BuildRefusal() error {
	_, builds := p.refusals()
	return builds.one()
}

func (p *Project) refusals() (every, builds problems) {
	if p == nil {
		return nil, nil
	}
	all, several := p.Problem.(problems)
	if !several && p.Problem != nil {
		all = problems{p.Problem}
	}
	for _, err := range all {
		if errors.As(err, new(*BuildError)) {
			builds = append(builds, err)
		} else {
			every = append(every, err)
		}
	}
	if p.Untidy != nil {
		builds = append(builds, p.Untidy)
	}
	return every, builds
}

// one is the problems as one error, nil for none.
func (ps problems) one() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

func (r *reader) buildProblem(format string, args ...any) {
	r.problem(&BuildError{fmt.Errorf(format, args...)})
}

// at is a place in a file.
func at(file string, line *modfile.Line) string {
	return fmt.Sprintf("%s:%d", file, line.Start.Line)
}

// checkWork looks through a go.work that could be parsed.
func (r *reader) checkWork(w *modfile.WorkFile) {
	seen := map[string]bool{}
	for _, u := range w.Use {
		dir := r.member(u)
		if seen[dir] {
			r.problem(fmt.Errorf("%s: path %s appears multiple times in workspace", at(r.p.GoWork, u.Syntax), dir))
		}
		seen[dir] = true
	}
	r.keepGodebug(r.p.GoWork, w.Godebug)
	r.checkReplaces(r.p.GoWork, w.Replace)
}

// checkMod looks through a member's go.mod that could be parsed.
func (r *reader) checkMod(file string, f *modfile.File) {
	if f.Module == nil {
		r.problem(fmt.Errorf("%s: no module line", file))
		return
	}
	path := f.Module.Mod.Path
	if err := module.CheckImportPath(path); err != nil {
		r.problem(fmt.Errorf("%s: %w", at(file, f.Module.Syntax), kind("module", err)))
	}
	if path == "go" || path == "toolchain" { // cmd/go/internal/gover, IsToolchain
		r.problem(fmt.Errorf("%s: invalid module path: %q", at(file, f.Module.Syntax), path))
	}
	for _, t := range f.Tool {
		if err := module.CheckImportPath(t.Path); err != nil {
			r.problem(fmt.Errorf("%s: %w", at(file, t.Syntax), kind("tool", err)))
		}
	}
	r.checkReplaces(file, f.Replace)
	if r.p.GoWork == "" { // those of a workspace's members do not count
		r.keepGodebug(file, f.Godebug)
		r.single, r.singleFile = f, file
	}
}

// kind says what path it is that is malformed.
func kind(word string, err error) error {
	if invalid := (*module.InvalidPathError)(nil); errors.As(err, &invalid) {
		invalid.Kind = word
	}
	return err
}

// checkReplaces finds what one file replaces twice (modload, toReplaceMap).
func (r *reader) checkReplaces(file string, lines []*modfile.Replace) {
	to := map[module.Version]module.Version{}
	for _, l := range lines {
		if had, twice := to[l.Old]; twice && had != l.New {
			r.problem(fmt.Errorf("%s: conflicting replacements for %v: %v and %v", at(file, l.Syntax), l.Old, had, l.New))
		}
		to[l.Old] = l.New
	}
}

// checkToolchain finds a toolchain line that "go mod tidy" would take away: then no
// build goes ahead, unless it may do so itself (modload, UpdateGoModFromReqs). A line
// that the choice of the toolchain fails of is told by that.
func (r *reader) checkToolchain() {
	f := r.single
	if f == nil || f.Toolchain == nil || r.env != nil && (r.env.Flag("mod") == "mod" || ChooseToolchain(r.env, r.p).Err != nil) {
		return
	}
	line := "1.16" // where there is none (cmd/go/internal/gover, DefaultGoModVersion)
	if f.Go != nil {
		line = f.Go.Version
	}
	name := f.Toolchain.Name
	if name == "go"+line || version.Compare(release(name), "go1.21") < 0 {
		r.p.Untidy = &FileError{fmt.Errorf("%s: toolchain %s: updates to go.mod needed; to update it: go mod tidy", at(r.singleFile, f.Toolchain.Syntax), name)}
	}
}

// checkWorkspace looks at the members of a workspace together.
func (r *reader) checkWorkspace() {
	p := r.p
	if p.GoWork == "" {
		return
	}
	main := map[string]bool{}
	for _, path := range p.Modules {
		if path != "" && main[path] {
			r.buildProblem("%s: module %s appears multiple times in workspace", p.GoWork, path)
		}
		main[path] = true
	}
	settled := map[string]bool{} // by go.work
	to := map[module.Version]module.Version{}
	by := map[module.Version]string{} // the member that says so
	for i, l := range p.Replaces {
		had, twice := to[l.Old]
		switch dir := r.from[i]; {
		case i < r.byWork:
			if l.Old.Version == "" && main[l.Old.Path] {
				r.buildProblem("%s: workspace module %v is replaced at all versions in the go.work file", p.GoWork, l.Old.Path)
			}
			settled[l.Old.Path] = true
		case settled[l.Old.Path]:
		case twice && by[l.Old] != dir && had != l.New:
			r.problem(fmt.Errorf("%s: conflicting replacements for %v: %v and %v; settle it with: go work edit -replace", p.GoWork, l.Old, had, l.New))
		default:
			to[l.Old], by[l.Old] = l.New, dir
		}
	}
}

// member is the directory of a use line.
func (r *reader) member(u *modfile.Use) string {
	dir := filepath.FromSlash(u.Path)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(r.p.Root, dir)
	}
	return dir
}
