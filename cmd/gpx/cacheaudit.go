package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
	"gpx/envctl/env"
)

func cacheAuditCommand(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "audit", Short: "Verify what arrived while checksums were off",
		Long: `Finds the module versions that came into the module cache while gpx had the
checksum database switched off, and asks the database about them now. What it
vouches for is remembered; --all asks again. A GOSUMDB=off that gpx did not set,
in a shell or by go env -w, leaves no trace and cannot be known.

Exit status 3 means that a version is not what the database or go.sum has, or is
damaged.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runCacheAudit(cmd.Context(), a, all) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "ask again about what was proven before")
	return cmd
}

func runCacheAudit(ctx context.Context, a *app, all bool) error {
	const op = "cache audit"
	e, p, err := a.both(ctx)
	if err != nil {
		return failed(op, "", err)
	}
	cache, err := a.modCache(ctx, op, e)
	if err != nil {
		return err
	}
	o, err := a.auditOptions(ctx, e)
	if err != nil {
		return failed(op, "", err)
	}
	o.All = all
	if p != nil {
		o.Sums = p.Sums
	}
	lookup, end, err := a.sumLookup(ctx, e, true)
	if err != nil {
		return failed(op, "GOSUMDB", err)
	}
	defer end()
	o.Lookup = lookup
	o.Report = func(p modcache.VerifyProgress) {
		a.progress("verifying " + share(int64(p.Done), int64(p.Total)))
	}
	res, err := cache.Audit(ctx, o)
	a.progress("")
	if err != nil {
		return failed(op, "", err)
	}
	if a.flags.json {
		a.out.document(res)
	} else {
		a.printAudit(res, lookup == nil)
	}
	if a.out.err == nil && (len(res.Bad) > 0 || res.Database.Untrusted > 0) {
		return errBadNews
	}
	return a.out.err
}

// auditOptions say when checksums were off, as the journal knows it, and what is
// not verified by intention. With them modcache.Cache.Pending counts what no audit
// has proven yet.
func (a *app) auditOptions(ctx context.Context, e *env.Env) (modcache.AuditOptions, error) {
	a.history(ctx)
	records, err := a.journal.List(ctx)
	if err != nil {
		return modcache.AuditOptions{}, err
	}
	windows := modcache.Windows(records)
	exempt := intended(e.NoSumDB(), windows)
	return modcache.AuditOptions{
		Windows: windows, RecordFile: a.stateFile("modcache-audited", e.Get("GOMODCACHE")), Now: a.now,
		Exempt: func(path string) bool { return module.MatchPrefixPatterns(exempt, path) },
	}, nil
}

// intended are the patterns of GONOSUMDB but for those that stand there for a
// while only.
func intended(patterns string, windows []modcache.Window) string {
	return strings.Join(slices.DeleteFunc(strings.Split(patterns, ","), func(p string) bool {
		return slices.ContainsFunc(windows, func(w modcache.Window) bool { return w.To.IsZero() && slices.Contains(w.Patterns, p) })
	}), ",")
}

func (a *app) printAudit(r modcache.AuditResult, off bool) {
	out := a.out
	if len(r.Windows) == 0 {
		out.line(out.sign(toneGood, "gpx never switched checksums off"))
		return
	}
	a.printBad(r.Bad)
	t, text := toneGood, count(int64(r.Checked), "version", "versions")+" arrived while checksums were off: "+count(int64(r.OK), "is", "are")+" proven"
	if r.Pending > 0 {
		t, text = toneWarn, text+", "+count(int64(r.Pending), "is", "are")+" not"
	}
	if len(r.Bad) > 0 {
		t = toneBad
	}
	out.line(out.sign(t, text))
	var rows [][]string
	for _, v := range r.Arrivals {
		if v.Standing != modcache.Proven && v.Standing != modcache.Exempt {
			rows = append(rows, []string{v.Path + "@" + v.Version, strings.ReplaceAll(string(v.Standing), "_", " "), out.dim(v.Detail)})
		}
	}
	out.table("  ", rows)
	if off {
		out.text("  ", out.sign(toneWarn, "checksums are off now as well, so the database was not asked; switch it on first: gpx sumdb on"))
	}
}
