package incident

import (
	"slices"
	"sort"
	"time"

	"gpx/envctl/wire"
	"gpx/probe/monitor"
)

// A Reel is a recording that can be looked at in any order.
type Reel struct {
	*Recording
	cfg monitor.Config
	by  map[Endpoint][]Sample // in the order in which their outcomes were known
}

// NewReel prepares r. cfg has the bounds of the windows that the screen shows.
func NewReel(cfg monitor.Config, r *Recording) *Reel {
	reel := &Reel{Recording: r, cfg: cfg, by: map[Endpoint][]Sample{}}
	for _, s := range r.Samples {
		if s.Endpoint >= 0 && s.Endpoint < len(r.Endpoints) {
			ep := r.Endpoints[s.Endpoint]
			reel.by[ep] = append(reel.by[ep], s)
		}
	}
	for _, list := range reel.by {
		slices.SortStableFunc(list, func(a, b Sample) int { return a.Ended().Compare(b.Ended()) })
	}
	return reel
}

// At is the snapshot of an instant as the screen would have shown it then. Before
// the first frame nothing is known.
func (r *Reel) At(t time.Time) monitor.Snapshot {
	n := sort.Search(len(r.Frames), func(i int) bool { return r.Frames[i].Snapshot.At.After(t) })
	if n == 0 {
		return monitor.Snapshot{At: wire.At(t), Verdict: monitor.Verdict{State: monitor.StateUnknown, Scope: monitor.ScopeNone,
			Headline: "UNKNOWN: the recording has not begun", Evidence: []string{}, Fixes: []monitor.Fix{}}}
	}
	s := r.Frames[n-1].Snapshot
	s.At = wire.At(t)
	s.Gap = r.gapAt(t)
	s.Endpoints = slices.Clone(s.Endpoints)
	for i := range s.Endpoints {
		r.fill(&s.Endpoints[i], t)
	}
	return s
}

// fill gives an endpoint the past that it had at t, and the last answer.
func (r *Reel) fill(e *monitor.EndpointStatus, t time.Time) {
	all := r.by[Endpoint{e.URL, e.Kind}]
	all = all[:sort.Search(len(all), func(i int) bool { return all[i].Ended().After(t) })]
	past := make([]monitor.Sample, 0, min(len(all), r.cfg.WindowSamples))
	for _, s := range all[max(0, len(all)-r.cfg.WindowSamples):] {
		past = append(past, monitor.Sample{At: s.At, Class: s.Class, Total: s.Phases.Total})
	}
	e.Window = monitor.WindowOf(r.cfg, past, t)
	if len(all) > 0 && all[len(all)-1].At.After(e.At.Time) {
		last := all[len(all)-1]
		e.At, e.Class, e.Phases, e.HTTPStatus = last.At, last.Class, last.Phases, last.Status
	}
}

// gapAt is the time that nobody watched and that t lies in.
func (r *Reel) gapAt(t time.Time) *monitor.Gap {
	for _, e := range r.Incident.Events {
		if e.Kind == Gap && !t.Before(e.From.Time) && t.Before(e.At.Time) {
			return &monitor.Gap{From: e.From, To: e.At}
		}
	}
	return nil
}

// Instants are the times at which something changed, from a little before the
// incident to its end: of the frames and of the events, each once.
func (r *Reel) Instants() []time.Time {
	from, to := r.Incident.Opened.Add(-lead), r.To.Time
	var all []time.Time
	for _, f := range r.Frames {
		all = append(all, f.Snapshot.At.Time)
	}
	for _, e := range r.Incident.Events {
		all = append(all, e.At.Time)
	}
	all = slices.DeleteFunc(all, func(t time.Time) bool { return t.Before(from) || t.After(to) })
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// lead is how long before an incident a replay begins.
const lead = time.Minute
