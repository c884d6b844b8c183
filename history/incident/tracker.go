package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gpx/envctl/redact"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
)

const (
	// reopenWithin is how soon after its end an outage of the same chain is the
	// same incident: a proxy that comes back often comes back twice.
	reopenWithin = time.Minute
	// unobserved is the least time between two snapshots of different recorders
	// that counts as a gap.
	unobserved = 15 * time.Second
	// givenUpAfter is how long after builds worked again a chain is waited for.
	givenUpAfter = 7 * 24 * time.Hour
	// maxEvents bounds the events of one incident: an endpoint that flaps for
	// days says nothing new after that.
	maxEvents = 5000
)

// A Tracker makes incidents of a stream of snapshots. It reads no clock. The zero
// value has seen nothing.
type Tracker struct {
	Settings Settings // noted in what opens

	current *Incident // the open one, or the last one while it can be reopened
	last    *monitor.Snapshot
	events  int
	resumed time.Time // when the recorder before this one saw something last; zero without one
}

// A Step is what one snapshot changed.
type Step struct {
	// Incident is the open incident, or the one that has just ended; nil when
	// nothing of it changed. It is the tracker's own, which goes on changing; who
	// keeps it gives it its ID, which is 0 while it is new.
	Incident *Incident
	Events   []Event // new ones, oldest first
}

// Resume goes on with an incident that another process has recorded until seen: an
// open one, or the last one, which may be reopened.
func (t *Tracker) Resume(i Incident, seen time.Time) {
	t.events = len(i.Events)
	i.Events = nil
	t.current, t.resumed = &i, seen
}

// Note adds an event of another source to the incident that goes on, or to the last
// one; without any it is dropped.
func (t *Tracker) Note(e Event) Step {
	step := &Step{}
	if t.current != nil {
		t.add(step, e)
	}
	return *step
}

// Observe takes the next snapshot. Those of before the first round say nothing.
func (t *Tracker) Observe(s monitor.Snapshot) Step {
	if s.Round == 0 {
		return Step{}
	}
	step := &Step{}
	was := t.last
	t.last = &s
	broken := s.Verdict.State == monitor.StateOutage
	switch i := t.current; {
	case i != nil && i.Open():
		t.goOn(step, was, s, broken)
	case !broken:
		return *step
	case i != nil && i.Chain == s.Chain.Value && s.At.Sub(i.Resolved.Time) < reopenWithin:
		i.Mitigated, i.Resolved, i.RTO = wire.Time{}, wire.Time{}, nil
		t.resumed = time.Time{}
		t.add(step, Event{At: s.At, Kind: Reopened, Text: s.Verdict.Headline})
		t.blame(i, s)
	default:
		t.open(step, s, was == nil)
	}
	return *step
}

// open begins an incident.
func (t *Tracker) open(step *Step, s monitor.Snapshot, first bool) {
	i := &Incident{
		Opened: s.At, Detected: s.At, Headline: s.Verdict.Headline, Scope: s.Verdict.Scope,
		Causes: []probe.Class{}, Endpoints: []string{}, Chain: s.Chain.Value, Settings: t.Settings,
	}
	t.current, t.events, t.resumed = i, 0, time.Time{}
	for _, e := range culprits(s) {
		if at := failingSince(e.Window.Recent); !at.IsZero() && at.Before(i.Opened.Time) {
			i.Opened = at
		}
	}
	t.blame(i, s)
	text := "the first answer that makes the go command fail"
	if first {
		text = "it was broken already when gpx began to watch"
	}
	t.add(step, Event{At: i.Opened, Kind: Opened, Text: text})
	t.add(step, Event{At: s.At, Kind: Detected, Text: s.Verdict.Headline})
}

// failingSince is the start of the run of failures that the samples end with.
func failingSince(samples []monitor.Sample) wire.Time {
	var at wire.Time
	for _, s := range slices.Backward(samples) {
		if !s.Class.Failed() {
			break
		}
		if at.IsZero() || s.At.Before(at.Time) {
			at = s.At
		}
	}
	return at
}

// culprits are the endpoints that the go command uses and that are down; with the
// checksum database alone broken, that.
func culprits(s monitor.Snapshot) []monitor.EndpointStatus {
	var found []monitor.EndpointStatus
	for _, e := range s.Endpoints {
		used := len(e.Hops) > 0 || e.Kind == probe.KindForward
		if s.Verdict.Scope == monitor.ScopeSumDB {
			used = e.Kind == probe.KindSumDB
		}
		if used && e.Health == monitor.Down && breaks(s, e) {
			found = append(found, e)
		}
	}
	return found
}

// breaks reports whether the go command comes to e at all, and no further than a
// hop that ends its walk.
func breaks(s monitor.Snapshot, e monitor.EndpointStatus) bool {
	if len(e.Hops) == 0 {
		return true
	}
	for _, h := range s.Chain.Hops {
		if slices.Contains(e.Hops, h.N) {
			return true
		}
		if h.GoWill != probe.Next {
			return false
		}
	}
	return false
}

