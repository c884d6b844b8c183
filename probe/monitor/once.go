package monitor

import (
	"context"
	"slices"
	"sync"

	"gpx/probe"
)

// Once probes everything that a monitor with these inputs would watch, all at
// the same time and each to its end; deep asks for every kind of request. The
// results stand in the order of the chain, then the checksum database, the
// forward proxy and what the inputs add.
func Once(ctx context.Context, p Prober, in Inputs, deep bool) []probe.Result {
	pl := in.plan()
	pl.specs = slices.DeleteFunc(pl.specs, func(s spec) bool { return s.role == roleThrough })
	results := make([]probe.Result, len(pl.specs))
	var wg sync.WaitGroup
	for i, s := range pl.specs {
		wg.Go(func() { results[i] = once(ctx, p, &pl, s, deep) })
	}
	wg.Wait()
	return results
}

func once(ctx context.Context, p Prober, pl *plan, s spec, deep bool) probe.Result {
	ep := s.ep
	if s.role == roleSumDB {
		o := ask(ctx, p, pl, job{spec: s})
		if o.route == "" || !deep { // no way to it, or all that was asked for
			o.result.Kind, o.result.URL = probe.KindSumDB, (&target{spec: s}).url()
			return o.result
		}
		ep = pl.sumEndpoint(o)
	}
	if !deep {
		return p.Probe(ctx, ep)
	}
	if !pl.db.Off {
		ep.SumDB = pl.db
	}
	return p.Deep(ctx, ep)
}

// Named prepares endpoints that the user named: one that the chain has is asked
// what the chain's hop would be asked, any other one for the neutral module.
func Named(in Inputs, eps []probe.Endpoint) []probe.Endpoint {
	pl := in.plan()
	out := make([]probe.Endpoint, 0, len(eps))
	for _, ep := range eps {
		for _, s := range pl.specs {
			if s.role == roleHop && s.ep.Key() == ep.Key() {
				ep.Module, ep.VCS = s.ep.Module, s.ep.VCS
			}
		}
		out = append(out, ep)
	}
	return out
}
