package backtest

import (
	"slices"
	"time"

	"gpx/envctl/chain"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

// A tape is a recording that can be judged again and again.
type tape struct {
	*incident.Recording
	in       incident.Settings // that were in force, whole
	lanes    [][]incident.Sample
	index    map[incident.Endpoint]int
	gaps     []gap
	links    []link    // the chains that were in force; one at least
	ready    time.Time // nothing is judged before the first round
	over     time.Time // end of the incident, as far as it is recorded
	sums     bool      // the checksum database alone makes an outage
	complete bool      // go.sum is: the database alone makes none
	needed   bool      // that no hop has the module does

	known map[bounds]*seen
}

type gap struct{ from, to time.Time }

// A link is a chain that came into force.
type link struct {
	at      time.Time
	value   string // redacted
	chain   chain.Chain
	lanes   []int // of its hops; -1 was not probed
	refused bool  // the go command rejects the value
	offline bool  // nothing is asked: the module cache, or off

	// since is when it was in force in the recording; at differs from it where
	// somebody switched sooner or later.
	since time.Time
}

// Seen is what the lanes come to with some bounds.
type seen struct {
	changes       []change // by at
	first         []change // of each lane; the zero change where nothing is ever known
	stood, untold int
}

func newTape(r *incident.Recording) *tape {
	t := &tape{Recording: r, in: whole(r.Incident.Settings), lanes: make([][]incident.Sample, len(r.Endpoints)),
		index: map[incident.Endpoint]int{}, known: map[bounds]*seen{}, over: r.Incident.Resolved.Time}
	for n, e := range slices.Backward(r.Endpoints) {
		t.index[e] = n
	}
	samples := r.Samples
	byStart := func(a, b incident.Sample) int { return a.At.Compare(b.At.Time) }
	if !slices.IsSortedFunc(samples, byStart) {
		samples = slices.Clone(samples)
		slices.SortStableFunc(samples, byStart)
	}
	counts := make([]int, len(t.lanes))
	for i := range samples {
		if e := samples[i].Endpoint; e >= 0 && e < len(counts) {
			counts[e]++
		}
	}
	for n, count := range counts {
		t.lanes[n] = make([]incident.Sample, 0, count)
	}
	for i := range samples {
		if e := samples[i].Endpoint; e >= 0 && e < len(t.lanes) {
			t.lanes[e] = append(t.lanes[e], samples[i])
		}
	}
	if t.over.IsZero() {
		t.over = r.To.Time
	}
	t.readFrames()
	t.readGaps()
	t.firstRound()
	return t
}

// whole fills in what a recording does not say with what gpx does unasked.
func whole(s incident.Settings) incident.Settings {
	d := monitor.DefaultConfig()
	if s.Interval <= 0 {
		s.Interval = millis(d.HopEvery)
	}
	if s.Timeout <= 0 {
		s.Timeout = millis(attempt)
	}
	if s.Threshold <= 0 {
		s.Threshold = d.DownAfter
	}
	if s.Lossy < s.Threshold {
		s.Lossy = s.Threshold + d.LossyDownAfter - d.DownAfter
	}
	return s
}

// attempt is how long a probe waits unless it is told otherwise.
const attempt = 2 * time.Second

// readFrames takes from the frames what no sample says.
func (t *tape) readFrames() {
	t.sums = t.Incident.Scope == monitor.ScopeSumDB
	for _, f := range t.Frames {
		s := &f.Snapshot
		outage := s.Verdict.State == monitor.StateOutage
		switch {
		case outage && s.Verdict.Scope == monitor.ScopeSumDB:
			t.sums = true
		case s.Chain.Works && s.SumDB.Class.Failed() && s.Verdict.State == monitor.StateDegraded:
			t.complete = true
		}
		l := t.linkOf(s)
		t.needed = t.needed || outage && lacking(s.Chain.Hops)
		if n := len(t.links); n > 0 && t.links[n-1].same(l) {
			continue
		}
		t.links = append(t.links, l)
	}
	if len(t.links) == 0 {
		c, err := chain.Parse(t.Incident.Chain)
		t.links = []link{t.link(t.From.Time, c)}
		t.links[0].value, t.links[0].refused = t.Incident.Chain, err != nil
	}
}

// lacking reports whether the walk ends because no hop has the module.
func lacking(hops []monitor.Hop) bool {
	for _, h := range hops {
		if h.GoWill != probe.Next {
			return h.GoWill == probe.Stop && h.Class == probe.NotFound
		}
	}
	return false
}

func (t *tape) linkOf(s *monitor.Snapshot) link {
	var c chain.Chain
	for _, h := range s.Chain.Hops {
		c.Hops = append(c.Hops, chain.Hop{URL: h.URL, Kind: chain.Kind(h.Kind), Separator: chain.Separator(h.Separator)})
	}
	l := t.link(s.At.Time, c)
	l.value, l.refused, l.offline = s.Chain.Value, s.Chain.Error != "", s.Verdict.State == monitor.StateOffline
	return l
}

func (t *tape) link(at time.Time, c chain.Chain) link {
	l := link{at: at, since: at, chain: c}
	for _, h := range c.Hops {
		l.lanes = append(l.lanes, t.laneOf(h))
	}
	if len(c.Hops) > 0 {
		l.value = c.Redacted()
	}
	return l
}

func (l link) same(o link) bool {
	return l.value == o.value && l.refused == o.refused && l.offline == o.offline
}

// laneOf is the endpoint that a hop is, -1 where it was not probed.
func (t *tape) laneOf(h chain.Hop) int {
	if n, ok := t.index[incident.Endpoint{URL: h.Redacted(), Kind: probe.Kind(h.Kind)}]; ok && len(t.lanes[n]) > 0 {
		return n
	}
	return -1
}

// readGaps finds the times that nobody watched, each once and in order.
func (t *tape) readGaps() {
	for _, e := range t.Incident.Events {
		if e.Kind == incident.Gap {
			t.gaps = append(t.gaps, gap{e.From.Time, e.At.Time})
		}
	}
	for _, f := range t.Frames {
		if g := f.Snapshot.Gap; g != nil {
			t.gaps = append(t.gaps, gap{g.From.Time, g.To.Time})
		}
	}
	slices.SortFunc(t.gaps, func(a, b gap) int { return a.from.Compare(b.from) })
	t.gaps = slices.CompactFunc(t.gaps, func(a, b gap) bool { return !b.from.After(a.to) })
}

// firstRound is over when all that was probed in the first burst has answered.
func (t *tape) firstRound() {
	burst := monitor.DefaultConfig().Burst
	first := far
	for _, l := range t.lanes {
		if len(l) > 0 && l[0].At.Before(first) {
			first = l[0].At.Time
		}
	}
	for _, l := range t.lanes {
		if len(l) == 0 || l[0].At.Sub(first) >= burst {
			continue
		}
		end := far
		for i := 0; i < len(l) && l[i].At.Sub(first) < burst; i++ {
			if l[i].Ended().Before(end) {
				end = l[i].Ended()
			}
		}
		if limit := first.Add(burst); end.After(limit) {
			end = limit
		}
		if end.After(t.ready) {
			t.ready = end
		}
	}
}

// look runs every lane with some bounds.
func (t *tape) look(b bounds) *seen {
	if s, ok := t.known[b]; ok {
		return s
	}
	cfg := monitor.DefaultConfig()
	cfg.HopEvery = b.interval
	cfg.DownAfter = b.threshold
	cfg.LossyDownAfter = b.threshold + t.in.Lossy - t.in.Threshold
	s := &seen{first: make([]change, len(t.lanes))}
	for n, samples := range t.lanes {
		if len(samples) == 0 {
			continue
		}
		kind := t.Endpoints[n].Kind
		hop := kind == probe.KindProxy || kind == probe.KindFile
		l := &lane{n: n, cfg: cfg, samples: samples, gaps: t.gaps,
			apt:      b.threshold <= t.in.Threshold && !(hop && b.interval > time.Duration(t.in.Interval)),
			punctual: hop || kind == probe.KindForward, next: samples[min(b.phase, len(samples)-1)].At.Time}
		if l.punctual && b.timeout < time.Duration(t.in.Timeout) {
			l.cut = b.timeout
		}
		l.run()
		s.changes = append(s.changes, l.changes...)
		if len(l.changes) > 0 {
			s.first[n] = l.changes[0]
		}
		s.stood, s.untold = s.stood+l.stood, s.untold+l.untold
	}
	slices.SortStableFunc(s.changes, func(a, b change) int { return a.at.Compare(b.at) })
	t.known[b] = s
	return s
}