// blame notes what is broken.
func (t *Tracker) blame(i *Incident, s monitor.Snapshot) (changed bool) {
	for _, e := range culprits(s) {
		if !slices.Contains(i.Endpoints, e.URL) {
			i.Endpoints, changed = append(i.Endpoints, e.URL), true
		}
		if e.Class.Failed() && !slices.Contains(i.Causes, e.Class) {
			i.Causes, changed = append(i.Causes, e.Class), true
		}
	}
	return changed
}

// goOn is the next snapshot of an open incident.
func (t *Tracker) goOn(step *Step, was *monitor.Snapshot, s monitor.Snapshot, broken bool) {
	i := t.current
	if !t.resumed.IsZero() {
		if s.At.Sub(t.resumed) > unobserved {
			t.gap(step, wire.At(t.resumed), s.At)
		}
		t.add(step, Event{At: s.At, Kind: RecorderIs, Text: "another gpx records from here on"})
		t.resumed = time.Time{}
	} else if s.Gap != nil {
		t.gap(step, s.Gap.From, s.Gap.To)
	}
	if was != nil {
		t.compare(step, *was, s)
	}
	if broken {
		if !i.Mitigated.IsZero() {
			i.Mitigated, i.RTO = wire.Time{}, nil
			t.add(step, Event{At: s.At, Kind: Reopened, Text: s.Verdict.Headline})
		}
		if t.blame(i, s) {
			step.Incident = i
		}
		return
	}
	if s.Verdict.State == monitor.StateUnknown {
		return
	}
	if i.Mitigated.IsZero() {
		i.Mitigated = s.At
		rto := wire.Millis(s.At.Sub(i.Opened.Time))
		i.RTO = &rto
		t.add(step, Event{At: s.At, Kind: Mitigated, Text: s.Verdict.Headline})
	}
	if text, over := t.over(s); over {
		i.Resolved = s.At
		t.add(step, Event{At: s.At, Kind: Resolved, Text: text})
	}
}

// over reports whether the incident is over now that builds work: when the chain
// works that was in force when it opened.
func (t *Tracker) over(s monitor.Snapshot) (text string, over bool) {
	chain := t.current.Chain
	switch {
	case s.Chain.Value == chain:
		return "the chain works again: " + chain, true
	case s.Original == nil || s.Original.Value != chain:
		return "the chain that it began with is not watched any more: " + chain, true
	case s.Original.Works:
		return "the chain that it began with works again: " + chain, true
	case s.At.Sub(t.current.Mitigated.Time) > givenUpAfter:
		return "the chain that it began with has not come back for a week: " + chain, true
	}
	return "", false
}

func (t *Tracker) gap(step *Step, from, to wire.Time) {
	i := t.current
	if from.Before(i.Opened.Time) {
		from = i.Opened
	}
	length := to.Sub(from.Time)
	if length <= 0 {
		return
	}
	i.Unobserved += wire.Millis(length)
	t.add(step, Event{At: to, From: from, Kind: Gap, Text: fmt.Sprintf("nobody watched for %s", length.Round(time.Second))})
}

// compare says what differs between two snapshots.
func (t *Tracker) compare(step *Step, a, b monitor.Snapshot) {
	before := map[Endpoint]monitor.EndpointStatus{}
	for _, e := range a.Endpoints {
		before[Endpoint{e.URL, e.Kind}] = e
	}
	for _, e := range b.Endpoints {
		old, known := before[Endpoint{e.URL, e.Kind}]
		if !known || e.Health == monitor.Unknown {
			continue
		}
		turned := e.Health != old.Health && !(e.Health == monitor.Suspect && old.Health == monitor.Unknown)
		if turned || e.Health == monitor.Down && e.Class != old.Class && e.Class.Failed() {
			t.add(step, Event{At: b.At, Kind: Turned, Endpoint: e.URL, Health: e.Health, Class: e.Class,
				Text: fmt.Sprintf("%s is %s: %s", e.URL, e.Health, e.Class.Words())})
		}
	}
	if a.Chain.Value != b.Chain.Value {
		t.add(step, Event{At: b.At, Kind: Environ, Text: "GOPROXY is now " + b.Chain.Value})
	}
	if was, is := a.SumDB.Route == "off", b.SumDB.Route == "off"; was != is {
		text := "checksums are on again"
		if is {
			text = "checksums are off: new modules are not verified"
		}
		t.add(step, Event{At: b.At, Kind: Checksums, Text: text})
	}
	if a.Verdict.Headline != b.Verdict.Headline && a.Verdict.State == b.Verdict.State {
		t.add(step, Event{At: b.At, Kind: Verdict, Text: b.Verdict.Headline})
	}
}

// add notes an event, and that the incident changed.
func (t *Tracker) add(step *Step, e Event) {
	step.Incident = t.current
	if t.events >= maxEvents && (e.Kind == Turned || e.Kind == Verdict) {
		return
	}
	t.events++
	e.Text = strings.TrimSpace(redact.Text(e.Text))
	step.Events = append(step.Events, e)
}
