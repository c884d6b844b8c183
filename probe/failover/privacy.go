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
