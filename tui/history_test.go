package tui

import (
	"context"
	"fmt"
	"time"

	"gpx/envctl/wire"
	"gpx/history"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/view"
)

// past are the services of the History view that record what is asked of them.
type past struct {
	incidents  []incident.Incident // with their events
	recordings map[int64]*incident.Recording
	stats      []history.EndpointStats
	backtest   []string
	fail       error
	lists      int
}

func newPast() *past {
	p := &past{recordings: map[int64]*incident.Recording{}, stats: reliability(), backtest: []string{
		"SETTINGS               DETECTED  RTO     LOST",
		"as they were           +15s      5m00s   60",
		"interval 2s            +9s       4m54s   58",
		"https://mirror first   never     0s      0",
	}}
	imported := incident.Incident{ID: 15, Opened: wire.At(now.AddDate(-1, 0, -3)), Detected: wire.At(now.AddDate(-1, 0, -3).Add(4 * time.Second)),
		Headline: "OUTAGE: sum.golang.org cannot be reached", Scope: monitor.ScopeSumDB, Causes: []probe.Class{probe.SumDBUnavailable}, Endpoints: []string{"https://sum.golang.org"},
		Chain: "https://proxy.example.com,direct", Note: "of a colleague, who blamed the firewall", Imported: true}
	imported.Mitigated, imported.Resolved = wire.At(imported.Opened.Add(6*time.Minute+20*time.Second)), wire.At(imported.Opened.Add(6*time.Minute+20*time.Second))
	rto := wire.Millis(6*time.Minute + 20*time.Second)
	imported.RTO = &rto
	imported.Events = []incident.Event{{At: imported.Opened, Kind: incident.Opened, Text: "the first answer that makes the go command fail"}}
	p.incidents = []incident.Incident{outageIncident(), oldIncident(), imported}
	return p
}

// recording makes a recording when it is wanted: there are many screens.
func (p *past) recording(id int64) *incident.Recording {
	r := p.recordings[id]
	switch {
	case r != nil:
		return r
	case id == 17:
		r = outageRecording()
	case id == 16:
		r = oldRecording()
	}
	p.recordings[id] = r
	return r
}

// outageIncident is the one that goes on in outage(). Nobody watched for a minute
// of it.
func outageIncident() incident.Incident {
	opened := now.Add(-14*time.Minute - 32*time.Second)
	at := func(d time.Duration) wire.Time { return wire.At(opened.Add(d)) }
	return incident.Incident{ID: 17, Opened: at(0), Detected: at(5 * time.Second), Headline: "OUTAGE: proxy.example.com is silent in TLS and go fails after 10 s", Scope: monitor.ScopeChain,
		Causes: []probe.Class{probe.TLSTimeout}, Endpoints: []string{"https://proxy.example.com"}, Chain: "https://proxy.example.com,https://mirror.example.org|direct", Unobserved: ms(60_000),
		Settings: incident.Settings{Interval: ms(4400), Timeout: ms(2000), Threshold: 3},
		Events: []incident.Event{
			{At: at(0), Kind: incident.Opened, Text: "the first answer that makes the go command fail"},
			{At: at(5 * time.Second), Kind: incident.Detected, Text: "OUTAGE: proxy.example.com is silent in TLS and go fails after 10 s"},
			{At: at(5 * time.Second), Kind: incident.Turned, Endpoint: "https://proxy.example.com", Health: monitor.Down, Class: probe.TLSTimeout, Text: "https://proxy.example.com is down: TLS timeout"},
			{At: at(8 * time.Minute), From: at(7 * time.Minute), Kind: incident.Gap, Text: "nobody watched for 1m0s"},
			{At: at(10 * time.Minute), Kind: incident.Turned, Endpoint: "direct", Health: monitor.Slow, Class: probe.OK, Text: "direct is slow: ok"},
		}}
}

