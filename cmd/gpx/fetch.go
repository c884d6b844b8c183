package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/cachectl/bundle"
	"gpx/cachectl/deps"
	"gpx/cachectl/fetch"
	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/sumdb"
	"gpx/probe"
)

// A fetchDocument says what came, and what did not.
type fetchDocument struct {
	DryRun  bool           `json:"dry_run"`
	Fetched []fetchedEntry `json:"fetched"`
	Failed  []failedEntry  `json:"failed"`
	Wrong   []triedEntry   `json:"wrong"`   // sources that sent other bytes than go.sum or the database want
	Changes []string       `json:"changes"` // ids, for gpx undo
}

type fetchedEntry struct {
	Path    string      `json:"path"`
	Version string      `json:"version"`
	Source  string      `json:"source"`
	Proof   fetch.Proof `json:"proof"`
	Bytes   int64       `json:"bytes"`
	Files   []string    `json:"files"`
}

type failedEntry struct {
	Path    string       `json:"path"`
	Version string       `json:"version"`
	Why     string       `json:"why"`
	Tried   []triedEntry `json:"tried"`
}

type triedEntry struct {
	Hop    string      `json:"hop"`
	Class  probe.Class `json:"class"`
	Detail string      `json:"detail"`
}

func fetchCommand(a *app) *cobra.Command {
	var c consent
	missing := false
	cmd := &cobra.Command{
		Use: "fetch [MODULE@VERSION…]", Short: "Get what the project lacks from whatever still answers",
		Long: `Gets module versions into the module cache: those that are named, or all that
gpx deps says is missing. It asks the hops of the chain, and beyond them the
endpoints and the catalog that you agreed to, the best first; one that hangs is
asked once, and nobody public is told of a private module. Every file is compared
with go.sum or the checksum database before the go command can see it; wrong
bytes are thrown away and the next source is asked.

What came before an interruption is kept, and the next run goes on from there.

Exit status 3 means that something could not be had.`,
		Args: arguments(0, -1, "module versions"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if missing && len(args) > 0 {
				return usage("fetch", "--missing and module versions do not go together")
			}
			return runFetch(cmd.Context(), a, args, c)
		},
	}
	cmd.Flags().BoolVar(&missing, "missing", false, "all that gpx deps says is missing (without arguments that is meant anyway)")
	c.addFlags(cmd)
	return cmd
}

func runFetch(ctx context.Context, a *app, args []string, c consent) error {
	const op = "fetch"
	e, p, err := a.both(ctx)
	if err != nil {
		return failed(op, "", err)
	}
	if _, err := a.modCache(ctx, op, e); err != nil {
		return err
	}
	var named []fetch.Want
	for _, arg := range args {
		m, err := exactVersion(op, arg)
		if err != nil {
			return err
		}
		named = append(named, fetch.Want{Version: m})
	}
	if len(named) == 0 && p == nil {
		return usage(op, "%s is in no Go project", a.dir()).hint("name one with --project DIR, or name module versions")
	}
	a.remember(ctx, p)
	f, err := a.newFetcher(ctx, e, p)
	if err != nil {
		return failed(op, "", err)
	}
	defer f.close()
	wants := named
	if len(named) == 0 {
		if wants, err = f.lacking(ctx); err != nil {
			return failed(op, "", err)
		}
	}
	doc := fetchDocument{DryRun: c.dryRun, Fetched: []fetchedEntry{}, Failed: []failedEntry{}, Wrong: []triedEntry{}, Changes: []string{}}
	if len(wants) == 0 {
		if a.flags.json {
			a.out.document(doc)
		} else {
			a.out.text("", a.out.sign(toneGood, "nothing is missing in the module cache"))
		}
		return a.out.err
	}
	shown := proposal{Plan: f.plan(wants)}
	if c.dryRun {
		return a.carryOutProposal(ctx, op, shown, c)
	}
	if err := a.confirm(ctx, op, shown, c); err != nil {
		return err
	}
	err = f.run(ctx, wants, len(named) == 0, &doc)
	a.progress("")
	if a.flags.json && err == nil {
		a.out.document(doc)
	} else if !a.flags.json {
		a.printFetch(doc)
	}
	switch {
	case err != nil:
		for _, id := range doc.Changes {
			a.errs.line("gpx fetch: what came before was applied as change " + id)
		}
		return failed(op, "", err)
	case a.out.err == nil && len(doc.Failed) > 0:
		return errBadNews
	}
	return a.out.err
}

// A fetcher fetches for one project.
type fetcher struct {
	a   *app
	e   *env.Env
	p   *project.Project // may be nil
	o   fetch.Options
	end func()
}

