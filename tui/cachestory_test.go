package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"
	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
	"gpx/envctl/change"
	"gpx/probe/reach"
	"gpx/tui/theme"
)

// look goes to the caches, and draws them, so that what is in sight is asked for.
func (s *screen) look() {
	s.t.Helper()
	s.press("3")
	s.m.View()
	s.press("end", "home")
}

func TestStoryLookAtTheCaches(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		if s.f.cache.scans != 0 {
			s.t.Fatal("the caches were read before anybody looked at them")
		}
		s.look()
		s.has("[3 Cache]", "GOMODCACHE", "14 versions of 7 modules", "GOCACHE", "unused 5 d: 2.1 GiB, next trim in 3h00m: 2.1 GiB")
		s.has("aws-sdk-go", "1.9 GiB", "! ONLY", "keep", "safe")
		s.has("1 partial or damaged")

		s.press("enter") // the largest is selected
		s.has("v1.55.5", "v1.50.0", "v1.44.0", "whole", "order name")
		s.has("Elsewhere", "https://proxy.example.com has it", "u brings it back")
		s.press("enter")
		s.has("github.com/aws/aws-sdk-go@v1.55.5", "zip 83 MiB, tree 577 MiB")
		s.press("esc", "esc")
		s.has("k8s.io/kubernetes", "hashicorp/terraform")

		s.press("/")
		s.typed("billing")
		s.press("enter")
		s.has("1 module", "nobody who answers now has 2 of 2 versions asked for", "keeps the ONLY COPIES")
		s.press("enter")
		s.has("NOBODY who answers now: direct: dns not found", "~/src/app: it stays when the cache is pruned")
		s.press("esc", "esc")
		s.has("terraform")
		s.asked()
	})
}

// TestElsewhereIsAskedInSight: only rows in sight are asked for, never more than
// a few versions of one module, and never what is only a go.mod.
func TestElsewhereIsAskedInSight(t *testing.T) {
	s := newScreen(t, 80, 15, look{noColor: true})
	inv := inventory()
	for i := range 200 {
		inv.Versions = append(inv.Versions, version(fmt.Sprintf("z.example/m%03d", i), "v1.0.0", kib, day))
	}
	s.f.cache.inv = inv
	s.show(healthy())
	s.press("3")
	s.m.View()
	s.press("down", "up")
	asked := s.f.cache.asked
	if len(asked) == 0 || len(asked) > 30 {
		t.Fatalf("%d versions were asked for", len(asked))
	}
	for i, m := range asked {
		if m.Version == "v0.1.0" && m.Path == "golang.org/x/net" {
			t.Errorf("%s is only a go.mod", m)
		}
		if slices.Contains(asked[:i], m) {
			t.Errorf("%s was asked for twice", m)
		}
	}
	s.press("end")
	s.m.View()
	s.press("up")
	if n := len(s.f.cache.asked); n <= len(asked) || n > len(asked)+30 {
		t.Errorf("after going to the end %d versions more were asked for", n-len(asked))
	}
}

// TestElsewhereFollowsTheOutage: when a hop dies, what it had is asked for again.
func TestElsewhereFollowsTheOutage(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(healthy())
	s.press("3")
	s.m.View()
	s.press("j")
	s.has("safe")
	s.f.cache.down = true
	s.show(outage())
	s.lacks("safe")
	s.has("NONE", "! ONLY")
	s.press("g", "enter")
	s.has("NOBODY who answers now: https://proxy.example.com: tls timeout; https://mirror.example.org: refused")
}

