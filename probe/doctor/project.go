package doctor

import (
	"fmt"
	goversion "go/version"
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
		return []Step{{"project", Skip, "this folder is in no module; hops are asked for a neutral public one", ""}}
	case p.Problem != nil:
		return []Step{{"project", Fail, clean(p.Problem.Error()), "correct the file"}}
	}
	steps := []Step{{"project", OK, redact.Clean(fmt.Sprintf("%s, %d modules required", p.Module, len(p.Requires))), ""}}
	steps = append(steps, toolchainSteps(f)...)
	if p.Vendored {
		return append(steps, Step{"go.sum", Skip, "the project is vendored: its build downloads nothing", ""})
	}
	return append(steps, sumLineSteps(f)...)
}

// toolchainSteps compare the go command with the version that the project asks
// for: a newer one is a download of its own, and it comes through GOPROXY.
func toolchainSteps(f Facts) []Step {
	p, e := f.Project, f.Env
	want := "go" + p.Go
	if p.Toolchain != "" && p.Toolchain != "default" && goversion.Compare(p.Toolchain, want) > 0 {
		want = p.Toolchain
	}
	if !goversion.IsValid(want) || e.GoVersion == "" {
		return nil
	}
	if goversion.Compare(e.GoVersion, want) >= 0 {
		return []Step{{"toolchain", OK, redact.Clean(e.GoVersion + " is what the project wants: " + want), ""}}
	}
	d := redact.Clean("the project wants " + want + ", this is " + e.GoVersion)
	if e.Get("GOTOOLCHAIN") == "local" {
		return []Step{{"toolchain", Fail, d + ", and GOTOOLCHAIN=local forbids to fetch it", "install " + redact.Clean(want) + ", or: go env -w GOTOOLCHAIN=auto"}}
	}
	return []Step{{"toolchain", Warn, d + ": the go command fetches it through GOPROXY, unless it has it already", ""}}
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
