package failover

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
)

// codeHosts are hosts whose modules are public as a rule. Where a path names its
// owner after the host, the number says how many elements the owner takes.
var codeHosts = map[string]int{
	"github.com": 2, "gitlab.com": 2, "bitbucket.org": 2, "codeberg.org": 2, "gitee.com": 2, "git.sr.ht": 2,
	"golang.org": 1, "go.dev": 1, "google.golang.org": 1, "cloud.google.com": 1, "gopkg.in": 1,
	"go.uber.org": 1, "go.opentelemetry.io": 1, "k8s.io": 1, "sigs.k8s.io": 1, "modernc.org": 1, "rsc.io": 1,
	"honnef.co": 1, "mvdan.cc": 1, "go.etcd.io": 1, "go.mongodb.org": 1, "gorm.io": 1, "gonum.org": 1, "filippo.io": 1,
}

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
			rec.Leaks = append(rec.Leaks, Leak{Module: path, Hop: c.Hop.Redacted()})
		}
	}
	if len(rec.Leaks) == 0 {
		return
	}
	rec.Patterns = patterns(r, secret)
	rec.Warnings = append(rec.Warnings,
		fmt.Sprintf("%d module paths of this project that do not look public would be sent to public proxies: %s",
			len(secret), redact.Clean(list(secret, 3))),
		fmt.Sprintf("to prevent it: go env -w GOPRIVATE=%s (these modules then come from version control, past every proxy; "+
			"GONOPROXY and GONOSUMDB follow GOPRIVATE unless they are set)", redact.Clean(rec.Patterns)))
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
// What matches GONOPROXY never comes to a proxy.
func (r Request) secret(path string) bool {
	switch {
	case module.MatchPrefixPatterns(r.NoProxy, path):
		return false
	case module.MatchPrefixPatterns(r.NoSumDB, path):
		return true
	case slices.ContainsFunc(r.Own, func(own string) bool { return sameOwner(own, path) }):
		return true
	}
	host, _, _ := strings.Cut(path, "/")
	return codeHosts[host] == 0 && strings.Contains(host, ".")
}

// owner is the part of a path that says whose it is: the host, or the host and
// the account.
func owner(path string) string {
	elems := strings.Split(path, "/")
	n := max(1, codeHosts[elems[0]])
	return strings.Join(elems[:min(n, len(elems))], "/")
}

// sameOwner reports whether two modules belong to one owner. A shared host that
// is everybody's makes none.
func sameOwner(own, path string) bool {
	host, _, _ := strings.Cut(own, "/")
	if codeHosts[host] == 1 || !strings.Contains(host, ".") {
		return false
	}
	return owner(own) == owner(path)
}

// patterns is GOPRIVATE with the owners of paths added.
func patterns(r Request, paths []string) string {
	var list []string
	if r.GOPRIVATE != "" {
		list = append(list, r.GOPRIVATE)
	}
	for _, p := range paths {
		o := owner(p)
		if !slices.Contains(list, o) && !module.MatchPrefixPatterns(r.GOPRIVATE, p) {
			list = append(list, o)
		}
	}
	return strings.Join(list, ",")
}

// list names the first n of all.
func list(all []string, n int) string {
	if len(all) <= n {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:n], ", ") + fmt.Sprintf(" and %d more", len(all)-n)
}
