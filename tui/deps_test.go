package tui

import (
	"context"
	"fmt"

	"golang.org/x/mod/module"

	"gpx/cachectl/deps"
	"gpx/envctl/change"
	goproject "gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/tui/view"
)

// project are the services about the project's modules that record what is asked
// of them.
type project struct {
	report *deps.Report
	last   *deps.Report // what somebody else has read
	reads  int
	hold   chan struct{} // work waits for it; nil: it does not
	failed []string      // what a fetch could not get
	proof  deps.Proof
	found  view.Salvaged
	shown  []string // whom FetchFrom names
}

func newProject() *project {
	return &project{report: lackingProject(), shown: []string{"https://mirror.example.org", "direct"},
		proof: deps.Proof{Sealed: true, Runs: []deps.Run{{Command: []string{"go", "build", "./..."}, OK: true}, {Command: []string{"go", "test", "./..."}, OK: true}}}}
}

func mod(path, v string) module.Version { return module.Version{Path: path, Version: v} }

// lacking is a module whose zip is not here.
func lacking(path, v string, by ...string) deps.Module {
	m := mod(path, v)
	t := deps.Trouble{Kind: deps.NoZip, Module: m, Packages: by, Text: redact.Text(m.String() + ": it is not in the module cache"), Fix: redact.Clean("gpx fetch " + m.String())}
	return deps.Module{Version: m, Needed: true, Cache: deps.Parts{Mod: true}, Sum: deps.SumOK, Verdict: deps.Missing, Why: t.Text, Fix: t.Fix, By: by, Troubles: []deps.Trouble{t}}
}

func whole(path, v string) deps.Module {
	return deps.Module{Version: mod(path, v), Needed: true, Cache: deps.Parts{Info: true, Mod: true, Zip: true, Dir: true}, Sum: deps.SumOK, Verdict: deps.Ready}
}

// reportOf is what the project needs.
func reportOf(modules ...deps.Module) *deps.Report {
	r := &deps.Report{Project: &goproject.Project{Root: "/home/me/src/app", GoMod: "/home/me/src/app/go.mod", Module: "corp.example/app", Go: "1.26"},
		Mode: "readonly", Toolchain: deps.Toolchain{Want: "go1.26.8", Cached: true}, Modules: modules, Packages: 321,
		Build: deps.Answer{Ready: true}, Test: deps.Answer{Ready: true}, Tools: deps.Answer{Ready: true}}
	for _, m := range modules {
		if len(m.Troubles) > 0 {
			r.Build.Ready, r.Test.Ready = false, false
			r.Build.Troubles, r.Test.Troubles = append(r.Build.Troubles, m.Troubles...), append(r.Test.Troubles, m.Troubles...)
		}
	}
	return r
}

// lackingProject is the project of the fixtures: three modules are missing, one
// is private, one is replaced by a directory.
func lackingProject() *deps.Report {
	sqlite := lacking("github.com/mattn/go-sqlite3", "v1.14.53", "github.com/mattn/go-sqlite3", "corp.example/app/history", "corp.example/app")
	sqlite.Direct, sqlite.Older = true, []string{"v1.14.32", "v1.14.44"}
	tools := lacking("golang.org/x/tools", "v0.41.0", "golang.org/x/tools/go/packages", "corp.example/app/gen")
	authz := lacking("corp.example/authz", "v0.3.1", "corp.example/authz", "corp.example/app")
	authz.Direct, authz.Private, authz.Cache, authz.Sum = true, true, deps.Parts{}, deps.SumNone
	bar := deps.Module{Version: mod("github.com/foo/bar", "v1.0.0"), Replacement: mod("../bar", ""), Direct: true, Needed: true, Sum: deps.SumNotUsed, Verdict: deps.Replaced, Why: "comes from ../bar"}
	risky := whole("github.com/x/y", "v0.0.0-20250102030405-0123456789ab")
	risky.Cache.Zip, risky.Verdict, risky.Why, risky.Fix = false, deps.AtRisk, "its zip is gone: go mod vendor and go mod verify fail", "gpx fetch github.com/x/y@v0.0.0-20250102030405-0123456789ab"
	idle := deps.Module{Version: mod("golang.org/x/exp", "v0.5.0"), Cache: deps.Parts{Mod: true}, Sum: deps.SumModOnly, Verdict: deps.Ready,
		Unknown: true, Why: "what is missing may need it: nobody can read what corp.example/authz and 2 more import"}
	mods := []deps.Module{authz, bar, sqlite, risky, idle, whole("golang.org/x/mod", "v0.42.0"), whole("golang.org/x/net", "v0.47.0"), tools}
	mods[5].Direct = true
	return reportOf(mods...)
}

