package deps

import (
	"golang.org/x/mod/module"

	"gpx/envctl/project"
)

func (w *encoder) project(p *project.Project) {
	w.texts([]string{p.Root, p.GoMod, p.GoWork, p.Module, p.Go, p.Toolchain})
	w.texts(p.Members)
	w.texts(p.Modules)
	w.number(len(p.Requires))
	for _, q := range p.Requires {
		w.text(q.Path)
		w.text(q.Version.Version)
		w.flag(q.Indirect)
	}
	w.number(len(p.Replaces))
	for _, q := range p.Replaces {
		w.texts([]string{q.Old.Path, q.Old.Version, q.New.Path, q.New.Version})
	}
	w.number(len(p.Sums))
	for m, hashes := range p.Sums {
		w.text(m.Path)
		w.text(m.Version)
		w.texts(hashes)
	}
}

// project is what was encoded, of a project without a problem.
func (r *decoder) project() *project.Project {
	p := &project.Project{}
	for i, s := range r.texts() {
		if fields := []*string{&p.Root, &p.GoMod, &p.GoWork, &p.Module, &p.Go, &p.Toolchain}; i < len(fields) {
			*fields[i] = s
		}
	}
	p.Members, p.Modules = r.texts(), r.texts()
	if n := r.count(); n > 0 {
		p.Requires = make([]project.Require, n)
	}
	for i := range p.Requires {
		q := &p.Requires[i]
		q.Path, q.Version.Version, q.Indirect = r.text(), r.text(), r.flag()
	}
	if n := r.count(); n > 0 {
		p.Replaces = make([]project.Replace, n)
	}
	for i := range p.Replaces {
		if s := r.texts(); len(s) == 4 {
			p.Replaces[i] = project.Replace{Old: module.Version{Path: s[0], Version: s[1]}, New: module.Version{Path: s[2], Version: s[3]}}
		}
	}
	n := r.count()
	p.Sums = make(project.Sums, n)
	for range n {
		p.Sums[module.Version{Path: r.text(), Version: r.text()}] = r.texts()
	}
	return p
}

func (w *encoder) report(r *Report) {
	w.text(r.Mode)
	w.text(r.Toolchain.Want)
	w.flag(r.Toolchain.Cached)
	w.number(r.Packages)
	w.number(len(r.Modules))
	for i := range r.Modules {
		w.module(&r.Modules[i])
	}
}

func (w *encoder) module(m *Module) {
	for _, s := range []string{m.Path, m.Version.Version, m.Replacement.Path, m.Replacement.Version, string(m.Sum), string(m.Verdict), m.Why, m.Fix} {
		w.text(s)
	}
	for _, is := range []bool{m.Direct, m.Private, m.Needed, m.Unknown, m.Cache.Info, m.Cache.Mod, m.Cache.Zip, m.Cache.Dir} {
		w.flag(is)
	}
	w.texts(m.By)
}

// report is what was encoded; nil when it is damaged, which its seal says it is not.
func (r *decoder) report() *Report {
	ready := Answer{Ready: true}
	out := &Report{Build: ready, Test: ready, Tools: ready, Mode: r.text(), Toolchain: Toolchain{r.text(), r.flag()}, Packages: int(r.number())}
	out.Modules = make([]Module, r.count())
	for i := range out.Modules {
		r.module(&out.Modules[i])
	}
	if r.err != nil {
		return nil
	}
	return out
}

func (r *decoder) module(m *Module) {
	m.Path, m.Version.Version, m.Replacement.Path, m.Replacement.Version = r.text(), r.text(), r.text(), r.text()
	m.Sum, m.Verdict, m.Why, m.Fix = Sum(r.text()), Verdict(r.text()), r.text(), r.text()
	for _, is := range []*bool{&m.Direct, &m.Private, &m.Needed, &m.Unknown, &m.Cache.Info, &m.Cache.Mod, &m.Cache.Zip, &m.Cache.Dir} {
		*is = r.flag()
	}
	m.By = r.texts()
}
