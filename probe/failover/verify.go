package failover

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/route"
)

// A recommended chain has to serve a module that go.sum does not know, the
// checksum database included. What the go command does there is package route's
// to say; here the hops are chosen so that it says "served":
//
//   - The first hop that says that it serves the database decides, for good: a hop
//     that says so and then fails must not come before one that keeps its word.
//   - A hop that refuses to say moves on before "|", but its error stands where
//     nothing behind it serves the database and no "direct" follows.
//   - Where every hop says no, the database's own host has to answer.

// A proof is how sure it is that a chain serves a module without a go.sum line.
type proof int

const (
	disproved proof = iota
	unproved        // something that decides it is not known
	proved
)

// verifies reports whether the go command asks a checksum database here.
func (r Request) verifies() bool {
	if r.SumDB.Off || r.SumDB.Name == "" || slices.Contains(strings.Split(r.NoSumDB, ","), "*") {
		return false
	}
	exempt := func(path string) bool { return module.MatchPrefixPatterns(r.NoSumDB, path) }
	return len(r.Modules) == 0 || slices.ContainsFunc(r.Modules, func(path string) bool { return !exempt(path) })
}

// prove predicts what the go command does in c for a public module that go.sum
// does not know.
func (r Request) prove(c chain.Chain) proof {
	in := route.Input{Module: probe.Canary, Chain: c, SumDB: chain.SumDB{Off: true}, Classes: func(hop int, f probe.File) probe.Class {
		if hop < 0 {
			return known(r.SumDBDirect)
		}
		i := slices.IndexFunc(r.Candidates, func(o Candidate) bool { return o.Hop.URL == c.Hops[hop].URL })
		if i < 0 {
			return probe.ClassUnknown
		}
		return r.Candidates[i].answers(f)
	}}
	if r.verifies() {
		in.SumDB = r.SumDB
	}
	switch route.Predict(in).Result {
	case route.Served, route.Direct:
		return proved
	case route.Unknown:
		return unproved
	default:
		return disproved
	}
}

func known(c probe.Class) probe.Class {
	if c == "" {
		return probe.ClassUnknown
	}
	return c
}

// answers is the class of a hop's answer to a request for f.
func (c Candidate) answers(f probe.File) probe.Class {
	switch f {
	case probe.Info, probe.Mod, probe.Zip:
		return known(c.Class)
	case probe.Supported:
		switch {
		case c.BreaksSum != "":
			return probe.OK
		case c.RefusesSum != "":
			return c.RefusesSum
		case c.ServesSum == catalog.Yes:
			return probe.OK
		case c.ServesSum == catalog.No:
			return probe.NotFound
		}
		return probe.ClassUnknown
	}
	if c.BreaksSum != "" {
		return c.BreaksSum
	}
	return probe.OK
}

// What the database is like through a candidate.

func (c Candidate) breaks() bool  { return c.BreaksSum != "" }
func (c Candidate) refuses() bool { return c.RefusesSum != "" && !c.breaks() }
func (c Candidate) passes() bool  { return c.answers(probe.Supported) == probe.OK && !c.breaks() }
func (c Candidate) unclear() bool { return c.answers(probe.Supported) == probe.ClassUnknown }