func (a *app) newFetcher(ctx context.Context, e *env.Env, p *project.Project) (*fetcher, error) {
	var own []string
	if p != nil {
		own = p.Modules
	}
	r, err := a.reacher(ctx, e, own)
	if err != nil {
		return nil, err
	}
	prober, err := a.prober(ctx)
	if err != nil {
		return nil, err
	}
	lookup, end, err := a.sumLookupAnywhere(ctx, e, prober)
	if err != nil {
		return nil, err
	}
	stage := a.stateFile("fetch", e.Get("GOMODCACHE"))
	unlock, err := fetch.Lock(stage)
	if err != nil {
		end()
		return nil, err
	}
	f := &fetcher{a: a, e: e, p: p, end: func() { end(); unlock() }}
	c, err := e.Chain()
	if err != nil { // then it has no hops, for the go command either
		c = chain.Chain{}
	}
	f.o = fetch.Options{
		Sources: r.Sources, Circle: circles(e, c), Prober: prober, Direct: fetch.Direct(e), Stage: stage,
		Proofs: &fetch.Proofs{Lookup: lookup, Skip: func(path string) bool { return !sumdb.Verifies(e, path) }},
		Report: func(p fetch.Progress) {
			a.progress(fmt.Sprintf("fetched %d of %d, %s: %s", p.Done, p.Total, size(p.Bytes), p.Last))
		},
	}
	if p != nil {
		f.o.Proofs.Sums = p.Sums
	}
	return f, nil
}

func (f *fetcher) close() { f.end() }

// sumRouteFor is how long one request to the checksum database may take on one
// route before the next one is tried.
const sumRouteFor = 3 * time.Second

// sumLookupAnywhere looks versions up in the checksum database by whatever route
// answers: that of the go command first, then each other hop of the chain, then
// the database itself. It signs what it says, so the route does not matter.
func (a *app) sumLookupAnywhere(ctx context.Context, e *env.Env, prober *probe.Prober) (lookup func(context.Context, module.Version) ([]string, error), end func(), err error) {
	db, err := e.SumDB()
	if err != nil || db.Off {
		return nil, func() {}, err
	}
	o, err := sumdb.Of(e)
	if err != nil {
		return nil, nil, err
	}
	c, err := e.Chain()
	if err != nil {
		return nil, nil, err
	}
	routes := []chain.Chain{c}
	for _, h := range c.Hops {
		if h.Kind == chain.Proxy && len(c.Hops) > 1 {
			routes = append(routes, chain.Chain{Hops: []chain.Hop{h}})
		}
	}
	// A chain of file trees, or off, says that nobody is to be asked.
	network := slices.ContainsFunc(c.Hops, func(h chain.Hop) bool { return h.Kind == chain.Proxy || h.Kind == chain.Direct })
	if direct, err := chain.Parse("direct"); err == nil && network {
		routes = append(routes, direct)
	}
	var remotes []*probe.SumDBRemote
	for _, r := range routes {
		remote := prober.NewSumDBRemote(r, db)
		remote.Patience = sumRouteFor
		remotes = append(remotes, remote)
	}
	o.Alone = true
	o.Remote = firstOf(remotes)
	return sumdb.New(o).Lookup, func() {
		for _, r := range remotes {
			r.Close()
		}
	}, nil
}

// firstOf asks the remotes one after the other; one that failed is not asked
// again.
func firstOf(remotes []*probe.SumDBRemote) func(ctx context.Context, path string) ([]byte, error) {
	var first atomic.Int32
	return func(ctx context.Context, path string) (data []byte, err error) {
		for i := int(first.Load()); i < len(remotes); i++ {
			data, err = remotes[i].Get(ctx, path)
			if err == nil || ctx.Err() != nil || errors.Is(err, fs.ErrNotExist) {
				return data, err
			}
			first.CompareAndSwap(int32(i), int32(min(i+1, len(remotes)-1)))
		}
		return nil, err
	}
}

// lacking is what the project lacks now.
func (f *fetcher) lacking(ctx context.Context) ([]fetch.Want, error) {
	r, err := f.a.readDeps(ctx, f.e, f.p)
	if err != nil {
		return nil, err
	}
	return wantsOf(r), nil
}

func wantsOf(r *deps.Report) []fetch.Want {
	var wants []fetch.Want
	whole, mods := r.Lacking()
	for _, m := range whole {
		wants = append(wants, fetch.Want{Version: m})
	}
	for _, m := range mods {
		wants = append(wants, fetch.Want{Version: m, ModOnly: true})
	}
	return wants
}

