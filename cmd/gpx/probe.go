package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/monitor"
	"gpx/probe/route"
)

type probeDocument struct {
	Results []probe.Result `json:"results"`
}

type probeFlags struct{ deep, watch, all bool }

func probeCommand(a *app) *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use: "probe [URL…]", Short: "Probe the chain, or URLs, layer by layer",
		Long: `Probes every hop of the chain, the checksum database and the forward proxy, or
the URLs given (as GOPROXY takes them: https, http, file:, or "direct"), and
says at which layer each one failed.

  --deep   every kind of request: list, @latest, .info, .mod, .zip with its
           hash, and the checksum database with its signed head
  --all    also the catalog of public proxies: naming the flag is the consent
  --watch  go on until ctrl+c, one result (or JSON document) a line

Exit status 3 means that a URL that was named failed; without one, that the go
command would not get what it wants: a hop that it does not come to, or moves on
from, and the catalog, may fail.`,
		Args: arguments(0, -1, "URLs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.deep && f.watch {
				return usage("probe", "--deep and --watch do not go together").hint("deep probes download a zip each")
			}
			if f.watch {
				return watchProbes(cmd.Context(), a, args, f)
			}
			return runProbe(cmd.Context(), a, args, f)
		},
	}
	cmd.Flags().BoolVar(&f.deep, "deep", false, "try every kind of request, and check hashes and signatures")
	cmd.Flags().BoolVar(&f.watch, "watch", false, "go on until ctrl+c")
	cmd.Flags().BoolVar(&f.all, "all", false, "also probe the catalog of public proxies")
	return cmd
}

// named are the endpoints that the command line names, the catalog included.
func (a *app) named(ctx context.Context, op string, args []string, all bool) ([]probe.Endpoint, error) {
	e, err := a.env(ctx)
	if err != nil {
		return nil, failed(op, "", err)
	}
	var eps []probe.Endpoint
	for _, raw := range args {
		if entry, ok := catalog.Find(e, raw); ok && entry.Kind == catalog.Proxy && entry.Name == raw {
			raw = entry.URL
		}
		ep, err := endpointOf(raw)
		if err != nil {
			f := failed(op, "", err)
			f.Class, f.status = "usage", statusUsage
			return nil, f
		}
		if ep.Kind == probe.KindOff {
			return nil, usage(op, "off: there is nothing to probe")
		}
		if db, err := e.SumDB(); err == nil {
			ep.SumDB = db
		}
		eps = append(eps, ep)
	}
	if all {
		eps = append(eps, catalogEndpoints(catalog.Entries(e))...)
	}
	pr, err := a.project(ctx)
	if err != nil {
		return nil, failed(op, "", err)
	}
	return monitor.Named(monitor.Inputs{Env: e, Project: pr}, eps), nil
}

func runProbe(ctx context.Context, a *app, args []string, f probeFlags) error {
	eps, err := a.named(ctx, "probe", args, f.all)
	if err != nil {
		return err
	}
	p, err := a.prober(ctx)
	if err != nil {
		return failed("probe", "", err)
	}
	var results []probe.Result
	bad := false
	a.progress("probing…")
	if len(args) == 0 {
		e, pr, err := a.both(ctx)
		if err != nil {
			return failed("probe", "", err)
		}
		a.remember(ctx, pr)
		c, err := e.Chain()
		if err != nil {
			return failed("probe", "GOPROXY", err).hint("correct it with: gpx use CHAIN")
		}
		results = monitor.Once(ctx, p, monitor.Inputs{Env: e, Project: pr, Extra: eps}, f.deep)
		bad = stops(c, results)
	} else {
		results = probeAll(ctx, p, unique(eps), f.deep)
		bad = slices.ContainsFunc(results[:min(len(args), len(results))], failedResult)
	}
	a.progress("")
	if ctx.Err() != nil {
		return interrupted(failed("probe", "", ctx.Err()))
	}
	if a.flags.json {
		a.out.document(probeDocument{results})
	} else {
		for i, r := range results {
			if i > 0 && f.deep {
				a.out.line("")
			}
			a.printResult(r)
		}
		if len(args) == 0 && !bad && slices.ContainsFunc(results, failedResult) {
			a.out.line(a.out.sign(toneWarn, "what failed does not keep the go command from downloading now; see: gpx status"))
		}
	}
	if a.out.err == nil && bad {
		return errBadNews
	}
	return a.out.err
}

func failedResult(r probe.Result) bool { return r.Class.Failed() }

// stops reports whether the go command fails or hangs on its way through the
// chain, or at the checksum database, as the results say.
func stops(c chain.Chain, results []probe.Result) bool {
	classes := make([]probe.Class, len(c.Hops))
	for i, h := range c.Hops {
		classes[i] = probe.ClassUnknown
		for _, r := range results {
			if r.Kind == probe.Kind(h.Kind) && r.URL == h.Redacted() {
				classes[i] = r.Class
				break
			}
		}
	}
	end := probe.ActionUnknown
	for _, end = range route.GoWill(c, classes) {
		if end != probe.Next {
			break
		}
	}
	sumDB := slices.ContainsFunc(results, func(r probe.Result) bool { return r.Kind == probe.KindSumDB && r.Class.Failed() })
	return sumDB || end == probe.Stop || end == probe.Hang || end == probe.GoOff
}

