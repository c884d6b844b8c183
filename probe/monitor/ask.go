package monitor

import (
	"context"
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
)

// sumAttempt bounds the walk to the checksum database and the question to it
// together, so that a burst has its answer in time.
const sumAttempt = 2 * time.Second

// ask does one probe. For the checksum database it walks the chain first, as the
// go command does before its first look-up: a hop that hangs there hangs it.
func ask(ctx context.Context, pr Prober, p *plan, j job) outcome {
	if j.spec.role != roleSumDB {
		return outcome{result: pr.Probe(ctx, j.spec.ep)}
	}
	ctx, cancel := context.WithTimeout(ctx, sumAttempt)
	defer cancel()
	asked, base := pr.SumDBRoute(ctx, p.chain, p.db)
	if base == "" {
		return outcome{result: blamed(asked), via: hopAsked(p.chain, len(asked))}
	}
	o := outcome{route: base}
	if base != p.db.URL && base != p.db.Direct() {
		o.via = hopAsked(p.chain, len(asked))
	}
	o.result = pr.Probe(ctx, p.sumEndpoint(o))
	return o
}

// publicSumDB is the database that knows the neutral canary.
const publicSumDB = "sum.golang.org"

// sumEndpoint is the database at the place where the walk ended. A hop is asked
// for the module that hops are asked for, and so is a database of the user's
// own, which need not know any other; the public one learns nothing of the
// project.
func (p *plan) sumEndpoint(o outcome) probe.Endpoint {
	ep := probe.Endpoint{URL: o.route, Kind: probe.KindSumDB, SumDB: p.db}
	if o.via > 0 || p.db.Name != publicSumDB {
		ep.Module = p.canary
	}
	return ep
}

// blamed is the error that the walk to the database ends with: that of the last
// hop that failed.
func blamed(asked []probe.Result) probe.Result {
	for i := len(asked) - 1; i >= 0; i-- {
		if asked[i].Class.Failed() || i == 0 {
			return asked[i]
		}
	}
	return probe.Result{Class: probe.SumDBUnavailable, Layer: probe.LayerSumDB, Detail: "no hop says where the checksum database is"}
}

// hopAsked is the number of the nth hop of c that can be asked for the database.
func hopAsked(c chain.Chain, n int) int {
	for i, h := range c.Hops {
		if h.Kind == chain.Proxy || h.Kind == chain.File {
			if n--; n == 0 {
				return i + 1
			}
		}
	}
	return 0
}
