package probe

import (
	"context"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/wire"
)

// Deep checks everything that the go command may ask of an endpoint, and lists it
// in Checks. The class is that of the first check that failed, in the order of
// what a build needs most; a list or an @latest that is missing, and a hop that
// does not serve the checksum database, are no failures.
//
// Each check is an attempt of its own, and all that do not need one another's
// answers run at the same time.
func (p *Prober) Deep(ctx context.Context, ep Endpoint) Result {
	switch ep.Kind {
	case KindProxy, KindFile:
		return p.deepHop(ctx, ep)
	case KindSumDB:
		return p.deepSumDB(ctx, ep)
	default:
		return p.Probe(ctx, ep)
	}
}

func (p *Prober) deepHop(ctx context.Context, ep Endpoint) Result {
	m := ep.canary()
	files := []File{List, Latest, Info, Mod, Zip}
	results := make([]Result, len(files))
	var (
		wg     sync.WaitGroup
		lines  []string
		checks []Check
		sum    Result
	)
	for i, f := range files {
		wg.Go(func() { results[i] = p.Request(ctx, ep, m, f) })
	}
	if ep.SumDB.Name != "" && !ep.SumDB.Off {
		wg.Go(func() { sum, lines, checks = p.deepLookup(ctx, ep, m) })
	}
	wg.Wait()

	known := SumsOf(m, lines)
	if len(known) == 0 && m == Canary {
		known = canarySums
	}
	for i, f := range files {
		compareSum(&results[i], f, known)
	}
	worst := results[2] // .info
	for _, i := range []int{3, 4, 0, 1} {
		soft := files[i] == List || files[i] == Latest
		if !worst.Class.Failed() && (results[i].Class.Failed() || results[i].Class == NotFound && !soft && worst.Class == OK) {
			worst = results[i]
			worst.Detail = truncate(describe(files[i])+": "+worst.Detail, detailRunes)
		}
	}
	r := worst
	for i, f := range files {
		r.Checks = append(r.Checks, checkOf(f, results[i]))
	}
	if sum.SumDB != nil {
		r.SumDB = sum.SumDB
		r.Checks = append(r.Checks, checks...)
		if !r.Class.Failed() && sum.Class.Failed() && sum.SumDB.Supported {
			r.Class, r.Layer, r.Detail, r.HTTPStatus = sum.Class, sum.Layer, sum.Detail, sum.HTTPStatus
		}
	}
	r.Phases = results[2].Phases
	return r
}

func (p *Prober) deepSumDB(ctx context.Context, ep Endpoint) Result {
	m := ep.canary()
	r, _, checks := p.deepLookup(ctx, ep, m)
	r.Checks = checks
	return r
}

// deepLookup asks for /supported where that is asked at all, and then runs a
// lookup with all its proofs. Its result has the class of the database.
func (p *Prober) deepLookup(ctx context.Context, ep Endpoint, m module.Version) (r Result, lines []string, checks []Check) {
	base, x := parseBase(ep)
	if x != nil {
		return p.sumdbResult(ep, m, x, false), nil, []Check{}
	}
	at := ep
	if ep.Kind != KindSumDB {
		base = joinURL(base, "sumdb/"+ep.SumDB.Name)
		at = Endpoint{URL: base.String(), Kind: KindSumDB, SumDB: ep.SumDB, Module: m}
	}
	checks = []Check{}
	if ep.Kind != KindSumDB || isProxied(base, ep.SumDB) {
		s := p.Request(ctx, at, m, Supported)
		checks = append(checks, checkOf(Supported, s))
		if s.Class != OK {
			if ep.Kind == KindSumDB && s.Class != CaptivePortal && s.Class != ClassUnknown {
				s.Detail = truncate("/supported: "+s.Class.Words()+": "+s.Detail, detailRunes)
				s.Class = SumDBUnavailable
			}
			s.SumDB = &SumDBResult{Name: ep.SumDB.Name, Supported: s.Whole, Class: s.Class}
			return s, nil, checks
		}
	}

	ctx, cancel := p.attempt(ctx)
	defer cancel()
	s := p.newSession()
	defer s.close()
	start := time.Now()
	c := p.newSumClient(ctx, s, base, ep.SumDB)
	c.fork = true
	lines, x = c.lookup(m)
	x.phases.Total = wire.Millis(time.Since(start))
	r = p.sumdbResult(ep, m, x, len(checks) > 0 || x.class == OK)
	return r, lines, append(checks, p.sumChecks(c, x, ep, m)...)
}

// sumChecks takes a lookup apart: the record, the signed head that came with it,
// the tiles that prove it.
func (p *Prober) sumChecks(c *sumClient, x *exchange, ep Endpoint, m module.Version) []Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	var checks []Check
	if c.first == nil {
		return []Check{checkOf(Lookup, p.result(ep, m, x))}
	}
	checks = append(checks, checkOf(Lookup, p.result(ep, m, c.first)))
	if c.first.class != OK {
		return checks
	}
	head := &exchange{finding: c.judgeLookup(), phases: Phases{Total: c.first.phases.Total}}
	checks = append(checks, checkOf(Head, p.result(ep, m, head)))
	if head.class != OK {
		return checks
	}
	tile := &exchange{finding: x.finding}
	if c.tile != nil {
		copied := *c.tile
		tile = &copied
		if x.class != OK {
			tile.finding = x.finding
		}
	}
	return append(checks, checkOf(Tile, p.result(ep, m, tile)))
}

func checkOf(f File, r Result) Check {
	return Check{File: f, Class: r.Class, HTTPStatus: r.HTTPStatus, Detail: r.Detail, Total: r.Phases.Total, Sum: r.Sum}
}
