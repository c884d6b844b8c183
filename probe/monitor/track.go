package monitor

import (
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/route"
)

// A Track is what is known of one endpoint: its past, and what that makes of it.
// The schedule judges live samples with it, and a backtest recorded ones.
type Track struct {
	cond Condition
	past history
}

// NewTrack knows nothing yet.
func NewTrack(now time.Time) Track { return Track{cond: Condition{Health: Unknown, Since: now}} }

// Condition is the health of the endpoint as of the latest sample.
func (t *Track) Condition() Condition { return t.cond }

// Sample adds a probe that began at start, took total and ended at now with class.
func (t *Track) Sample(cfg Config, class probe.Class, start time.Time, total time.Duration, now time.Time) {
	t.past.add(cfg, entry{at: start, class: class, total: total, down: t.cond.Health == Down})
	var past Past // as much of it as Next looks at
	if class.Failed() {
		past.Lossy = t.past.lossy()
	} else if t.cond.Health != Down {
		past.Slow = t.past.slow(cfg, t.cond.UpSince, now)
	}
	t.cond = t.cond.Next(cfg, class, start, now, past)
	if t.cond.Health == Down {
		t.past.outage()
	}
}

// Skip says that nobody watched for a while: no run goes on across it.
func (t *Track) Skip() { t.cond = t.cond.AfterGap() }

func (t *Track) downAfter(cfg Config) int { return Past{Lossy: t.past.lossy()}.downAfter(cfg) }

// Flights are the probes of an endpoint that are under way.
type Flights struct {
	N      int
	First  time.Time // start of the oldest; zero where its lateness says nothing
	Latest time.Time // start of the latest probe, whether it is under way or not
	Extras int       // overlapping probes since the last regular one
}

// Overlap is when the next overlapping probe is due, if one will be.
func (t *Track) Overlap(cfg Config, f Flights, now time.Time) (time.Time, bool) {
	if f.Extras >= overlapLimit {
		return time.Time{}, false
	}
	want := 0
	var from time.Time
	switch {
	case t.cond.Doubtful():
		// As many as can still decide.
		want = cfg.UpAfter - t.cond.oks
		if t.cond.Health == Suspect {
			want = max(want, t.downAfter(cfg)-t.cond.fails)
		}
		from = now
	case t.cond.Health == Down || f.N == 0 || f.First.IsZero():
		return time.Time{}, false
	default:
		want = t.downAfter(cfg)
		from = f.First.Add(t.past.late(cfg, now))
	}
	if f.N >= want {
		return time.Time{}, false
	}
	if at := f.Latest.Add(cfg.Overlap); at.After(from) {
		from = at
	}
	return from, true
}

// Walk says how a request ends that the go command sends into c, whose hops have
// these settled classes, and at which hop (an index): Stop where no hop serves,
// and unknown where it comes to a hop of which nothing is known.
func Walk(c chain.Chain, classes []probe.Class) (end probe.Action, at int) {
	return walkTo(route.GoWill(c, classes))
}

// walkTo follows the go command from the first hop to the one where it ends
// (cmd/go/internal/modfetch/proxy.go, TryProxies).
func walkTo(will []probe.Action) (end probe.Action, at int) {
	if len(will) == 0 {
		return probe.ActionUnknown, 0
	}
	for i, a := range will {
		if a != probe.Next {
			return a, i
		}
	}
	return probe.Stop, len(will) - 1
}

// Works reports whether a request that ends so gets what it asks for.
func Works(end probe.Action) bool { return end == probe.Serve || end == probe.GoDirect }
