package failover

import (
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe/catalog"
)

// leak lists what public hops would learn if the chain in force, which has a
// private hop, gave way to the new one.
func leak(r Request, hops []Candidate, rec *Recommendation) {
	if !guarded(r, hops) {
		return
	}
	var secret []string
	for _, path := range r.Modules {
		if r.secret(path) && !slices.Contains(secret, path) {
			secret = append(secret, path)
		}
	}
	slices.Sort(secret)
	behind := slices.ContainsFunc(hops, func(c Candidate) bool { return c.Private })
	for _, c := range hops {
		if c.Private || !behind && r.learnsNothing(c) {
			continue
		}
		for _, path := range secret {
			rec.Leaks = append(rec.Leaks, Leak{Module: redact.Clean(path), Hop: c.Hop.Redacted()})
		}
	}
	if len(rec.Leaks) == 0 {
		return
	}
	rec.Patterns = redact.Clean(patterns(r, secret))
}

// guarded reports whether a private hop is or was there to keep paths at home.
func guarded(r Request, hops []Candidate) bool {
	private := func(c Candidate) bool { return c.Private && c.Hop.Kind != chain.Direct }
	return slices.ContainsFunc(hops, private) ||
		slices.ContainsFunc(r.Candidates, func(c Candidate) bool { return c.Current && private(c) })
}

// learnsNothing reports whether a public hop is asked for every path today
// already: it stands in the chain in force, and no private hop before it.
func (r Request) learnsNothing(c Candidate) bool {
	for _, h := range r.Current.Hops {
		if h.URL == c.Hop.URL {
			return true
		}
		for _, o := range r.Candidates {
			if o.Hop.URL == h.URL && o.Private {
				return false
			}
		}
	}
	return false
}

// secret reports whether a module path should not be shown to a public host.
// What matches GONOPROXY never comes to a proxy, and a path without a host cannot
// be downloaded.
func (r Request) secret(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	switch {
	case module.MatchPrefixPatterns(r.NoProxy, path), !strings.Contains(host, "."):
		return false
	case module.MatchPrefixPatterns(r.NoSumDB, path):
		return true
	}
	return !catalog.Known(path, r.Own)
}

// patterns is GOPRIVATE with the owners of paths added.
func patterns(r Request, paths []string) string {
	var list []string
	if r.GOPRIVATE != "" {
		list = append(list, r.GOPRIVATE)
	}
	for _, p := range paths {
		o := catalog.Owner(p)
		if !slices.Contains(list, o) && !module.MatchPrefixPatterns(r.GOPRIVATE, p) {
			list = append(list, o)
		}
	}
	return strings.Join(list, ",")
}

// reveals finds a path that the chain c would show to a public host, though own
// keeps such paths at home: own has a private hop, or asks version control alone. A
// leak without a module says that nobody knows which paths there are. [leak] asks
// the same for a person who reads the answer, and against the chain in force, which
// may be a substitute already.
func (r Request) reveals(c, own chain.Chain) (l Leak, ok bool) {
	if !r.discreet(own) {
		return Leak{}, false
	}
	r.Current = own
	for _, h := range c.Hops {
		public := Candidate{Hop: h}
		if h.Kind != chain.Proxy || r.private(h) || r.learnsNothing(public) {
			continue
		}
		if len(r.Modules) == 0 {
			return Leak{Hop: h.Redacted()}, true
		}
		for _, path := range r.Modules {
			if r.secret(path) {
				return Leak{Module: redact.Clean(path), Hop: h.Redacted()}, true
			}
		}
	}
	return Leak{}, false
}

// discreet reports whether c has a hop that keeps paths at home, or no public proxy
// at all.
func (r Request) discreet(c chain.Chain) bool {
	public := false
	for _, h := range c.Hops {
		switch {
		case h.Kind != chain.Proxy && h.Kind != chain.File:
		case r.private(h):
			return true
		default:
			public = true
		}
	}
	return !public
}

// private reports whether a hop is known not to be public: one that is no candidate
// may be private.
func (r Request) private(h chain.Hop) bool {
	i := slices.IndexFunc(r.Candidates, func(c Candidate) bool { return c.Hop.URL == h.URL })
	return i < 0 || r.Candidates[i].Private
}
