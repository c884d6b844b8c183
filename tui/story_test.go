package tui

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/failover"
	"gpx/probe/monitor"
	"gpx/tui/view"
)

// text is the frame without colour.
func (s *screen) text() string { return ansi.Strip(s.m.View()) }

// has checks that the frame shows every one of wants.
func (s *screen) has(wants ...string) {
	s.t.Helper()
	frame := s.text()
	for _, w := range wants {
		if !strings.Contains(frame, w) {
			s.t.Fatalf("the frame lacks %q:\n%s", w, frame)
		}
	}
}

// lacks checks that the frame shows none of them.
func (s *screen) lacks(unwanted ...string) {
	s.t.Helper()
	frame := s.text()
	for _, w := range unwanted {
		if strings.Contains(frame, w) {
			s.t.Fatalf("the frame shows %q:\n%s", w, frame)
		}
	}
}

// asked checks the calls of services since the last check.
func (s *screen) asked(want ...string) {
	s.t.Helper()
	got := s.f.called()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		s.t.Fatalf("services were asked\n  %q, want\n  %q", got, want)
	}
}

// both plays a story at the two sizes that matter most.
func both(t *testing.T, story func(s *screen)) {
	for name, size := range map[string][2]int{"80x24": {80, 24}, "120x36": {120, 36}} {
		t.Run(name, func(t *testing.T) {
			s := newScreen(t, size[0], size[1], look{noColor: true})
			s.f.called()
			story(s)
			valid(t, s.m, size[0], size[1])
		})
	}
}

func TestStoryOutageSwitchUndo(t *testing.T) {
	both(t, func(s *screen) {
		s.has("PROBING")
		s.show(outage())
		s.has("✗ OUTAGE", "14m32s", "proxy.example.com is silent", "✗ DOWN", "● LIVE 2s")
		s.has("stops here, the build fails", "s switches to https://mirror.example.org | direct")

		s.press("s")
		s.has("Use another chain", "- https://proxy.example.com,https://mirror.example.org|direct", "+ https://mirror.example.org|direct", "Cancel", "Apply (y)",
			"go env -w GOPROXY=")
		s.asked("plan use https://mirror.example.org|direct")

		s.press("enter") // the focused button is Cancel
		s.has("cancelled: nothing was changed")
		s.asked()

		s.press("s", "y")
		s.asked("plan use https://mirror.example.org|direct", "apply Use another chain", "probe []")
		s.has("✓ Use another chain · u takes it back")

		s.show(healthy())
		s.has("✓ OK", "go can download from mirror.example.org")
		s.lacks("OUTAGE")

		s.press("u")
		s.has("Take back: Use another chain", "+ https://proxy.example.com,https://mirror.example.org|direct")
		s.press("y")
		s.asked(`plan undo ""`, "apply Take back: Use another chain", "probe []")
		s.has("taken back")
		if got := s.f.env.Get("GOPROXY"); got != goEnv().Get("GOPROXY") {
			s.t.Errorf("after undo GOPROXY is %q", got)
		}
		s.press("@")
		s.has("Commands run", "2026-11-22 12:22  Use the mirror  taken back", "14:22:07  ✓ go env -w GOPROXY=")
	})
}

func TestStoryPendingEdits(t *testing.T) {
	both(t, func(s *screen) {
		s.show(outage())
		s.press("j", "t") // the mirror to the top
		s.has("~ pending", "1 mirror.example.org ✓ serves", "~2")
		s.asked()
		s.press("d")
		s.has("- https://proxy.example.com,https://mirror.example.org|direct", "+ https://mirror.example.org", "would  1 mirror.example.org ✓ serves")
		s.press("esc", "J")
		s.lacks("~ pending") // moved back: nothing is left to write
		s.press("K", "|", "w")
		s.has("Use another chain")
		s.press("y")
		calls := s.f.called()
		if len(calls) != 3 || !strings.HasPrefix(calls[0], "plan use https://mirror.example.org") || calls[1] != "apply Use another chain" {
			s.t.Fatalf("calls %q", calls)
		}
		s.lacks("~ pending")

		s.press("x", "Z")
		s.lacks("~ pending")
		s.press("q")
	})
}

func TestQuitAsksWhileEditsArePending(t *testing.T) {
	s := newScreen(t, 80, 24, look{noColor: true})
	s.show(outage())
	s.press("j", "t", "q")
	s.has("Quit?", "would be lost")
	s.press("enter") // Stay is focused
	s.lacks("Quit?")
	if _, cmd := s.update(keyMsg("ctrl+c")); !isQuit(cmd) {
		t.Error("ctrl+c did not quit")
	}
	s.press("q")
	if _, cmd := s.update(keyMsg("y")); !isQuit(cmd) {
		t.Error("y did not quit")
	}
}

