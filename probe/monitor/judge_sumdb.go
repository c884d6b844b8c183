package monitor

import (
	"fmt"

	"gpx/probe"
)

// brokenSumDB is the verdict when the chain serves and the checksum database
// does not. What go.sum knows still builds; what is new does not.
func brokenSumDB(f Facts, w walk) (Verdict, bool) {
	db := f.SumDB
	if db.Off || db.Err == "" && !db.Class.Failed() {
		return Verdict{}, false
	}
	v := Verdict{State: StateOutage, Scope: ScopeSumDB, Evidence: evidence(f)}
	word, rest := "OUTAGE", "new modules cannot be verified"
	if f.SumsComplete || f.Vendored {
		v.State, word, rest = StateDegraded, "DEGRADED", "only new modules need it"
		v.Evidence = append(v.Evidence, "go.sum has every module that the project requires: its build asks no database")
	}
	switch {
	case db.Err != "":
		v.Scope = ScopeConfig
		v.Headline = rejects(word, "GOSUMDB", db.Err)
		v.Fixes = []Fix{{Title: "Use the database again that go uses by default", Command: "gpx sumdb on"}}
		return v, true
	case db.Class == probe.SumDBUntrusted || db.Class == probe.ChecksumMismatch:
		// Never an outage to work around: no fix here switches checks off.
		v.State, word = StateOutage, "OUTAGE"
		v.Headline = headline(word+": %s "+does(db.EndpointFact)+": tampering?", db.Name)
		v.Fixes = []Fix{{Title: "Use another proxy for the database", Command: "gpx use --best"}}
		if db.Via == 0 || !somethingWorks(f, db.Via, true) {
			v.Fixes = []Fix{{Title: "Look for a proxy that serves the database", Command: "gpx probe --all"}}
		}
		return v, true
	case db.Class.Info().Hangs:
		v.Headline = headline(word+": checksum database %s hangs; "+rest, db.Name)
	default:
		v.Headline = headline(word+": checksum database %s fails; "+rest, db.Name)
	}
	if db.Via > 0 {
		v.Evidence = append(v.Evidence, fmt.Sprintf("the go command asks the database through hop %d and nowhere else", db.Via))
	}
	if s, ok := shadowOf(f, "GOSUMDB"); ok {
		v.Scope = ScopeConfig
		v.Fixes = append(v.Fixes, unsetFix(s))
	}
	v.Fixes = append(v.Fixes, sumFixes(f)...)
	return v, true
}

// sumFixes are other ways to the database, and last to do without it.
func sumFixes(f Facts) []Fix {
	db := f.SumDB
	public := db.Name == publicSumDB
	var fixes []Fix
	switch {
	case db.ByURL && public:
		fixes = append(fixes, Fix{Title: "Ask it by the way of the chain again", Command: "gpx sumdb on"})
	case db.ByURL:
		// Only its operator can help.
	case db.Via > 0 && somethingWorks(f, db.Via, true):
		fixes = append(fixes, Fix{Title: "Leave out the proxy that it fails through", Command: "gpx use --best"})
	default:
		fixes = append(fixes, Fix{Title: "Look for a proxy that serves the database", Command: "gpx probe --all"})
	}
	if public && !db.ByURL {
		fixes = append(fixes, Fix{Title: "Use the database's alias for mainland China", Command: "gpx sumdb sum.golang.google.cn"})
	}
	return append(fixes, Fix{Title: "Switch the checks off for an hour (new modules are then not verified)", Command: "gpx sumdb off --for 1h"})
}