func TestStoryPruneAndUndo(t *testing.T) {
	both(t, func(s *screen) {
		s.f.cache.kept = []modcache.Kept{{Path: "corp.example/billing", Version: "v1.0.0", Reason: modcache.OnlyCopy, Why: "nobody who answers now can give it back", Bytes: 90 * mib}}
		s.show(healthy())
		s.press("3", " ")
		s.has("■ 3 marked, 1.9 GiB")
		s.press("P")
		s.has("Prune the module cache", "[marked: 3 versions]", "to the trash", "Chosen from 3 versions, 1.9 GiB", "the chain is")
		s.press("esc")
		s.asked()

		s.press("P", "down", "right", "right", "down", "right", "enter") // older than 30 d, keep the latest
		s.asked("plan prune [github.com/aws/aws-sdk-go] [] all=false older=720h0m0s latest=1 trash=true partial=false files=false")
		s.has("prune github.com/aws/aws-sdk-go", "trash version  github.com/aws/aws-sdk-go@v1.44.0", "Stays: 1 version, 90 MiB", "ONLY COPY", "Apply (y)")
		s.press("enter") // Cancel is focused
		s.has("cancelled: nothing was changed")

		s.press("P", "enter", "y")
		s.has("✓ prune github.com/aws/aws-sdk-go · u takes it back", "11 versions of 6 modules")
		s.lacks("aws-sdk-go  ", "marked")
		s.press("u")
		s.has("undo: prune github.com/aws/aws-sdk-go")
		s.press("y")
		s.has("taken back", "14 versions of 7 modules", "aws-sdk-go")
	})
}

// TestVersionsAreNamed: a version that is chosen by itself is named; one of a
// module that is marked is not.
func TestVersionsAreNamed(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.called()
	s.press("3", "enter", " ")
	s.has("■ 1 marked, 660 MiB")
	s.press("P")
	s.has("Fetched", "–", "chosen one by one go even where they are the only copies")
	s.press("down", "down", "down", "right", "enter")
	s.asked("plan prune [] [github.com/aws/aws-sdk-go@v1.55.5] all=false older=0s latest=0 trash=false partial=false files=false")
	s.has("type apply to apply", "cannot be undone")
	s.press("esc", "esc")
	s.has("◧") // the module is marked in part
	s.press(" ")
	s.has("■ 3 marked")
	s.press("k", "enter", " ") // all but one
	s.has("■ 2 marked")
	s.press("esc", "*")
	s.has("marked")
	s.lacks("■ 2 marked")
}

func TestNothingToPrune(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.press("3", "/")
	s.typed("billing")
	s.press("enter")
	s.f.cache.kept = []modcache.Kept{{Path: "corp.example/billing", Version: "v1.0.0", Reason: modcache.OnlyCopy, Why: "nobody who answers now can give it back: direct says dns_not_found", Bytes: 90 * mib}}
	s.press("P", "enter")
	s.has("Nothing to prune", "1 version, 90 MiB", "ONLY COPY, nobody who answers now can give it back", "corp.example/billing@v1.0.0")
	s.press("esc")
	s.has("nothing to prune: 1 version, 90 MiB: ONLY COPY")
}

func TestStoryVerify(t *testing.T) {
	both(t, func(s *screen) {
		s.f.cache.bad = []modcache.Bad{damage("github.com/hashicorp/terraform", "v1.6.0")}
		s.show(healthy())
		s.press("3", "v", "right", "down", "right")
		s.has("Verify the module cache", "[everything]", "[ask it now]")
		s.press("enter")
		s.asked("verify 14 all=true online=true")
		s.has("✗ 14 versions verified, 400 MiB: 1 damaged, first in the list", "DAMAGED", "order risk")
		s.has("v1.6.0: ", "gpx cache prune --trash github.com/hashicorp/terraform@v1.6.0")
		var copied string
		s.m.osc = func(text string) { copied = text }
		s.press("y")
		if copied != "gpx cache prune --trash github.com/hashicorp/terraform@v1.6.0" {
			s.t.Errorf("copied %q", copied)
		}
		s.f.cache.bad = nil
		s.press("v", "enter") // this module again
		s.asked("verify 2 all=false online=false")
		s.has("✓ 2 versions verified", "all whole")
		s.lacks("DAMAGED")
	})
}

