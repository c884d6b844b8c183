package failover

import (
	"slices"
	"time"

	"gpx/envctl/change"
)

// A Logbook is what the journal tells of automatic switching, also by processes that
// have ended since.
type Logbook struct {
	// Open are the changes of the flight that goes on, the oldest first: to be taken
	// back in reverse. Empty without one.
	Open []change.Record

	deeds []deed // since a person has changed GOPROXY last, the oldest first
}

type deed struct {
	what Deed
	at   time.Time
}

// ReadLogbook reads the records of a journal, the oldest first.
func ReadLogbook(records []change.Record) Logbook {
	var l Logbook
	for _, r := range records {
		if r.State != change.Applied && r.State != change.Undone || goproxy(r) < 0 {
			continue
		}
		switch {
		case r.Actor != change.ByItself:
			l = Logbook{}
		case r.Undoes == "":
			if len(l.Open) == 0 {
				l.deeds = append(l.deeds, deed{Switch, r.DoneAt})
			}
			l.Open = append(l.Open, r)
		case len(l.Open) > 0:
			l.Open = slices.DeleteFunc(l.Open, func(o change.Record) bool { return o.ID == r.Undoes })
			if len(l.Open) == 0 {
				l.deeds = append(l.deeds, deed{Return, r.DoneAt})
			}
		}
	}
	return l
}

// goproxy is the index of the action of r that sets GOPROXY, -1 without one.
func goproxy(r change.Record) int {
	return slices.IndexFunc(r.Actions, func(a change.Action) bool { return a.Kind == change.SetVariable && a.Target == "GOPROXY" })
}

// InForce reports whether GOPROXY is in the user's go env file what the flight has
// made it: value, or nothing where set is false.
func (l Logbook) InForce(value string, set bool) bool {
	if len(l.Open) == 0 {
		return false
	}
	r := l.Open[len(l.Open)-1]
	n := goproxy(r)
	if n < len(r.Hashes) && r.Hashes[n] != "" {
		return set && change.MatchesHash(r.Hashes[n], value)
	}
	return r.Actions[n].New == "" && value == ""
}

// Recall takes the times of earlier flights over, so that a chain that came back and
// failed again is given longer also by another process. It comes before Resume and
// the first snapshot.
func (p *Pilot) Recall(l Logbook) {
	for _, d := range l.deeds {
		p.Done(Step{Deed: d.what}, d.at)
	}
	*p = Pilot{cfg: p.cfg, quiet: p.quiet, returned: p.returned}
}