// readyProject is the same one with all that it needs.
func readyProject() *deps.Report {
	idle := deps.Module{Version: mod("golang.org/x/exp", "v0.5.0"), Cache: deps.Parts{Mod: true}, Sum: deps.SumModOnly, Verdict: deps.Ready, Why: "no package of it is needed on linux/amd64"}
	return reportOf(whole("corp.example/authz", "v0.3.1"), whole("github.com/mattn/go-sqlite3", "v1.14.53"), idle, whole("golang.org/x/mod", "v0.42.0"), whole("golang.org/x/tools", "v0.41.0"))
}

// brokenProject is one whose go.mod cannot be read.
func brokenProject() *deps.Report {
	m := whole("golang.org/x/mod", "v0.42.0")
	m.Needed, m.Unknown, m.Why = false, true, "what would need it could not be looked at"
	r := reportOf(m)
	t := deps.Trouble{Kind: deps.BadFile, Text: "/home/me/src/app/go.mod:7: unknown directive: reqire"}
	no := deps.Answer{Troubles: []deps.Trouble{t}}
	r.Build, r.Test, r.Tools = no, no, no
	return r
}

// staleVendor is a project whose vendor folder lacks what go.mod requires.
func staleVendor() *deps.Report {
	r := readyProject()
	r.Mode, r.Project.Vendored = "vendor", true
	t := deps.Trouble{Kind: deps.BadVendor, Text: "vendor/modules.txt: golang.org/x/mod@v0.42.0 is required in go.mod and not marked as explicit", Fix: "go mod vendor"}
	no := deps.Answer{Troubles: []deps.Trouble{t}}
	r.Build, r.Test, r.Tools = no, no, no
	return r
}

func (f *fake) deps() view.Deps {
	p := f.project
	held := func(ctx context.Context) error {
		if p.hold == nil {
			return nil
		}
		select {
		case <-p.hold:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return view.Deps{
		ReadDeps: func(context.Context) (*deps.Report, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			p.reads++
			return p.report, nil
		},
		LastDeps: func() *deps.Report {
			f.mu.Lock()
			defer f.mu.Unlock()
			return p.last
		},
		FetchFrom: func(_ context.Context, ms []module.Version) ([][]string, error) {
			from := make([][]string, len(ms))
			for i, m := range ms {
				if m.Path != "corp.example/authz" {
					from[i] = p.shown
				}
			}
			return from, nil
		},
		Fetch: func(ctx context.Context, report func(view.Step)) (view.Outcome, error) {
			f.note("fetch")
			report(view.Step{Text: "golang.org/x/tools@v0.41.0", Done: 1, Total: 3})
			if err := held(ctx); err != nil {
				return view.Outcome{}, err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if len(p.failed) > 0 {
				return view.Outcome{Text: fmt.Sprintf("fetched 2 module versions, 4.1 MiB; %d could not be had", len(p.failed)), Notes: p.failed}, nil
			}
			p.report = readyProject()
			return view.Outcome{Text: "fetched 3 module versions, 4.3 MiB"}, nil
		},
		Salvage: func(ctx context.Context, roots []string, report func(view.Step)) (view.Salvaged, error) {
			f.note("salvage %q", roots)
			report(view.Step{Text: "/mnt/old/pkg/mod"})
			return p.found, held(ctx)
		},
		Vendor: func(ctx context.Context, _ func(view.Step)) (view.Outcome, error) {
			f.note("vendor")
			return view.Outcome{Text: "vendored: go mod vendor"}, held(ctx)
		},
		Prove: func(ctx context.Context, report func(view.Step)) (deps.Proof, error) {
			f.note("prove")
			report(view.Step{Text: "corp.example/app/history"})
			return p.proof, held(ctx)
		},
	}
}

// salvaged is what a search came to: two versions, and one that is not proven.
func salvaged() view.Salvaged {
	return view.Salvaged{Found: 2,
		Proposal: view.Proposal{Plan: &change.Plan{ID: "p-salvage", Title: "salvage 2 module versions",
			Actions: []change.Action{{Kind: "import_bundle", Target: "2 module versions", Bytes: 4 * mib, Undoable: true}}}},
		Lines: []view.Line{{Good: true, Text: "github.com/mattn/go-sqlite3@v1.14.53: tree /mnt/old/pkg/mod, proven by go.sum"},
			{Good: true, Text: "golang.org/x/tools@v0.41.0: clone ~/src/tools, proven by go.sum"},
			{Text: "corp.example/authz@v0.3.1: clone ~/src/authz refused: its hash is another one"}}}
}