func isQuit(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	_, ok := cmd().(tea.QuitMsg)
	return ok
}

func TestStoryEditVariable(t *testing.T) {
	both(t, func(s *screen) {
		s.show(outage())
		s.press("2", "/")
		s.typed("gotool")
		s.press("enter")
		s.has("GOTOOLCHAIN", "filter gotool")
		s.lacks("GOPRIVATE")
		s.press("enter") // edits the only row
		s.has("Edit GOTOOLCHAIN")
		s.press("ctrl+u")
		s.typed("local")
		s.press("enter")
		s.has("~ local", "pending", "go env -w GOTOOLCHAIN=local")
		s.press("d")
		s.has("- auto", "+ local")
		s.press("esc", "w")
		s.has("Set GOTOOLCHAIN", "Cancel")
		s.asked("plan env [{GOTOOLCHAIN local false}]")
		s.press("y")
		s.asked("apply Set GOTOOLCHAIN", "probe []")
		s.has("✓ Set GOTOOLCHAIN")
		s.press("esc") // clears the filter
		s.has("GOPRIVATE")
	})
}

func TestEnvEdits(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.press("2", "enter", "ctrl+u")
	s.typed("://")
	s.press("enter")
	s.has("Edit GOPROXY", "✗") // refused where it was typed
	s.press("esc")
	s.lacks("pending")

	s.press("x") // GOPROXY stands in the user file
	s.has("~ https://goproxy.example.net,direct", "go env -u GOPROXY")
	s.press("Z")
	s.lacks("go env -u")

	s.press("j", "x") // GONOPROXY does not
	s.has("unset: GONOPROXY is not set in the user file")

	s.press("/")
	s.typed("govers")
	s.press("enter", "enter")
	s.has("edit: GOVERSION is computed by the go command and cannot be set")
}

func TestStoryChecksumsOffAndOn(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.press("2", "t")
		s.has("Profiles", "Checksums off", "weakens security")
		s.typed("checksums off")
		s.press("enter")
		s.has("for 1 hour")
		s.press("enter")
		s.asked("plan profile sumdb-off 1h")
		s.has("Switch checksums off", "type off to apply", "not verified by anyone")
		s.press("y", "enter") // y is a typed letter here, and enter is Cancel
		s.asked()
		s.has("cancelled")

		s.press("t")
		s.typed("checksums off")
		s.press("enter", "enter")
		s.typed("off")
		s.f.mu.Lock()
		s.f.status = Status{SumDBOff: true, SumDBUntil: now.Add(time.Hour)}
		s.f.mu.Unlock()
		s.press("enter")
		s.asked("plan profile sumdb-off 1h", "apply Switch checksums off", "probe []")
		s.has("CHECKSUMS ARE OFF for every module until 15:22:07 (1h00m left)")
		s.press("1")
		s.has("CHECKSUMS ARE OFF") // in every view

		s.press("2", "t")
		s.typed("checksums on")
		s.f.mu.Lock()
		s.f.status = Status{}
		s.f.mu.Unlock()
		s.press("enter", "y")
		s.lacks("CHECKSUMS ARE OFF")
	})
}

func TestStoryOfflineAndBack(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.press("2", "t", "enter")
		s.has("Offline", "file:///home/me/go/pkg/mod/cache/download")
		s.f.status.Offline = "offline"
		s.press("y")
		s.has("◌ offline")
		off := healthy()
		off.Verdict = monitor.Verdict{State: monitor.StateOffline, Headline: "OFFLINE: go reads the module cache"}
		s.show(off)
		s.has("◌ OFFLINE", "go reads the module cache")
		s.f.status.Offline = ""
		s.press("u", "y")
		s.show(healthy())
		s.has("✓ OK")
		s.lacks("offline ")
	})
}

func TestAddFromCatalogAsksOnce(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.called()
	s.show(outage())
	s.press("a")
	s.has("Probe the catalog?", "learns your address")
	s.press("y")
	s.has("Add a hop", "https://goproxy.cn", "Qiniu, China", "https://gocenter.io")
	s.typed("gocenter")
	s.press("enter")
	s.has("retired; old guides") // stays open
	s.press("esc")
	s.asked("consent true")

	s.press("a")
	s.lacks("Probe the catalog?")
	s.typed("goproxy.cn")
	s.press("enter")
	s.has("~ pending  https://proxy.example.com , https://mirror.example.org | https://goproxy.cn | direct")
	s.asked("watch https://goproxy.cn")

	s.press("a", "enter")
	s.typed("ftp://x")
	s.press("enter")
	s.has("✗") // refused by the grammar
	s.press("ctrl+u")
	s.typed("https://user:secret@own.example.com")
	s.press("enter")
	s.has("https://xxxxx@own.example.com")
	s.lacks("secret")
}

