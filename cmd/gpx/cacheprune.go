package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/modcache"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/probe/reach"
)

type pruneFlags struct {
	unreferenced, partial, allFiles, trash bool
	olderThan                              period
	keepLatest                             int
	roots                                  []string

	build, tests, all bool
	maxSize           bytesize

	consent
}

// The flags that go with one of the two caches only.
var (
	moduleOnly = []string{"unreferenced", "roots", "keep-latest", "partial", "all-files", "trash"}
	buildOnly  = []string{"tests", "max-size", "all"}
)

func cachePruneCommand(a *app) *cobra.Command {
	var f pruneFlags
	cmd := &cobra.Command{
		Use: "prune [MODULE[@VERSION]…] | prune --build", Short: "Take module versions, or what was built, out of the caches",
		Long: `Takes whole module versions (zip, hash, extracted tree) out of the module cache.
The .info and .mod files stay, because other module graphs read them;
--all-files takes them too. Several selections narrow one another down.

  MODULE@VERSION   this version: even the only copy, and even one that a known
                   project needs, if somebody can give it back now
  MODULE           all versions of it; MODULE/... also of the modules below
  --unreferenced   what no known project needs: those that gpx was started in,
                   those below --roots, and what go commands work with now
  --older-than D   what was fetched longer ago: 90d, 2w, 12h
  --keep-latest N  all but the N newest versions of a module
  --partial        what downloads that were cut short have left

What a known project or a running go command needs stays, and so does what no
healthy hop of the chain can give back now: it is the ONLY COPY. --trash keeps
what goes for 24 hours, and gpx undo brings it back; without it, it is gone.
Exit status 3 means that a version that was named stays.

With --build it is the build cache: --older-than D (not used for so long),
--max-size S (the oldest go until it has that size), --tests (test results count
as expired, as by go clean -testcache), --all. What was used within the last
hour stays, and fuzz corpora do; the go command makes everything else again.`,
		Args: arguments(0, -1, "modules"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "cache prune"
			wrong, with := buildOnly, "goes with --build"
			if f.build {
				wrong, with = moduleOnly, "does not go with --build"
			}
			for _, name := range wrong {
				if cmd.Flags().Changed(name) {
					return usage(op, "--%s %s", name, with)
				}
			}
			ctx := cmd.Context()
			e, err := a.env(ctx)
			if err != nil {
				return failed(op, "", err)
			}
			if !f.build {
				return runPruneModules(ctx, a, f, args, e)
			}
			switch {
			case len(args) > 0:
				return usage(op, "--build takes no modules, got %q", args[0])
			case f.olderThan == 0 && f.maxSize == 0 && !f.tests && !f.all:
				return usage(op, "prune what of the build cache?").hint("--older-than 30d, --max-size 2GB, --tests or --all")
			}
			return runPruneBuild(ctx, a, f, e)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.unreferenced, "unreferenced", false, "what no known project needs")
	fl.StringArrayVar(&f.roots, "roots", nil, "the projects below `DIR` are known ones, too; may be given several times")
	fl.Var(&f.olderThan, "older-than", "what was fetched, or with --build not used, for `TIME`: 90d, 2w, 12h")
	fl.IntVar(&f.keepLatest, "keep-latest", 0, "keep the `N` newest versions of each module")
	fl.BoolVar(&f.partial, "partial", false, "what downloads that were cut short have left")
	fl.BoolVar(&f.allFiles, "all-files", false, ".info and .mod too")
	fl.BoolVar(&f.trash, "trash", false, "keep it in the trash for 24 hours, so that gpx undo brings it back")
	fl.BoolVar(&f.build, "build", false, "the build cache")
	fl.Var(&f.maxSize, "max-size", "--build: the oldest go until it has `SIZE`: 2GB, 500MiB")
	fl.BoolVar(&f.tests, "tests", false, "--build: test results count as expired")
	fl.BoolVar(&f.all, "all", false, "--build: everything that was not used within the last hour")
	f.addFlags(cmd)
	return cmd
}

// runPruneBuild prunes the build cache.
func runPruneBuild(ctx context.Context, a *app, f pruneFlags, e *env.Env) error {
	const op = "cache prune"
	a.progress("looking at the build cache…")
	p, err := planPruneBuild(ctx, e, buildcache.PruneOptions{
		OlderThan: time.Duration(f.olderThan), MaxSize: int64(f.maxSize), All: f.all, Tests: f.tests, Now: a.now,
	})
	a.progress("")
	if err != nil {
		return failed(op, "", err)
	}
	return a.carryOut(ctx, op, p, f.consent)
}

// planPruneBuild plans what o asks for of the build cache.
func planPruneBuild(ctx context.Context, e *env.Env, o buildcache.PruneOptions) (*change.Plan, error) {
	at := buildcache.Locate(e)
	if at.Dir == "" {
		return nil, at.Err
	}
	c, err := buildcache.Open(at.Dir)
	if err != nil {
		return nil, err
	}
	p, err := c.PlanPrune(ctx, o)
	if err == nil && at.Note != "" {
		p.Warn(at.Note)
	}
	return p, err
}

// runPruneModules prunes the module cache.
func runPruneModules(ctx context.Context, a *app, f pruneFlags, args []string, e *env.Env) error {
	const op = "cache prune"
	o := modcache.PruneOptions{
		Unreferenced: f.unreferenced, OlderThan: time.Duration(f.olderThan), KeepLatest: f.keepLatest,
		Partial: f.partial, AllFiles: f.allFiles, Trash: f.trash,
	}
	if err := f.check(args, &o); err != nil {
		return err
	}
	inv, err := a.scanModules(ctx, op, e)
	if err != nil {
		return err
	}
	for _, path := range o.Modules {
		if !slices.ContainsFunc(inv.Versions, func(v modcache.Version) bool { return below(path, v.Path) }) {
			return failed(op, path, errors.New("is not in the module cache")).hint("see: gpx cache ls")
		}
	}
	plan, kept, err := a.planPrune(ctx, e, inv, o, f.roots, func(what string, done, total int64) {
		a.progress(strings.TrimSpace(what + " " + share(done, total)))
	})
	a.progress("")
	if err != nil {
		return failed(op, "", err)
	}
	if kept == nil {
		kept = []modcache.Kept{}
	}
	if err := a.carryOutProposal(ctx, op, proposal{Plan: plan, kept: kept}, f.consent); err != nil {
		return err
	}
	left := func(m module.Version) bool { return plan.LeftBehind(redact.Clean(m.String())) }
	if slices.ContainsFunc(kept, func(k modcache.Kept) bool { return k.Named }) || slices.ContainsFunc(o.Versions, left) {
		return errBadNews // what was asked for by its name was not done
	}
	return nil
}

// planPrune plans what o asks for, with what is known here of who needs what and
// who else has it. report is told how far that is; total is 0 while nobody knows.
func (a *app) planPrune(ctx context.Context, e *env.Env, inv *modcache.Inventory, o modcache.PruneOptions, roots []string,
	report func(what string, done, total int64)) (*change.Plan, []modcache.Kept, error) {
	report("reading what the known projects need…", 0, 0)
	known, err := a.household(ctx, e, roots)
	if err != nil {
		return nil, nil, err
	}
	r, err := a.reacher(ctx, e, known.own)
	if err != nil {
		return nil, nil, err
	}
	o.Needs, o.Running, o.Since, o.Now = known.needs, []string{byRunning}, known.since, a.now()
	o.Reach = func(ctx context.Context, ms []module.Version) (map[module.Version]reach.Answer, error) {
		done := 0
		return r.Where(ctx, ms, func(reach.Answer) {
			done++
			report("asking who else has them:", int64(done), int64(len(ms)))
		})
	}
	plan, kept, err := modcache.PlanPrune(ctx, inv, o)
	if err == nil && !plan.Empty() {
		if o.Unreferenced {
			plan.Warn(known.words())
		}
		known.warn(plan)
	}
	return plan, kept, err
}

// below reports whether a module is what an argument names: a path, or path/...
// for all below it too.
func below(arg, path string) bool {
	prefix, all := strings.CutSuffix(arg, "/...")
	return path == prefix || all && strings.HasPrefix(path, prefix+"/")
}

// check reads the arguments, and refuses a selection that selects nothing.
func (f pruneFlags) check(args []string, o *modcache.PruneOptions) error {
	const op = "cache prune"
	for _, arg := range args {
		if strings.Contains(arg, "@") {
			m, err := exactVersion(op, arg)
			if err != nil {
				return err
			}
			o.Versions = append(o.Versions, m)
			continue
		}
		if err := module.CheckPath(strings.TrimSuffix(arg, "/...")); err != nil {
			return usage(op, "%v", err).hint("wanted is a module such as golang.org/x/text, all below one (k8s.io/...), or one version of it: golang.org/x/text@v0.3.0")
		}
		o.Modules = append(o.Modules, arg)
	}
	switch {
	case f.keepLatest < 0:
		return usage(op, "--keep-latest %d is no number of versions", f.keepLatest)
	case len(args) == 0 && !f.unreferenced && f.olderThan == 0 && f.keepLatest == 0 && !f.partial:
		return usage(op, "prune what?").hint("name modules, or say which: --unreferenced, --older-than 90d, --keep-latest 2, --partial; or --build for the build cache")
	}
	for _, dir := range f.roots {
		if !isFolder(dir) {
			return usage(op, "--roots %s is not a directory", dir)
		}
	}
	return nil
}

// words say which projects decide about what is needed.
func (h *household) words() string {
	const most = 3
	if len(h.roots) == 0 {
		return "gpx knows no project, so nothing counts as needed but what runs now; name folders with --roots DIR, or start gpx in your projects first"
	}
	var names []string
	for _, root := range h.roots[:min(len(h.roots), most)] {
		names = append(names, redact.Text(root))
	}
	text := "needed is what " + count(int64(len(h.roots)), "known project needs", "known projects need") + ": " + strings.Join(names, ", ")
	if more := len(h.roots) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + "; others: --roots DIR"
}

// warn says in a plan what could not be found out about who needs what.
func (h *household) warn(p *change.Plan) {
	const most = 5
	for _, text := range h.problems[:min(len(h.problems), most)] {
		p.Warn(text)
	}
	if more := len(h.problems) - most; more > 0 {
		p.Warn(count(int64(more), "more project", "more projects") + " cannot be read; what only they need counts as needed by nobody")
	}
}