// outageRecording begins five minutes before it, and ends now.
func outageRecording() *incident.Recording {
	i := outageIncident()
	opened := i.Opened.Time
	at := func(d time.Duration) wire.Time { return wire.At(opened.Add(d)) }
	before := healthy()
	before.Chain = outage().Chain
	before.Chain.Hops = []monitor.Hop{
		{N: 1, URL: "https://proxy.example.com", Kind: probe.KindProxy, Separator: ",", Health: monitor.Up, Class: probe.OK, GoWill: probe.Serve},
		{N: 2, URL: "https://mirror.example.org", Kind: probe.KindProxy, Separator: "|", Health: monitor.Up, Class: probe.OK, GoWill: probe.Serve},
		{N: 3, URL: "direct", Kind: probe.KindDirect, Health: monitor.Up, Class: probe.OK, GoWill: probe.GoDirect}}
	before.Verdict.Headline = "OK: go can download from proxy.example.com"
	before.Endpoints[0].Health, before.Endpoints[0].Class, before.Endpoints[0].Detail, before.Endpoints[0].Hops = monitor.Up, probe.OK, "", []int{1}
	before.Endpoints[1].Hops, before.Endpoints[2].Hops, before.Endpoints[2].Health = []int{2}, []int{3}, monitor.Up
	during := outage()
	before.At, during.At = at(-5*time.Minute), at(5*time.Second)
	return recordingOf(i, at(-5*time.Minute), wire.At(now), []monitor.Snapshot{before, during}, func(e int, t time.Time) (probe.Class, time.Duration) {
		switch {
		case e == 0 && !t.Before(opened):
			return probe.TLSTimeout, 2 * time.Second
		case !t.Before(at(7*time.Minute).Time) && t.Before(at(8*time.Minute).Time):
			return "", 0
		}
		return probe.OK, time.Duration(20<<e+t.Second()%7) * time.Millisecond
	})
}

// oldIncident is one of another day, mitigated by a switch.
func oldIncident() incident.Incident {
	opened := time.Date(2026, 11, 19, 3, 12, 10, 0, time.UTC)
	at := func(d time.Duration) wire.Time { return wire.At(opened.Add(d)) }
	rto := wire.Millis(6 * time.Minute)
	return incident.Incident{ID: 16, Opened: at(0), Detected: at(4 * time.Second), Mitigated: at(6 * time.Minute), Resolved: at(41*time.Minute + 5*time.Second), RTO: &rto,
		Headline: "OUTAGE: proxy.example.com answers 502 and the go command stops", Scope: monitor.ScopeChain, Causes: []probe.Class{probe.ServerError, probe.Timeout},
		Endpoints: []string{"https://proxy.example.com"}, Chain: "https://proxy.example.com,direct", Note: "their load balancer", Synthetic: true,
		Events: []incident.Event{
			{At: at(0), Kind: incident.Opened, Text: "the first answer that makes the go command fail"},
			{At: at(4 * time.Second), Kind: incident.Detected, Text: "OUTAGE: proxy.example.com answers 502 and the go command stops"},
			{At: at(5*time.Minute + 55*time.Second), Kind: incident.Action, Change: "c1", Text: "use https://mirror.example.org|direct"},
			{At: at(6 * time.Minute), Kind: incident.Mitigated, Text: "OK: go can download from mirror.example.org"},
			{At: at(41*time.Minute + 5*time.Second), Kind: incident.Resolved, Text: "the chain that it began with works again: https://proxy.example.com,direct"},
		}}
}

func oldRecording() *incident.Recording {
	i := oldIncident()
	at := func(d time.Duration) wire.Time { return wire.At(i.Opened.Add(d)) }
	during, after := outage(), healthy()
	during.Verdict.Headline, during.At, after.At = i.Headline, at(4*time.Second), at(6*time.Minute)
	return recordingOf(i, at(-5*time.Minute), at(46*time.Minute), []monitor.Snapshot{during, after}, func(int, time.Time) (probe.Class, time.Duration) {
		return probe.OK, 100 * time.Millisecond
	})
}

// recordingOf makes a recording whose endpoints are those of the snapshots, and
// whose samples are what answer says; "" is none.
func recordingOf(i incident.Incident, from, to wire.Time, frames []monitor.Snapshot, answer func(e int, t time.Time) (probe.Class, time.Duration)) *incident.Recording {
	r := &incident.Recording{Incident: i, From: from, To: to}
	for _, s := range frames {
		for e := range s.Endpoints {
			s.Endpoints[e].Window = monitor.Window{}
		}
		r.Frames = append(r.Frames, incident.Frame{Snapshot: s})
	}
	for _, e := range frames[0].Endpoints {
		r.Endpoints = append(r.Endpoints, incident.Endpoint{URL: e.URL, Kind: e.Kind})
	}
	for t := from.Time; t.Before(to.Time); t = t.Add(4 * time.Second) {
		for e := range r.Endpoints {
			if class, took := answer(e, t); class != "" {
				r.Samples = append(r.Samples, incident.Sample{At: wire.At(t), Endpoint: e, Class: class, Phases: probe.Phases{Total: wire.Millis(took)}})
			}
		}
	}
	return r
}

