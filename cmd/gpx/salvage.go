package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/cachectl/bundle"
	"gpx/cachectl/deps"
	"gpx/cachectl/salvage"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/sumdb"
	"gpx/tui/view"
)

// A salvageDocument says what was found on this machine.
type salvageDocument struct {
	Applied  bool            `json:"applied"`
	Changes  []string        `json:"changes"` // ids, for gpx undo
	Ready    bool            `json:"ready"`   // go build ./... works without a network now; false without a project
	Found    []foundEntry    `json:"found"`
	Refused  []refusedEntry  `json:"refused"`
	Vendored []vendoredEntry `json:"vendored"` // usable with -mod=vendor only
	Missing  []moduleEntry   `json:"missing"`
	Problems []string        `json:"problems"`
}

type moduleEntry struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

type foundEntry struct {
	moduleEntry
	Source string        `json:"source"`
	Kind   salvage.Kind  `json:"kind"`
	Proof  salvage.Proof `json:"proof"`
}

type refusedEntry struct {
	moduleEntry
	Source string       `json:"source"`
	Kind   salvage.Kind `json:"kind"`
	Why    string       `json:"why"`
}

type vendoredEntry struct {
	moduleEntry
	Dir string `json:"dir"`
}

type salvageFlags struct {
	roots      []string
	apply      bool
	unverified bool
	all        bool
}

func salvageCommand(a *app) *cobra.Command {
	var f salvageFlags
	var c consent
	cmd := &cobra.Command{
		Use: "salvage [MODULE@VERSION…]", Short: "Find what the project lacks elsewhere on this machine, proven by go.sum",
		Long: `Looks on this machine for module versions that are named, or for all that gpx deps
says is missing: in other module caches (other GOPATHs, other users' as far as they
can be read), in extracted trees whose zip is gone, in git clones at the right tag or
commit, and in bundles. Each is proven by its h1 in go.sum, or in what is cached of
the checksum database, or it is refused by name. No network is used.

--roots names folders below which everything is looked for: a mounted volume, a
folder of clones. --apply takes what was found into the module cache, as a change
that gpx undo takes back, and goes on with what is missing then.

A vendor folder is of use with -mod=vendor alone, since files are left out of it; it
is named, and not taken.

Exit status 3 means that something is nowhere.`,
		Args: arguments(0, -1, "module versions"),
		RunE: func(cmd *cobra.Command, args []string) error { return runSalvage(cmd.Context(), a, args, f, c) },
	}
	cmd.Flags().StringSliceVar(&f.roots, "roots", nil, "look below `DIRS` too, separated by commas")
	cmd.Flags().BoolVar(&f.apply, "apply", false, "take what was found into the module cache")
	cmd.Flags().BoolVar(&f.all, "all", false, "also modules that no package is needed of, as go mod verify wants them")
	cmd.Flags().BoolVar(&f.unverified, "unverified", false, "also private modules that nothing vouches for")
	c.addFlags(cmd)
	return cmd
}

func runSalvage(ctx context.Context, a *app, args []string, f salvageFlags, c consent) error {
	const op = "salvage"
	e, p, err := a.both(ctx)
	if err != nil {
		return failed(op, "", err)
	}
	if _, err := a.modCache(ctx, op, e); err != nil {
		return err
	}
	for i, dir := range f.roots {
		if !isFolder(dir) {
			return usage(op, "--roots %s is not a directory", dir)
		}
		real, err := filepath.EvalSymlinks(dir) // below it no link is followed
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if err != nil {
			return failed(op, dir, err)
		}
		f.roots[i] = real
	}
	var wants []salvage.Want
	for _, arg := range args {
		m, err := exactVersion(op, arg)
		if err != nil {
			return err
		}
		wants = append(wants, salvage.Want{Version: m})
	}
	if len(wants) == 0 && p == nil {
		return usage(op, "%s is in no Go project", a.dir()).hint("name one with --project DIR, or name module versions")
	}
	if f.all && len(args) > 0 {
		return usage(op, "--all and module versions do not go together")
	}
	a.remember(ctx, p)
	if len(wants) == 0 {
		if wants, err = a.salvageableOf(ctx, e, p, f.all); err != nil {
			return failed(op, "", err)
		}
	}
	doc := salvageDocumentOf(e, salvage.Result{})
	if err := a.salvageAll(ctx, op, e, p, wants, len(args) == 0, f, c, &doc); err != nil {
		return err
	}
	var r *deps.Report
	if p != nil {
		if r, err = a.readDeps(ctx, e, p); err != nil {
			return failed(op, p.Root, err)
		}
		doc.Ready = r.Build.Ready
	}
	switch {
	case a.flags.json:
		a.out.document(doc)
	case r != nil && doc.Applied:
		a.out.text("", a.out.strong(redact.Clean(r.Project.Module))+"  "+a.readiness(r))
		if !r.Build.Ready {
			a.out.text("  ", a.out.sign(toneBad, "go build ./... stops: "+r.Build.Troubles[0].Text)+more(len(r.Build.Troubles)-1))
		}
	case len(doc.Found) > 0 && !f.apply:
		a.out.line("  " + a.out.theme.Glyphs.Arrow + " take it in: the same command with " + a.out.strong("--apply"))
	}
	if a.out.err == nil && len(doc.Missing) > 0 {
		return errBadNews
	}
	return a.out.err
}

