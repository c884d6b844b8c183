package backtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/lab"
	"gpx/probe/monitor"
)

const sec = time.Second

func fails(key string, from, to, after time.Duration, class probe.Class) fault {
	return fault{key: key, from: from, to: to, after: after, class: class}
}

func once(key string, from time.Duration, class probe.Class) fault {
	return fault{key: key, from: from, to: from + 10*sec, after: 10 * time.Millisecond, class: class, times: 1}
}

// With the settings that were in force the answer is what was recorded, whatever
// the outage.
func TestSettingsInForceTellWhatWasRecorded(t *testing.T) {
	for _, c := range []struct {
		name string
		s    story
	}{
		{"a black hole that goes away", story{chain: hopA + "," + hopB, faults: []fault{fails(hopA, 60*sec, 150*sec, 2*sec, probe.Timeout)}}},
		{"refused, and a person switches", story{chain: hopA + "," + hopB, faults: []fault{fails(hopA, 60*sec, 200*sec, 0, probe.Refused)},
			switches: []turn{{100 * sec, hopB}}}},
		{"a person switches to what was not watched", story{chain: hopA, faults: []fault{fails(hopA, 60*sec, 200*sec, 80*time.Millisecond, probe.ServerError)},
			switches: []turn{{90 * sec, hopC}}}},
		{"the switch does not help at first", story{chain: hopA + "," + hopB, faults: []fault{fails(hopA, 60*sec, 200*sec, 0, probe.Refused), fails(hopB, 80*sec, 120*sec, 0, probe.Refused)},
			switches: []turn{{100 * sec, hopB}}}},
		{"it comes back twice", story{chain: hopA, faults: []fault{fails(hopA, 60*sec, 90*sec, 0, probe.Refused), fails(hopA, 110*sec, 140*sec, 0, probe.Refused)}}},
		{"it was broken from the beginning", story{chain: hopA, faults: []fault{fails(hopA, 0, 90*sec, 0, probe.Refused)}}},
		{"the checksum database alone", story{chain: hopA, faults: []fault{fails(sumKey, 60*sec, 150*sec, 30*time.Millisecond, probe.ServerError)}}},
		{"version control at the end", story{chain: hopA + "|direct", faults: []fault{fails(hopA, 60*sec, 150*sec, 0, probe.Refused), fails("direct", 60*sec, 150*sec, sec, probe.Refused)}}},
		{"single probes were lost before", story{chain: hopA, faults: []fault{fails(hopA, 20*sec, 24*sec, 0, probe.OK), fails(hopA, 24*sec, 24100*time.Millisecond, 10, probe.Reset), fails(hopA, 60*sec, 90*sec, 0, probe.Reset)}}},
	} {
		for seed := range rounds(1, 4) {
			t.Run(fmt.Sprintf("%s, seed %d", c.name, seed), func(t *testing.T) {
				c.s.length, c.s.seed = 300*sec, time.Duration(seed)*time.Millisecond
				r := record(t, c.s)
				i := r.Incident
				if i.Detected.IsZero() || i.Mitigated.IsZero() {
					t.Fatalf("the story has no incident: %+v", i)
				}
				out := Run(stored(t, r), Options{})
				t.Logf("%s (recorded %v, %v)", out.Why, i.Detected.Sub(i.Opened.Time), *i.RTO)
				same(t, "detected", out.Detected.Time, i.Detected.Time)
				same(t, "mitigated", out.Mitigated.Time, i.Mitigated.Time)
				if out.Flaps != 0 || len(out.CannotTell) != 0 || out.Settings != i.Settings || out.Chain != i.Chain {
					t.Errorf("%+v", out)
				}
			})
		}
	}
}

// stored is r as it comes back from a file: its times are whole milliseconds.
func stored(t *testing.T, r *incident.Recording) *incident.Recording {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back incident.Recording
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	return &back
}

// same compares with what a snapshot said: they are published 100 ms apart.
func same(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if d := want.Sub(got); got.IsZero() || d < -2*time.Millisecond || d > monitor.DefaultConfig().Publish+2*time.Millisecond {
		t.Errorf("%s at %v, recorded %v", what, got, want)
	}
}

