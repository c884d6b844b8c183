package project

import (
	"cmp"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"gpx/envctl/bounded"
	"gpx/envctl/env"
	"gpx/envctl/redact"
)

// maxFile bounds what is read of one file, in bytes: a hundred times a large
// go.sum.
const maxFile = 64 << 20

// reader collects a Project from its files.
type reader struct {
	p       *Project
	env     *env.Env // may be nil
	workGo  string   // the go line of a go.work that is sound; else ""
	byWork  int      // how many of p.Replaces are go.work's
	from    []string // directory of the file of each of p.Replaces
	godebug []godebug

	// Outside of a workspace, the go.mod that could be parsed, and its name.
	single     *modfile.File
	singleFile string
}

// problem keeps what is broken. All of it is kept: the first may be the least.
func (r *reader) problem(err error) {
	all, _ := r.p.Problem.(problems)
	r.p.Problem = append(all, &FileError{err})
}

// problems are several errors in one line.
type problems []error

func (ps problems) Error() string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.Error()
	}
	return strings.Join(texts, "; ")
}

func (ps problems) Unwrap() []error { return ps }

// A FileError is what is broken in one of the project's files; its text names
// file and line, in one harmless line.
type FileError struct{ Err error }

func (e *FileError) Error() string { return redact.Text(e.Err.Error()) }
func (e *FileError) Unwrap() error { return e.Err }

// work reads go.work.
func (r *reader) work() {
	file := r.p.GoWork
	r.p.Root = filepath.Dir(file)
	data, err := bounded.ReadFile(file, maxFile)
	if err != nil {
		r.problem(err)
		r.place()
		return
	}
	w, err := modfile.ParseWork(file, data, nil)
	if err != nil {
		r.problem(err)
		w = parseWorkLax(file, data)
	} else {
		r.checkWork(w)
		r.workGo = "1.18" // where there is no line (cmd/go/internal/gover, DefaultGoWorkVersion)
	}
	if w.Go != nil {
		r.p.Go = w.Go.Version
		if r.workGo != "" {
			r.workGo = w.Go.Version
		}
	}
	if w.Toolchain != nil {
		r.p.Toolchain = w.Toolchain.Name
	}
	for _, u := range w.Use {
		if dir := r.member(u); !slices.Contains(r.p.Members, dir) {
			r.p.Members = append(r.p.Members, dir)
		}
	}
	r.replaces(w.Replace, r.p.Root)
	r.byWork = len(r.p.Replaces)
	r.place()
}

// place puts the module around the directory first among the members. When
// the workspace does not list it, it is no main module, and the go command
// refuses to build it; a workspace that cannot be read is taken to list it.
func (r *reader) place() {
	p := r.p
	if p.GoMod != "" {
		dir := filepath.Dir(p.GoMod)
		i := slices.Index(p.Members, dir)
		switch {
		case i >= 0:
			p.Members = slices.Insert(slices.Delete(p.Members, i, i+1), 0, dir)
		case r.workGo == "": // it cannot be read
			p.Members = slices.Insert(p.Members, 0, dir)
		default:
			r.buildProblem("%s: does not list the module in %s; add it with: go work use %s", p.GoWork, dir, dir)
		}
	}
	p.GoMod = ""
	if len(p.Members) > 0 {
		p.GoMod = filepath.Join(p.Members[0], "go.mod")
	}
}

// members reads the go.mod of every member.
func (r *reader) members() {
	p := r.p
	for i, dir := range p.Members {
		file := filepath.Join(dir, "go.mod")
		if i == 0 {
			file = p.GoMod
		}
		data, err := bounded.ReadFile(file, maxFile)
		if err != nil {
			r.problem(err)
			p.Modules = append(p.Modules, "")
			continue
		}
		qs := queries{}
		f, err := modfile.Parse(file, data, qs.fixVersion())
		if err != nil {
			r.problem(err)
			f = parseModLax(file, data)
		}
		path := ""
		if f.Module != nil {
			path = f.Module.Mod.Path
		}
		if err == nil {
			r.checkMod(file, f)
			r.checkQueries(file, f, qs)
		}
		p.Modules = append(p.Modules, path)
		if f.Go != nil {
			r.compare(file, f.Go.Version)
		}
		if i == 0 {
			p.Module = path
			if p.GoWork == "" {
				if f.Go != nil {
					p.Go = f.Go.Version
				}
				if f.Toolchain != nil {
					p.Toolchain = f.Toolchain.Name
				}
			}
		}
		for _, q := range f.Require {
			p.Requires = append(p.Requires, Require{q.Mod, q.Indirect})
		}
		r.replaces(f.Replace, dir)
	}
}