// choose picks from the healthy hops those that prove most, as many as it can.
// Where nothing verifies, all of them do.
func (r Request) choose(healthy []Candidate, end *Candidate) ([]Candidate, proof) {
	all := r.order(healthy)
	if !r.verifies() {
		return bound(all), proved
	}
	sound := without(all, Candidate.breaks)
	// A private hop stays where it is, for what it keeps at home.
	doubtful := func(c Candidate) bool { return c.unclear() && !c.Private }
	certain := without(sound, doubtful)
	tries := [][]Candidate{sound, without(sound, Candidate.refuses)}
	if slices.ContainsFunc(certain, Candidate.passes) { // else no doubt is worth a hop
		tries = append(tries, r.inOrder(append(slices.Clone(certain), only(sound, doubtful)...)), certain)
	}
	if !serves(sound, end) {
		// Only what breaks the database has the modules: behind a hop that keeps
		// its word it does no harm.
		keep := append(only(sound, Candidate.passes), without(sound, Candidate.passes)...)
		tries = append(tries, r.inOrder(append(keep, only(all, Candidate.breaks)...)))
	}
	var best []Candidate
	found := disproved
	for _, hops := range tries {
		hops = bound(hops)
		c, err := join(hops, end)
		if err != nil || !serves(hops, end) {
			continue
		}
		if p := r.prove(c); p > found {
			best, found = hops, p
		}
	}
	if found == disproved {
		// What go.sum lists can still be had.
		if best = bound(sound); !serves(best, end) {
			best = bound(all)
		}
	}
	return best, found
}

// inOrder returns hops, and none at all where a private one would stand behind a
// public one that the user did not put there.
func (r Request) inOrder(hops []Candidate) []Candidate {
	private := func(c Candidate) bool { return c.Private }
	public := slices.IndexFunc(hops, func(c Candidate) bool { return !c.Private })
	if r.Strategy != Manual && public >= 0 && slices.ContainsFunc(hops[public:], private) {
		return nil
	}
	return hops
}

func only(list []Candidate, is func(Candidate) bool) []Candidate {
	return without(list, func(c Candidate) bool { return !is(c) })
}

func without(list []Candidate, is func(Candidate) bool) []Candidate {
	return slices.DeleteFunc(slices.Clone(list), is)
}

// leftOut says which healthy hops are left out for what the database is like
// through them.
func leftOut(healthy, chosen []Candidate, rec *Recommendation) {
	for _, c := range healthy {
		if slices.ContainsFunc(chosen, func(o Candidate) bool { return o.Hop.URL == c.Hop.URL }) {
			continue
		}
		goes := "is left out"
		if c.Current {
			goes = "goes"
		}
		var why string
		switch {
		case c.breaks():
			why = fmt.Sprintf("the checksum database fails through it (%s)", c.BreaksSum.Words())
		case len(chosen) >= MaxProxies:
			continue
		case c.refuses():
			why = fmt.Sprintf("it answers %s for the checksum database, and no hop behind it would serve that", c.RefusesSum.Words())
		case c.unclear():
			why = "it is not known whether the checksum database works through it"
		default:
			continue
		}
		rec.Reasons = append(rec.Reasons, fmt.Sprintf("%s %s: %s", c.Hop.Redacted(), goes, why))
	}
}

// unverified says why a chain of these hops verifies nothing new, "" where no
// cause is known.
func (r Request) unverified(hops []Candidate, end *Candidate) string {
	name := redact.Clean(r.SumDB.Name)
	for _, c := range hops {
		if c.breaks() && r.SumDB.URL == "" {
			return fmt.Sprintf("through %s the checksum database %s fails (%s)", c.Hop.Redacted(), name, c.BreaksSum.Words())
		}
	}
	if c, ok := refuses(hops, end); ok && r.SumDB.URL == "" {
		return fmt.Sprintf("%s answers %s for the checksum database %s, and no hop of this chain is known to serve it", c.Hop.Redacted(), c.RefusesSum.Words(), name)
	}
	switch {
	case !r.SumDBDirect.Failed():
		return ""
	case r.SumDB.URL != "":
		return fmt.Sprintf("the checksum database at %s does not answer (%s), and GOSUMDB names that URL: no proxy can stand in for it", redact.URL(r.SumDB.URL), r.SumDBDirect.Words())
	case slices.ContainsFunc(hops, Candidate.passes):
		return ""
	}
	how := "no hop of this chain serves it"
	if slices.ContainsFunc(hops, Candidate.unclear) {
		how = "no hop of this chain is known to serve it"
	}
	return fmt.Sprintf("the checksum database %s does not answer (%s) and %s", name, r.SumDBDirect.Words(), how)
}
