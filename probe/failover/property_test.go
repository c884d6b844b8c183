package failover

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/lab"
	"gpx/probe/monitor"
	"gpx/probe/route"
)

// random makes a request out of every state that a candidate can be in.
func random(r *rand.Rand) Request {
	healths := []monitor.Health{monitor.Up, monitor.Up, monitor.Slow, monitor.Suspect, monitor.Down, monitor.Unknown}
	req := Request{
		Strategy:     Strategies[r.IntN(len(Strategies))],
		Region:       []string{"", "cn", "global"}[r.IntN(3)],
		Modules:      []string{"corp.example/a", "github.com/acme/app", "golang.org/x/text"},
		Own:          []string{"github.com/acme/app"},
		SumDBDirect:  []probe.Class{probe.OK, probe.ConnectTimeout, probe.ClassUnknown}[r.IntN(3)],
		SumsComplete: r.IntN(2) == 0,
	}
	req.SumDB, _ = chain.ParseSumDB("sum.golang.org")
	var current []chain.Hop
	for i := range r.IntN(6) {
		c := Candidate{
			Hop:       chain.Hop{URL: fmt.Sprintf("https://user:hunter2@p%d.example.com", i), Kind: chain.Proxy},
			Health:    healths[r.IntN(len(healths))],
			P50:       time.Duration(r.IntN(1000)) * time.Millisecond,
			Lost:      float64(r.IntN(10)) / 100,
			Region:    []string{"", "cn", "global"}[r.IntN(3)],
			ServesSum: []string{catalog.Yes, catalog.No, catalog.Unknown}[r.IntN(3)],
			Private:   r.IntN(3) == 0,
			Retired:   r.IntN(8) == 0,
			Current:   r.IntN(2) == 0,
		}
		switch r.IntN(10) {
		case 0, 1:
			c.BreaksSum = []probe.Class{probe.Timeout, probe.CaptivePortal, probe.SumDBUntrusted, probe.SumDBUnavailable}[r.IntN(4)]
		case 2, 3:
			c.RefusesSum = []probe.Class{probe.Forbidden, probe.ServerError, probe.ConnectTimeout}[r.IntN(3)]
		}
		if r.IntN(4) == 0 {
			c.Hop = chain.Hop{URL: fmt.Sprintf("file:///srv/tree%d", i), Kind: chain.File}
			c.Private = true
		}
		switch c.Health {
		case monitor.Up, monitor.Slow:
			c.Class = []probe.Class{probe.OK, probe.OK, probe.NotFound}[r.IntN(3)]
		case monitor.Unknown:
			c.Class = probe.ClassUnknown
		default:
			c.Class = probe.Classes[r.IntN(len(probe.Classes))].Class
		}
		if c.Current {
			h := c.Hop
			h.Separator = []chain.Separator{chain.Comma, chain.Pipe}[r.IntN(2)]
			current = append(current, h)
		}
		req.Candidates = append(req.Candidates, c)
	}
	switch r.IntN(3) {
	case 0:
		current = append(current, chain.Hop{URL: "off", Kind: chain.Off})
	case 1:
		d := Candidate{Hop: chain.Hop{URL: "direct", Kind: chain.Direct}, Health: healths[r.IntN(len(healths))], Class: probe.OK, Current: true}
		if d.Health == monitor.Down || d.Health == monitor.Suspect {
			d.Class = probe.DNSFailure
		}
		req.Candidates = append(req.Candidates, d)
		current = append(current, d.Hop)
	}
	req.Current, _ = chain.New(current...)
	return req
}

// find returns the candidate behind a hop.
func find(r Request, h chain.Hop) (Candidate, bool) {
	i := slices.IndexFunc(r.Candidates, func(c Candidate) bool { return c.Hop.URL == h.URL })
	if i < 0 {
		return Candidate{}, false
	}
	return r.Candidates[i], true
}

// Whatever the world looks like, a recommended chain keeps these promises.
func TestRecommendedChains(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	found := 0
	for seed := range uint64(3000) {
		req := random(rand.New(rand.NewPCG(seed, 7)))
		rec := Recommend(req)
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("seed %d: %s of %s → %s: %s", seed, req.Strategy, req.Current, rec.Chain, fmt.Sprintf(format, args...))
		}
		if again := Recommend(req); again.Chain.String() != rec.Chain.String() {
			fail("a second recommendation differs: %s", again.Chain)
		}
		for _, line := range slices.Concat(rec.Reasons, rec.Warnings) {
			if strings.Contains(line, "hunter2") {
				fail("a credential is printed: %s", line)
			}
		}
		if !rec.Found {
			if rec.Chain.String() != req.Current.String() || len(rec.Reasons) == 0 {
				fail("nothing is found, and it is not said why, or the chain changes all the same")
			}
			continue
		}
		found++
		parsed, err := chain.Parse(rec.Chain.String())
		if err != nil || parsed.String() != rec.Chain.String() {
			fail("it parses as %s (%v)", parsed, err)
		}
		serving, public := false, false
		for i, h := range rec.Chain.Hops {
			c, ok := find(req, h)
			switch {
			case h.Kind == chain.Off:
				if !endsOff(req.Current) {
					fail("off was not the user's")
				}
				continue
			case !ok:
				fail("hop %d comes out of nowhere", i+1)
			}
			if c.Health != monitor.Up && c.Health != monitor.Slow || c.Class.Failed() {
				fail("hop %d is %s %s", i+1, c.Health, c.Class)
			}
			if c.Retired {
				fail("hop %d is retired", i+1)
			}
			if h.Kind == chain.Direct && (endsOff(req.Current) || i != len(rec.Chain.Hops)-1) {
				fail("direct at place %d", i+1)
			}
			if c.Private && public && req.Strategy != Manual {
				fail("hop %d is private, behind a public one", i+1)
			}
			if h.Kind != chain.Direct && !c.Private {
				public = true
			}
			serving = serving || c.serves()
		}
		if !serving {
			fail("nothing in it serves")
		}
		leaky := slices.ContainsFunc(rec.Chain.Hops, func(h chain.Hop) bool { c, ok := find(req, h); return ok && c.Private })
		if leaky && public && len(rec.Leaks) == 0 && req.Strategy != Manual {
			fail("a public hop stands behind a private one, and nothing is said")
		}
		if result := predict(req, rec.Chain, route.Match); result != route.Served && result != route.Direct {
			fail("the go command would end with %s", result)
		}
		switch result := predict(req, rec.Chain, route.NoLine); result {
		case route.Served, route.Direct, route.Unknown:
		default:
			if !req.SumsComplete || len(rec.Warnings) == 0 {
				fail("without a go.sum line the go command would end with %s: warnings %q", result, rec.Warnings)
			}
		}
	}
	if found < 500 {
		t.Errorf("only %d of 3000 requests have an answer: the test tests little", found)
	}
}