// compare notes that the workspace is older than the go line of a member: but for
// those that correct it, every go command refuses that (cmd/go/internal/modload,
// errWorkTooOld). Lines before go1.21 were never held to.
func (r *reader) compare(file, line string) {
	if r.workGo != "" && version.Compare("go"+line, "go"+r.workGo) > 0 && version.Compare("go"+line, "go1.21") >= 0 {
		r.problem(fmt.Errorf("%s: go %s is older than go %s of %s; update it with: go work use", r.p.GoWork, r.workGo, line, file))
	}
}

// replaces adds replace lines that stand in a file in dir.
func (r *reader) replaces(lines []*modfile.Replace, dir string) {
	for _, l := range lines {
		to := l.New
		if to.Version == "" {
			to.Path = filepath.FromSlash(to.Path)
			if !filepath.IsAbs(to.Path) {
				to.Path = filepath.Join(dir, to.Path)
			}
		}
		r.p.Replaces = append(r.p.Replaces, Replace{l.Old, to})
		r.from = append(r.from, dir)
	}
}

// sums reads go.sum of every member and go.work.sum.
func (r *reader) sums() {
	var files []string
	for _, dir := range r.p.Members {
		files = append(files, filepath.Join(dir, "go.sum"))
	}
	if r.p.GoWork != "" {
		files = append(files, r.p.GoWork+".sum")
	} else {
		files[0] = strings.TrimSuffix(r.p.GoMod, ".mod") + ".sum"
	}
	for _, file := range files {
		data, err := bounded.ReadFile(file, maxFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			r.problem(err)
		default:
			if err := r.p.Sums.add(file, data); err != nil {
				r.problem(err)
			}
		}
	}
}

// finish sorts, and drops what is there twice.
func (r *reader) finish() {
	p := r.p
	main := map[string]bool{}
	for _, m := range p.Modules {
		main[m] = true
	}
	p.Requires = slices.DeleteFunc(p.Requires, func(q Require) bool { return p.GoWork != "" && main[q.Path] })
	slices.SortFunc(p.Requires, func(a, b Require) int {
		// One that is direct anywhere is direct.
		return cmp.Or(cmp.Compare(a.Path, b.Path), semver.Compare(a.Version.Version, b.Version.Version), cmp.Compare(a.Version.Version, b.Version.Version), compareBool(a.Indirect, b.Indirect))
	})
	p.Requires = slices.CompactFunc(p.Requires, func(a, b Require) bool { return a.Version == b.Version })
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// parseModLax reads what can be read of a go.mod that is broken: first as the
// go command reads a dependency's (unknown lines skipped), then statement by
// statement.
func parseModLax(file string, data []byte) *modfile.File {
	if f, err := modfile.ParseLax(file, data, nil); err == nil {
		return f
	}
	out := &modfile.File{}
	for _, chunk := range statements(data) {
		f, err := modfile.Parse(file, chunk, nil)
		if err != nil {
			continue
		}
		if out.Module == nil {
			out.Module = f.Module
		}
		if out.Go == nil {
			out.Go = f.Go
		}
		if out.Toolchain == nil {
			out.Toolchain = f.Toolchain
		}
		out.Require = append(out.Require, f.Require...)
		out.Replace = append(out.Replace, f.Replace...)
	}
	return out
}

// parseWorkLax is parseModLax for go.work.
func parseWorkLax(file string, data []byte) *modfile.WorkFile {
	out := &modfile.WorkFile{}
	for _, chunk := range statements(data) {
		f, err := modfile.ParseWork(file, chunk, nil)
		if err != nil {
			continue
		}
		if out.Go == nil {
			out.Go = f.Go
		}
		if out.Toolchain == nil {
			out.Toolchain = f.Toolchain
		}
		out.Use = append(out.Use, f.Use...)
		out.Replace = append(out.Replace, f.Replace...)
	}
	return out
}

// statements cuts a file into single statements: a line outside of a block as
// it is, a line of a block with the block's verb in front.
func statements(data []byte) [][]byte {
	var out [][]byte
	verb := ""
	for _, line := range strings.Split(string(data), "\n") {
		text := strings.TrimSpace(line)
		code, _, _ := strings.Cut(text, "//")
		fields := strings.Fields(code)
		switch {
		case len(fields) == 0:
		case verb == "" && len(fields) == 2 && fields[1] == "(":
			verb = fields[0]
		case fields[0] == ")":
			verb = ""
		case verb != "":
			out = append(out, []byte(verb+" "+text+"\n"))
		default:
			out = append(out, []byte(text+"\n"))
		}
	}
	return out
}
