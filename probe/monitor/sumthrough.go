package monitor

import (
	"context"
	"slices"
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
)

// What the checksum database is like through a hop decides whether that hop can
// be recommended, and the walk of the chain in force says it of one hop at most.
// So each hop is asked by itself, as a go command would ask whose chain has
// nothing but that hop:
//
//	/supported says 200  ─▶ lookup and tiles through the hop
//	            404, 410 ─▶ lookup and tiles at the database's own host
//	            else     ─▶ its error is the answer
//
// Nothing waits for it but a burst: it makes no round, no verdict and no row.

// throughSpecs are the hops among specs to be asked for the database. Where
// nothing is verified, or GOSUMDB says where to dial, no hop is.
func (p *plan) throughSpecs(specs []spec) []spec {
	if p.dbErr != nil || p.db.Off || p.db.Name == "" || p.db.URL != "" {
		return nil
	}
	var through []spec
	for _, s := range specs {
		switch s.ep.Kind {
		case probe.KindProxy, probe.KindFile, probe.KindDirect:
			through = append(through, spec{
				ep:   probe.Endpoint{URL: s.ep.URL, Kind: probe.KindSumDB, SumDB: p.db, Module: s.ep.Module},
				role: roleThrough, hop: s.ep.Kind, stranger: s.role == roleExtra,
			})
		}
	}
	return through
}

// askThrough asks one hop for the database.
func askThrough(ctx context.Context, pr Prober, p *plan, s spec) outcome {
	ctx, cancel := context.WithTimeout(ctx, sumAttempt)
	w := &sumWalk{pr: pr, plan: p, presumed: new(outcome), stranger: s.stranger,
		hops: []chain.Hop{{URL: s.ep.URL, Kind: chain.Kind(s.hop), Separator: chain.Last}}}
	o := w.from(ctx, 0, nil).outcome
	cancel()
	w.wg.Wait()
	return o
}

// way is the target that asks the hop that t is for the database, nil where
// nothing has come of that yet.
func (s *schedule) way(t *target) *target {
	i := slices.IndexFunc(s.targets, func(o *target) bool {
		return o.role == roleThrough && o.hop == t.ep.Kind && o.ep.URL == t.ep.URL && o.probed
	})
	if i < 0 {
		return nil
	}
	return s.targets[i]
}

// through returns what is known of the database through the hop that t is, nil
// while nothing is.
func (s *schedule) through(t *target) *probe.SumDBResult {
	h := s.way(t)
	if h == nil || t.ep.Kind == probe.KindDirect { // that is no route: the database is dialled
		return nil
	}
	r := &probe.SumDBResult{Name: h.ep.SumDB.Name, Class: h.last.Class}
	switch {
	case h.via > 0 && h.route != "":
		r.Supported = true
	case h.route != "":
		r.Class = probe.NotFound // it sent us on
	}
	return r
}

// unverified reports whether a chain of nothing but the hop that t is would
// verify nothing.
func (s *schedule) unverified(t *target) bool {
	h := s.way(t)
	return h != nil && h.last.Class.Failed()
}

// direct is the latest class of the database at its own host, "" where nobody
// had to ask there.
func (s *schedule) direct() probe.Class {
	var class probe.Class
	var at time.Time
	for _, t := range s.targets {
		own := (t.role == roleThrough || t.role == roleSumDB) && t.probed && t.via == 0 && t.route != ""
		if own && (class == "" || t.lastAt.After(at)) {
			class, at = t.last.Class, t.lastAt
		}
	}
	return class
}

// hurry asks a hop again soon through which the database fails: a recommendation
// leaves it out meanwhile.
func (s *schedule) hurry(t *target, now time.Time) {
	if t.role == roleThrough && t.last.Class.Failed() && t.backoff == 0 {
		t.next = earlier(t.next, now.Add(s.cfg.HopEvery))
	}
}
