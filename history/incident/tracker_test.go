package incident

import (
	"testing"
	"time"

	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
)

// TestTrackerEnds: an incident ends with the chain that it began with, and when that
// does not come back, some time.
func TestTrackerEnds(t *testing.T) {
	zero := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	snap := func(after time.Duration, chain string, broken bool, original *monitor.ChainStatus) monitor.Snapshot {
		s := monitor.Snapshot{At: wire.At(zero.Add(after)), Round: 1, Original: original,
			Chain: monitor.ChainStatus{Value: chain, Works: !broken, Hops: []monitor.Hop{{N: 1, URL: chain}}}}
		e := monitor.EndpointStatus{Health: monitor.Up, Hops: []int{1}}
		e.URL, e.Kind, e.Class = chain, probe.KindProxy, probe.OK
		s.Verdict = monitor.Verdict{State: monitor.StateOK, Headline: "OK"}
		if broken {
			s.Verdict = monitor.Verdict{State: monitor.StateOutage, Scope: monitor.ScopeChain, Headline: "OUTAGE"}
			e.Health, e.Class = monitor.Down, probe.Refused
			e.Window.Recent = []monitor.Sample{{At: wire.At(zero.Add(after - 2*time.Second)), Class: probe.OK}, {At: wire.At(zero.Add(after - time.Second)), Class: probe.Refused}}
		}
		s.Endpoints = []monitor.EndpointStatus{e}
		return s
	}
	const a, b = "https://a.example.com", "https://b.example.com"
	dead, alive := &monitor.ChainStatus{Value: a}, &monitor.ChainStatus{Value: a, Works: true}
	for _, tt := range []struct {
		name                string
		then                []monitor.Snapshot
		mitigated, resolved time.Duration // 0: not
	}{
		{"it comes back", []monitor.Snapshot{snap(time.Minute, a, false, nil)}, time.Minute, time.Minute},
		{"a switch", []monitor.Snapshot{snap(time.Minute, b, false, dead), snap(time.Hour, b, false, dead)}, time.Minute, 0},
		{"a switch, and then it comes back", []monitor.Snapshot{snap(time.Minute, b, false, dead), snap(time.Hour, b, false, alive)}, time.Minute, time.Hour},
		{"a switch, and it never does", []monitor.Snapshot{snap(time.Minute, b, false, dead), snap(8*24*time.Hour, b, false, dead)}, time.Minute, 8 * 24 * time.Hour},
		{"nobody watches it any more", []monitor.Snapshot{snap(time.Minute, b, false, nil)}, time.Minute, time.Minute},
		{"the other one breaks too", []monitor.Snapshot{snap(time.Minute, b, false, dead), snap(time.Hour, b, true, dead)}, 0, 0},
		{"it breaks again at once", []monitor.Snapshot{snap(time.Minute, a, false, nil), snap(90*time.Second, a, true, nil)}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tracker Tracker
			tracker.Observe(snap(-time.Minute, a, false, nil))
			i := tracker.Observe(snap(0, a, true, nil)).Incident
			if i == nil || !i.Opened.Equal(zero.Add(-time.Second)) || !i.Detected.Equal(zero) || len(i.Causes) != 1 {
				t.Fatalf("%+v", i)
			}
			for _, s := range tt.then {
				if step := tracker.Observe(s); step.Incident != nil && step.Incident != i {
					t.Fatalf("another incident: %+v", step.Incident)
				}
			}
			check := func(what string, got wire.Time, want time.Duration) {
				if want == 0 && !got.IsZero() || want != 0 && !got.Equal(zero.Add(want)) {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
			}
			check("mitigated", i.Mitigated, tt.mitigated)
			check("resolved", i.Resolved, tt.resolved)
			if (i.RTO != nil) != (tt.mitigated != 0) {
				t.Errorf("RTO %v", i.RTO)
			}
		})
	}
}