func TestStoryExportAndImport(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.press("3", " ", "e")
		s.has("Export", "marked: 3 versions", "3 versions, 1.9 GiB", "what this project needs", "everything")
		s.press("enter")
		s.has("A bundle is a GOPROXY file tree", "~/gpx-bundle.tar.zst")
		s.press("ctrl+u", "enter")
		s.has("type a path")
		s.typed("/srv/out")
		s.press("enter")
		s.asked("export /srv/out versions=3 project=false all=false build=false")
		s.has("✓ exported 3 module versions, 1.2 GiB: /srv/out", "left out: rsc.io/quote@v1.5.2: it has no zip")
		s.press("esc", "e")
		s.typed("project")
		s.press("enter", "ctrl+u")
		s.typed("/full")
		s.press("enter")
		s.asked("export /full versions=0 project=true all=false build=false")
		s.has("no space left on the device; free some")

		s.press("i")
		s.has("Import", "The path of a bundle")
		s.typed("empty.tar")
		s.press("enter")
		s.has("nothing to import: 0 module versions are new; 3 are there already")
		s.press("i")
		s.typed("b.tar.zst")
		s.press("enter")
		s.has("import b.tar.zst", "3 module versions are new, 1.2 GiB", "Apply (y)")
		s.press("y")
		s.asked("plan import empty.tar", "plan import b.tar.zst", "apply import b.tar.zst", "probe []")
		s.has("✓ import b.tar.zst · u takes it back")
	})
}

func TestStoryBuildCache(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.press("3", "b")
		s.has("not used for 5 d", "compiled packages", "4.0 GiB", "b: modules", "40,321 entries")
		s.press("end")
		s.press("up")
		s.has("fuzz corpora", "Fuzz corpora: nothing can make them again")
		s.press("home")
		s.press("j", "j", "j", "P")
		s.has("Prune the build cache", "[5 d]")
		s.press("left", "left", "left", "left", "enter")
		s.has("choose what is to go")
		s.press("down", "right", "right", "enter")
		s.asked("plan prune build older=0s size=1073741824 tests=false all=false")
		s.has("type apply to apply", "cannot be undone")
		s.typed("apply")
		s.press("enter")
		s.asked("apply prune the build cache", "probe []")
		s.has("it cannot be taken back")
		s.press("e")
		s.has("Export the build cache", "~/build-cache.tar.zst")
		s.press("esc", "v")
		s.has("verify: for modules: b goes back to them")
		s.press("b")
		s.has("MODULE", "aws-sdk-go")
	})
}

// TestAReplayLooksOnly: in a recording the caches can be looked at; nothing is
// changed, and nobody is asked.
func TestAReplayLooksOnly(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.recorded(outage())
	s.f.called()
	s.press("3", "P", "e", "i", "u")
	s.has("this is a recording", "unknown", "not asked here")
	s.asked()
	if n := len(s.f.cache.asked); n > 0 {
		t.Errorf("%d versions were asked for", n)
	}
}

// live runs commands as Bubble Tea does, each by itself, until ok; the function
// it returns goes on until all of them have ended.
func (s *screen) live(cmd tea.Cmd, ok func() bool) (finish func()) {
	s.t.Helper()
	msgs := make(chan tea.Msg)
	running := 0
	begin := func(c tea.Cmd) {
		if c != nil {
			running++
			go func() { msgs <- c() }()
		}
	}
	loop := func(until func() bool) {
		s.t.Helper()
		deadline := time.NewTimer(20 * time.Second)
		defer deadline.Stop()
		look := time.NewTicker(5 * time.Millisecond)
		defer look.Stop()
		for running > 0 && !until() {
			select {
			case <-look.C:
			case <-deadline.C:
				s.t.Fatalf("never came about:\n%s", s.text())
			case msg := <-msgs:
				running--
				switch msg := msg.(type) {
				case nil:
				case tea.BatchMsg:
					for _, c := range msg {
						begin(c)
					}
				default:
					_, next := s.update(msg)
					begin(next)
				}
			}
		}
	}
	begin(cmd)
	loop(ok)
	return func() { loop(func() bool { return false }) }
}

