package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
	"gpx/cachectl/needs"
	"gpx/envctl/env"
	"gpx/envctl/project"
	"gpx/envctl/redact"
	"gpx/envctl/sumdb"
)

type verifyFlags struct {
	project     string // a folder; thisProject where the flag has no value
	all, online bool
}

// thisProject is what --project means without a value.
const thisProject = "."

func cacheVerifyCommand(a *app) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use: "verify", Short: "Check zips and extracted trees against their hashes, go.sum and the checksum database",
		Long: `Checks every module version in the module cache: the zip and the extracted tree
against the recorded hash, both and the .mod file against the project's go.sum
and the checksum database, the .info file for what it says. It changes nothing,
and names for each damage the one command that mends it.

The checksum database is read as far as the go command has cached it; --online
asks it for the rest, by the route that the go command takes. What was
interrupted goes on where it stopped; --all begins anew.

Exit status 3 means that there is damage.`,
		Args: arguments(0, 1, "at most one folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 { // --project DIR, which a flag with an optional value leaves behind
				if f.project != thisProject {
					return usage("cache verify", "takes no arguments, got %q", args[0]).hint("see: gpx cache verify --help")
				}
				f.project = args[0]
			}
			return runCacheVerify(cmd.Context(), a, f)
		},
	}
	cmd.Flags().StringVar(&f.project, "project", "", "only what the project needs, this one or that in `DIR`")
	cmd.Flags().Lookup("project").NoOptDefVal = thisProject
	cmd.Flags().BoolVar(&f.all, "all", false, "check everything, also what an interrupted run has done")
	cmd.Flags().BoolVar(&f.online, "online", false, "ask the checksum database for what is not cached of it")
	return cmd
}

func runCacheVerify(ctx context.Context, a *app, f verifyFlags) error {
	const op = "cache verify"
	if f.project != "" && f.project != thisProject {
		a.flags.project = f.project
		if err := a.checkFolders(op); err != nil {
			return err
		}
	}
	e, p, err := a.both(ctx)
	if err != nil {
		return failed(op, "", err)
	}
	if p == nil && f.project != "" {
		return usage(op, "%s is in no Go project", a.dir()).hint("name one with --project DIR")
	}
	a.remember(ctx, p)
	cache, err := a.modCache(ctx, op, e)
	if err != nil {
		return err
	}
	inv, err := a.scanModules(ctx, op, e)
	if err != nil {
		return err
	}
	o := modcache.VerifyOptions{
		Versions: inv.Versions, ResumeFile: a.stateFile("modcache-verified", cache.Dir()), All: f.all, Now: a.now,
		Report: func(p modcache.VerifyProgress) {
			a.progress("verifying " + share(p.Bytes, p.TotalBytes) + " (" + count(int64(p.Done), "version", "versions") + ")")
		},
	}
	if p != nil {
		o.Sums = p.Sums
	}
	if f.project != "" {
		o.Versions = neededOf(ctx, a, inv, p, e)
	}
	lookup, end, err := a.sumLookup(ctx, e, f.online)
	if err != nil {
		return failed(op, "GOSUMDB", err)
	}
	defer end()
	o.Lookup = lookup
	res, err := cache.Verify(ctx, o)
	a.progress("")
	if err != nil {
		return failed(op, "", err)
	}
	if a.flags.json {
		a.out.document(res)
	} else {
		a.printVerify(res, f.online)
	}
	if a.out.err == nil && (len(res.Bad) > 0 || res.Database.Untrusted > 0) {
		return errBadNews
	}
	return a.out.err
}

// neededOf are the versions in the cache that a project needs.
func neededOf(ctx context.Context, a *app, inv *modcache.Inventory, p *project.Project, e *env.Env) []modcache.Version {
	need, problems := needs.Of(ctx, []string{p.Root}, e)
	for _, p := range problems {
		a.notice(p.String())
	}
	a.printNotices()
	list := []modcache.Version{}
	for _, v := range inv.Versions {
		if need.Whole(v.Version) != nil || need.Mod(v.Version) != nil {
			list = append(list, v)
		}
	}
	return list
}

