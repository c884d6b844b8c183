package incident

import (
	"testing"
	"time"

	"gpx/probe"
	"gpx/probe/monitor"
)

// TestSynthetic holds the made-up incident to its own story, and its replay to the
// snapshots that it was made of.
func TestSynthetic(t *testing.T) {
	end := time.Date(2026, 11, 5, 14, 30, 0, 0, time.UTC)
	rec := Synthetic(end)
	i := rec.Incident
	zero := rec.From.Time
	for _, tt := range []struct {
		what     string
		is       time.Time
		at       time.Duration
		tolerate time.Duration
	}{
		{"opened", i.Opened.Time, storyBreaks, 5 * time.Second},
		{"detected", i.Detected.Time, storyBreaks, 8 * time.Second},
		{"mitigated", i.Mitigated.Time, storySwitches, time.Second},
		{"resolved", i.Resolved.Time, storyRecovers, 8 * time.Second},
	} {
		if off := tt.is.Sub(zero) - tt.at; off < 0 || off > tt.tolerate {
			t.Errorf("%s %v after it was so", tt.what, off)
		}
	}
	if !i.Synthetic || len(i.Causes) != 2 || i.Causes[0] != probe.ServerError || i.Causes[1] != probe.Timeout || i.Chain != storyFirst+","+storySecond {
		t.Errorf("%+v", i)
	}
	reel := NewReel(monitor.DefaultConfig(), rec)
	for _, tt := range []struct {
		at    time.Duration
		state monitor.State
		will  probe.Action // at the first hop
		off   bool
	}{
		{storyBreaks - time.Minute, monitor.StateOK, probe.Serve, false},
		{storyBreaks + time.Minute, monitor.StateOutage, probe.Stop, false},
		{storySilent + time.Minute, monitor.StateOutage, probe.Hang, false},
		{storySwitches + 5*time.Second, monitor.StateOK, probe.Serve, false},
		{storyOff + 30*time.Second, monitor.StateOK, probe.Serve, true},
		{storyRecovers + time.Minute, monitor.StateOK, probe.Serve, false},
	} {
		s := reel.At(zero.Add(tt.at))
		if s.Verdict.State != tt.state || s.Chain.Hops[0].GoWill != tt.will || (s.SumDB.Route == "off") != tt.off {
			t.Errorf("at %v: %s, %s, checksums %s", tt.at, s.Verdict.Headline, s.Chain.Hops[0].GoWill, s.SumDB.Route)
		}
		if w := s.Endpoints[0].Window; w.Samples < 50 || w.Lost < 1 && w.P50 == 0 {
			t.Errorf("at %v: a window of %d samples", tt.at, w.Samples)
		}
	}
	if s := reel.At(zero.Add(-time.Second)); s.Verdict.State != monitor.StateUnknown {
		t.Errorf("before it began: %+v", s.Verdict)
	}
}