// scanning begins to read the caches until the frame has words, with a scan that
// has told of the fixture's partial inventory and not ended. The function that it
// returns lets it end.
func (s *screen) scanning(words string) (finish func()) {
	s.t.Helper()
	s.f.cache.hold = make(chan struct{})
	s.show(healthy())
	_, cmd := s.update(keyMsg("3"))
	rest := s.live(cmd, func() bool {
		frame := s.text()
		return strings.Contains(frame, words) && strings.Contains(frame, "unused 5 d") && strings.Contains(frame, "~/src/app") && s.m.c.Running().Slot == "cache scan"
	})
	return func() {
		close(s.f.cache.hold)
		rest()
	}
}

// during plays story while a scan has told what partial holds, and then lets it end.
func during(s *screen, partial *modcache.Inventory, words string, story func()) {
	s.t.Helper()
	s.f.cache.partial = partial
	finish := s.scanning(words)
	story()
	finish()
}

// TestAScanIsSeenAsItGoes: first what is listed, then sizes from central
// directories, then the exact ones; each says which it is.
func TestAScanIsSeenAsItGoes(t *testing.T) {
	for name, size := range map[string][2]int{"80x24": {80, 24}, "120x36": {120, 36}} {
		t.Run(name, func(t *testing.T) {
			listed := first()
			listed.Versions = listed.Versions[:5]
			s := newScreen(t, size[0], size[1], look{noColor: true})
			during(s, listed, "so far", func() {
				s.has("so far · 5 versions of 2 modules", "~1.9 GiB", "reading the module cache…", "61%", "X cancels")
				valid(t, s.m, size[0], size[1])
				s.m.c.Now = func() time.Time { return now.Add(time.Second) } // said later than the work began
				s.press("P")
				s.m.c.Now = func() time.Time { return now }
				s.has("prune: the module cache is still being read")
			})
			s.has("14 versions of 7 modules")
			s.lacks("so far", "~1", "~3", "reading")

			s = newScreen(t, size[0], size[1], look{noColor: true})
			during(s, first(), "first sizes", func() { s.has("first sizes: counting 61%", "~1.9 GiB", "~3.2 GiB") })
			s.has(" 3.2 GiB")
			s.lacks("~1", "~3", "first sizes")
		})
	}
}

// TestAScanCanBeStopped: what was read by then stays, and says that it is not all.
func TestAScanCanBeStopped(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	listed := first()
	listed.Versions = listed.Versions[:5]
	during(s, listed, "so far", func() {
		s.press("X")
		s.has("stopping…")
	})
	s.has("stopped: this is not all; r reads the rest", "5 versions of 2 modules", "cancelled: 1")
	s.f.cache.hold, s.f.cache.partial = nil, nil
	s.press("r")
	s.has("14 versions of 7 modules")
	s.lacks("stopped")
}

// TestVerifyingCanBeStopped: damages show up while it runs, and stay.
func TestVerifyingCanBeStopped(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(healthy())
	s.press("3")
	s.f.cache.bad = []modcache.Bad{damage("k8s.io/kubernetes", "v1.30.0")}
	s.f.cache.hold = make(chan struct{})
	s.press("v", "right")
	_, cmd := s.update(keyMsg("enter"))
	finish := s.live(cmd, func() bool { return strings.Contains(s.text(), "DAMAGED") })
	s.has("verifying 14 versions…", " 33%  1 of 14", "DAMAGED")
	s.press("X")
	finish()
	s.has("verifying was stopped: 1 damaged among what was looked at", "DAMAGED")
}

