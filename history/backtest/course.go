package backtest

import (
	"slices"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/failover"
	"gpx/probe/monitor"
)

// switching is what passes between an outage that is detected and another chain in
// force: the plan, the go command on a copy of its file, and the next snapshot.
const switching = time.Second

// A course is an incident as it goes.
type course struct {
	t       *tape
	seen    *seen
	planned []link // chains to come, by at

	// byItself recommends by strategy when an outage is detected; else the
	// recorded chains come, as long after it as they came.
	byItself bool
	strategy failover.Strategy
	// alone says that nobody switches: gpx did, and would not have.
	alone bool

	now   link
	state []change // of each lane, as it is

	outages  []period
	broken   bool
	detected time.Time // in the incident; zero while it is not
	switched bool      // by itself, and that chain has not come yet
	chosen   []link    // by itself
	presumed []int     // lanes that were asked for before they were probed
}

// A period is an outage; to is zero while it goes on.
type period struct{ from, to time.Time }

// newCourse has the chains of the recording, with alternative in the place of the
// one that was in force when the incident opened.
func newCourse(t *tape, s *seen, alternative *chain.Chain, byItself bool, strategy failover.Strategy) *course {
	c := &course{t: t, seen: s, byItself: byItself, strategy: strategy, state: make([]change, len(t.lanes))}
	for n := range c.state {
		c.state[n] = change{health: monitor.Unknown, class: probe.ClassUnknown}
	}
	for _, l := range t.links {
		if alternative != nil && l.value == t.Incident.Chain {
			at := l.at
			l = t.link(at, *alternative)
		}
		c.planned = append(c.planned, l)
	}
	c.now = c.planned[0]
	return c
}

// run goes through the recording.
func (c *course) run() {
	late := slices.IndexFunc(c.planned, func(l link) bool { return l.at.After(c.t.Incident.Detected.Time) })
	var follow []link // what somebody did because of it
	if late > 0 && !c.t.Incident.Detected.IsZero() {
		c.planned, follow = c.planned[:late:late], c.planned[late:]
	}
	changes := c.seen.changes
	waits := []time.Time{c.t.ready, c.t.Incident.Opened.Time}
	slices.SortFunc(waits, time.Time.Compare)
	for {
		at := far
		if len(changes) > 0 {
			at = changes[0].at
		}
		if len(c.planned) > 0 && c.planned[0].at.Before(at) {
			at = c.planned[0].at
		}
		if len(waits) > 0 && waits[0].Before(at) {
			at = waits[0]
		}
		if at == far {
			return
		}
		better := false
		for len(changes) > 0 && !changes[0].at.After(at) {
			is := changes[0]
			better = better || healthy(is.health) && !healthy(c.state[is.lane].health)
			c.state[is.lane], changes = is, changes[1:]
		}
		for len(c.planned) > 0 && !c.planned[0].at.After(at) {
			c.now, c.planned = c.planned[0], c.planned[1:]
			c.switched = false
		}
		for len(waits) > 0 && !waits[0].After(at) {
			waits = waits[1:]
		}
		if at.Before(c.t.ready) {
			continue
		}
		was := c.detected.IsZero()
		c.judge(at)
		if was && !c.detected.IsZero() && !c.byItself && !c.alone {
			for _, l := range follow {
				l.at = at.Add(l.since.Sub(c.t.Incident.Detected.Time))
				c.planned = append(c.planned, l)
				for _, n := range l.lanes {
					if known := c.firstKnown(l, n); !known.IsZero() {
						waits = append(waits, known)
					}
				}
			}
			slices.SortStableFunc(c.planned, func(a, b link) int { return a.at.Compare(b.at) })
			slices.SortFunc(waits, time.Time.Compare)
		}
		if c.byItself && c.broken && !c.switched && !c.detected.IsZero() && (was || better) {
			c.switchOver(at)
		}
	}
}

func healthy(h monitor.Health) bool { return h == monitor.Up || h == monitor.Slow }

// judge says whether there is an outage at an instant.
func (c *course) judge(at time.Time) {
	switch state := c.verdict(at); {
	case state == monitor.StateOutage && !c.broken:
		c.broken = true
		c.outages = append(c.outages, period{from: at})
	case state == monitor.StateOK && c.broken:
		c.broken = false
		c.outages[len(c.outages)-1].to = at
	}
	if c.broken && c.detected.IsZero() && !at.Before(c.t.Incident.Opened.Time) && !at.After(c.t.over) {
		c.detected = at
	}
}