// What another threshold would have done is what a real monitor with that threshold
// does to the same faults.
func TestThreshold(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	for _, f := range []fault{
		fails(hopA, 60*sec, 150*sec, 2*sec, probe.Timeout),
		fails(hopA, 60*sec, 150*sec, 0, probe.Refused),
		fails(hopA, 60*sec, 150*sec, 600*time.Millisecond, probe.ServerError),
	} {
		for _, lossy := range []bool{false, true} {
			for threshold := 1; threshold <= 5; threshold++ {
				t.Run(fmt.Sprintf("%s, lossy %v, %d", f.class, lossy, threshold), func(t *testing.T) {
					s := story{chain: hopA + "," + hopB, faults: []fault{f}, length: 200 * sec}
					if lossy {
						s.faults = append(s.faults, once(hopA, 20*sec, probe.Reset))
					}
					out := Run(record(t, s), Options{Threshold: threshold})
					s.settings = inForce
					s.settings.Threshold, s.settings.Lossy = threshold, threshold+1
					i := record(t, s).Incident
					if threshold == 1 && lossy {
						// That probe is an outage, of the same incident for the tracker.
						if out.Flaps != 1 || !i.Detected.Before(out.Detected.Time) {
							t.Errorf("no false alarm: %+v", out)
						}
						return
					}
					same(t, "detected", out.Detected.Time, i.Detected.Time)
					if d := out.Mitigated.Sub(i.Mitigated.Time).Abs(); d > sec {
						t.Errorf("mitigated %v apart", d)
					}
					if want := max(0, threshold-3); out.Settings != s.settings || (len(out.CannotTell) > 0) != (want > 0) {
						t.Errorf("%+v", out)
					}
				})
			}
		}
	}
}

// A shorter timeout knows of a hop that is silent sooner, and loses what answers
// late.
func TestTimeout(t *testing.T) {
	s := story{chain: hopA + "," + hopB, length: 200 * sec, faults: []fault{fails(hopA, 60*sec, 150*sec, 2*sec, probe.Timeout)}}
	r := record(t, s)
	out := Run(r, Options{Timeout: sec})
	s.faults[0].after = sec
	i := record(t, s).Incident
	same(t, "detected", out.Detected.Time, i.Detected.Time)

	s.faults = []fault{fails(hopA, 60*sec, 150*sec, 1200*time.Millisecond, probe.OK), fails(hopA, 160*sec, 180*sec, 0, probe.Refused)}
	r = record(t, s)
	if out := Run(r, Options{}); out.Outages != 1 {
		t.Errorf("with 2 s: %+v", out)
	}
	if out := Run(r, Options{Timeout: sec}); out.Outages != 2 || out.Flaps != 1 {
		t.Errorf("with 1 s: %+v", out)
	}
}

// A coarser interval finds it later, at most by as much as it is coarser; a finer one
// and a longer timeout cannot be told.
func TestInterval(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	for _, f := range []fault{fails(hopA, 60*sec, 150*sec, 2*sec, probe.Timeout), fails(hopA, 60*sec, 150*sec, 0, probe.Refused)} {
		s := story{chain: hopA + "," + hopB, length: 200 * sec, faults: []fault{f}}
		r := record(t, s)
		was := Run(r, Options{})
		for _, interval := range []time.Duration{8800 * time.Millisecond, 15 * sec, 30 * sec} {
			out := Run(r, Options{Interval: interval})
			if d := out.Detected.Sub(was.Detected.Time); d < 0 || d > interval {
				t.Errorf("%s every %v: detected %v later", f.class, interval, d)
			}
			// A monitor with that interval is never later by more than its jitter.
			s.settings = inForce
			s.settings.Interval = millis(interval)
			const tries = 8
			for n := range tries {
				begins := 60*sec + time.Duration(n)*interval/tries
				s.faults = []fault{fails(f.key, begins, begins+f.to-f.from, f.after, f.class)}
				live := record(t, s)
				took := live.Incident.Detected.Sub(live.From.Add(begins))
				if most := out.Detected.Sub(r.From.Add(f.from)) + interval/10; took > most {
					t.Errorf("%s every %v: it takes a monitor %v, predicted were %v at most", f.class, interval, took, most)
				}
			}
		}
		for _, o := range []Options{{Interval: sec}, {Timeout: 5 * sec}} {
			out := Run(r, o)
			if !out.Detected.Equal(was.Detected.Time) || len(out.CannotTell) != 1 {
				t.Errorf("%+v: %+v", o, out)
			}
		}
	}
}