// TestApplyingCanBeStopped: what moves files shows how far it is; stopped, it is
// waited for and says that nothing was changed.
func TestApplyingCanBeStopped(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(healthy())
	s.press("3", "P", "enter")
	begun := make(chan struct{})
	s.m.c.Services.Apply = func(ctx context.Context, p *change.Plan) (change.Change, error) {
		change.Report(ctx, change.Progress{What: "moving to the trash", Done: 1, Total: 3})
		close(begun)
		<-ctx.Done()
		return change.Change{}, fmt.Errorf("prune: %w; nothing was changed", ctx.Err())
	}
	_, cmd := s.update(keyMsg("y"))
	finish := s.live(cmd, func() bool {
		select {
		case <-begun:
			return true
		default:
			return false
		}
	})
	s.has("prune github.com/aws/aws-sdk-go…", " 33%  moving to the trash", "X cancels")
	s.press("X")
	s.has("stopping…")
	finish()
	s.has("stopped: nothing was changed", "14 versions of 7 modules")
}

// TestHostileCache: names of files that anyone may have made reach the frame
// without what drives a terminal.
func TestHostileCache(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u200b\x9b31m\r\n\tend"
	s := newScreen(t, 120, 36, look{noColor: true})
	inv := inventory()
	inv.Versions = append([]modcache.Version{version("aaa"+evil, "v1.0.0"+evil, 9*gib, day), version("bbb.example/"+strings.Repeat("長い", 80), "v1.0.0", 8*gib, day)}, inv.Versions...)
	inv.Problems, inv.Parts = []string{evil}, append(inv.Parts, modcache.Part{Name: "clones", Bytes: gib})
	s.f.cache.inv = inv
	bad := damage("aaa"+evil, "v1.0.0"+evil)
	bad.Path, bad.Version = "aaa", "v1.0.0"
	s.f.cache.bad = []modcache.Bad{bad}
	s.m.c.Services.Where = func(_ context.Context, ms []module.Version, report func(reach.Answer)) error {
		for _, m := range ms {
			report(reach.Answer{Version: m, Asked: true, Why: evil, Sources: []reach.Source{{Hop: "https://x.example/" + evil, Class: "ok" + evil}}})
		}
		return nil
	}
	s.show(outage())
	for _, keys := range [][]string{{"3"}, {"j"}, {"enter"}, {"enter"}, {"esc", "esc", "k", "enter"}, {"P"}, {"esc", "v", "enter"}, {"e"}, {"esc", "esc", "b"}, {"P"}} {
		s.press(keys...)
		valid(t, s.m, 120, 36)
		for _, r := range s.m.View() {
			if r != '\n' && (r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r == 0x200b) {
				t.Fatalf("after %v the frame holds %U", keys, r)
			}
		}
	}
}

// BenchmarkCache draws and rebuilds the view over 5,000 modules.
func BenchmarkCache(b *testing.B) {
	f := newFake(b)
	inv := &modcache.Inventory{Exact: true}
	for i := range 5000 {
		for j := range 2 {
			inv.Versions = append(inv.Versions, version(fmt.Sprintf("github.com/owner%04d/module%04d", i, i), fmt.Sprintf("v1.%d.0", j), int64(i+1)*kib, day))
		}
	}
	f.cache.inv = inv
	m := newModel(context.Background(), Config{Services: f.services(), Now: func() time.Time { return now }}, theme.New(theme.Options{Dark: true, Profile: termenv.TrueColor}))
	s := &screen{b, m, f, nil}
	s.settle(m.reload())
	s.send(tea.WindowSizeMsg{Width: 200, Height: 50})
	s.show(healthy())
	s.press("3")
	b.Run("frame", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = m.View()
		}
	})
	b.Run("mark", func(b *testing.B) { // builds all rows again
		for b.Loop() {
			s.press(" ")
			_ = m.View()
		}
	})
	b.Run("filter", func(b *testing.B) {
		s.press("/")
		for b.Loop() {
			s.press("7", "backspace")
			_ = m.View()
		}
	})
}
