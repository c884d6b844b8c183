package report

import (
	"slices"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
)

// A run is a time in which an endpoint answered with one class.
type run struct {
	Class    probe.Class
	From, To time.Time
}

// A lane is what one endpoint did over the whole recording.
type lane struct {
	URL    string
	Kind   probe.Kind
	Broken bool
	Runs   []run
}

// A span is a time of which nothing is known.
type span struct{ From, To time.Time }

// hold is how long an answer stands when no other follows: a few intervals, and
// at least as long as gpx leaves an endpoint alone that is not a hop (15 s).
func hold(i incident.Settings) time.Duration {
	return max(4*time.Duration(i.Interval), time.Minute)
}

// lanes merges the samples of each endpoint into runs, broken endpoints first.
func lanes(r *incident.Recording, gaps []span) []lane {
	all := make([]lane, len(r.Endpoints))
	last := make([]*incident.Sample, len(all))
	for i, e := range r.Endpoints {
		all[i] = lane{URL: e.URL, Kind: e.Kind, Broken: slices.Contains(r.Incident.Endpoints, e.URL)}
	}
	end := func(s *incident.Sample, next time.Time) time.Time {
		to := s.Ended().Add(hold(r.Incident.Settings))
		if next.Before(to) {
			to = next
		}
		for _, g := range gaps {
			if g.From.After(s.At.Time) && g.From.Before(to) {
				to = g.From
			}
		}
		return to
	}
	for i := range r.Samples {
		s := &r.Samples[i]
		if s.Endpoint < 0 || s.Endpoint >= len(all) {
			continue
		}
		l, was := &all[s.Endpoint], last[s.Endpoint]
		last[s.Endpoint] = s
		if was != nil {
			now := &l.Runs[len(l.Runs)-1]
			now.To = end(was, s.At.Time)
			if was.Class == s.Class && now.To.Equal(s.At.Time) {
				continue
			}
		}
		l.Runs = append(l.Runs, run{class(s.Class), s.At.Time, s.At.Time})
	}
	for i, s := range last {
		if s != nil {
			all[i].Runs[len(all[i].Runs)-1].To = end(s, r.To.Time)
		}
	}
	slices.SortStableFunc(all, func(a, b lane) int { return rank(a) - rank(b) })
	return all
}

// rank orders lanes: what broke, what was asked, what was not.
func rank(l lane) int {
	switch {
	case l.Broken:
		return 0
	case len(l.Runs) > 0:
		return 1
	}
	return 2
}

// gapsOf are the times that nobody watched, from its events.
func gapsOf(i *incident.Incident) []span {
	var gaps []span
	for _, e := range i.Events {
		if e.Kind == incident.Gap && !e.From.IsZero() && e.From.Before(e.At.Time) {
			gaps = append(gaps, span{e.From.Time, e.At.Time})
		}
	}
	return gaps
}

// A block is a run as it is drawn: from one column to before another.
type block struct {
	Class    probe.Class
	From, To int
}

// blocks puts runs into columns, so that a day of them is no larger than an hour.
// Where several classes share a column a failure is drawn, and never in less than
// two: one lost answer in a day has to be seen.
func blocks(runs []run, from, to time.Time, columns int) []block {
	const nothing = probe.Class("")
	painted := make([]probe.Class, columns)
	at := func(t time.Time) float64 { return float64(columns) * float64(t.Sub(from)) / float64(to.Sub(from)) }
	for _, r := range runs {
		if !r.To.After(from) || !r.From.Before(to) {
			continue
		}
		first := min(max(int(at(r.From)), 0), columns-1)
		least := first
		if r.Class.Failed() {
			least++
		}
		for c := first; c < columns && (c <= least || float64(c) < at(r.To)); c++ {
			if painted[c] == nothing || r.Class.Failed() || !painted[c].Failed() {
				painted[c] = r.Class
			}
		}
	}
	var all []block
	for c, class := range painted {
		switch n := len(all) - 1; {
		case class == nothing:
		case n >= 0 && all[n].Class == class && all[n].To == c:
			all[n].To++
		default:
			all = append(all, block{class, c, c + 1})
		}
	}
	return all
}

// steps are the distances that two marks of the axis may have.
var steps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour,
}

// step is the least distance with which at most n marks fit.
func step(length time.Duration, n int) time.Duration {
	for _, s := range steps {
		if length/s < time.Duration(n) {
			return s
		}
	}
	return steps[len(steps)-1]
}

// bounds are the ends of the picture: what was recorded, or what is known.
func bounds(r *incident.Recording, now time.Time) (from, to time.Time) {
	from, to = r.From.Time, r.To.Time
	i := &r.Incident
	for _, at := range []wire.Time{i.Opened, i.Detected, i.Mitigated, i.Resolved} {
		if at.IsZero() {
			continue
		}
		if from.IsZero() || at.Before(from) {
			from = at.Time
		}
		if at.After(to) {
			to = at.Time
		}
	}
	if from.IsZero() {
		from = now
	}
	if to.Sub(from) < time.Second {
		to = from.Add(time.Second)
	}
	return from, to
}