// A person who is told sooner switches sooner by as much.
func TestReactionIsKept(t *testing.T) {
	s := story{chain: hopA + "," + hopB, length: 250 * sec, faults: []fault{fails(hopA, 60*sec, 200*sec, 2*sec, probe.Timeout)}}
	for _, to := range []string{hopB, hopC} { // the second was not watched before
		s.switches = []turn{{100 * sec, to}}
		r := record(t, s)
		was := Run(r, Options{})
		for _, o := range []Options{{Threshold: 1}, {Threshold: 5}, {Timeout: sec}, {Interval: 15 * sec}} {
			out := Run(r, o)
			sooner, by := was.Detected.Sub(out.Detected.Time), was.Mitigated.Sub(out.Mitigated.Time)
			if sooner == 0 || (by-sooner).Abs() > monitor.DefaultConfig().Publish {
				t.Errorf("%s, %+v: detected %v sooner, mitigated %v sooner", to, o, sooner, by)
			}
			presumes := to == hopC && sooner > 0
			if said := slices.ContainsFunc(out.CannotTell, func(s string) bool { return strings.Contains(s, hopC) }); said != presumes {
				t.Errorf("%s, %+v: %q", to, o, out.CannotTell)
			}
		}
	}
}

func TestAutomatic(t *testing.T) {
	yes, no := true, false
	s := story{chain: hopA, extra: []string{hopB, hopC}, length: 250 * sec, switches: []turn{{100 * sec, hopB}},
		faults: []fault{fails(hopA, 60*sec, 200*sec, 0, probe.Refused)}}
	r := record(t, s)
	was, out := Run(r, Options{}), Run(r, Options{Automatic: &yes})
	if !out.Detected.Equal(was.Detected.Time) || out.Mitigated.Sub(out.Detected.Time) != switching || !out.Settings.Automatic {
		t.Errorf("%+v", out)
	}
	if !strings.Contains(out.Why, "gpx switches to "+hopC+"|"+hopB) { // the faster one first
		t.Errorf("why: %s", out.Why)
	}

	// What is broken too is left out; with nothing left it waits until something is.
	s.faults = append(s.faults, fails(hopC, 50*sec, 200*sec, 0, probe.Refused))
	if out := Run(record(t, s), Options{Automatic: &yes}); !strings.HasSuffix(out.Why, "gpx switches to "+hopB) {
		t.Errorf("why: %s", out.Why)
	}
	s.faults = append(s.faults, fails(hopB, 50*sec, 80*sec, 0, probe.Refused))
	out = Run(record(t, s), Options{Automatic: &yes})
	if at := out.Mitigated.Sub(r.From.Time); at < 80*sec || at > 98*sec {
		t.Errorf("mitigated after %v: %s", at, out.Why)
	}

	// Where gpx switched, nobody knows what a person would have done.
	s.settings = inForce
	s.settings.Automatic = true
	r = record(t, s)
	if out := Run(r, Options{}); !out.Mitigated.After(r.From.Add(99*sec)) || out.Mitigated.After(r.From.Add(101*sec)) || len(out.CannotTell) > 0 {
		t.Errorf("%+v", out)
	}
	if out := Run(r, Options{Automatic: &no}); out.Mitigated.Before(r.From.Add(200*sec)) || len(out.CannotTell) != 1 {
		t.Errorf("%+v", out)
	}
}

func TestChain(t *testing.T) {
	s := story{chain: hopA + "," + hopB, extra: []string{hopC}, length: 250 * sec, faults: []fault{fails(hopA, 60*sec, 200*sec, 0, probe.Refused)}}
	r := record(t, s)
	s.faults[0] = fails(hopA, 60*sec, 200*sec, 2*sec, probe.Timeout)
	hangs := record(t, s)
	for _, c := range []struct {
		name  string
		r     *incident.Recording
		chain string
		why   string
		says  string // in CannotTell
	}{
		{"as it was", r, hopA + "," + hopB, "detected after 500ms", ""},
		{"it moves on", r, hopA + "|" + hopB, "no outage", ""},
		{"without it", r, hopB, "no outage", ""},
		{"what was only watched", r, hopC, "no outage", ""},
		{"the other order", r, hopB + "," + hopA, "no outage", ""},
		{"with off behind it", r, hopA + "|off", "detected after 500ms", ""},
		{"no separator helps where it hangs", hangs, hopA + "|" + hopB, "detected after 2.", ""},
		{"not probed", r, "https://d.example.com", "cannot tell", "https://d.example.com was: it was not probed"},
		{"rejected", r, "ftp://d.example.com", "cannot tell", "rejects it"},
		{"a secret", r, "https://user:hunter2@d.example.com", "cannot tell", "it was not probed"},
	} {
		out := Run(c.r, Options{Chain: c.chain})
		all := fmt.Sprintf("%+v", out)
		if !strings.Contains(out.Why, c.why) || (len(out.CannotTell) > 0) != (c.says != "") || !strings.Contains(all, c.says) || strings.Contains(all, "hunter2") {
			t.Errorf("%s: %s", c.name, all)
		}
		if c.why == "no outage" && (out.RTO == nil || *out.RTO != 0 || !out.Detected.IsZero()) {
			t.Errorf("%s: %s", c.name, all)
		}
	}
}

