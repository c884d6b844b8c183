package history

import (
	"slices"
	"testing"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestWalk(t *testing.T) {
	hop := func(n int, sep string, c probe.Class, a probe.Action) monitor.Hop {
		return monitor.Hop{N: n, URL: "https://a.example", Separator: sep, Class: c, GoWill: a}
	}
	for want, hops := range map[string][]monitor.Hop{
		"got modules at hop 2, a.example":                                  {hop(1, "|", probe.Refused, probe.Next), hop(2, "", probe.OK, probe.Serve)},
		`stopped at hop 1, a.example: refused, which "," does not pass on`: {hop(1, ",", probe.Refused, probe.Stop), hop(2, "", probe.OK, probe.Serve)},
		"stopped at hop 2, a.example: server error":                        {hop(1, "|", probe.Refused, probe.Next), hop(2, "", probe.ServerError, probe.Stop)},
		"waited without a deadline at hop 1, a.example: timeout":           {hop(1, "|", probe.Timeout, probe.Hang)},
		"got modules from version control at hop 1":                        {hop(1, "", probe.OK, probe.GoDirect)},
		"stopped at hop 1, a.example":                                      {hop(1, "", "", probe.GoOff)},
		"stopped: no hop was left":                                         {hop(1, "", probe.NotFound, probe.Next)},
		"done what nobody knows at hop 1, a.example":                       {hop(1, "", probe.ClassUnknown, probe.ActionUnknown)},
	} {
		if got, _ := walk(hops); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDays(t *testing.T) {
	for want, at := range map[string]time.Time{
		"today": noon.Add(-11 * time.Hour), "Nov 25": noon.Add(-13 * time.Hour), "2025-12-31": time.Date(2025, 12, 31, 1, 0, 0, 0, time.UTC),
	} {
		if got := dayOf(at, noon); got != want {
			t.Errorf("%v is %q, want %q", at, got, want)
		}
	}
	for want, d := range map[string]time.Duration{"+0s": -400 * time.Millisecond, "-30s": -30 * time.Second, "+3m45s": 225 * time.Second} {
		if got := offset(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for want, share := range map[string]float64{"100%": 1, "99.999%": 0.999999, "99.95%": 0.9995, "99.9%": 0.999, "97.1%": 0.9712, "0.0%": 0} {
		if got := percent(share); got != want {
			t.Errorf("%v is %q, want %q", share, got, want)
		}
	}
}

func TestTrend(t *testing.T) {
	th := theme.New(theme.Options{NoColor: true})
	for _, tc := range []struct {
		parts []float64
		w     int
		want  string
	}{
		{[]float64{-1, 1, 0.5, 0, 1, 1}, 6, " █▁▁██"},
		{[]float64{1, 0.5, 1, 1}, 2, "▁█"}, // each cell is the worst of its parts
		{[]float64{1, -1}, 4, "██  "},
		{nil, 2, "  "},
	} {
		if got := trend(th, tc.parts, tc.w).Plain(); got != tc.want {
			t.Errorf("%v in %d cells is %q, want %q", tc.parts, tc.w, got, tc.want)
		}
	}
}

func TestAxisAndMarks(t *testing.T) {
	at := func(d time.Duration) wire.Time { return wire.At(noon.Add(d)) }
	p := view.NewPlayer(&incident.Recording{From: at(0), To: at(40 * time.Minute), Incident: incident.Incident{Events: []incident.Event{
		{At: at(10 * time.Minute), Kind: incident.Opened}, {At: at(10*time.Minute + 5*time.Second), Kind: incident.Detected},
		{At: at(12 * time.Minute), Kind: incident.Turned}, {At: at(24 * time.Minute), From: at(20 * time.Minute), Kind: incident.Gap},
		{At: at(22 * time.Minute), Kind: incident.Action}, {At: at(40 * time.Minute), Kind: incident.Resolved}}}})
	if got, want := eventMarks(p, 40).Plain(), "          OD'       ??A??              R"; got != want {
		t.Errorf("marks\n%q, want\n%q", got, want)
	}
	if got, want := axis(p, 40, time.UTC).Plain(), "          12:10     12:20     12:30"; got != want {
		t.Errorf("axis\n%q, want\n%q", got, want)
	}
	if got, want := axis(p, 40, time.FixedZone("", 5*3600+1800)).Plain(), "          17:40     17:50     18:00"; got != want {
		t.Errorf("axis\n%q, want\n%q", got, want)
	}
}

func TestFitTable(t *testing.T) {
	table := []string{"SETTINGS                    RTO", "interval 2s                 5m", "chain https://a.example     1s", "", "A remark that is longer than the table"}
	want := []string{"SETTINGS             RTO", "interval 2s          5m", "chain https:…xample  1s", "", table[4]}
	if got := fitTable(table, 24, "…"); !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	for _, w := range []int{31, 80, 5} { // what fits is left alone, and what cannot be made to fit
		if got := fitTable(table, w, "…"); !slices.Equal(got, table) {
			t.Errorf("in %d cells %q", w, got)
		}
	}
	marked := []string{"      SETTINGS                    RTO", "best  chain https://a.example     1s"}
	if got, want := fitTable(marked, 30, "…"), []string{"      SETTINGS             RTO", "best  chain https:…xample  1s"}; !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if got := fitTable([]string{"one line of text"}, 5, "…"); got[0] != "one line of text" {
		t.Errorf("%q", got)
	}
}
