package failover

import (
	"slices"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/monitor"
)

// RequestFor makes a request of what a monitor with these inputs sees. The
// snapshot holds redacted URLs only; the raw ones come from the inputs.
func RequestFor(s monitor.Snapshot, in monitor.Inputs, strategy Strategy, region string) Request {
	r := Request{Strategy: strategy, Region: region, SumDBDirect: probe.ClassUnknown}
	e := in.Env
	if e == nil {
		e = &env.Env{}
	}
	r.Current, _ = e.Chain()
	r.SumDB, _ = e.SumDB()
	r.GOPRIVATE, r.NoProxy, r.NoSumDB = e.Get("GOPRIVATE"), e.NoProxy(), e.NoSumDB()
	if p := in.Project; p != nil {
		r.Own = p.Modules
		for _, req := range p.Requires {
			r.Modules = append(r.Modules, req.Path)
		}
	}
	switch {
	case s.SumDB.Direct != "":
		r.SumDBDirect = s.SumDB.Direct
	case s.SumDB.Via == 0 && s.SumDB.Route != "":
		r.SumDBDirect = s.SumDB.Class
	}
	r.SumsComplete = monitor.SumsComplete(in.Project, e)
	r.Candidates = candidates(s, in, e, r.Current)
	return r
}

// candidates are the hops of the chain in force, of the chain that gpx switched
// away from, and the other proxies that are watched, in this order.
func candidates(s monitor.Snapshot, in monitor.Inputs, e *env.Env, current chain.Chain) []Candidate {
	var all []Candidate
	add := func(h chain.Hop, isCurrent bool) {
		if slices.ContainsFunc(all, func(c Candidate) bool { return c.Hop.URL == h.URL }) {
			return
		}
		c := Candidate{Hop: h, Health: monitor.Unknown, Class: probe.ClassUnknown, Current: isCurrent, ServesSum: catalog.Unknown}
		key := probe.Endpoint{URL: h.URL, Kind: probe.Kind(h.Kind)}.Key()
		if i := slices.IndexFunc(s.Endpoints, func(st monitor.EndpointStatus) bool { return st.Key() == key }); i >= 0 {
			c.observe(s.Endpoints[i])
		}
		if h.Kind == chain.Proxy || h.Kind == chain.File {
			c.Private = h.Kind == chain.File || !catalog.Public(e, h.URL)
		}
		entry, known := catalog.Find(e, h.URL)
		if known && h.Kind == chain.Proxy {
			c.Region, c.Retired = entry.Region, entry.Retired
			if c.unclear() && sumDBName(e) == catalogSumDB {
				c.ServesSum = entry.SumDB
			}
		}
		if via := s.SumDB.Via; via > 0 && via <= len(current.Hops) && current.Hops[via-1].URL == h.URL {
			switch {
			case s.SumDB.Class == probe.OK && c.unclear():
				c.ServesSum = catalog.Yes
			case s.SumDB.Class.Failed() && (s.SumDB.Route != "" || s.SumDB.Class.Info().Hangs):
				c.BreaksSum = s.SumDB.Class
			case s.SumDB.Class.Failed():
				c.RefusesSum = s.SumDB.Class
			}
		}
		all = append(all, c)
	}
	for _, h := range current.Hops {
		add(h, true)
	}
	if in.Original != nil {
		for _, h := range in.Original.Hops {
			add(h, false)
		}
	}
	for _, ep := range in.Extra {
		if h, err := chain.ParseHop(ep.URL); err == nil && ep.Kind == probe.Kind(h.Kind) {
			add(h, false)
		}
	}
	return all
}

// observe takes what the monitor knows. An endpoint that is merely suspect is
// not recommended: it failed a moment ago.
func (c *Candidate) observe(st monitor.EndpointStatus) {
	c.Health, c.Class = st.Health, st.Class
	c.P50, c.Lost = time.Duration(st.Window.P50), st.Window.Lost
	if sum := st.SumDB; sum != nil {
		c.hears(*sum)
	}
}

// hears takes what is known of the checksum database through c.
func (c *Candidate) hears(sum probe.SumDBResult) {
	switch {
	case sum.Class == probe.ClassUnknown:
	case sum.Supported && sum.Class == probe.OK:
		c.ServesSum = catalog.Yes
	case sum.Supported, sum.Class.Info().Hangs:
		c.BreaksSum = sum.Class
	case sum.Class.Failed() && sum.Class != probe.MissingFile:
		c.RefusesSum = sum.Class
	default:
		c.ServesSum = catalog.No
	}
}

// catalogSumDB is the database that the catalog's entries are known to serve or
// not.
const catalogSumDB = "sum.golang.org"

func sumDBName(e *env.Env) string {
	db, _ := e.SumDB()
	return db.Name
}