// probeAll probes endpoints at once; the results stand in their order.
func probeAll(ctx context.Context, p *probe.Prober, eps []probe.Endpoint, deep bool) []probe.Result {
	results := make([]probe.Result, len(eps))
	var wg sync.WaitGroup
	for i, ep := range eps {
		wg.Go(func() {
			if deep {
				results[i] = p.Deep(ctx, ep)
			} else {
				results[i] = p.Probe(ctx, ep)
			}
		})
	}
	wg.Wait()
	return results
}

// unique drops endpoints that stand in the list already.
func unique(eps []probe.Endpoint) []probe.Endpoint {
	seen := map[string]bool{}
	var out []probe.Endpoint
	for _, ep := range eps {
		if k := ep.Key(); !seen[k] && ep.Kind != probe.Kind(chain.Off) {
			seen[k] = true
			out = append(out, ep)
		}
	}
	return out
}

// printResult writes one result: the layers that were passed with their times,
// what was seen, and what the table of classes says about it.
func (a *app) printResult(r probe.Result) {
	out := a.out
	out.line(out.sign(classTone(r.Class), out.strong(r.URL)) + "  " + r.Class.Words() + "  " + out.dim(string(r.Kind)))
	var phases string
	for _, ph := range []struct {
		name string
		time time.Duration
	}{
		{"dns", time.Duration(r.Phases.DNS)}, {"tcp", time.Duration(r.Phases.TCP)}, {"tls", time.Duration(r.Phases.TLS)},
		{"first byte", time.Duration(r.Phases.TTFB)}, {"total", time.Duration(r.Phases.Total)},
	} {
		if ph.time > 0 {
			phases += ph.name + " " + ph.time.Round(100*time.Microsecond).String() + "  "
		}
	}
	rows := [][]string{}
	add := func(label, text string) {
		if text != "" {
			rows = append(rows, []string{out.dim(label), text})
		}
	}
	if r.Class != probe.OK {
		add("layer", string(r.Layer))
		add("saw", r.Detail)
		add("means", r.Class.Info().Meaning)
		add("go", r.Class.Info().GoDoes)
		add("do", r.Class.Info().Advice)
	}
	add("times", phases)
	add("from", r.RemoteAddr)
	if r.SumDB != nil {
		text := "does not serve " + r.SumDB.Name
		if r.SumDB.Supported {
			text = "serves " + r.SumDB.Name
		}
		if r.SumDB.Class != probe.OK {
			text += " (" + r.SumDB.Class.Words() + ")"
		}
		add("checksums", text)
	}
	out.table("    ", rows)
	if len(r.Checks) > 0 {
		rows = nil
		for _, c := range r.Checks {
			rows = append(rows, []string{out.sign(classTone(c.Class), string(c.File)), c.Class.Words(), milliseconds(c.Total), out.dim(c.Detail)})
		}
		out.table("    ", rows)
	}
}

// runWatch prints each result as it comes, until ctrl+c.
func watchProbes(ctx context.Context, a *app, args []string, f probeFlags) error {
	extra, err := a.named(ctx, "probe", args, f.all)
	if err != nil {
		return err
	}
	m, in, err := a.monitor(ctx, extra...)
	if err != nil {
		return failed("probe", "", err)
	}
	a.remember(ctx, in.Project)
	only := map[string]bool{}
	if len(args) > 0 {
		for _, ep := range extra {
			only[ep.Key()] = true
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	snapshots, unsubscribe := m.Subscribe()
	defer unsubscribe()
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()

	last := map[string]time.Time{}
	for a.out.err == nil {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				return interrupted(failed("probe", "", ctx.Err()))
			}
			if err != nil {
				return failed("probe", "", err)
			}
			return nil
		case s := <-snapshots:
			fresh := []probe.Result{}
			for _, ep := range s.Endpoints {
				key := ep.Key()
				if ep.At.IsZero() || !ep.At.After(last[key]) || len(only) > 0 && !only[key] {
					continue
				}
				last[key] = ep.At.Time
				fresh = append(fresh, ep.Result)
			}
			a.printFresh(fresh)
		}
	}
	cancel()
	<-ended
	return a.out.err
}

func (a *app) printFresh(results []probe.Result) {
	if len(results) == 0 {
		return
	}
	if a.flags.json {
		a.out.document(probeDocument{results})
		return
	}
	for _, r := range results {
		a.out.line(a.out.dim(r.At.Local().Format("15:04:05")) + "  " + a.out.sign(classTone(r.Class), r.Class.Words()) + "  " +
			r.URL + "  " + milliseconds(r.Phases.Total) + "  " + a.out.dim(r.Detail))
	}
}
