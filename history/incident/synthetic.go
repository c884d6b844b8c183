package incident

import (
	"math/rand/v2"
	"slices"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/probe/route"
)

// The story of [Synthetic], by the time since its recording began.
const (
	storyBreaks   = 10 * time.Minute                              // the first proxy answers 502
	storySilent   = storyBreaks + 2*time.Minute + 40*time.Second  // and then nothing
	storySwitches = storyBreaks + 6*time.Minute + 20*time.Second  // a person switches
	storyOff      = storySwitches + 25*time.Second                // checksums off, a minute long
	storyRecovers = storyBreaks + 14*time.Minute + 32*time.Second // the first proxy is back
	storyEnds     = storyRecovers + 3*time.Minute
)

const (
	storyFirst  = "https://proxy.example.com"
	storySecond = "https://mirror.example.com"
	storyDB     = "https://sum.golang.org"
)

// Synthetic is an incident that nobody lived through, for who wants to see a replay
// before there is one of their own. It ends at end, or a little before: what it
// shows is made by the health, verdict and tracker of the live monitor, fed with
// made-up answers.
func Synthetic(end time.Time) *Recording {
	zero := end.Add(-storyEnds).Truncate(time.Second)
	s := &story{cfg: monitor.DefaultConfig(), rand: rand.New(rand.NewPCG(17, 502)), rec: &Recording{
		From: wire.At(zero), To: wire.At(zero.Add(storyEnds)),
		Endpoints: []Endpoint{{storyFirst, probe.KindProxy}, {storySecond, probe.KindProxy}, {storyDB, probe.KindSumDB}},
	}}
	s.tracker.Settings = Settings{Interval: wire.Millis(s.cfg.HopEvery), Timeout: wire.Millis(2 * time.Second),
		Threshold: s.cfg.DownAfter, Lossy: s.cfg.LossyDownAfter, Strategy: "latency"}
	s.play(zero)
	return s.rec
}

// A story makes a recording.
type story struct {
	cfg     monitor.Config
	rand    *rand.Rand
	rec     *Recording
	tracker Tracker
	cond    [3]monitor.Condition
	last    [3]Sample
	past    [3][]monitor.Sample
	frame   monitor.Snapshot
}

// answer is what endpoint n answers to a probe that begins at a time of the story.
func (s *story) answer(n int, at time.Duration) Sample {
	ms := func(least, spread float64) wire.Millis {
		return wire.Millis((least + spread*s.rand.ExpFloat64()) * float64(time.Millisecond))
	}
	out := Sample{Endpoint: n, Class: probe.OK, Status: 200}
	out.Phases.TTFB = [...]wire.Millis{ms(18, 6), ms(44, 12), ms(60, 15)}[n]
	if n == 0 && at >= storyBreaks && at < storySilent {
		out.Class, out.Status, out.Phases.TTFB = probe.ServerError, 502, ms(130, 40)
	}
	out.Phases.DNS, out.Phases.TCP, out.Phases.TLS = ms(1, 0.5), ms(6, 2), ms(12, 3)
	out.Phases.Total = out.Phases.DNS + out.Phases.TCP + out.Phases.TLS + out.Phases.TTFB
	if n == 0 && at >= storySilent && at < storyRecovers {
		out.Class, out.Status = probe.Timeout, 0
		out.Phases.TTFB, out.Phases.Total = 0, wire.Millis(2*time.Second)
	}
	return out
}

// play makes the samples, and shows the tracker what the screen shows after each.
func (s *story) play(zero time.Time) {
	every := [3]time.Duration{s.cfg.HopEvery, s.cfg.HopEvery, s.cfg.OtherEvery}
	for n := range every {
		for at := time.Duration(n) * 130 * time.Millisecond; at < storyEnds; at += every[n] {
			sample := s.answer(n, at)
			sample.At = wire.At(zero.Add(at).Truncate(time.Millisecond))
			s.rec.Samples = append(s.rec.Samples, sample)
		}
	}
	// In doubt it is asked again at once, as the monitor does.
	for _, turn := range []time.Duration{storyBreaks, storyRecovers} {
		first := slices.IndexFunc(s.rec.Samples, func(x Sample) bool { return x.Endpoint == 0 && x.At.Sub(zero) >= turn })
		for i := range 3 {
			sample := s.answer(0, turn)
			sample.At = wire.At(s.rec.Samples[first].At.Add(time.Duration(i+1) * s.cfg.Overlap))
			s.rec.Samples = append(s.rec.Samples, sample)
		}
	}
	slices.SortStableFunc(s.rec.Samples, func(a, b Sample) int { return a.At.Compare(b.At.Time) })

	known := slices.Clone(s.rec.Samples)
	slices.SortStableFunc(known, func(a, b Sample) int { return a.Ended().Compare(b.Ended()) })
	moments := []time.Duration{storySwitches, storyOff, storyOff + time.Minute}
	for _, sample := range known {
		for len(moments) > 0 && sample.Ended().Sub(zero) >= moments[0] {
			s.show(zero, zero.Add(moments[0]))
			moments = moments[1:]
		}
		n := sample.Endpoint
		s.cond[n] = s.cond[n].Next(s.cfg, sample.Class, sample.At.Time, sample.Ended(), monitor.Past{})
		s.last[n] = sample
		s.past[n] = append(s.past[n], monitor.Sample{At: sample.At, Class: sample.Class, Total: sample.Phases.Total})
		s.show(zero, sample.Ended())
	}
	if s.rec.Incident.Events == nil {
		s.rec.Incident.Events = []Event{}
	}
	s.rec.Incident.Synthetic = true
	switched := wire.At(zero.Add(storySwitches))
	s.rec.Incident.Events = append(s.rec.Incident.Events,
		Event{At: switched, Kind: Action, Text: "switch GOPROXY to " + storySecond + "," + storyFirst},
		Event{At: wire.At(zero.Add(storyOff)), Kind: Action, Text: "switch checksums off for 1m"})
	slices.SortStableFunc(s.rec.Incident.Events, func(a, b Event) int { return a.At.Compare(b.At.Time) })
	s.rec.Incident.Note = "A made-up incident: replay it with enter, and look at the other views meanwhile."
}