// reliability are statistics of three endpoints.
func reliability() []history.EndpointStats {
	trend := func(parts ...float64) []float64 {
		out := make([]float64, 48)
		for i := range out {
			out[i] = parts[min(i*len(parts)/len(out), len(parts)-1)]
		}
		return out
	}
	return []history.EndpointStats{
		{URL: "https://proxy.example.com", Kind: probe.KindProxy, Availability: 0.9712, P50: ms(31), P95: ms(402), P99: ms(640), Samples: 19636, Lost: 566,
			Classes:   map[probe.Class]int64{probe.OK: 19070, probe.TLSTimeout: 500, probe.Reset: 66},
			WorstHour: &history.Hour{At: wire.At(now.Truncate(time.Hour)), Availability: 0.12}, BudgetLeft: -27.8, Trend: trend(-1, 1, 1, 1, 0.998, 1, 0.7, 0.1)},
		{URL: "https://mirror.example.org", Kind: probe.KindProxy, Availability: 0.99995, P50: ms(184), P95: ms(402), P99: ms(433), Samples: 19640, Lost: 1,
			Classes: map[probe.Class]int64{probe.OK: 19639, probe.Timeout: 1}, WorstHour: &history.Hour{At: wire.At(now.Add(-30 * time.Hour).Truncate(time.Hour)), Availability: 0.9988}, BudgetLeft: 0.95, Trend: trend(-1, 1, 0.9988, 1)},
		{URL: "https://sum.golang.org", Kind: probe.KindSumDB, Availability: 1, P50: ms(60), P95: ms(90), P99: ms(120), Samples: 5760, Classes: map[probe.Class]int64{probe.OK: 5760}, BudgetLeft: 1, Trend: trend(-1, 1)},
	}
}

func (f *fake) history() view.History {
	p := f.past
	find := func(id int64) *incident.Incident {
		for i := range p.incidents {
			if p.incidents[i].ID == id {
				return &p.incidents[i]
			}
		}
		return nil
	}
	return view.History{
		Incidents: func(context.Context) ([]incident.Incident, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			p.lists++
			var out []incident.Incident
			for _, i := range p.incidents {
				i.Events = nil
				out = append(out, i)
			}
			return out, p.fail
		},
		Incident: func(_ context.Context, id int64) (incident.Incident, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return *find(id), nil
		},
		Recording: func(_ context.Context, id int64) (*incident.Recording, error) {
			if r := p.recording(id); r != nil {
				return r, nil
			}
			return nil, fmt.Errorf("history: incident %d: no recording of it is kept", id)
		},
		SetNote: func(_ context.Context, id int64, text string) error {
			f.note("note %d %q", id, text)
			f.mu.Lock()
			defer f.mu.Unlock()
			find(id).Note = text
			return nil
		},
		Stats: func(_ context.Context, o history.StatsOptions) ([]history.EndpointStats, error) {
			span := "all"
			if !o.Since.IsZero() {
				span = o.Until.Sub(o.Since).String()
			}
			f.note("stats %s %v", span, o.SLO)
			return p.stats, p.fail
		},
		Backtest: func(_ context.Context, id int64) ([]string, error) { f.note("backtest %d", id); return p.backtest, nil },
		Report:   func(_ context.Context, id int64, path string) error { f.note("report %d %s", id, path); return p.fail },
		ExportIncident: func(_ context.Context, id int64, path string, mask bool) error {
			f.note("export %d %s mask %v", id, path, mask)
			return p.fail
		},
		ImportIncident: func(_ context.Context, path string) (int64, error) { f.note("import %s", path); return 15, p.fail },
	}
}

// happened goes to the view of what happened, and draws it, so that what is in
// sight is read.
func (s *screen) happened() {
	s.t.Helper()
	s.press("5")
	s.m.View()
	s.press("j", "k")
}

// recorded replays a recording in which nothing but snap was ever seen, paused.
func (s *screen) recorded(snap monitor.Snapshot) {
	s.t.Helper()
	i := incident.Incident{ID: 3, Opened: snap.At, Detected: snap.At, Headline: snap.Verdict.Headline}
	r := &incident.Recording{Incident: i, From: snap.At, To: snap.At, Frames: []incident.Frame{{Snapshot: snap}}}
	s.settle(s.m.play(view.NewPlayer(r)))
	s.press("1")
}

// passes lets time pass, with the tick that comes then.
func (s *screen) passes(d time.Duration) {
	s.t.Helper()
	*s.clock = s.clock.Add(d)
	s.settle(s.m.update(playMsg{s.m.playTick}))
}

// quiet lets time pass without a tick, so that no message is left.
func (s *screen) quiet(d time.Duration) { *s.clock = s.clock.Add(d) }
