package route

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/probe"
)

// refusal is why every go command that wants a module in the environment e and the
// project p ends, whatever module that is.
func refusal(e *env.Env, p *project.Project) error {
	if err := e.Refusal(); err != nil {
		return err
	}
	if err := p.Refusal(); err != nil {
		return err
	}
	return project.ChooseToolchain(e, p).Refusal(e)
}

// toolchainPath is the module that toolchains are downloaded as.
const toolchainPath = "golang.org/toolchain"

// observeToolchain predicts the download of the toolchain that the go command goes
// on as, where it wants one that is neither installed nor on PATH. Where it does
// not get it, it comes to no module; r is then the route of m. Else the steps and
// the note are what goes before that route.
//
// It asks for the zip alone, and go.sum does not count: the project is not looked
// at yet (cmd/go/internal/toolchain, Exec). That the zip of a toolchain is sound to
// its end, and runs, is taken for granted.
func observeToolchain(ctx context.Context, pr *probe.Prober, e *env.Env, p *project.Project, m module.Version) (r Route, note string, stopped bool) {
	t := project.ChooseToolchain(e, p)
	if refusal(e, p) != nil || t.Name == "" || e.OnPath(t.Name) {
		return Route{}, "", false
	}
	version := fmt.Sprintf("v0.0.1-%s.%s-%s", t.Name, e.Get("GOHOSTOS"), e.Get("GOHOSTARCH"))
	in, cache, records := gather(e, nil, module.Version{Path: toolchainPath, Version: version})
	in.Cached = Cached{Info: true, Mod: true, Zip: in.Cached.Dir || in.Cached.Zip, ZipHash: in.Cached.ZipHash}
	in.SumLines.Mod = Match
	r = observe(ctx, pr, in, cache, records)
	name := clean(errors.New(t.Name))
	for i := range r.Steps {
		if r.Steps[i].Why == "" {
			r.Steps[i].Why = "for the toolchain " + name
		}
	}
	switch {
	case r.Result != Served && r.Result != Direct:
	case len(r.Steps) == 0:
		return r, "", false
	default:
		return r, "as " + name + ", which is fetched first", false
	}
	r.Module, r.Version = m.Path, m.Version
	r.Private = module.MatchPrefixPatterns(e.NoProxy(), m.Path)
	r.Why = "the go command first fetches " + name + " to go on as: " + r.Why
	return r, "", true
}

// vcsRefusal is why GOVCS keeps the go command from the repository of a module.
// known says that the path alone tells the repository and its tool; the others are
// taken to be kept in git, as nearly every module is.
func vcsRefusal(e *env.Env, path string) (err error, known bool) {
	if path == toolchainPath { // comes from a proxy, also past the chain
		return nil, false
	}
	elems := strings.Split(path, "/")
	if (elems[0] == "github.com" || elems[0] == "bitbucket.org") && len(elems) >= 3 {
		return e.VCSRefusal("git", strings.Join(elems[:3], "/")), true
	}
	for i, elem := range elems[1:] {
		switch tool := strings.TrimPrefix(filepath.Ext(elem), "."); tool {
		case "bzr", "fossil", "git", "hg", "svn":
			return e.VCSRefusal(tool, strings.Join(elems[:i+2], "/")), true
		}
	}
	return e.VCSRefusal("git", path), false
}
