package tui

// What the screen says so that nobody has to search: what is out of sight, which
// key is the next step, what is new.

import (
	"context"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/change"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
)

// TestWhatIsOutOfSightIsSaid: rows, lines of a detail pane and of a dialog.
func TestWhatIsOutOfSightIsSaid(t *testing.T) {
	s := newScreen(t, 80, 24, look{noColor: true})
	s.show(outage())
	s.has("10 more lines: enter ─╯")
	s.press("enter")
	s.has("5 more lines: down ─╯")
	s.press("pgdown")
	s.lacks("more line")
	s.press("esc", "2")
	s.has("22 variables · 13 below")
	s.press("G")
	s.has("22 variables · 8 above", "computed by the go command") // a short pane is one too
	s.press("/")
	s.typed("goproxy")
	s.has("1 variable ─╮")
	s.press("esc", "?")
	s.has("more lines: down  ")
	s.press("G")
	s.lacks("more lines: down")
	s.press("esc")

	s = newScreen(t, 60, 15, look{noColor: true})
	s.press("2")
	s.has("6 more in a taller terminal ─╯")
	s = newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.press("2")
	s.lacks("above", "below", "more")
}

// TestTheFilterStaysInSight: beside five tabs, and with an edit that is pending.
func TestTheFilterStaysInSight(t *testing.T) {
	s := newScreen(t, 80, 24, look{noColor: true})
	s.show(healthy())
	s.press("2", "/")
	s.typed("goprivate")
	s.press("enter")
	s.has("5 History", "filter goprivate")
	s.press("enter", "ctrl+u")
	s.typed("a.example")
	s.press("enter")
	s.has("[2 Env ~1] 3 4 5", "filter goprivate")
	s.m.View()
	s.send(tea.MouseMsg{X: s.m.hits.tabs[4][0] + 1, Y: s.m.hits.tabY, Button: tea.MouseButtonLeft, Action: tea.MouseActionPress})
	s.has("[5 History]", "2 Env ~1")
}

// TestAHiddenValueIsShownWhole: the table cuts it, and has no room for it at 80.
func TestAHiddenValueIsShownWhole(t *testing.T) {
	both(t, func(s *screen) {
		s.press("2")
		s.has("Instead of https://goproxy.example.net,direct  ($GOROOT/go.env)")
	})
}

// TestTheNextStepIsAKey: what a fix names as a command is said as the key that
// does it from where the user is.
func TestTheNextStepIsAKey(t *testing.T) {
	fix := func(title, command string) monitor.Snapshot {
		snap := healthy()
		snap.Verdict = monitor.Verdict{State: monitor.StateOffline, Headline: "OFFLINE: go reads the module cache",
			Fixes: []monitor.Fix{{Title: title, Command: command}}}
		return snap
	}
	both(t, func(s *screen) {
		s.show(fix("Go online again", "gpx offline off"))
		s.has(" Go online again:  2 t or gpx offline off")
		s.press("2")
		s.has(" Go online again:  t or gpx offline off")
		s.show(fix("Look for a proxy that works", "gpx probe --all"))
		s.has(" Look for a proxy that works:  1 a or gpx probe --all")
		s.show(fix("Look at the clock", "date -u"))
		s.has(" Look at the clock:  date -u")

		s.press("1")
		s.show(outage())
		s.press("enter", "pgdown")
		s.has("Switch to a chain that works:  s or gpx use --best")
	})
	s := newScreen(t, 120, 36, look{noColor: true})
	s.recorded(fix("Go online again", "gpx offline off")) // no key changes anything there
	s.has("REPLAY: nothing here is live")
	s.lacks("2 t or gpx offline off")
}

// TestNewsAreNotHiddenByWhatIsKnown: what was noticed before is not said again.
func TestNewsAreNotHiddenByWhatIsKnown(t *testing.T) {
	s := newScreen(t, 80, 24, look{noColor: true})
	old := "what was noticed at the start, in a sentence that is as long as the line"
	s.f.status.Notices = []string{old}
	s.show(healthy())
	s.press("r")
	s.has(old)
	s.f.status.Notices = []string{old, "the time has run out"}
	s.press("r")
	s.has(" the time has run out ")
	s.lacks(old)
	s.m.c.Message.At = now.Add(-time.Hour)
	s.has("▲ the time has run out ", "1 more: ?")
}

// TestTheLogNamesChangesOfOthers: of another gpx, in the order of time.
func TestTheLogNamesChangesOfOthers(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.m.c.Services.Changes = func(context.Context) ([]change.Change, error) {
		return []change.Change{
			{ID: "late", At: wire.At(now.Add(time.Minute)), Title: "of a shell afterwards"},
			{ID: "mine", At: wire.At(now), Title: "what the screen did"},
			{ID: "early", At: wire.At(now.Add(-time.Minute)), Title: "of a shell before"}}, nil
	}
	s.m.log(&change.Plan{Commands: []string{"go env -w GOPROXY=x"}}, "mine", now, nil)
	s.press("@")
	s.has("of a shell before", "of a shell afterwards")
	s.lacks("what the screen did")
	frame := s.text()
	if a, b, c := strings.Index(frame, "before"), strings.Index(frame, "GOPROXY=x"), strings.Index(frame, "afterwards"); a > b || b > c {
		t.Errorf("not in the order of time:\n%s", frame)
	}
}

// TestAnEditThatChangesNothingSaysSo: a key that is pressed is answered.
func TestAnEditThatChangesNothingSaysSo(t *testing.T) {
	both(t, func(s *screen) {
		s.show(outage())
		s.press("g", ",")
		s.has(`behind hop 1 stands "," already`)
		s.press("t")
		s.has("hop 1 stands first already")
		s.lacks("pending")
	})
}

// TestALongHopKeepsItsVerdict: what go does there is not cut off with its name.
func TestALongHopKeepsItsVerdict(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	snap := healthy()
	url := "file:///srv/" + strings.Repeat("a-rather-long-name/", 5)
	snap.Chain.Hops = []monitor.Hop{{N: 1, URL: url, Kind: probe.KindFile, Health: monitor.Up, Class: probe.OK, GoWill: probe.Serve}}
	snap.Endpoints = []monitor.EndpointStatus{endpoint(url, probe.KindFile, monitor.Up, probe.OK, 1)}
	s.show(snap)
	s.has("Now      1 file:///srv/a-rather…-long-name/ ✓ serves")
}
