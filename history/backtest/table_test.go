package backtest

import (
	"encoding/json"
	"math/rand/v2"
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

func TestAlternatives(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	for _, c := range []struct {
		name string
		s    story
		best Options // what the best differs in
		why  string
	}{
		{"another separator", story{chain: hopA + "," + hopB, faults: []fault{fails(hopA, 60*sec, 200*sec, 0, probe.Refused)}},
			Options{Chain: hopA + "|" + hopB}, "no outage at all in the place of 2m"},
		{"nothing but a switch helps", story{chain: hopA, extra: []string{hopB}, faults: []fault{fails(hopA, 60*sec, 200*sec, 2*sec, probe.Timeout), fails(hopB, 0, 30*sec, 0, probe.Refused)}},
			Options{Automatic: new(bool)}, "automatic switching"},
		{"nothing else works", story{chain: hopA, faults: []fault{fails(hopA, 60*sec, 200*sec, 0, probe.Refused)}},
			Options{}, "the settings in force are the best"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.s.length = 260 * sec
			r := record(t, c.s)
			table := Alternatives(r)
			all := table.Alternatives
			for _, o := range all {
				t.Logf("%+v %s: %s", o.Settings, o.Chain, o.Why)
			}
			was, best := all[0], all[table.Best]
			if was.Settings != inForce || was.Chain != c.s.chain || !strings.Contains(table.Why, c.why) {
				t.Errorf("%s\n%+v", table.Why, was)
			}
			if (best.Chain != was.Chain) != (c.best.Chain != "") || c.best.Chain != "" && best.Chain != c.best.Chain {
				t.Errorf("best: %+v", best)
			}
			if (best.Settings.Automatic != was.Settings.Automatic) != (c.best.Automatic != nil) {
				t.Errorf("best: %+v", best)
			}
			for i, o := range all[1:] {
				if n := changed(was, o); n == 0 || n > 1 && i+2 < len(all) {
					t.Errorf("alternative %d differs in %d settings", i+1, n)
				}
			}
		})
	}
}

// With the same settings comes the same table, whoever asks how often.
func TestAlternativesAreRepeatable(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	r := record(t, story{chain: hopA + "," + hopB, extra: []string{hopC}, length: 250 * sec, faults: []fault{fails(hopA, 60*sec, 200*sec, 2*sec, probe.Timeout)}})
	before, _ := json.Marshal(r)
	a, _ := json.Marshal(Alternatives(r))
	b, _ := json.Marshal(Alternatives(r))
	after, _ := json.Marshal(r)
	if string(a) != string(b) || string(before) != string(after) {
		t.Error("they differ")
	}
	for _, field := range []string{`"time_to_detect_ms":`, `"rto_ms":`, `"cannot_tell":[`, `"interval_ms":4400`, `"best":`} {
		if !strings.Contains(string(a), field) {
			t.Errorf("no %s in %s", field, a)
		}
	}
}