// salvageAll looks for versions, and with --apply takes in what it found. With
// again it then goes on with what is missing now: each .mod may name further
// modules. Who agreed to the first change has agreed to those that follow from it.
func (a *app) salvageAll(ctx context.Context, op string, e *env.Env, p *project.Project, wants []salvage.Want, again bool, f salvageFlags, c consent, doc *salvageDocument) error {
	const most = 20 // rounds; a module graph is never that deep in what is missing
	tried := map[module.Version]bool{}
	for round := range most {
		o, err := a.salvageOptions(ctx, e, p, wants, f)
		if err != nil {
			return failed(op, "", err)
		}
		defer os.RemoveAll(o.Stage)
		res, err := salvage.Find(ctx, o)
		a.progress("")
		if err != nil {
			return failed(op, "", err)
		}
		found := salvageDocumentOf(e, res)
		doc.add(found)
		if !a.flags.json {
			a.printSalvage(found, len(wants))
		}
		if !f.apply || len(res.Found) == 0 {
			return nil
		}
		if err := a.takeIn(ctx, op, e, p, o.Stage, doc, c); err != nil || c.dryRun || !again {
			return err
		}
		c.yes = true
		for _, w := range wants {
			tried[w.Version] = true
		}
		if wants, err = a.salvageableOf(ctx, e, p, f.all); err != nil {
			return failed(op, "", err)
		}
		wants = slices.DeleteFunc(wants, func(w salvage.Want) bool { return tried[w.Version] })
		if len(wants) == 0 || round == most-1 {
			return nil
		}
	}
	return nil
}

// add adds what another round found.
func (d *salvageDocument) add(x salvageDocument) {
	d.Found = append(d.Found, x.Found...)
	d.Refused = append(d.Refused, x.Refused...)
	d.Vendored = append(d.Vendored, x.Vendored...)
	d.Missing = append(d.Missing, x.Missing...)
	for _, problem := range x.Problems {
		if !slices.Contains(d.Problems, problem) {
			d.Problems = append(d.Problems, problem)
		}
	}
}

// takeIn takes a stage into the module cache.
func (a *app) takeIn(ctx context.Context, op string, e *env.Env, p *project.Project, stage string, doc *salvageDocument, c consent) error {
	if err := salvage.Seal(stage); err != nil {
		return failed(op, "", err)
	}
	o, err := importOptions(stage, e, p)
	if err != nil {
		return failed(op, "GOSUMDB", err)
	}
	pre, err := bundle.PlanImport(ctx, o)
	if err != nil {
		return failed(op, "", err)
	}
	pre.Plan.Title = "salvage " + count(int64(len(pre.New)), "module version", "module versions")
	for _, x := range pre.Conflicts { // a person sees them with the plan
		doc.Problems = append(doc.Problems, x.Path+"@"+x.Version+" is not taken in: "+x.Why)
	}
	if a.flags.json {
		if c.dryRun || pre.Plan.Empty() {
			return nil
		}
		if err := a.confirm(ctx, op, proposal{Plan: pre.Plan}, c); err != nil {
			return err
		}
		done, err := a.apply(ctx, pre.Plan)
		a.progress("")
		if err != nil {
			return failed(op, "", err)
		}
		doc.Changes = append(doc.Changes, done.ID)
	} else if err := a.carryOutProposal(ctx, op, proposal{Plan: pre.Plan}, c); err != nil {
		return err
	}
	doc.Applied = doc.Applied || !c.dryRun
	return nil
}

// salvageable is what the project lacks now.
func (a *app) salvageable(ctx context.Context, e *env.Env, p *project.Project) ([]salvage.Want, error) {
	return a.salvageableOf(ctx, e, p, false)
}

// salvageableOf is what the project lacks now, or with all what its build list
// does.
func (a *app) salvageableOf(ctx context.Context, e *env.Env, p *project.Project, all bool) ([]salvage.Want, error) {
	r, err := a.readDeps(ctx, e, p)
	if err != nil {
		return nil, err
	}
	var wants []salvage.Want
	whole, mods := r.Lacking()
	for _, m := range whole {
		wants = append(wants, salvage.Want{Version: m})
	}
	if all {
		for i := range r.Modules {
			m := &r.Modules[i]
			if v := m.Actual(); v.Version != "" && !m.Cache.Zip && !slices.Contains(whole, v) {
				whole = append(whole, v)
				wants = append(wants, salvage.Want{Version: v})
			}
		}
	}
	for _, m := range mods {
		if !slices.Contains(whole, m) {
			wants = append(wants, salvage.Want{Version: m, ModOnly: true})
		}
	}
	return wants, nil
}