func TestDeepProbe(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.called()
	s.show(outage())
	s.press("j", "D")
	s.asked("deep https://mirror.example.org")
	s.has("1 of 7 checks fail", "DEEP PROBE", "✗ lookup", "▲ latest")
	s.press("enter", "G", "esc", "p")
	s.asked("probe [https://mirror.example.org]")
}

// TestDeepProbeOfVersionControl: it has no files to check.
func TestDeepProbeOfVersionControl(t *testing.T) {
	both(t, func(s *screen) {
		s.m.c.Services.Deep = func(context.Context, string) (probe.Result, error) {
			return probe.Result{Kind: probe.KindDirect, URL: "direct", Class: probe.DNSNotFound}, nil
		}
		s.show(outage())
		s.press("j", "j", "D")
		s.has("deep probe of direct: DNS not found")
		s.lacks("DEEP PROBE")
	})
}

func TestFreezeHoldsTheScreen(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.press("f")
	s.show(healthy())
	s.has("✗ OUTAGE", "‖ FROZEN")
	s.press("f")
	s.has("✓ OK", "● LIVE")
}

func TestReplayChangesNothing(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.called()
	s.recorded(outage())
	s.has("◆ REPLAY")
	for _, a := range s.m.table {
		if a.Changes && a.Reason() == "" {
			t.Errorf("%s works in a replay", a.ID)
		}
	}
	s.press("s", "t", "u", "2", "enter", "t")
	s.has("this is a recording")
	s.asked()
}

func TestErrorsAreSaid(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.f.fail = errors.New("apply: the user file changed since the plan was made; make it again")
	s.press("s", "y")
	s.has("the user file changed since the plan was made")
	s.press("@")
	s.has("✗ go env -w GOPROXY=")

	s.press("esc")
	s.f.fail = nil
	s.f.rec = failover.Recommendation{Reasons: []string{"nothing else answers"}}
	s.press("s")
	s.has("no better chain is known: nothing else answers")
}

func TestPrivacyWarningIsInThePlan(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.rec.Leaks = []failover.Leak{{Module: "corp.example/a", Hop: "https://mirror.example.org"}, {Module: "corp.example/b", Hop: "https://mirror.example.org"}}
	s.f.rec.Patterns = "corp.example/*"
	s.show(outage())
	s.press("s")
	s.has("▲ https://mirror.example.org would see the module paths corp.example/a, corp.example/b.", "GOPRIVATE=corp.example/* keeps them at home.")
}

func TestPanicsBecomeMessages(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.settle(view.Start(s.m.c, "x", "work", func(context.Context) (int, error) { panic("boom") },
		func(_ int, err error) tea.Cmd { return s.m.c.Fail(err) }))
	s.has("gpx has a bug here: boom; the report is in crash.txt")
	s.settle(s.m.c.Cmd(func() tea.Msg { panic("bang") }))
	s.has("bang")
}

func TestStaleResultsAreDropped(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	var got []int
	start := func(n int) tea.Cmd {
		return view.Start(s.m.c, "slot", "work", func(context.Context) (int, error) { return n, nil },
			func(n int, _ error) tea.Cmd { got = append(got, n); return nil })
	}
	old, fresh := start(1), start(2)
	s.settle(fresh)
	s.settle(old)
	if !reflect.DeepEqual(got, []int{2}) {
		t.Errorf("got %v", got)
	}
	cancelled := start(3)
	s.has("work…", "X cancels")
	s.press("X")
	s.settle(cancelled)
	if len(got) != 1 {
		t.Errorf("a cancelled result arrived: %v", got)
	}
}

func TestNothingIsAgreedToUnseen(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.called()
	s.show(outage())
	s.press("s")
	s.send(tea.WindowSizeMsg{Width: 40, Height: 10})
	s.has("✗ OUTAGE", "esc closes the dialog")
	s.press("y")
	s.asked("plan use https://mirror.example.org|direct")
	s.press("esc")
	s.has("✗ https://proxy.example.com")
}

func TestCopy(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	var osc string
	s.m.osc = func(text string) { osc = text }
	s.f.called()
	s.show(outage())
	s.press("y")
	if want := "https://proxy.example.com"; osc != want {
		t.Errorf("copied %q, want %q", osc, want)
	}
	s.press("2", "y")
	if want := "go env -w GOPROXY='https://proxy.example.com,https://mirror.example.org|direct'"; osc != want {
		t.Errorf("copied %q, want %q", osc, want)
	}
}