// plan says what is about to be fetched. Nothing in it is carried out as it
// stands: what comes is placed by a plan of its own.
func (f *fetcher) plan(wants []fetch.Want) *change.Plan {
	p := &change.Plan{Title: "fetch " + count(int64(len(wants)), "module version", "module versions")}
	for _, w := range wants {
		what := ".info .mod .zip"
		if w.ModOnly {
			what = ".info .mod"
		}
		from := "nobody may be asked"
		if eps := f.o.Sources(w.Version); len(eps) > 0 {
			from = redact.URL(eps[0].URL)
			if n := len(eps) - 1; n > 0 {
				from += fmt.Sprintf(" or %d more", n)
			}
		}
		p.Actions = append(p.Actions, change.Action{Kind: "fetch", Target: redact.Clean(w.String()), New: what + " from " + from, Undoable: true})
	}
	return p
}

// run fetches and places, and with again looks what is missing then: each .mod
// may name further modules.
func (f *fetcher) run(ctx context.Context, wants []fetch.Want, again bool, doc *fetchDocument) error {
	const most = 20 // rounds; a module graph is never that deep in what is missing
	var gone []module.Version
	for range most {
		f.o.Wants = wants
		res, err := fetch.Get(ctx, f.o)
		doc.add(res)
		if len(res.Fetched) > 0 { // also of what was interrupted
			if id, perr := f.place(context.WithoutCancel(ctx)); perr != nil {
				return errors.Join(perr, err)
			} else if id != "" {
				doc.Changes = append(doc.Changes, id)
			}
		}
		if err != nil {
			return err
		}
		for _, x := range res.Failed {
			gone = append(gone, x.Version)
		}
		if !again || len(res.Fetched) == 0 {
			return nil
		}
		if wants, err = f.lacking(ctx); err != nil {
			return err
		}
		wants = slices.DeleteFunc(wants, func(w fetch.Want) bool { return slices.Contains(gone, w.Version) })
		if len(wants) == 0 {
			return nil
		}
	}
	return nil
}

// place takes the stage into the module cache, as a change that can be undone.
func (f *fetcher) place(ctx context.Context) (id string, err error) {
	o, err := importOptions(f.o.Stage, f.e, f.p)
	if err != nil {
		return "", err
	}
	if err := fetch.Seal(f.o.Stage); err != nil {
		return "", err
	}
	pre, err := bundle.PlanImport(ctx, o)
	if err != nil {
		return "", err
	}
	if !pre.Plan.Empty() {
		pre.Plan.Title = "fetch " + count(int64(len(pre.New)), "module version", "module versions")
		f.a.progress("checking and placing " + count(int64(len(pre.New)), "module version", "module versions") + "…")
		done, err := f.a.apply(ctx, pre.Plan)
		if err != nil {
			return "", err
		}
		id = done.ID
	}
	return id, os.RemoveAll(f.o.Stage)
}

func (d *fetchDocument) add(r fetch.Result) {
	for _, x := range r.Fetched {
		files := make([]string, len(x.Files))
		for i, file := range x.Files {
			files[i] = string(file)
		}
		d.Fetched = append(d.Fetched, fetchedEntry{redact.Clean(x.Path), redact.Clean(x.Version.Version), x.Source, x.Proof, x.Bytes, files})
	}
	for _, x := range r.Failed {
		d.Failed = append(d.Failed, failedEntry{redact.Clean(x.Path), redact.Clean(x.Version.Version), redact.Text(x.Why), triedOf(x.Tried)})
	}
	d.Wrong = append(d.Wrong, triedOf(r.Wrong)...)
}

func triedOf(list []fetch.Tried) []triedEntry {
	out := make([]triedEntry, len(list))
	for i, t := range list {
		out[i] = triedEntry{t.Hop, t.Class, t.Detail}
	}
	return out
}

func (a *app) printFetch(d fetchDocument) {
	out := a.out
	var rows [][]string
	var bytes int64
	for _, x := range d.Fetched {
		bytes += x.Bytes
		proof := string(x.Proof)
		if x.Source == "stage" {
			proof = "by an earlier run"
		}
		rows = append(rows, []string{out.sign(toneGood, x.Path+out.dim("@"+x.Version)), right(size(x.Bytes), 9), x.Source, out.dim(proof)})
	}
	for _, x := range d.Failed {
		rows = append(rows, []string{out.sign(toneBad, x.Path+out.dim("@"+x.Version)), "", "", x.Why})
	}
	out.table("", rows)
	for _, w := range d.Wrong {
		out.text("", out.sign(toneBad, "WRONG BYTES from "+w.Hop+": "+w.Detail))
	}
	if len(d.Fetched) > 0 {
		out.line(out.dim(count(int64(len(d.Fetched)), "version", "versions") + " fetched, " + size(bytes)))
	}
	for _, id := range d.Changes {
		out.line(out.sign(toneGood, "applied as change "+id) + out.dim("; take it back with: gpx undo "+id))
	}
	if len(d.Failed) > 0 {
		out.line("  " + out.theme.Glyphs.Arrow + " look for them on this machine: " + out.strong("gpx salvage"))
	}
}
