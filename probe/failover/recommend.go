package failover

import (
	"cmp"
	"fmt"
	"slices"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe/catalog"
	"gpx/probe/monitor"
)

// Recommend returns the best chain for r. The chain of a recommendation that is
// Found always serves, as the candidates are known to be.
func Recommend(r Request) Recommendation {
	rec := Recommendation{Chain: r.Current, Reasons: []string{}, Warnings: []string{}, Leaks: []Leak{}}
	hops, harmful, end := pick(r, &rec)
	if !serves(hops, end) && len(harmful) > 0 {
		// Better modules that only go.sum can verify than none at all.
		hops = r.order(append(hops, harmful...))
		for _, c := range harmful {
			rec.Warnings = append(rec.Warnings, fmt.Sprintf("through %s the checksum database fails (%s): modules without a go.sum line will fail", c.Hop.Redacted(), c.BreaksSum))
		}
	} else {
		for _, c := range harmful {
			rec.Reasons = append(rec.Reasons, fmt.Sprintf("%s goes: the checksum database fails through it (%s)", c.Hop.Redacted(), c.BreaksSum))
		}
	}
	if !serves(hops, end) {
		rec.Reasons = append(rec.Reasons, nothing(r))
		return rec
	}
	c, err := join(hops, end)
	if err != nil {
		rec.Reasons = append(rec.Reasons, redact.Text(err.Error()))
		return rec
	}
	if c.String() == r.Current.String() {
		rec.Reasons = append(rec.Reasons, "the chain in force is the best that is known")
		return rec
	}
	rec.Chain, rec.Found = c, true
	for i, h := range hops {
		rec.Reasons = append(rec.Reasons, why(i+1, h))
	}
	switch {
	case end == nil:
	case end.Hop.Kind == chain.Off:
		rec.Reasons = append(rec.Reasons, `"off" stays at the end, as it was`)
	default:
		rec.Reasons = append(rec.Reasons, `"direct" at the end: version control answers`)
	}
	warnSumDB(r, hops, &rec)
	leak(r, hops, &rec)
	return rec
}

// pick chooses the hops in order, and what ends the chain; it says why it
// leaves out what it leaves out. harmful are healthy hops that break the checksum
// database for the whole chain.
func pick(r Request, rec *Recommendation) (hops, harmful []Candidate, end *Candidate) {
	userOff := endsOff(r.Current)
	seen := map[string]bool{}
	for _, c := range r.Candidates {
		key := c.Hop.URL
		if seen[key] {
			continue
		}
		seen[key] = true
		switch {
		case c.Hop.Kind == chain.Off:
		case c.Retired:
			if c.Current {
				rec.Reasons = append(rec.Reasons, fmt.Sprintf("%s goes: it is retired", c.Hop.Redacted()))
			}
		case c.Hop.Kind == chain.Direct:
			if !userOff && c.healthy() && c.serves() {
				end = &c
			} else if c.Current && !userOff {
				rec.Reasons = append(rec.Reasons, fmt.Sprintf("direct goes: it is %s (%s)", c.Health, c.Class))
			}
		case c.healthy() && c.BreaksSum != "" && !r.SumDB.Off:
			harmful = append(harmful, c)
		case c.healthy():
			hops = append(hops, c)
		case c.Current:
			rec.Reasons = append(rec.Reasons, fmt.Sprintf("%s goes: it is %s (%s)", c.Hop.Redacted(), c.Health, c.Class))
		}
	}
	if userOff {
		end = &Candidate{Hop: chain.Hop{URL: "off", Kind: chain.Off}}
	}
	return r.order(hops), harmful, end
}

// order sorts hops by the strategy and bounds their number.
func (r Request) order(hops []Candidate) []Candidate {
	slices.SortStableFunc(hops, func(a, b Candidate) int { return r.compare(a, b) })
	return bound(hops)
}

