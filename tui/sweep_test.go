package tui

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"gpx/cachectl/modcache"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/lab"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
)

// states bring a screen into everything that it can show.
var states = []func(s *screen){
	func(s *screen) {},
	func(s *screen) { s.show(outage()) },
	func(s *screen) { s.show(wideRunes()); s.press("j") },
	func(s *screen) { s.show(outage()); s.press("j", "t", "d") },
	func(s *screen) { s.show(outage()); s.press("s") },
	func(s *screen) { s.show(outage()); s.press("j", "D", "enter", "j") },
	func(s *screen) { s.show(wideRunes()); s.press("a"); s.typed("界") },
	func(s *screen) { s.show(outage()); s.press("?") },
	func(s *screen) { s.show(outage()); s.press(":") },
	func(s *screen) { s.show(outage()); s.press("2", "enter"); s.typed("長い値https://例え.example") },
	func(s *screen) { s.show(outage()); s.press("2", "/"); s.typed("go") },
	func(s *screen) { s.show(outage()); s.look(); s.press(" ", "j") },
	func(s *screen) {
		s.f.cache.inv.Versions[0].Path = strings.Repeat("長い", 60)
		s.show(wideRunes())
		s.look()
		s.press("G", "k", "enter", "enter")
	},
	func(s *screen) { s.look(); s.press("P", "down", "right") },
	func(s *screen) { s.look(); s.press("b", "P", "j") },
	func(s *screen) { s.look(); s.press("e", "enter"); s.typed("長い値/x") },
	func(s *screen) {
		s.f.cache.bad = []modcache.Bad{damage("k8s.io/kubernetes", "v1.30.0")}
		s.look()
		s.press("v", "right", "enter", "enter", "enter")
	},
	func(s *screen) {
		r := s.f.past.recording(17)
		r.Incident.Headline, r.Incident.Note = strings.Repeat("とても長い", 30), strings.Repeat("長い 界 ", 40)
		s.f.past.incidents[0] = r.Incident
		s.show(healthy())
		s.happened()
		s.press("d")
	},
	func(s *screen) { s.happened(); s.press("s") },
	func(s *screen) {
		r := s.f.past.recording(17)
		wide := wideRunes()
		wide.At = r.Frames[1].Snapshot.At
		r.Frames[1].Snapshot = wide
		r.Endpoints[1].URL = wide.Endpoints[1].URL
		s.happened()
		s.press("enter", "]", "]", "]", "left")
	},
	func(s *screen) {
		s.f.status = Status{SumDBOff: true, SumDBModules: "corp.example/*", SumDBUntil: now, Offline: "offline strict", Notices: []string{strings.Repeat("notice 界 ", 40)}}
		s.show(healthy())
		s.press("r", "2", "t")
	},
}

// wideRunes is an outage whose texts are two cells a rune, combine, or are long.
func wideRunes() monitor.Snapshot {
	s := outage()
	s.Verdict.Headline = "OUTAGE: 代理服务器 é👩‍👩‍👧 " + strings.Repeat("とても長い", 30)
	s.Endpoints[0].Detail = strings.Repeat("連絡がつきません ", 40) + "🏳️‍🌈"
	s.Endpoints[1].URL = "https://" + strings.Repeat("長い", 60) + ".example.com/パス"
	s.Chain.Hops[1].URL = s.Endpoints[1].URL
	s.Endpoints[3].URL = "file:///srv/中文/é/" + strings.Repeat("x", 300)
	return s
}

// TestEveryFrameFits draws every state at many sizes: each frame is exactly as
// large as the terminal.
func TestEveryFrameFits(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	for i, state := range states {
		for _, l := range []look{{}, {noColor: true, ascii: true}} {
			t.Run(fmt.Sprintf("state %d %+v", i, l), func(t *testing.T) {
				s := newScreen(t, 100, 30, l)
				state(s)
				for w := 1; w <= 220; w += 1 + w/6 {
					for h := 1; h <= 60; h += 1 + h/5 {
						s.send(tea.WindowSizeMsg{Width: w, Height: h})
						valid(t, s.m, w, h)
					}
				}
			})
		}
	}
}

// TestNoSize: the first View comes before the first size, and a terminal may
// say that it is 0×0.
func TestNoSize(t *testing.T) {
	f := newFake(t)
	m := newModel(context.Background(), Config{Services: f.services()}, theme.New(theme.Options{}))
	if got := m.View(); got != "" {
		t.Errorf("without a size: %q", got)
	}
	m.Update(tea.WindowSizeMsg{})
	if got := m.View(); got != "" {
		t.Errorf("0x0: %q", got)
	}
	s := &screen{t, m, f, nil}
	s.press("j", "s", "enter", "2", "enter", "?")
}

// TestSmallTerminalKeepsTheState: below 60×15 the state line stays.
func TestSmallTerminalKeepsTheState(t *testing.T) {
	for _, size := range [][2]int{{59, 40}, {120, 14}, {40, 3}, {24, 1}, {12, 2}} {
		s := newScreen(t, size[0], size[1], look{noColor: true})
		s.show(outage())
		s.has("✗ OUTAGE")
		valid(t, s.m, size[0], size[1])
	}
}

