package monitor

import (
	"context"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/probe"
)

// A sumWalk finds the route to the checksum database as the go command does
// (cmd/go/internal/modfetch/sumdb.go, initBase), hop by hop, but does not wait
// for a slow hop before it asks what would come next.
type sumWalk struct {
	pr   Prober
	plan *plan
	hops []chain.Hop
	// stranger says that the hops are none that the go command uses: they learn
	// nothing of the project.
	stranger bool
	wg       sync.WaitGroup
	// presumed stands for the failure of a hop that has not answered yet.
	presumed *outcome
}

// A walked is where a walk came to.
type walked struct {
	outcome
	// onPresumed says that it ended with the failure that was presumed: it rests
	// with the hop that has not answered yet what that failure is, and whether it
	// is one.
	onPresumed bool
}

// from walks the hops from i on. earlier is the outcome of the last hop before
// them that failed, nil without one.
func (w *sumWalk) from(ctx context.Context, i int, earlier *outcome) walked {
	if w.plan.db.URL != "" {
		return walked{outcome: w.dial(ctx, w.plan.db.URL, 0)} // past every hop
	}
	if i == len(w.hops) || w.hops[i].Kind == chain.Off {
		if earlier != nil {
			return walked{*earlier, earlier == w.presumed}
		}
		return walked{outcome: w.dial(ctx, w.plan.db.Direct(), 0)}
	}
	hop := w.hops[i]
	if hop.Kind == chain.Direct {
		return walked{outcome: w.dial(ctx, w.plan.db.Direct(), 0)} // whatever failed before
	}

	own := later(w, func() supported { return w.supported(ctx, i) })
	var ahead <-chan walked
	if hop.Separator == chain.Pipe && i+1 < len(w.hops) {
		select {
		case <-time.After(sumHedge):
			ahead = later(w, func() walked { return w.from(ctx, i+1, w.presumed) })
		case s := <-own:
			return w.after(ctx, i, s, nil, earlier)
		}
	}
	return w.after(ctx, i, <-own, ahead, earlier)
}

// after goes on when hop i has answered. ahead is the walk from the next hop, if
// it has been begun already; it was begun as if hop i had failed.
func (w *sumWalk) after(ctx context.Context, i int, s supported, ahead <-chan walked, earlier *outcome) walked {
	next := func() walked {
		if ahead == nil {
			return w.from(ctx, i+1, earlier)
		}
		n := <-ahead
		switch {
		case !n.onPresumed:
			return n
		case earlier != nil:
			return walked{*earlier, earlier == w.presumed}
		default:
			return walked{outcome: w.dial(ctx, w.plan.db.Direct(), 0)}
		}
	}
	switch {
	case s.base != "":
		return walked{outcome: w.dial(ctx, s.base, i+1)}
	case s.absent:
		return next()
	}
	earlier = &outcome{result: s.result, via: i + 1}
	if w.hops[i].Separator != chain.Pipe || s.result.Class.Action(chain.Pipe) == probe.Hang {
		return walked{outcome: *earlier}
	}
	return next()
}

// A supported is what one hop says about serving the database.
type supported struct {
	result probe.Result
	base   string // raw, where the hop serves it; "" when it does not
	absent bool   // 404 or 410: no error
}

func (w *sumWalk) supported(ctx context.Context, i int) supported {
	hop := w.hops[i]
	hop.Separator = chain.Last
	asked, base := w.pr.SumDBRoute(ctx, chain.Chain{Hops: []chain.Hop{hop}}, w.plan.db)
	if len(asked) == 0 {
		return supported{result: probe.Result{Class: probe.SumDBUnavailable, Layer: probe.LayerSumDB}}
	}
	r := asked[len(asked)-1]
	switch {
	case base == "":
		return supported{result: r}
	case base == w.plan.db.Direct(): // it sends us on
		return supported{result: r, absent: true}
	default:
		return supported{result: r, base: base}
	}
}

// dial asks the database itself, at base, which hop via answers for.
func (w *sumWalk) dial(ctx context.Context, base string, via int) outcome {
	o := outcome{route: base, via: via}
	ep := w.plan.sumEndpoint(o)
	if w.stranger && via > 0 {
		ep.Module = module.Version{}
		if w.plan.db.Name != publicSumDB {
			// A database of the user's own need not know the neutral module.
			o.result = probe.Result{Class: probe.ClassUnknown, Layer: probe.LayerSumDB}
			return o
		}
	}
	o.result = w.pr.Probe(ctx, ep)
	return o
}

// later runs f in a goroutine of the walk and returns where its value comes.
func later[T any](w *sumWalk, f func() T) <-chan T {
	c := make(chan T, 1)
	w.wg.Go(func() { c <- f() })
	return c
}