// bound keeps MaxProxies hops, the last go first; one that serves is kept.
func bound(hops []Candidate) []Candidate {
	for len(hops) > MaxProxies {
		drop := len(hops) - 1
		if hops[drop].serves() && !slices.ContainsFunc(hops[:drop], Candidate.serves) {
			drop--
		}
		hops = slices.Delete(hops, drop, drop+1)
	}
	return hops
}

func endsOff(c chain.Chain) bool {
	return len(c.Hops) > 0 && c.Hops[len(c.Hops)-1].Kind == chain.Off
}

// compare orders candidates: private before public, whole before slow, then as
// the strategy says; what compares equal stays as it stands. Manual leaves the
// chain in force as it stands and puts what is new behind it.
func (r Request) compare(a, b Candidate) int {
	if r.Strategy == Manual && (a.Current || b.Current) {
		return compareBool(!a.Current, !b.Current)
	}
	if c := compareBool(!a.Private, !b.Private); c != 0 {
		return c
	}
	if c := compareBool(!a.serves(), !b.serves()); c != 0 && !a.Private {
		return c
	}
	if c := compareBool(a.Health == monitor.Slow, b.Health == monitor.Slow); c != 0 {
		return c
	}
	switch r.Strategy {
	case Availability:
		if c := cmp.Compare(a.Lost, b.Lost); c != 0 {
			return c
		}
	case Region:
		if c := compareBool(!r.near(a), !r.near(b)); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.P50, b.P50)
}

// near reports whether a candidate is in the wanted region. A private hop is as
// near as can be.
func (r Request) near(c Candidate) bool { return c.Private || c.Region != "" && c.Region == r.Region }

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// serves reports whether the go command finds a public module in the chain.
func serves(hops []Candidate, end *Candidate) bool {
	return slices.ContainsFunc(hops, Candidate.serves) || end != nil && end.Hop.Kind == chain.Direct
}

// join makes the chain: "|" after every proxy, so that an error of one moves on
// to the next. Before "off" there is nothing to move on to.
func join(hops []Candidate, end *Candidate) (chain.Chain, error) {
	var list []chain.Hop
	for i, c := range hops {
		h := c.Hop
		h.Separator = chain.Pipe
		if i == len(hops)-1 && end != nil && end.Hop.Kind == chain.Off {
			h.Separator = chain.Comma
		}
		list = append(list, h)
	}
	if end != nil {
		list = append(list, end.Hop)
	}
	return chain.New(list...)
}

// why says what speaks for the nth hop.
func why(n int, c Candidate) string {
	s := fmt.Sprintf("%d. %s is %s", n, c.Hop.Redacted(), c.Health)
	if c.lacks() {
		return s + ", and private: it is asked first, though it lacks public modules"
	}
	if c.P50 > 0 {
		s += fmt.Sprintf(", %d ms", c.P50.Milliseconds())
	}
	if c.Lost > 0 {
		s += fmt.Sprintf(", %.0f %% lost", 100*c.Lost)
	}
	return s
}

// nothing says why there is no recommendation.
func nothing(r Request) string {
	asked := 0
	for _, c := range r.Candidates {
		if c.Health != monitor.Unknown {
			asked++
		}
	}
	switch {
	case asked == 0:
		return "nothing has been probed yet"
	case asked < len(r.Candidates):
		return fmt.Sprintf("none of the %d endpoints that were probed serves modules, %d have not answered yet", asked, len(r.Candidates)-asked)
	default:
		return fmt.Sprintf("none of the %d endpoints that were probed serves modules; others: gpx probe --all, or work offline: gpx offline on", asked)
	}
}

// warnSumDB says when the checksum database cannot be reached by the new chain.
// The go command asks the first hop that serves it, and the database's own host
// when none does (cmd/go/internal/modfetch/sumdb.go, initBase).
func warnSumDB(r Request, hops []Candidate, rec *Recommendation) {
	if r.SumDB.Off || r.SumDB.Name == "" || !r.SumDBDirect.Failed() {
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