// An outage that is too short for other settings is missed, not mended.
func TestMissed(t *testing.T) {
	r := record(t, story{chain: hopA, length: 200 * sec, faults: []fault{{key: hopA, from: 60 * sec, to: 100 * sec, class: probe.Refused, times: 3}}})
	if out := Run(r, Options{}); out.RTO == nil {
		t.Fatalf("%+v", out)
	}
	if out := Run(r, Options{Threshold: 5}); out.RTO != nil || out.TimeToDetect != nil || out.Why != "never called an outage" {
		t.Errorf("%+v", out)
	}
}

func TestCannotTell(t *testing.T) {
	r := record(t, story{chain: hopA, length: 100 * sec, faults: []fault{fails(hopA, 60*sec, 80*sec, 0, probe.Refused)}})
	yes := true
	for _, c := range []struct {
		o    Options
		says string
	}{
		{Options{Interval: sec}, "every 1s would have seen: they were 4.4s apart"},
		{Options{Timeout: 5 * sec}, "within 5s: probes were given up after 2s"},
		{Options{Threshold: 5}, "2 probes would have ended that nobody sent"},
		{Options{Strategy: "luck"}, `the strategy "luck"`},
		{Options{Automatic: &yes, Strategy: "region"}, "which region"},
	} {
		if out := Run(r, c.o); len(out.CannotTell) != 1 || !strings.Contains(out.CannotTell[0], c.says) {
			t.Errorf("%+v: %q", c.o, out.CannotTell)
		}
	}
	r.Incident.Unobserved = millis(12 * sec)
	if out := Run(r, Options{}); len(out.CannotTell) != 1 || !strings.Contains(out.CannotTell[0], "nobody watched (12s)") {
		t.Errorf("%q", out.CannotTell)
	}
	r.Incident.Unobserved = 0
	r.Incident.Detected.Time = r.Incident.Detected.Add(10 * sec)
	if out := Run(r, Options{}); len(out.CannotTell) != 1 || !strings.Contains(out.CannotTell[0], "detected as the incident has it") {
		t.Errorf("%q", out.CannotTell)
	}
}

// Nobody knows what came between two failures that a gap lies between: they are no
// run.
func TestGap(t *testing.T) {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	r := &incident.Recording{From: wire.At(start), Endpoints: []incident.Endpoint{{URL: hopA, Kind: probe.KindProxy}},
		Incident: incident.Incident{Chain: hopA, Settings: inForce, Opened: wire.At(start.Add(20 * sec))}}
	for _, s := range []struct {
		at    time.Duration
		class probe.Class
	}{{0, probe.OK}, {4 * sec, probe.OK}, {20 * sec, probe.Refused}, {21 * sec, probe.Refused}, {3600 * sec, probe.Refused}, {3601 * sec, probe.Refused}, {3602 * sec, probe.Refused}} {
		r.Samples = append(r.Samples, incident.Sample{At: wire.At(start.Add(s.at)), Class: s.class, Phases: probe.Phases{Total: millis(time.Millisecond)}})
	}
	r.To = wire.At(start.Add(2 * 3600 * sec))
	detected := func() time.Duration {
		return Run(r, Options{Interval: 4400 * time.Millisecond}).Detected.Sub(start).Truncate(sec)
	}
	if got := detected(); got != 3600*sec {
		t.Errorf("without a gap: detected after %v", got)
	}
	gap := monitor.Gap{From: wire.At(start.Add(30 * sec)), To: wire.At(start.Add(3599 * sec))}
	r.Frames = []incident.Frame{{Snapshot: monitor.Snapshot{At: gap.To, Gap: &gap, Chain: monitor.ChainStatus{Value: hopA, Hops: []monitor.Hop{{URL: hopA, Kind: probe.KindProxy}}}}}}
	if got := detected(); got != 3602*sec {
		t.Errorf("with a gap in a frame: detected after %v", got)
	}
	r.Frames[0].Snapshot.Gap = nil
	r.Incident.Events = []incident.Event{{Kind: incident.Gap, From: gap.From, At: gap.To}}
	if got := detected(); got != 3602*sec {
		t.Errorf("with a gap in an event: detected after %v", got)
	}
}

