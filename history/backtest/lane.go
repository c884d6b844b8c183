package backtest

import (
	"cmp"
	"slices"
	"time"

	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

// Bounds are the settings that decide what is known of an endpoint, and when.
type bounds struct {
	interval, timeout time.Duration
	threshold         int
	phase             int // recorded probes that are left out at first
}

// A change is an endpoint whose health or settled class became another one.
type change struct {
	at     time.Time
	lane   int
	health monitor.Health
	class  probe.Class
}

const (
	// near is how far from the instant at which it is wanted a recorded probe may have
	// begun: its time was cut to a millisecond, and a timer is late.
	near = 20 * time.Millisecond
	// regularly is the share of an interval after which a recorded probe is a
	// regular one: jitter takes 9 % off.
	regularly = 0.9
	// apart is how far two recorded probes may be from each other for one between
	// them to be as they were: what is asked seldom is asked every 15 s.
	apart = 20 * time.Second
)

// A lane is one endpoint as a schedule with other bounds sees it.
type lane struct {
	n       int
	cfg     monitor.Config
	samples []incident.Sample // recorded, by start
	gaps    []gap
	cut     time.Duration // probes are given up after that; 0 where they were

	// apt takes all samples: the recorded schedule sent no fewer probes than this one
	// would. Else those are taken that it would have sent, and those are added that
	// it would have sent and the recording lacks.
	apt      bool
	punctual bool // an answer that is late says something

	track   monitor.Track
	now     time.Time
	i       int       // next recorded sample
	next    time.Time // the next regular probe
	latest  time.Time
	extras  int
	air     []flight // under way, by end
	backoff bool
	mute    int // no probe is added before this sample

	last    change
	changes []change
	stood   int // probes that were added
	untold  int // and those of which nobody knows how they would have ended
}

type flight struct {
	start, end time.Time
	class      probe.Class
	total      time.Duration
}

// far is later than anything.
var far = time.Unix(1<<40, 0)

// run takes the samples one after the other.
func (l *lane) run() {
	if len(l.samples) == 0 {
		return
	}
	first := l.samples[0].At.Time
	l.track, l.mute = monitor.NewTrack(first), -1
	l.last = change{health: monitor.Unknown, class: probe.ClassUnknown}
	for {
		land, recorded, extra := far, far, far
		if len(l.air) > 0 {
			land = l.air[0].end
		}
		if l.i < len(l.samples) {
			recorded = l.samples[l.i].At.Time
		}
		if !l.apt {
			extra = l.wanted()
		}
		soon := land
		if recorded.Before(soon) {
			soon = recorded
		}
		switch {
		case soon == far:
			return
		case len(l.gaps) > 0 && soon.After(l.gaps[0].from):
			l.skip()
		case !land.After(recorded) && !land.After(extra):
			l.land()
		case !recorded.After(extra.Add(near)):
			l.record(extra)
		default:
			l.standIn(extra)
		}
	}
}

// wanted is when the schedule would send an overlapping probe.
func (l *lane) wanted() time.Time {
	cond := l.track.Condition()
	if l.backoff || l.mute == l.i || len(l.air) == 0 && !cond.Doubtful() {
		return far
	}
	f := monitor.Flights{N: len(l.air), Latest: l.latest, Extras: l.extras}
	if l.punctual && len(l.air) > 0 {
		oldest := slices.MinFunc(l.air, func(a, b flight) int { return a.start.Compare(b.start) })
		if !cond.Doubtful() && oldest.end.Sub(oldest.start) <= l.cfg.LateMin {
			return far // it will not be late
		}
		f.First = oldest.start
	}
	at, ok := l.track.Overlap(l.cfg, f, l.now)
	if !ok {
		return far
	}
	if at.Before(l.now) {
		return l.now
	}
	return at
}

// skip goes over a time in which nobody watched.
func (l *lane) skip() {
	g := l.gaps[0]
	l.gaps = l.gaps[1:]
	for len(l.air) > 0 && !l.air[0].end.After(g.from) {
		l.land()
	}
	l.air = l.air[:0]
	l.track.Skip()
	l.next = g.to
	if g.to.After(l.now) {
		l.now = g.to
	}
}

// land takes the outcome that is known next.
func (l *lane) land() {
	f := l.air[0]
	l.air = l.air[1:]
	l.now = f.end
	l.backoff = f.class == probe.RateLimited
	l.track.Sample(l.cfg, f.class, f.start, f.total, f.end)
	cond := l.track.Condition()
	if is := (change{f.end, l.n, cond.Health, cond.Settled()}); is.health != l.last.health || is.class != l.last.class {
		l.changes, l.last = append(l.changes, is), is
	}
}

// record comes to the next recorded sample, and takes it if the schedule would
// have: as a regular probe, or as the overlapping one that is wanted at extra.
func (l *lane) record(extra time.Time) {
	s := &l.samples[l.i]
	l.i++
	l.now = s.At.Time
	regular := !s.At.Before(l.next)
	switch {
	case regular:
		l.next = s.At.Add(time.Duration(regularly * float64(l.cfg.HopEvery)))
		l.extras = 0
	case !l.apt && extra.After(s.At.Add(near)):
		return
	default:
		l.extras++
	}
	l.start(s.At.Time, s.Class, time.Duration(s.Phases.Total))
}

// standIn adds the overlapping probe that the recording lacks, where those before
// and after it say how it would have ended.
func (l *lane) standIn(at time.Time) {
	if l.i > 0 && l.i < len(l.samples) {
		a, b := &l.samples[l.i-1], &l.samples[l.i]
		if a.Class.Failed() == b.Class.Failed() && b.At.Sub(a.At.Time) <= apart {
			l.stood++
			l.extras++
			l.now = at
			l.start(at, a.Class, time.Duration(a.Phases.Total))
			return
		}
	}
	l.untold++
	l.mute = l.i
}

// start has a probe under way.
func (l *lane) start(at time.Time, class probe.Class, total time.Duration) {
	total = max(total, 0)
	if l.cut > 0 && total > l.cut {
		total = l.cut
		if !waited[class] {
			class = probe.Timeout
		}
	}
	l.latest = at
	f := flight{at, at.Add(total), class, total}
	i, _ := slices.BinarySearchFunc(l.air, f, func(a, b flight) int { return cmp.Or(a.end.Compare(b.end), -1) })
	l.air = slices.Insert(l.air, i, f)
}

// waited are the classes of what gave no answer in time: cut off sooner, it would
// have been the same.
var waited = map[probe.Class]bool{probe.Timeout: true, probe.ConnectTimeout: true, probe.DNSTimeout: true, probe.TLSTimeout: true, probe.Stalled: true}
