package deps

import (
	"runtime"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/project"
)

// chooseToolchain finds the toolchain that would build, and whether it is here
// (cmd/go/internal/toolchain, Select and Exec).
func (l *loader) chooseToolchain(r *Report) []Trouble {
	e := l.env
	l.running, l.goroot = release(e.GoVersion), e.GOROOT
	if l.running == "" {
		l.running = release(runtime.Version())
	}
	r.Toolchain = Toolchain{Want: e.GoVersion, Cached: e.GoVersion != ""}
	t := project.ChooseToolchain(e, l.project)
	if t.Err != nil {
		r.Toolchain.Cached = false
		return []Trouble{*trouble(TooNew, module.Version{}, "", "%v", t.Err)}
	}
	if t.Name == "" {
		return nil
	}
	l.wider.Store(true) // PATH
	r.Toolchain = Toolchain{Want: t.Name}
	if e.OnPath(t.Name) {
		r.Toolchain.Cached = true
		l.running = release(t.Name)
		return nil
	}
	if !t.Download {
		return []Trouble{*trouble(NoToolchain, module.Version{}, "", "toolchain %s is not on PATH", t.Name)}
	}
	m := toolchainModule(e.Get("GOHOSTOS"), e.Get("GOHOSTARCH"), t.Name)
	f := l.cache.at(m)
	if !f.Dir && !f.Zip {
		return []Trouble{*trouble(NoToolchain, m, "", "toolchain %s is not on this machine, and this is %s", t.Name, e.GoVersion)}
	}
	sum, err := f.zipSum(l.ctx)
	if err != nil {
		return []Trouble{*trouble(Damaged, m, "gpx cache verify", "toolchain %s: %v", t.Name, err)}
	}
	if bad := l.askDatabase(m, sum); bad != nil {
		return []Trouble{*bad}
	}
	r.Toolchain.Cached = true
	l.running, l.goroot = release(t.Name), f.tree
	if !f.Dir {
		l.goroot = "" // not extracted: its standard library is taken to be whole
	}
	return nil
}

// toolchainModule is the module version that a toolchain is downloaded as.
func toolchainModule(goos, goarch, name string) module.Version {
	return module.Version{Path: "golang.org/toolchain", Version: "v0.0.1-" + name + "." + goos + "-" + goarch}
}

// release is the version of a toolchain's name: "1.26.8" of "go1.26.8-custom".
func release(name string) string {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "go"), "-")
	name, _, _ = strings.Cut(name, " ")
	return name
}