// verdict is what the monitor would make of the chain in force: ok, outage or
// unknown.
func (c *course) verdict(at time.Time) monitor.State {
	switch {
	case c.now.refused:
		return monitor.StateOutage
	case c.now.offline:
		return monitor.StateOK
	}
	classes := make([]probe.Class, len(c.now.lanes))
	for i, n := range c.now.lanes {
		classes[i] = c.class(n, at)
	}
	switch end, hop := monitor.Walk(c.now.chain, classes); {
	case monitor.Works(end):
		if c.t.sums && c.sumsFail() {
			return monitor.StateOutage
		}
		return monitor.StateOK
	case end == probe.ActionUnknown:
		return monitor.StateUnknown
	case end == probe.GoOff && hop == 0, end == probe.Stop && classes[hop] == probe.NotFound && !c.t.needed:
		return monitor.StateOK
	}
	return monitor.StateOutage
}

// class is what a hop is known to be at an instant. One that was switched to sooner
// than in the recording, and was not probed before, is presumed to have been then
// what it was when it was.
func (c *course) class(n int, at time.Time) probe.Class {
	if n < 0 {
		return probe.ClassUnknown
	}
	if is := c.state[n]; is.health != monitor.Unknown {
		return is.class
	}
	if known := c.firstKnown(c.now, n); !known.IsZero() && !at.Before(known) {
		if !slices.Contains(c.presumed, n) {
			c.presumed = append(c.presumed, n)
		}
		return c.seen.first[n].class
	}
	return probe.ClassUnknown
}

// firstKnown is when a hop of l answers first, where l came into force sooner than
// in the recording; zero where nothing is to be presumed.
func (c *course) firstKnown(l link, n int) time.Time {
	if n < 0 || !l.at.Before(l.since) {
		return time.Time{}
	}
	first := c.seen.first[n]
	if first.at.IsZero() || !first.at.After(l.since) || first.at.Sub(l.since) > apart {
		return time.Time{}
	}
	return l.at.Add(first.at.Sub(l.since))
}

// sumsFail reports whether the checksum database fails.
func (c *course) sumsFail() bool {
	for n, e := range c.t.Endpoints {
		if e.Kind == probe.KindSumDB && c.state[n].class.Failed() {
			return true
		}
	}
	return false
}

// switchOver plans the chain that would be recommended.
func (c *course) switchOver(at time.Time) {
	rec := c.recommend(at)
	if !rec.Found {
		return
	}
	l := c.t.link(at.Add(switching), rec.Chain)
	c.planned = slices.Insert(c.planned, 0, l)
	c.chosen, c.switched = append(c.chosen, l), true
}

// recommend asks failover as the program does: with a snapshot and the inputs.
func (c *course) recommend(at time.Time) failover.Recommendation {
	snap := c.t.snapshotAt(at)
	if snap.Chain.Value != c.now.value {
		snap.SumDB = monitor.SumDBStatus{Value: snap.SumDB.Value, Direct: snap.SumDB.Direct}
	}
	sums := map[string]*probe.SumDBResult{}
	for _, e := range snap.Endpoints {
		sums[e.Key()] = e.SumDB
	}
	snap.Endpoints = nil
	in := monitor.Inputs{Env: &env.Env{Vars: []env.Var{{Name: "GOPROXY", Value: c.now.chain.String()}, {Name: "GOSUMDB", Value: snap.SumDB.Value}}}}
	for n, e := range c.t.Endpoints {
		switch e.Kind {
		case probe.KindProxy, probe.KindFile, probe.KindDirect:
		default:
			continue
		}
		st := monitor.EndpointStatus{Result: probe.Result{URL: e.URL, Kind: e.Kind, Class: c.state[n].class}, Health: c.state[n].health, Window: c.t.windowAt(n, at)}
		st.SumDB = sums[st.Key()]
		snap.Endpoints = append(snap.Endpoints, st)
		in.Extra = append(in.Extra, probe.Endpoint{URL: e.URL, Kind: e.Kind})
	}
	r := failover.RequestFor(snap, in, c.strategy, "")
	r.SumsComplete = c.t.complete
	return failover.Recommend(r)
}

// snapshotAt is the frame that was in force.
func (t *tape) snapshotAt(at time.Time) monitor.Snapshot {
	for _, f := range slices.Backward(t.Frames) {
		if !f.Snapshot.At.After(at) {
			return f.Snapshot
		}
	}
	return monitor.Snapshot{}
}

// windowAt is what the recorded window of an endpoint was.
func (t *tape) windowAt(n int, at time.Time) monitor.Window {
	cfg := monitor.DefaultConfig()
	var past []monitor.Sample
	for _, s := range slices.Backward(t.lanes[n]) {
		if s.Ended().After(at) {
			continue
		}
		past = append(past, monitor.Sample{At: wire.At(s.At.Time), Class: s.Class, Total: s.Phases.Total})
		if len(past) == cfg.WindowSamples {
			break
		}
	}
	slices.Reverse(past)
	return monitor.WindowOf(cfg, past, at)
}