// predict says what the go command does with c, the candidates being as the
// request has them.
func predict(req Request, c chain.Chain, line route.Line) string {
	r := route.Predict(route.Input{
		Module: module.Version{Path: "golang.org/x/text", Version: "v0.3.0"},
		Chain:  c, SumDB: req.SumDB,
		SumLines: route.SumLines{Mod: line, Zip: line},
		Classes: func(hop int, file probe.File) probe.Class {
			if hop < 0 {
				return req.SumDBDirect
			}
			cand, _ := find(req, c.Hops[hop])
			switch file {
			case probe.Supported:
				switch {
				case cand.BreaksSum != "":
					return probe.OK
				case cand.RefusesSum != "":
					return cand.RefusesSum
				}
				return map[string]probe.Class{catalog.Yes: probe.OK, catalog.No: probe.NotFound, catalog.Unknown: probe.ClassUnknown}[cand.ServesSum]
			case probe.Lookup, probe.Tile:
				if cand.BreaksSum != "" {
					return cand.BreaksSum
				}
				return probe.OK
			}
			return cand.Class
		},
	})
	return r.Result
}

// Where any chain of the healthy hops serves a module without a go.sum line, the
// recommended one does, or the one in force, which is then left alone.
func TestRecommendedChainsVerify(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	could, switched := 0, 0
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 11))
		req := random(r)
		req.SumsComplete = false
		for i := range req.Candidates { // every answer is known
			if req.Candidates[i].ServesSum == catalog.Unknown {
				req.Candidates[i].ServesSum = catalog.No
			}
		}
		if req.SumDBDirect == probe.ClassUnknown {
			req.SumDBDirect = probe.OK
		}
		rec := Recommend(req)
		best, ok := search(req)
		serves := func(c chain.Chain) bool {
			result := predict(req, c, route.NoLine)
			return result == route.Served || result == route.Direct
		}
		switch {
		case ok && !serves(rec.Chain):
			t.Errorf("seed %d: %s of %s → %s (found %v) does not serve, %s would: %q", seed, req.Strategy, req.Current, rec.Chain, rec.Found, best, rec.Reasons)
		case !ok && rec.Found:
			t.Errorf("seed %d: %s of %s → %s, but nothing serves: %q", seed, req.Strategy, req.Current, rec.Chain, rec.Warnings)
		case ok:
			could++
		}
		if rec.Found {
			switched++
			if len(rec.Warnings) > 0 && strings.Contains(strings.Join(rec.Warnings, " "), "go.sum line will fail") {
				t.Errorf("seed %d: a warning about what works: %q", seed, rec.Warnings)
			}
		}
	}
	if could < 1000 || switched < 800 {
		t.Errorf("%d worlds could serve, %d had a recommendation: the test tests little", could, switched)
	}
}

// search tries every chain of up to MaxProxies healthy hops, and what may end it.
func search(req Request) (chain.Chain, bool) {
	var hops, ends []chain.Hop
	for _, c := range req.Candidates {
		switch {
		case !c.healthy() || c.Retired:
		case c.Hop.Kind == chain.Direct && c.serves() && !endsOff(req.Current):
			ends = append(ends, c.Hop)
		case c.Hop.Kind == chain.Proxy || c.Hop.Kind == chain.File:
			h := c.Hop
			h.Separator = chain.Pipe
			hops = append(hops, h)
		}
	}
	if endsOff(req.Current) {
		ends = append(ends, chain.Hop{URL: "off", Kind: chain.Off})
	}
	var found chain.Chain
	private := func(h chain.Hop) bool { c, _ := find(req, h); return c.Private }
	var try func(list []chain.Hop) bool
	try = func(list []chain.Hop) bool {
		for _, end := range append([]chain.Hop{{}}, ends...) {
			whole := slices.Clone(list)
			if end.Kind != "" {
				whole = append(whole, end)
			}
			c, err := chain.New(whole...)
			if err != nil {
				continue
			}
			if result := predict(req, c, route.NoLine); result == route.Served || result == route.Direct {
				found = c
				return true
			}
		}
		if len(list) == MaxProxies {
			return false
		}
		for _, h := range hops {
			behind := private(h) && slices.ContainsFunc(list, func(o chain.Hop) bool { return !private(o) })
			if behind || slices.Contains(list, h) {
				continue
			}
			if try(append(slices.Clone(list), h)) {
				return true
			}
		}
		return false
	}
	return found, try(nil)
}