// TestLanguageOfTheEnvironment runs the sweep as another user would: under a
// Chinese locale, where many libraries count line-drawing characters twice,
// and with the variable that tells them to.
func TestLanguageOfTheEnvironment(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	if os.Getenv("GPX_TEST_CHILD") != "" {
		return // this is the child: the environment is read once, at start
	}
	for _, extra := range [][]string{{"LANG=zh_CN.UTF-8", "LC_ALL=zh_CN.UTF-8"}, {"LC_ALL=C"}} {
		cmd := exec.Command(os.Args[0], "-test.run", "TestGolden|TestEveryFrameFits/state_2")
		cmd.Env = append(append(os.Environ(), "GPX_TEST_CHILD=1"), extra...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", extra, err, out)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run", "TestWideTerminalGetsASCII")
	cmd.Env = append(os.Environ(), "GPX_TEST_CHILD=1", "RUNEWIDTH_EASTASIAN=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("RUNEWIDTH_EASTASIAN: %v\n%s", err, out)
	}
}

// TestWideTerminalGetsASCII: where line-drawing characters are two cells wide,
// the frame holds none.
func TestWideTerminalGetsASCII(t *testing.T) {
	if os.Getenv("RUNEWIDTH_EASTASIAN") == "" {
		return // run by TestLanguageOfTheEnvironment
	}
	f := newFake(t)
	m := newModel(context.Background(), Config{Services: f.services()}, NewTheme(Config{}))
	s := &screen{t, m, f, nil}
	s.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	s.show(outage())
	if !m.c.Theme.ASCII() {
		t.Fatal("not ASCII")
	}
	valid(t, m, 80, 24)
}

// TestHostileText: what others wrote reaches the frame without its escape
// sequences and direction marks, wherever it comes from.
func TestHostileText(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;owned\x07\x1bP1$r\x1b\\\u202egnp.exe\u2066\u200b\x9b31m\r\n\t\x00end"
	s := outage()
	s.Verdict.Headline, s.Verdict.Evidence = evil, []string{evil}
	s.Verdict.Fixes = []monitor.Fix{{Title: evil, Command: evil}}
	s.Chain.Error, s.Chain.Value = evil, evil
	for i := range s.Chain.Hops {
		s.Chain.Hops[i].URL += evil
		s.Chain.Hops[i].Class = probe.Class(evil)
	}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		e.URL += evil
		e.Detail, e.RemoteAddr, e.Module, e.Class, e.Health = evil, evil, evil, probe.Class(evil), monitor.Health(evil)
		e.Checks = []probe.Check{{File: probe.File(evil), Class: probe.Class(evil), Detail: evil}}
		e.SumDB = &probe.SumDBResult{Name: evil}
	}
	sc := newScreen(t, 200, 50, look{noColor: true})
	e := goEnv()
	for i := range e.Vars {
		e.Vars[i].Value += evil
		e.Vars[i].Shadowed = []env.Setting{{Origin: env.User, Value: evil}}
	}
	e.Problems = []string{evil}
	sc.f.env = e
	sc.f.status = Status{Offline: evil, SumDBOff: true, SumDBModules: evil, Notices: []string{evil}}
	sc.settle(sc.m.reload())
	sc.settle(sc.m.update(snapsMsg{snap: cleaned(s), ok: true}))
	for _, keys := range [][]string{{}, {"j"}, {"enter"}, {"esc", "d"}, {"2"}, {"d"}, {"t"}, {"esc", "?"}, {"esc", ":"}} {
		sc.press(keys...)
		valid(t, sc.m, 200, 50)
		for _, r := range sc.m.View() {
			switch {
			case r == '\n':
			case r < 0x20, r == 0x7f, r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200b:
				t.Fatalf("after %v the frame holds %U", keys, r)
			}
		}
	}
}

// BenchmarkView draws the largest usual terminal with a thousand endpoints.
func BenchmarkView(b *testing.B) {
	f := newFake(b)
	th := theme.New(theme.Options{Dark: true, Profile: termenv.TrueColor})
	m := newModel(context.Background(), Config{Services: f.services()}, th)
	s := &screen{b, m, f, nil}
	snap := outage()
	for i := range 1000 {
		e := snap.Endpoints[3]
		e.URL = fmt.Sprintf("https://mirror-%d.example.net", i)
		snap.Endpoints = append(snap.Endpoints, e)
	}
	s.settle(m.reload())
	s.send(tea.WindowSizeMsg{Width: 200, Height: 50})
	s.show(snap)
	b.Run("frame", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = m.View()
		}
	})
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			m.snapshot(cleaned(snap))
		}
	})
}

// cleaned is what the listener does to a snapshot before the model sees it.
func cleaned(s monitor.Snapshot) monitor.Snapshot { return view.CleanSnapshot(s) }