func TestChoose(t *testing.T) {
	out := func(rto, interval time.Duration, threshold, flaps int, automatic bool) Outcome {
		o := Outcome{Settings: inForce, Flaps: flaps}
		o.Settings.Interval, o.Settings.Threshold, o.Settings.Automatic = millis(interval), threshold, automatic
		if rto >= 0 {
			d := millis(rto)
			o.RTO, o.TimeToDetect = &d, &d
		}
		return o
	}
	was := out(60*sec, 4400*time.Millisecond, 3, 0, false)
	for _, c := range []struct {
		name  string
		other []Outcome
		want  int
	}{
		{"nothing else", nil, 0},
		{"sooner", []Outcome{out(58*sec, 4400*time.Millisecond, 2, 0, false)}, 1},
		{"no sooner than by chance", []Outcome{out(60*sec-100*time.Millisecond, 4400*time.Millisecond, 2, 0, false)}, 0},
		{"sooner, with a false alarm", []Outcome{out(50*sec, 4400*time.Millisecond, 1, 1, false)}, 0},
		{"never mitigated", []Outcome{out(-1, 4400*time.Millisecond, 5, 0, false)}, 0},
		{"of two that differ in one setting, the gentler", []Outcome{out(20*sec, 4400*time.Millisecond, 1, 0, false), out(20*sec, 4400*time.Millisecond, 2, 0, false)}, 2},
		{"and the one with fewer changes", []Outcome{out(20*sec, 8800*time.Millisecond, 3, 0, true), out(20*sec, 4400*time.Millisecond, 3, 0, true)}, 2},
	} {
		if got := choose(append([]Outcome{was}, c.other...)); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if got := choose([]Outcome{out(-1, 4400*time.Millisecond, 3, 0, false), out(10*sec, 4400*time.Millisecond, 3, 0, true)}); got != 1 {
		t.Errorf("what is not mitigated is best")
	}
}

// odd makes a recording that nobody would have recorded.
func odd(r *rand.Rand) *incident.Recording {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	at := func() wire.Time {
		if r.IntN(20) == 0 {
			return wire.Time{}
		}
		return wire.At(start.Add(time.Duration(r.IntN(600_000)) * time.Millisecond))
	}
	values := []string{"", hopA, hopA + "," + hopB + "|direct", "off", "direct", "::", "file:///srv/tree," + hopC}
	pick := func() string { return values[r.IntN(len(values))] }
	rec := &incident.Recording{From: at(), To: at(), Incident: incident.Incident{
		Opened: at(), Detected: at(), Mitigated: at(), Resolved: at(), Chain: pick(),
		Scope:    []monitor.Scope{"", monitor.ScopeChain, monitor.ScopeSumDB}[r.IntN(3)],
		Settings: incident.Settings{Interval: millis(time.Duration(r.IntN(20)-5) * sec), Timeout: millis(time.Duration(r.IntN(4)-1) * sec), Threshold: r.IntN(7) - 1, Lossy: r.IntN(7) - 1, Strategy: pick(), Automatic: r.IntN(2) == 0},
	}}
	kinds := []probe.Kind{probe.KindProxy, probe.KindFile, probe.KindDirect, probe.KindSumDB, probe.KindForward, "odd"}
	for _, url := range []string{hopA, hopB, hopC, "direct", sumURL, "", "::", "file:///srv/tree"}[:r.IntN(9)] {
		rec.Endpoints = append(rec.Endpoints, incident.Endpoint{URL: url, Kind: kinds[r.IntN(len(kinds))]})
	}
	for range r.IntN(300) {
		class := probe.Class("odd")
		if n := r.IntN(60); n < len(probe.Classes) {
			class = probe.Classes[n].Class
		}
		rec.Samples = append(rec.Samples, incident.Sample{At: at(), Endpoint: r.IntN(10) - 1, Class: class, Phases: probe.Phases{Total: millis(time.Duration(r.IntN(4000)-200) * time.Millisecond)}})
	}
	if r.IntN(2) == 0 {
		slices.SortFunc(rec.Samples, func(a, b incident.Sample) int { return a.At.Compare(b.At.Time) })
	}
	for range r.IntN(6) {
		s := monitor.Snapshot{At: at(), Round: r.IntN(3), Chain: monitor.ChainStatus{Value: pick()}}
		s.Verdict.State = []monitor.State{monitor.StateOK, monitor.StateOutage, monitor.StateOffline, monitor.StateUnknown}[r.IntN(4)]
		for range r.IntN(3) {
			s.Chain.Hops = append(s.Chain.Hops, monitor.Hop{URL: pick(), Kind: kinds[r.IntN(len(kinds))], Separator: []string{",", "|", "", ";"}[r.IntN(4)]})
		}
		s.SumDB.Via, s.SumDB.Value = r.IntN(9)-2, pick()
		if r.IntN(3) == 0 {
			s.Gap = &monitor.Gap{From: at(), To: at()}
		}
		rec.Frames = append(rec.Frames, incident.Frame{Snapshot: s})
	}
	for range r.IntN(4) {
		rec.Incident.Events = append(rec.Incident.Events, incident.Event{At: at(), From: at(), Kind: incident.Gap})
	}
	return rec
}

// check holds what is true of every outcome.
func check(t *testing.T, o Outcome) {
	t.Helper()
	switch {
	case o.Why == "" || o.CannotTell == nil:
		t.Errorf("nothing is said: %+v", o)
	case o.Flaps < 0 || o.Flaps > o.Outages:
		t.Errorf("%d of %d outages are false alarms", o.Flaps, o.Outages)
	case o.TimeToDetect != nil && (*o.TimeToDetect < 0 || o.Detected.IsZero()), o.RTO != nil && *o.RTO < 0:
		t.Errorf("times: %+v", o)
	case o.TimeToDetect != nil && o.RTO != nil && *o.RTO < *o.TimeToDetect:
		t.Errorf("mitigated before it was detected: %+v", o)
	}
	if _, err := json.Marshal(o); err != nil {
		t.Error(err)
	}
}

func FuzzRun(f *testing.F) {
	for seed := range uint64(rounds(5, 20)) {
		f.Add(seed, int64(0), int64(0), 0, "")
		f.Add(seed, int64(15*sec), int64(sec), 5, hopA+"|"+hopB)
	}
	f.Fuzz(func(t *testing.T, seed uint64, interval, timeout int64, threshold int, chain string) {
		yes := seed%2 == 0
		rec := odd(rand.New(rand.NewPCG(seed, 1)))
		check(t, Run(rec, Options{Interval: time.Duration(interval), Timeout: time.Duration(timeout), Threshold: threshold, Chain: chain, Automatic: &yes, Strategy: chain}))
	})
}

func TestOddRecordings(t *testing.T) {
	for _, rec := range []*incident.Recording{{}, {Endpoints: []incident.Endpoint{{URL: hopA, Kind: probe.KindProxy}}}} {
		for _, o := range Alternatives(rec).Alternatives {
			check(t, o)
		}
	}
	for seed := range uint64(rounds(40, 300)) {
		rec := odd(rand.New(rand.NewPCG(seed, 2)))
		table := Alternatives(rec)
		for _, o := range table.Alternatives {
			check(t, o)
		}
		if table.Why == "" || table.Best >= len(table.Alternatives) {
			t.Errorf("%+v", table)
		}
	}
}

// long is a day of five endpoints.
func long() *incident.Recording {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	rec := &incident.Recording{From: wire.At(start), Incident: incident.Incident{Chain: hopA + "," + hopB, Settings: inForce}}
	for _, url := range []string{hopA, hopB, hopC, "https://d.example.com", "https://e.example.com"} {
		rec.Endpoints = append(rec.Endpoints, incident.Endpoint{URL: url, Kind: probe.KindProxy})
	}
	r := rand.New(rand.NewPCG(1, 2))
	at := start
	for i := range 100_000 {
		n := i % 5
		s := incident.Sample{At: wire.At(at), Endpoint: n, Class: probe.OK, Phases: probe.Phases{Total: millis(time.Duration(20+r.IntN(60)) * time.Millisecond)}}
		if n == 0 && i > 80_000 && i < 90_000 || r.IntN(100) == 0 {
			s.Class, s.Phases.Total = probe.Timeout, millis(2*sec)
		}
		rec.Samples = append(rec.Samples, s)
		if n == 4 {
			at = at.Add(4200 * time.Millisecond)
		}
	}
	rec.To = wire.At(at)
	rec.Incident.Opened = rec.Samples[80_005].At
	rec.Incident.Detected = wire.At(rec.Incident.Opened.Add(10 * sec))
	rec.Incident.Resolved = rec.Samples[90_010].At
	return rec
}

func BenchmarkRun(b *testing.B) {
	rec := long()
	for _, o := range []Options{{}, {Interval: 15 * sec}, {Threshold: 5}} {
		b.Run(map[bool]string{true: "in force", false: "other"}[o == Options{}], func(b *testing.B) {
			for b.Loop() {
				if out := Run(rec, o); out.RTO == nil {
					b.Fatalf("%+v", out)
				}
			}
		})
	}
}

func BenchmarkAlternatives(b *testing.B) {
	rec := long()
	for b.Loop() {
		Alternatives(rec)
	}
}
