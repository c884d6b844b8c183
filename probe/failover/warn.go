package failover

import (
	"fmt"
	"slices"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe/catalog"
)

// warnDirect says what is lost with "direct".
func warnDirect(r Request, end *Candidate, rec *Recommendation) {
	if end != nil {
		return
	}
	for _, c := range r.Candidates {
		if c.Current && c.Hop.Kind == chain.Direct {
			rec.Warnings = append(rec.Warnings, fmt.Sprintf("direct is left out, because it is %s (%s): what no proxy has cannot be downloaded until it is back in the chain", c.Health, c.Class))
		}
	}
}

// warnSumDB says when the checksum database cannot be reached by the new chain.
// The go command asks the first hop that serves it, and the database's own host
// when none does (cmd/go/internal/modfetch/sumdb.go, initBase).
func warnSumDB(r Request, hops []Candidate, end *Candidate, rec *Recommendation) {
	if r.SumDB.Off || r.SumDB.Name == "" {
		return
	}
	if c, ok := refuses(hops, end); ok {
		rec.Warnings = append(rec.Warnings, fmt.Sprintf("%s answers %s for the checksum database %s, and no hop of this chain is known to serve it: modules without a go.sum line will fail",
			c.Hop.Redacted(), c.RefusesSum, redact.Clean(r.SumDB.Name)))
		return
	}
	if !r.SumDBDirect.Failed() {
		return
	}
	if r.SumDB.URL != "" {
		rec.Warnings = append(rec.Warnings, fmt.Sprintf("the checksum database at %s does not answer (%s), and GOSUMDB names that URL: no proxy can stand in for it",
			redact.URL(r.SumDB.URL), r.SumDBDirect))
		return
	}
	for _, c := range hops {
		if c.ServesSum == catalog.Yes {
			return
		}
	}
	how := "no hop of this chain serves it"
	if slices.ContainsFunc(hops, func(c Candidate) bool { return c.ServesSum != catalog.No && c.ServesSum != catalog.NotApplicable }) {
		how = "no hop of this chain is known to serve it"
	}
	rec.Warnings = append(rec.Warnings, fmt.Sprintf("the checksum database %s does not answer (%s) and %s: modules without a go.sum line will fail",
		redact.Clean(r.SumDB.Name), r.SumDBDirect, how))
}

// refuses returns the hop with whose error the search for the database would end
// (initBase, TryProxies): no hop serves it, and no "direct" sends it on.
func refuses(hops []Candidate, end *Candidate) (Candidate, bool) {
	if end != nil && end.Hop.Kind == chain.Direct || slices.ContainsFunc(hops, func(c Candidate) bool { return c.ServesSum == catalog.Yes }) {
		return Candidate{}, false
	}
	i := slices.IndexFunc(hops, func(c Candidate) bool { return c.RefusesSum != "" })
	if i < 0 {
		return Candidate{}, false
	}
	return hops[i], true
}
