package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/profiles"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/failover"
	"gpx/probe/monitor"
)

func useCommand(a *app) *cobra.Command {
	var c consent
	var best bool
	var strategy string
	cmd := &cobra.Command{
		Use: "use CHAIN|NAME|--best", Short: "Switch the chain: go env -w GOPROXY, with undo",
		Long: `Makes CHAIN the value of GOPROXY, as the toolchain's own go env -w would, and
remembers how to take it back. NAME is a chain of the settings ([chains]), a proxy
of the catalog, or "default" for the toolchain's own chain.

--best probes, and takes the healthy hops in the order of --strategy; in an
outage it may also probe the catalog of public proxies when that was agreed to
(catalog.probe in the settings, or the question on the screen).`,
		Args: arguments(0, 1, "one chain or name"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return a.chainNames(nil), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			switch {
			case best && len(args) > 0:
				return usage("use", "--best chooses the chain itself, and %q names one", args[0])
			case !best && len(args) == 0:
				return usage("use", "wants a chain, a name or --best").hint("names: %s", strings.Join(a.chainNames(nil), ", "))
			case !best && cmd.Flags().Changed("strategy"):
				return usage("use", "--strategy goes with --best")
			}
			var wanted chain.Chain
			var why, warnings []string
			var keep bool // it works, and nothing better is known
			var err error
			if best {
				var r failover.Recommendation
				r, err = a.bestChain(ctx, strategy)
				keep = !r.Found
				wanted, why, warnings = r.Chain, r.Reasons, append(r.Warnings, leakWarnings(r.Leaks, r.Patterns)...)
			} else {
				wanted, err = a.chainNamed(ctx, args[0])
			}
			if err != nil {
				return err
			}
			e, p, err := a.both(ctx)
			if err != nil {
				return failed("use", "", err)
			}
			plan := &change.Plan{Title: "use --best"}
			if !keep {
				plan, err = profiles.Use(e, p, wanted)
			}
			if err != nil {
				return failed("use", wanted.Redacted(), err)
			}
			for _, w := range warnings {
				plan.Warn(w)
			}
			return a.carryOut(ctx, "use", plan, c, why...)
		},
	}
	cmd.Flags().BoolVar(&best, "best", false, "probe, and take what is healthy")
	cmd.Flags().StringVar(&strategy, "strategy", "", "put the hops in `ORDER`: "+strings.Join(strategies(), ", "))
	c.addFlags(cmd)
	return cmd
}

// chainNames are the names that use takes.
func (a *app) chainNames(e *env.Env) []string {
	names := []string{catalog.DefaultName}
	for _, entry := range catalog.Entries(e) {
		if entry.Kind == catalog.Proxy && !entry.Retired && entry.Name != catalog.DefaultName {
			names = append(names, entry.Name)
		}
	}
	if s, err := a.settings(); err == nil {
		var own []string
		for name := range s.Chains {
			own = append(own, name)
		}
		sort.Strings(own)
		names = append(own, names...)
	}
	return names
}

// chainNamed reads what the user typed: a name of the settings, of the catalog,
// or a chain.
func (a *app) chainNamed(ctx context.Context, arg string) (chain.Chain, error) {
	s, err := a.settings()
	if err != nil {
		return chain.Chain{}, err
	}
	if value, ok := s.Chains[arg]; ok {
		return chain.Parse(value) // check() has parsed it before
	}
	e, err := a.env(ctx)
	if err != nil {
		return chain.Chain{}, failed("use", "", err)
	}
	if arg == catalog.DefaultName {
		value := catalog.DefaultChain(e)
		if value == "" {
			return chain.Chain{}, failed("use", arg, errors.New("the toolchain's default is not known, because $GOROOT/go.env cannot be read")).
				hint("put a go command on PATH, or name a chain")
		}
		return chain.Parse(value)
	}
	if entry, ok := catalog.Find(e, arg); ok && strings.EqualFold(entry.Name, arg) {
		switch {
		case entry.Retired:
			return chain.Chain{}, &failure{Op: "use", Target: entry.Name, Class: "retired", Message: entry.Note, status: statusUsage,
				Hint: "living names: " + strings.Join(a.chainNames(e), ", ")}
		case entry.Kind == catalog.Database:
			return chain.Chain{}, usage("use", "%s is a checksum database, not a proxy", entry.Name).hint("gpx sumdb %s", entry.Name)
		}
		// "direct" behind it as in the toolchain's own chain: what the proxy
		// does not have comes from version control.
		return chain.Parse(entry.URL + ",direct")
	}
	c, err := chain.Parse(arg)
	if err != nil {
		f := failed("use", "", err)
		f.Class, f.status = "usage", statusUsage
		if !strings.ContainsAny(arg, ".:/,|") {
			f.hint("names: %s", strings.Join(a.chainNames(e), ", "))
		}
		return chain.Chain{}, f
	}
	return c, nil
}

