package monitor

import (
	"context"
	"time"

	"gpx/probe"
)

const (
	// sumAttempt bounds the walk to the checksum database and the question to it
	// together, so that a burst has its answer in time.
	sumAttempt = 2400 * time.Millisecond
	// sumHedge is how long the walk waits for a hop before "|" until it asks the
	// next one too. The go command would wait up to 30 s and then go on; to wait
	// for the whole attempt here would leave no time for what comes after.
	sumHedge = 300 * time.Millisecond
)

// ask does one probe. For the checksum database it walks the chain first, as the
// go command does before its first look-up: a hop that hangs there hangs it.
func ask(ctx context.Context, pr Prober, p *plan, j job) outcome {
	switch j.spec.role {
	case roleSumDB:
	case roleThrough:
		return askThrough(ctx, pr, p, j.spec)
	default:
		return outcome{result: pr.Probe(ctx, j.spec.ep)}
	}
	ctx, cancel := context.WithTimeout(ctx, sumAttempt)
	w := &sumWalk{pr: pr, plan: p, presumed: new(outcome)}
	if p.chainErr == nil {
		w.hops = p.chain.Hops
	}
	o := w.from(ctx, 0, nil).outcome
	cancel()
	w.wg.Wait()
	return o
}

// publicSumDB is the database that knows the neutral canary.
const publicSumDB = "sum.golang.org"

// sumEndpoint is the database at the place where the walk ended. One of the
// user's own is asked for the module that hops are asked for, because it need not
// know any other. The public one learns nothing of the project by its own host,
// and through a hop no path that the world may not know: the hop passes it on.
func (p *plan) sumEndpoint(o outcome) probe.Endpoint {
	ep := probe.Endpoint{URL: o.route, Kind: probe.KindSumDB, SumDB: p.db}
	if p.db.Name != publicSumDB || o.via > 0 && p.known {
		ep.Module = p.canary
	}
	return ep
}