func TestSortAndFilterProxies(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.press("o")
	s.has("order state")
	s.press("j", "j", "j", "t") // an edit is one of the chain, and is seen in it
	s.has("order chain", "~ 1 edit pending", "mirror.example.org  hop 1")
	s.press("Z", "o", "/")
	s.typed("down")
	s.has("sum.golang.org", "proxy.example.com")
	s.lacks("goproxy.cn")
	s.press("esc")
	s.has("goproxy.cn")
}

func TestMouse(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.m.View()
	s.send(tea.MouseMsg{X: 20, Y: s.m.hits.body + 2, Button: tea.MouseButtonLeft, Action: tea.MouseActionPress})
	s.has("├─ https://mirror.example.org")
	s.send(tea.MouseMsg{Button: tea.MouseButtonWheelDown})
	s.has("├─ direct")
	s.send(tea.MouseMsg{X: 15, Y: s.m.hits.tabY, Button: tea.MouseButtonLeft, Action: tea.MouseActionPress})
	s.has("[2 Env]")
	if _, cmd := s.update(keyMsg("m")); cmd == nil {
		t.Error("m did not release the mouse")
	}
}

func TestTable(t *testing.T) {
	s := newScreen(t, 120, 36, look{})
	if bad := s.m.table.Check(); len(bad) > 0 {
		t.Error(bad)
	}
	for _, want := range []string{"s", "t", "K", "J", ",", "|", "a", "x", "p", "D", "S", "A", "w", "d", "Z", "1", "2", "3", "4", "5", "tab", "j", "k", "g", "G", "up", "down", "pgup", "pgdown",
		"enter", "esc", "/", "o", "y", "r", "f", "X", "u", ":", "?", "@", "m", "ctrl+z", "q", "ctrl+c"} {
		if _, ok := s.m.table.Find("proxies", keyMsg(want)); !ok {
			t.Errorf("%s does nothing in Proxies", want)
		}
	}
	md := KeyTable()
	for _, a := range s.m.table {
		if !strings.Contains(md, strings.ReplaceAll(a.Help, "|", `\|`)) {
			t.Errorf("the key table lacks %s", a.ID)
		}
	}
}

func TestShadowedVariableIsSaid(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.env = set(s.f.env, "GOPROXY", "https://shell.example.com", env.OS)
	p := planFor("Use another chain", "GOPROXY", "https://a.example.com", "https://b.example.com")
	p.Changes[0].Shadowed = true
	s.settle(s.m.propose(view.Proposal{Plan: p}))
	s.has("! the environment hides it: no effect in this shell")
	s.press("n")
	// The undo to what the shell has said all along: in effect nothing changes.
	p.Changes[0].Shadowed, p.Changes[0].OriginOld = false, string(env.OS)
	p.Changes[0].EffectiveOld, p.Changes[0].EffectiveNew = "https://b.example.com", "https://b.example.com"
	s.settle(s.m.propose(view.Proposal{Plan: p}))
	s.has("the environment has this value already", "- https://a.example.com  (user file)", "+ https://b.example.com")
	s.press("n")
	p.Actions = append(p.Actions, change.Action{Kind: "remove_tree", Target: "/x"})
	s.settle(s.m.propose(view.Proposal{Plan: p}))
	s.has("type apply to apply", "cannot be undone")
}

// TestLettersOfOneRead: letters that arrive together are keys one after the
// other; what is pasted is text, and does nothing where no text is typed.
func TestLettersOfOneRead(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(outage())
	s.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("2/GOPR")})
	s.has("[2 Env]", "/ GOPR", "GOPROXY", "GOPRIVATE")
	s.lacks("GOSUMDB ")
	s.press("esc", "1")
	s.f.called()
	s.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("sy"), Paste: true})
	s.asked()
	s.press("/")
	s.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("mirror"), Paste: true})
	s.has("mirror.example.org")
	s.lacks("goproxy.cn")
}

// TestAddAPastedURL: a URL that is pasted into the catalog's line is offered
// itself, without its credentials, and becomes a hop with them.
func TestAddAPastedURL(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.asked = true
	s.show(outage())
	s.press("a")
	s.typed("https://")
	s.lacks("as typed")
	s.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("me:secret@b.example/x"), Paste: true})
	s.has("https://xxxxx@b.example/x", "as typed")
	s.lacks("secret")
	s.press("enter")
	s.has("~ pending", "xxxxx@b.example/x")
	s.lacks("secret")
}