// Who works from the module cache has no outage, whatever is down.
func TestOfflineMitigates(t *testing.T) {
	r := record(t, story{chain: hopA, length: 200 * sec, switches: []turn{{90 * sec, "off"}}, faults: []fault{fails(hopA, 60*sec, 150*sec, 0, probe.Refused)}})
	was, out := Run(r, Options{}), Run(r, Options{Threshold: 1})
	same(t, "mitigated", was.Mitigated.Time, r.Incident.Mitigated.Time)
	if by := was.Mitigated.Sub(out.Mitigated.Time); by < 300*time.Millisecond || by > 700*time.Millisecond {
		t.Errorf("mitigated %v sooner", by)
	}
}

// Where the packets vanish the go command has an error after 30 s, and "|" moves on:
// cut off sooner, that is no other class.
func TestTimeoutKeepsWhatWaits(t *testing.T) {
	s := story{chain: hopA + "|" + hopB, length: 200 * sec, faults: []fault{fails(hopA, 60*sec, 150*sec, 2*sec, probe.ConnectTimeout), fails(hopA, 170*sec, 180*sec, 2*sec, probe.Timeout)}}
	r := record(t, s)
	was, out := Run(r, Options{}), Run(r, Options{Timeout: sec})
	if was.Outages != 1 || out.Outages != 1 {
		t.Errorf("%+v\n%+v", was, out)
	}
}

// The timeout is that of a proxy: version control has one of its own.
func TestTimeoutIsNotThatOfVersionControl(t *testing.T) {
	r := record(t, story{chain: "direct", length: 300 * sec, faults: []fault{fails("direct", 0, 100*sec, 1500*time.Millisecond, probe.OK), fails("direct", 150*sec, 200*sec, 0, probe.Refused)}})
	if out := Run(r, Options{Timeout: sec}); out.Outages != 1 || out.Flaps != 0 {
		t.Errorf("%+v", out)
	}
}

// Nothing is called an outage before the first round is over.
func TestFirstRound(t *testing.T) {
	r := record(t, story{chain: hopA + "," + hopB, length: 200 * sec, faults: []fault{fails(hopA, 0, 100*sec, 0, probe.Refused),
		{key: hopB, to: sec, after: 1500 * time.Millisecond, class: probe.OK, times: 1}}})
	out := Run(r, Options{})
	same(t, "detected", out.Detected.Time, r.Incident.Detected.Time)
	if d := out.Detected.Sub(r.From.Time); d < 700*time.Millisecond { // the overlapping probe answers first
		t.Errorf("detected after %v", d)
	}
}

// A module that no hop has makes an outage where the project needs it.
func TestNeededModule(t *testing.T) {
	r := record(t, story{chain: hopA, length: 200 * sec, faults: []fault{fails(hopA, 60*sec, 100*sec, 0, probe.NotFound), fails(hopA, 120*sec, 150*sec, 0, probe.Refused)}})
	if out := Run(r, Options{}); out.Outages != 1 {
		t.Errorf("not needed: %+v", out)
	}
	for i := range r.Frames {
		if s := &r.Frames[i].Snapshot; s.Chain.Hops[0].Class == probe.NotFound {
			s.Verdict.State = monitor.StateOutage // as the monitor judges when it is needed
		}
	}
	if out := Run(r, Options{}); out.Outages != 2 || out.Flaps != 1 {
		t.Errorf("needed: %+v", out)
	}
}

// A chain that would verify nothing new is recommended only where go.sum is whole.
func TestAutomaticVerifies(t *testing.T) {
	yes := true
	r := record(t, story{chain: hopA, extra: []string{hopB}, length: 200 * sec, faults: []fault{fails(sumKey, 0, 200*sec, 0, probe.Refused), fails(hopA, 60*sec, 150*sec, 0, probe.Refused)}})
	r.Incident.Scope, r.Incident.Opened = monitor.ScopeChain, wire.At(r.From.Add(60*sec))
	for _, whole := range []bool{false, true} {
		for i := range r.Frames {
			s := &r.Frames[i].Snapshot
			s.SumDB.Class, s.SumDB.Direct = probe.Refused, probe.Refused
			if s.Verdict.Scope == monitor.ScopeSumDB {
				s.Verdict.Scope = monitor.ScopeNone
			}
			if s.Chain.Works {
				s.Verdict.State = map[bool]monitor.State{true: monitor.StateDegraded, false: monitor.StateOK}[whole]
			}
		}
		if out := Run(r, Options{Automatic: &yes}); strings.Contains(out.Why, "gpx switches") != whole {
			t.Errorf("go.sum is whole: %v: %+v", whole, out)
		}
	}
}
