package failover

import (
	"fmt"
	"slices"

	"gpx/envctl/chain"
)

// warnDirect says what is lost with "direct".
func warnDirect(r Request, end *Candidate, rec *Recommendation) {
	if end != nil {
		return
	}
	for _, c := range r.Candidates {
		if c.Current && c.Hop.Kind == chain.Direct {
			rec.Warnings = append(rec.Warnings, fmt.Sprintf("direct is left out, because it is %s (%s): what no proxy has cannot be downloaded until it is back in the chain", c.Health, c.Class.Words()))
		}
	}
}

// warnSumDB says when the checksum database cannot be reached by the new chain, or
// is not known to be. The go command asks the first hop that serves it, and the
// database's own host when none does (cmd/go/internal/modfetch/sumdb.go, initBase).
func (r Request) warnSumDB(hops []Candidate, end *Candidate, sure proof, rec *Recommendation) {
	if sure == proved {
		return
	}
	why := r.unverified(hops, end)
	if sure == disproved && why == "" {
		why = "the checksum database cannot be reached"
	}
	if why != "" {
		rec.Warnings = append(rec.Warnings, why+": modules without a go.sum line will fail")
	}
}

// refuses returns the hop with whose error the search for the database would end
// (initBase, TryProxies): no hop serves it, and no "direct" sends it on.
func refuses(hops []Candidate, end *Candidate) (Candidate, bool) {
	if end != nil && end.Hop.Kind == chain.Direct || slices.ContainsFunc(hops, Candidate.passes) {
		return Candidate{}, false
	}
	i := slices.IndexFunc(hops, Candidate.refuses)
	if i < 0 {
		return Candidate{}, false
	}
	return hops[i], true
}
