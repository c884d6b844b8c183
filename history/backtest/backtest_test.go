package backtest

import (
	"fmt"
	"testing"
	"time"

	"gpx/probe"
	"gpx/probe/monitor"
)

const sec = time.Second

// With the settings that were in force the answer is what was recorded, whatever
// the outage.
func TestSettingsInForceTellWhatWasRecorded(t *testing.T) {
	for _, c := range []struct {
		name string
		s    story
	}{
		{"a black hole that goes away", story{chain: hopA + "," + hopB, faults: []fault{{hopA, 60 * sec, 150 * sec, 2 * sec, probe.Timeout}}}},
		{"refused, and a person switches", story{chain: hopA + "," + hopB, faults: []fault{{hopA, 60 * sec, 200 * sec, 0, probe.Refused}},
			switches: []turn{{100 * sec, hopB}}}},
		{"a person switches to what was not watched", story{chain: hopA, faults: []fault{{hopA, 60 * sec, 200 * sec, 80 * time.Millisecond, probe.ServerError}},
			switches: []turn{{90 * sec, hopC}}}},
		{"the switch does not help at first", story{chain: hopA + "," + hopB, faults: []fault{{hopA, 60 * sec, 200 * sec, 0, probe.Refused}, {hopB, 80 * sec, 120 * sec, 0, probe.Refused}},
			switches: []turn{{100 * sec, hopB}}}},
		{"it comes back twice", story{chain: hopA, faults: []fault{{hopA, 60 * sec, 90 * sec, 0, probe.Refused}, {hopA, 110 * sec, 140 * sec, 0, probe.Refused}}}},
		{"it was broken from the beginning", story{chain: hopA, faults: []fault{{hopA, 0, 90 * sec, 0, probe.Refused}}}},
		{"the checksum database alone", story{chain: hopA, faults: []fault{{sumKey, 60 * sec, 150 * sec, 30 * time.Millisecond, probe.ServerError}}}},
		{"version control at the end", story{chain: hopA + "|direct", faults: []fault{{hopA, 60 * sec, 150 * sec, 0, probe.Refused}, {"direct", 60 * sec, 150 * sec, sec, probe.Refused}}}},
		{"single probes were lost before", story{chain: hopA, faults: []fault{{hopA, 20 * sec, 24 * sec, 0, probe.OK}, {hopA, 24 * sec, 24100 * time.Millisecond, 10, probe.Reset}, {hopA, 60 * sec, 90 * sec, 0, probe.Reset}}}},
	} {
		for seed := range 4 {
			t.Run(fmt.Sprintf("%s, seed %d", c.name, seed), func(t *testing.T) {
				c.s.length, c.s.seed = 300*sec, time.Duration(seed)*time.Millisecond
				r := record(t, c.s)
				i := r.Incident
				if i.Detected.IsZero() || i.Mitigated.IsZero() {
					t.Fatalf("the story has no incident: %+v", i)
				}
				out := Run(r, Options{})
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

// same compares with what a snapshot said: they are published 100 ms apart.
func same(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if d := want.Sub(got); got.IsZero() || d < -time.Millisecond || d > monitor.DefaultConfig().Publish+time.Millisecond {
		t.Errorf("%s at %v, recorded %v", what, got, want)
	}
}