// show makes the snapshot of an instant, keeps it when it is another one, and tells
// the tracker.
func (s *story) show(zero, at time.Time) {
	snap := s.snapshot(at.Sub(zero), at)
	step := s.tracker.Observe(snap)
	if step.Incident != nil {
		events := append(s.rec.Incident.Events, step.Events...)
		s.rec.Incident = *step.Incident
		s.rec.Incident.Events = events
	}
	if snap.Verdict.Headline == s.frame.Verdict.Headline && snap.Chain.Value == s.frame.Chain.Value && snap.SumDB.Route == s.frame.SumDB.Route &&
		slices.EqualFunc(snap.Endpoints, s.frame.Endpoints, func(a, b monitor.EndpointStatus) bool { return a.Health == b.Health && a.Class == b.Class }) {
		return
	}
	s.frame = snap
	kept := snap
	kept.Endpoints = slices.Clone(snap.Endpoints)
	for i := range kept.Endpoints {
		kept.Endpoints[i].Window = monitor.Window{Recent: []monitor.Sample{}}
	}
	s.rec.Frames = append(s.rec.Frames, Frame{Snapshot: kept})
}

func (s *story) snapshot(since time.Duration, at time.Time) monitor.Snapshot {
	names := []string{storyFirst, storySecond}
	if since >= storySwitches {
		slices.Reverse(names)
	}
	c := chainOf(names)
	facts := monitor.Facts{Now: at, Round: 1, ChainOrigin: "user", SumsComplete: true, Canary: "golang.org/x/mod@v0.38.0"}
	off := since >= storyOff && since < storyOff+time.Minute
	facts.SumDB = monitor.SumFact{EndpointFact: s.fact(2), Off: off}
	facts.SumDB.Name = "sum.golang.org"
	snap := monitor.Snapshot{
		At: wire.At(at), Round: 1, EnvDigest: c.String(), Readiness: monitor.Readiness{State: "ready", Ready: 42},
		SumDB: monitor.SumDBStatus{Value: "sum.golang.org", Class: facts.SumDB.Last, Route: storyDB, Health: facts.SumDB.Health},
	}
	if off {
		snap.EnvDigest += " off"
		snap.SumDB.Value, snap.SumDB.Route = "off", "off"
	}
	snap.Chain, facts.Hops = s.walk(c)
	snap.Chain.Origin = "user"
	snap.Verdict = monitor.Judge(facts)
	snap.Chain.Works = snap.Verdict.State != monitor.StateOutage
	if since >= storySwitches {
		original, hops := s.walk(chainOf([]string{storyFirst, storySecond}))
		original.Works = hops[0].Action == probe.Serve
		snap.Original = &original
	}
	for n, e := range s.rec.Endpoints {
		if s.last[n].At.IsZero() || n == 2 && off {
			continue
		}
		st := monitor.EndpointStatus{Health: s.cond[n].Health, Since: wire.At(s.cond[n].Since), Hops: []int{}}
		st.URL, st.Kind, st.Class, st.At = e.URL, e.Kind, s.last[n].Class, s.last[n].At
		st.Phases, st.HTTPStatus, st.Layer = s.last[n].Phases, s.last[n].Status, s.last[n].Class.Info().Layer
		if i := slices.Index(names, e.URL); i >= 0 {
			st.Hops = []int{i + 1}
		}
		st.Window = monitor.WindowOf(s.cfg, s.past[n], at)
		snap.Endpoints = append(snap.Endpoints, st)
	}
	return snap
}

func chainOf(urls []string) chain.Chain {
	c, err := chain.Parse(urls[0] + "," + urls[1])
	if err != nil {
		panic(err) // the names are constants
	}
	return c
}

// walk is a chain as its hops are now.
func (s *story) walk(c chain.Chain) (monitor.ChainStatus, []monitor.HopFact) {
	st := monitor.ChainStatus{Value: c.String()}
	var facts []monitor.HopFact
	var classes, last []probe.Class
	for i, h := range c.Hops {
		n := slices.IndexFunc(s.rec.Endpoints, func(e Endpoint) bool { return e.URL == h.URL })
		f := s.fact(n)
		facts = append(facts, monitor.HopFact{EndpointFact: f, N: i + 1, Separator: h.Separator})
		classes, last = append(classes, f.Class), append(last, f.Last)
		st.Hops = append(st.Hops, monitor.Hop{N: i + 1, URL: h.URL, Kind: probe.KindProxy, Separator: string(h.Separator), Health: f.Health, Class: f.Last})
	}
	for i, a := range route.GoWill(c, classes) {
		facts[i].Action = a
	}
	for i, a := range route.GoWill(c, last) {
		st.Hops[i].GoWill = a
	}
	return st, facts
}

func (s *story) fact(n int) monitor.EndpointFact {
	e, last := s.rec.Endpoints[n], s.last[n]
	f := monitor.EndpointFact{Name: e.URL[len("https://"):], URL: e.URL, Kind: e.Kind, Health: s.cond[n].Health, Class: s.cond[n].Settled(), Last: last.Class, Status: last.Status}
	if last.At.IsZero() {
		f.Health, f.Class, f.Last = monitor.Unknown, probe.ClassUnknown, probe.ClassUnknown
	} else {
		f.Layer = last.Class.Info().Layer
	}
	return f
}
