package failover

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/monitor"
)

// Recommend returns the best chain for r. The chain of a recommendation that is
// Found always serves, as the candidates are known to be: also what go.sum does
// not know, unless nothing can verify that, go.sum is complete, and a warning says
// so.
func Recommend(r Request) Recommendation {
	rec := Recommendation{Chain: r.Current, Reasons: []string{}, Warnings: []string{}, Leaks: []Leak{}}
	healthy, end := pick(r, &rec)
	hops, sure := r.choose(healthy, end)
	leftOut(healthy, hops, &rec)
	if !serves(hops, end) {
		rec.Reasons = append(rec.Reasons, nothing(r))
		return rec
	}
	if sure == disproved && !r.SumsComplete {
		why := "no chain of what answers would verify a module without a go.sum line: " + cmp.Or(r.unverified(hops, end), "the checksum database cannot be reached")
		if r.SumDB.URL == "" {
			why += "; other proxies: gpx probe --all"
		}
		rec.Reasons = append(rec.Reasons, why)
		return rec
	}
	hops = r.keep(hops, end, sure)
	c, err := join(hops, end)
	if err != nil {
		rec.Reasons = append(rec.Reasons, redact.Text(err.Error()))
		return rec
	}
	if same(c, r.Current) {
		rec.Reasons = append(rec.Reasons, "the chain in force is the best that is known")
		return rec
	}
	rec.Chain, rec.Found, rec.Sure = c, true, r.SumsComplete || r.prove(c) == proved
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
	if pipes(r.Current) < pipes(c) {
		rec.Reasons = append(rec.Reasons, `"|" moves on when a hop is down; "," only after 404 and 410`)
	}
	warnDirect(r, end, &rec)
	r.warnSumDB(hops, end, sure, &rec)
	leak(r, hops, &rec)
	return rec
}

// pick finds the hops that could be used, and what ends the chain; it says why it
// leaves out what it leaves out.
func pick(r Request, rec *Recommendation) (healthy []Candidate, end *Candidate) {
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
				rec.Reasons = append(rec.Reasons, c.goes())
			}
		case c.healthy():
			healthy = append(healthy, c)
		case c.Current:
			rec.Reasons = append(rec.Reasons, c.goes())
		}
	}
	if userOff {
		end = &Candidate{Hop: chain.Hop{URL: "off", Kind: chain.Off}}
	}
	return healthy, end
}

// goes says why a hop of the chain in force is left out.
func (c Candidate) goes() string {
	if c.Class == probe.NotFound {
		return fmt.Sprintf("%s goes: it lacks a module that it should have (%s)", c.Hop.Redacted(), c.Class.Words())
	}
	return fmt.Sprintf("%s goes: it is %s (%s)", c.Hop.Redacted(), c.Health, c.Class.Words())
}

// same reports whether two chains do the same: before "off" the separator
// decides nothing but which error is shown.
func same(a, b chain.Chain) bool {
	if endsOff(a) && endsOff(b) && len(a.Hops) > 1 && len(b.Hops) > 1 {
		a, b = a.WithSeparator(len(a.Hops)-2, chain.Comma), b.WithSeparator(len(b.Hops)-2, chain.Comma)
	}
	return a.String() == b.String()
}

// worthwhile is how much sooner the first hop has to answer for a chain of the
// same hops in another order to be worth a change: less is chance, and would turn
// round with the next probes.
const worthwhile = 20 * time.Millisecond

// keep puts hops in the user's order where the best one differs from it by
// nothing but a few milliseconds, and verifies no more.
func (r Request) keep(hops []Candidate, end *Candidate, sure proof) []Candidate {
	if len(hops) == 0 {
		return hops
	}
	even := slices.Clone(hops)
	slices.SortStableFunc(even, func(a, b Candidate) int { return cmp.Compare(r.position(a), r.position(b)) })
	if even[0].P50-hops[0].P50 >= worthwhile {
		return hops
	}
	took := map[string]time.Duration{}
	for i := range even {
		took[even[i].Hop.URL] = even[i].P50
		even[i].P50 = 0
	}
	even = r.order(even)
	for i := range even {
		even[i].P50 = took[even[i].Hop.URL]
	}
	if c, err := join(even, end); err != nil || r.prove(c) < sure {
		return hops
	}
	return even
}

// pipes counts the hops of c that pass every error on.
func pipes(c chain.Chain) (n int) {
	for _, h := range c.Hops {
		if h.Separator == chain.Pipe {
			n++
		}
	}
	return n
}

// position is where a hop stands in the chain in force; behind it if it does not.
func (r Request) position(c Candidate) int {
	if i := slices.IndexFunc(r.Current.Hops, func(h chain.Hop) bool { return h.URL == c.Hop.URL }); i >= 0 {
		return i
	}
	return len(r.Current.Hops)
}

// order sorts hops by the strategy.
func (r Request) order(hops []Candidate) []Candidate {
	hops = slices.Clone(hops)
	slices.SortStableFunc(hops, r.compare)
	return hops
}

// bound keeps MaxProxies hops, the last go first; of those that serve modules one
// is kept, and of those that serve the checksum database.
func bound(hops []Candidate) []Candidate {
	hops = slices.Clone(hops)
	needed := func(i int) bool {
		for _, has := range []func(Candidate) bool{Candidate.serves, Candidate.passes} {
			if has(hops[i]) && len(only(hops, has)) == 1 {
				return true
			}
		}
		return false
	}
	for len(hops) > MaxProxies {
		drop := len(hops) - 1
		for drop > 0 && needed(drop) {
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
	asked, silent := 0, 0
	for _, c := range r.Candidates {
		switch {
		case c.Hop.Kind == chain.Off:
		case c.Health == monitor.Unknown:
			silent++
		default:
			asked++
		}
	}
	switch {
	case asked+silent == 0:
		return "there is nothing to choose from: name a proxy with gpx use, or look for one with gpx probe --all"
	case asked == 0:
		return "nothing has been probed yet"
	case silent > 0:
		return fmt.Sprintf("none of the %d endpoints that were probed serves modules, %d have not answered yet", asked, silent)
	default:
		return fmt.Sprintf("none of the %d endpoints that were probed serves modules; others: gpx probe --all, or work offline: gpx offline on", asked)
	}
}
