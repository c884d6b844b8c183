package doctor

import (
	"fmt"
	"slices"

	"golang.org/x/mod/module"

	"gpx/envctl/project"
	"gpx/envctl/redact"
)

func projectSteps(f Facts) []Step {
	p := f.Project
	switch {
	case f.ProjectErr != nil:
		return []Step{{"project", Fail, clean(f.ProjectErr.Error()), "correct the file"}}
	case p == nil:
		steps := []Step{{"project", Skip, "this folder is in no module; hops are asked for a neutral public one", ""}}
		return append(steps, toolchainSteps(f)...)
	case p.Refusal() != nil || p.BuildRefusal() != nil:
		return brokenSteps(f)
	}
	steps := []Step{{"project", OK, redact.Clean(fmt.Sprintf("%s, %d modules required", p.Module, len(p.Requires))), ""}}
	steps = append(steps, toolchainSteps(f)...)
	if p.Vendored {
		return append(steps, Step{"go.sum", Skip, "the project is vendored: its build downloads nothing", ""})
	}
	return append(steps, sumLineSteps(f)...)
}

// brokenSteps tell what the go command refuses in the project. The toolchain is chosen
// before any of it shows.
func brokenSteps(f Facts) []Step {
	var steps []Step
	every, builds := f.Project.Refusal(), f.Project.BuildRefusal()
	if every != nil {
		steps = append(steps, Step{"project", Fail, clean(every.Error()), "correct the file"})
	}
	if builds != nil {
		steps = append(steps, Step{"project", Fail, clean(builds.Error()) + ": modules can be downloaded, and nothing builds", "correct the file"})
	}
	return append(steps, toolchainSteps(f)...)
}

// toolchainSteps compare the go command with the version that the project and
// GOTOOLCHAIN ask for: a newer one is a download of its own, and it comes
// through GOPROXY.
func toolchainSteps(f Facts) []Step {
	e := f.Env
	if e.Go == "" || e.GoVersion == "" { // a version may be known of a GOROOT that nothing runs from
		return nil
	}
	t := project.ChooseToolchain(e, f.Project)
	err := t.Refusal(e)
	switch {
	case err != nil:
		return []Step{{"toolchain", Fail, clean(err.Error()), "install another Go, or let it be fetched with GOTOOLCHAIN=auto; see what sets it: gpx env GOTOOLCHAIN"}}
	case t.Name == "":
		return []Step{{"toolchain", OK, redact.Clean(e.GoVersion + " is what runs"), ""}}
	case !t.Download:
		return []Step{{"toolchain", OK, redact.Clean(t.Name + " is what runs, from PATH; this is " + e.GoVersion), ""}}
	}
	return []Step{{"toolchain", Warn, redact.Clean(t.Name + " is wanted, this is " + e.GoVersion + ": the go command fetches it through GOPROXY, unless it has it already"), ""}}
}

// sumLineSteps count the modules that the next build would look up.
func sumLineSteps(f Facts) []Step {
	p := f.Project
	var missing []string
	for _, r := range p.Requires {
		local := slices.ContainsFunc(p.Replaces, func(x project.Replace) bool {
			return x.Old.Path == r.Path && (x.Old.Version == "" || x.Old.Version == r.Version.Version)
		})
		if !local && !p.Sums.HasGoMod(r.Version) && !module.MatchPrefixPatterns(f.Env.NoSumDB(), r.Path) {
			missing = append(missing, r.Path)
		}
	}
	if len(missing) == 0 {
		return []Step{{"go.sum", OK, fmt.Sprintf("has a line for every one of %d modules", len(p.Requires)), ""}}
	}
	return []Step{{"go.sum", Warn, fmt.Sprintf("%d of %d modules have no line, such as %s: the checksum database has to be asked", len(missing), len(p.Requires), redact.Clean(missing[0])), "go mod tidy, once the network is there"}}
}