// sumLookup looks module versions up in the checksum database: as far as it is
// cached, or asking it too. It is nil where the database is switched off. The
// caller ends it.
func (a *app) sumLookup(ctx context.Context, e *env.Env, online bool) (lookup func(context.Context, module.Version) ([]string, error), end func(), err error) {
	db, err := e.SumDB()
	if err != nil || db.Off {
		return nil, func() {}, err
	}
	o, err := sumdb.Of(e)
	if err != nil {
		return nil, nil, err
	}
	o.Alone = true // a signed record proves a version, whatever the newest head is
	end = func() {}
	if online {
		if o.Remote, end, err = a.sumRemote(ctx, e); err != nil {
			return nil, nil, err
		}
	}
	return sumdb.New(o).Lookup, end, nil
}

// sumRemote asks the checksum database by the route that the go command takes.
// The caller ends it.
func (a *app) sumRemote(ctx context.Context, e *env.Env) (remote func(context.Context, string) ([]byte, error), end func(), err error) {
	prober, err := a.prober(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := e.Chain()
	if err != nil {
		return nil, nil, err
	}
	db, err := e.SumDB()
	if err != nil {
		return nil, nil, err
	}
	r := prober.NewSumDBRemote(c, db)
	return r.Get, r.Close, nil
}

// printBad writes each damage with the command that mends it.
func (a *app) printBad(bad []modcache.Bad) {
	out := a.out
	for _, b := range bad {
		out.text("", out.sign(toneBad, out.strong(b.Path+"@"+b.Version))+"  "+b.What.Words())
		rows := [][]string{}
		for _, row := range [][2]string{{"want", b.Want}, {"got", b.Got}, {"more", b.Detail}, {"mend", b.Mend}, {"", b.Effect}} {
			if row[1] != "" {
				rows = append(rows, []string{out.dim(row[0]), row[1]})
			}
		}
		out.table("    ", rows)
	}
}

func (a *app) printVerify(r modcache.VerifyResult, online bool) {
	out := a.out
	a.printBad(r.Bad)
	t := toneGood
	if len(r.Bad) > 0 {
		t = toneBad
	}
	text := count(int64(r.Checked), "version", "versions") + " checked, " + size(r.Bytes) + ": " + count(int64(r.OK), "is whole", "are whole")
	if n := r.Checked - r.OK; n > 0 {
		text += ", " + count(int64(n), "is damaged", "are damaged")
	}
	out.line(out.sign(t, text))
	var parts []string
	for _, part := range []struct {
		n   int
		who string
	}{{r.BySumDB, "the checksum database"}, {r.BySum, "go.sum"}, {r.Unproven, "nobody outside of the cache"}} {
		if part.n > 0 {
			parts = append(parts, part.who+" for "+count(int64(part.n), "version", "versions"))
		}
	}
	if len(parts) > 0 {
		out.text("  ", out.dim("vouched for by "+strings.Join(parts, ", by ")))
	}
	if r.Busy > 0 {
		out.text("  ", out.dim(count(int64(r.Busy), "version", "versions")+" not looked at: a go command is downloading"))
	}
	switch d := r.Database; {
	case d.Untrusted > 0:
		out.text("  ", out.sign(toneBad, redact.Text(d.Problem)))
	case d.Unavailable > 0 && online:
		out.text("  ", out.sign(toneWarn, "the checksum database could not be asked about "+count(int64(d.Unavailable), "version", "versions")+": "+d.Problem))
	case d.Unavailable > 0:
		out.text("  ", out.dim("of "+count(int64(d.Unavailable), "version", "versions")+" the checksum database's answer is not cached; --online asks for it"))
	}
}