func (a *app) salvageOptions(ctx context.Context, e *env.Env, p *project.Project, wants []salvage.Want, f salvageFlags) (salvage.Options, error) {
	lookup, _, err := a.sumLookup(ctx, e, false)
	if err != nil {
		return salvage.Options{}, err
	}
	o := salvage.Options{
		Wants: wants, Cache: e.Get("GOMODCACHE"), Caches: otherCaches(e), Roots: f.roots, Stage: a.salvageStage(e),
		Unverified: f.unverified, Proofs: &salvage.Proofs{Lookup: lookup, Skip: func(path string) bool { return !sumdb.Verifies(e, path) }},
		Report: a.progress,
	}
	if p != nil {
		o.Proofs.Sums = p.Sums
	}
	o.Projects, _ = a.knownRoots(ctx)
	return o, nil
}

// salvageStage is an empty stage that no other gpx uses: what is in one would be
// taken in. Those that were left behind go after a day.
func (a *app) salvageStage(e *env.Env) string {
	base := a.stateFile("salvage", e.Get("GOMODCACHE"))
	stage := fmt.Sprintf("%s-%d", base, os.Getpid())
	old, _ := filepath.Glob(base + "*")
	for _, dir := range old {
		if fi, err := os.Lstat(dir); dir == stage || err == nil && time.Since(fi.ModTime()) > 24*time.Hour {
			os.RemoveAll(dir)
		}
	}
	return stage
}

// otherCaches are the module caches on this machine beside the one in use: of
// every GOPATH, and of every user.
func otherCaches(e *env.Env) []string {
	var homes []string
	if u, err := user.Current(); err == nil {
		homes = append(homes, u.HomeDir)
	}
	homes = append(homes, view.Home(e))
	for _, pattern := range []string{"/home/*", "/root", "/Users/*", `C:\Users\*`} {
		found, _ := filepath.Glob(pattern)
		homes = append(homes, found...)
	}
	paths := filepath.SplitList(e.Get("GOPATH"))
	for _, home := range homes {
		if home != "" {
			paths = append(paths, filepath.Join(home, "go"))
		}
	}
	var caches []string
	for _, path := range paths {
		cache := filepath.Join(path, "pkg", "mod")
		_, err := os.Stat(filepath.Join(cache, "cache", "download"))
		there := err == nil || errors.Is(err, fs.ErrPermission) // that it cannot be read is to be said
		if there && !slices.Contains(caches, cache) && !same(cache, e.Get("GOMODCACHE")) {
			caches = append(caches, cache)
		}
	}
	return caches
}

func same(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

func salvageDocumentOf(e *env.Env, r salvage.Result) salvageDocument {
	name := func(m module.Version) moduleEntry { return moduleEntry{redact.Clean(m.Path), redact.Clean(m.Version)} }
	path := func(p string) string { return redact.Text(view.Tilde(e, p)) }
	doc := salvageDocument{Changes: []string{}, Found: []foundEntry{}, Refused: []refusedEntry{}, Vendored: []vendoredEntry{}, Missing: []moduleEntry{}, Problems: nonNil(r.Problems)}
	for _, x := range r.Found {
		doc.Found = append(doc.Found, foundEntry{name(x.Version), path(x.Source), x.Kind, x.Proof})
	}
	for _, x := range r.Refused {
		doc.Refused = append(doc.Refused, refusedEntry{name(x.Version), path(x.Source), x.Kind, x.Why})
	}
	for _, x := range r.Vendored {
		doc.Vendored = append(doc.Vendored, vendoredEntry{name(x.Version), path(x.Dir)})
	}
	for _, m := range r.Missing {
		doc.Missing = append(doc.Missing, name(m))
	}
	return doc
}

func (a *app) printSalvage(d salvageDocument, wanted int) {
	out := a.out
	if wanted == 0 {
		out.text("", out.sign(toneGood, "nothing is missing in the module cache"))
		return
	}
	var rows [][]string
	row := func(t tone, m moduleEntry, what, source, more string) {
		rows = append(rows, []string{out.sign(t, m.Path+out.dim("@"+m.Version)), what, source, out.dim(more)})
	}
	for _, x := range d.Found {
		row(toneGood, x.moduleEntry, string(x.Kind), x.Source, "proven by "+string(x.Proof))
	}
	for _, x := range d.Refused {
		row(toneBad, x.moduleEntry, string(x.Kind), x.Source, "refused: "+x.Why)
	}
	for _, x := range d.Vendored {
		row(toneIdle, x.moduleEntry, "vendor folder", x.Dir, "usable with -mod=vendor only")
	}
	for _, x := range d.Missing {
		where := "nowhere"
		if slices.ContainsFunc(d.Refused, func(r refusedEntry) bool { return r.moduleEntry == x }) {
			where = "nowhere else"
		}
		row(toneBad, x, where, "", "")
	}
	out.table("", rows)
	a.printProblems(d.Problems)
	out.line(out.dim(count(int64(len(d.Found)), "version", "versions") + " of " + count(int64(wanted), "version", "versions") + " found"))
}