// bestChain probes and recommends. Finding nothing is a failure only where the
// chain in force does not work.
func (a *app) bestChain(ctx context.Context, strategy string) (failover.Recommendation, error) {
	s, err := a.settings()
	if err != nil {
		return failover.Recommendation{}, err
	}
	if strategy == "" {
		strategy = s.Switch.Strategy
	}
	if !slices.Contains(strategies(), strategy) {
		return failover.Recommendation{}, usage("use", "there is no strategy %q", strategy).hint("strategies: %s", strings.Join(strategies(), ", "))
	}
	e, err := a.env(ctx)
	if err != nil {
		return failover.Recommendation{}, failed("use", "", err)
	}
	var extra []probe.Endpoint
	consented := a.catalogConsent(ctx, s)
	if consented {
		extra = catalogEndpoints(catalog.Entries(e))
	}
	m, in, err := a.monitor(ctx, extra...)
	if err != nil {
		return failover.Recommendation{}, failed("use", "", err)
	}
	a.progress("probing…")
	snapshot := m.Burst(ctx)
	a.progress("")
	if ctx.Err() != nil {
		return failover.Recommendation{}, interrupted(failed("use", "", ctx.Err()))
	}
	r := failover.Recommend(failover.RequestFor(snapshot, in, failover.Strategy(strategy), s.Switch.Region))
	works := snapshot.Verdict.State == monitor.StateOK || snapshot.Verdict.State == monitor.StateDegraded
	if !r.Found && !works {
		f := &failure{Op: "use", Target: "--best", Class: "no_better_chain", Message: strings.Join(r.Reasons, "; "), status: statusBadNews}
		if f.Message == "" {
			f.Message = "nothing better is known"
		}
		if !consented && snapshot.Verdict.State == monitor.StateOutage {
			f.Hint = `the catalog of public proxies was not probed: agree with catalog.probe = "always" in ` + a.settingsFile + ", or name one: gpx use " + strings.Join(a.chainNames(e), ", gpx use ")
		}
		return failover.Recommendation{}, f
	}
	return r, nil
}

// leakWarnings say which module paths a public hop would see, and what keeps
// them at home.
func leakWarnings(leaks []failover.Leak, patterns string) []string {
	if len(leaks) == 0 {
		return nil
	}
	var out []string
	for _, l := range leaks {
		out = append(out, fmt.Sprintf("%s would be asked for %s", l.Hop, l.Module))
	}
	if patterns != "" {
		out = append(out, "to keep these paths at home first: go env -w GOPRIVATE="+patterns)
	}
	return out
}

// settingConsent is the key under which the screen remembers the answer to
// "may the catalog be probed?".
const settingConsent = "catalog.consent"

// catalogConsent says whether the catalog may be probed unasked.
func (a *app) catalogConsent(ctx context.Context, s settings) bool {
	switch s.Catalog.Probe {
	case "always":
		return true
	case "never":
		return false
	}
	store := a.history(ctx)
	if store == nil {
		return false
	}
	value, ok, err := store.Setting(ctx, settingConsent)
	return err == nil && ok && value == "yes"
}
