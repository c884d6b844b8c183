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

	"gpx/cachectl/deps"
	"gpx/probe/reach"
	"gpx/tui/theme"
	"gpx/tui/view"
)

// needs goes to the project's modules, and draws them, so that what is in sight
// is asked for.
func (s *screen) needs() {
	s.t.Helper()
	s.press("4")
	s.m.View()
	s.press("j", "k")
}

func TestStoryWhatIsMissing(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		if s.f.project.reads != 0 {
			s.t.Fatal("the project was read before anybody looked at it")
		}
		s.needs()
		s.has("[4 Deps]", "OFFLINE BUILD: ✗ NO", "3 ready · 1 at risk · 3 missing · 1 not known", "go build ./... stops: ", "8 modules")
		s.has("corp.example/authz", "direct, private", "✗ MISSING", "nowhere")
		s.press("j")
		s.has("github.com/mattn/go-sqlite3@v1.14.53", "mirror.example.org")
		s.press("enter") // the detail, whole
		s.has("Why", "corp.example/app → corp.example/app/history", "Needs", ".mod ✓", ".zip ✗", "go.sum ✓", "other versions: v1.14.32, v1.14.44",
			"https://mirror.example.org", "F  fetches all that is missing")
		s.press("esc", "o")
		s.has("order name")
		s.press("o", "o", "/")
		s.typed("private")
		s.press("enter")
		s.has("1 module", "corp.example/authz")
		s.press("esc", "/")
		s.typed("not known")
		s.press("enter")
		s.has("1 module", "golang.org/x/exp", "not known", "◌ what is missing may need it")
		s.press("esc", "w") // the row that was chosen is selected again
		s.has("Why github.com/mattn/go-sqlite3@v1.14.53")
		s.press("esc", "y")
		s.has("copied: gpx fetch github.com/mattn/go-sqlite3@v1.14.53")
		s.asked()
	})
}

func TestStoryFetch(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.needs()
		s.press("F")
		s.has("Fetch 4 module versions?", "from mirror.example.org, or 1 more", "nobody may be asked for it")
		s.press("enter") // Cancel is focused
		s.asked()
		s.press("F", "y")
		s.asked("fetch")
		s.has("✓ fetched 3 module versions, 4.3 MiB", "OFFLINE BUILD: ✓ YES", "0 missing")
		s.lacks("MISSING")
		s.press("F")
		s.has("nothing is missing")
		s.asked()
	})
}

// TestFetchInPart: what could not be had is said, with why, and stays missing.
func TestFetchInPart(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.project.failed = []string{"corp.example/authz@v0.3.1: nobody may be asked for it: it is private"}
	s.show(healthy())
	s.needs()
	s.press("F", "y")
	s.has("1 could not be had", "nobody may be asked for it: it is private")
	s.press("esc")
	s.has("OFFLINE BUILD: ✗ NO")
}

// TestCacheHearsOfFetch: what changes the module cache from here has the Cache view
// read it again, once that was read at all.
func TestCacheHearsOfFetch(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(healthy())
	s.needs()
	s.press("F", "y")
	if n := s.f.cache.scans; n != 0 {
		t.Fatalf("the module cache was read %d times, and nobody has looked at it", n)
	}
	s.press("3", "4", "v", "y")
	if n := s.f.cache.scans; n != 2 {
		t.Errorf("the module cache was read %d times; want once when it was shown, and once after", n)
	}
}

func TestStoryFetchIsStopped(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.project.hold = make(chan struct{})
	s.show(healthy())
	s.needs()
	s.press("F")
	end := s.start("y")
	s.has("fetching")
	s.press("X")
	end()
	s.has("fetching was stopped: what came is kept, and F goes on from there", "OFFLINE BUILD: ✗ NO")
}

// start presses a key whose work does not end by itself; end waits for the end.
func (s *screen) start(key string) (end func()) {
	s.t.Helper()
	_, cmd := s.update(keyMsg(key))
	ended := make(chan tea.Msg, 1)
	go func() { ended <- cmd() }()
	return func() {
		s.t.Helper()
		select {
		case msg := <-ended:
			if batch, ok := msg.(tea.BatchMsg); ok {
				for _, c := range batch {
					s.settle(c)
				}
				return
			}
			s.send(msg)
		case <-time.After(patience):
			s.t.Fatal("the work does not end")
		}
	}
}

func TestStorySalvage(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.needs()
		s.press("S")
		s.has("Salvage", "other module caches")
		s.press("esc")
		s.asked()

		s.press("S", "enter")
		s.asked("salvage []")
		s.has("Nothing was found that is proven")
		s.press("esc", "S")
		s.f.project.found = salvaged()
		s.typed("/mnt/old, /srv")
		s.press("enter")
		s.asked(`salvage ["/mnt/old" "/srv"]`)
		s.has("salvage 2 module versions", "go-sqlite3@v1.14.53: tree /mnt/old/pkg/mod", "Apply (y)")
		s.press("enter") // Cancel is focused
		s.asked()
		s.press("S", "enter", "y")
		s.asked("salvage []", "apply salvage 2 module versions", "probe []")
		s.has("u takes it back")
		if s.f.project.reads < 2 {
			s.t.Error("the project was not read again")
		}
	})
}

func TestStoryVendor(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.needs()
		s.press("v")
		s.has("something is missing: fetch or salvage it first")
		s.asked()
		s.f.project.report = readyProject()
		s.press("r", "v")
		s.has("Vendor the project?", "with no network")
		s.press("n")
		s.asked()
		s.press("v", "y")
		s.asked("vendor")
		s.has("✓ vendored: go mod vendor")
		// A vendor folder that does not fit go.mod is mended by writing it anew.
		s.f.project.report = staleVendor()
		s.press("r", "v")
		s.has("Vendor the project?", "written anew")
		s.press("n")
	})
}

func TestStoryProve(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.needs()
		var said []string
		for i := range 60 {
			said = append(said, fmt.Sprintf("main.go:%d: undefined: x%d", i, i))
		}
		s.f.project.proof.Runs[0] = deps.Run{Command: []string{"go", "build", "./..."}, Output: said}
		s.press("O")
		s.asked("prove")
		s.has("the go command says no", "go build", "fails", "main.go:0")
		s.press("enter")
		s.has("main.go:1:")
		s.press("G")
		s.has("main.go:59")
		s.press("esc")
		s.lacks("main.go")
		s.f.project.proof.Runs[0] = deps.Run{Command: []string{"go", "build", "./..."}, OK: true}
		s.press("O")
		s.has("✓ go build and go test work without a network", "works")
	})
}

// TestBrokenProject: the view opens, says file and line, and lists what could be
// read.
func TestBrokenProject(t *testing.T) {
	both(t, func(s *screen) {
		s.f.project.report = brokenProject()
		s.show(healthy())
		s.needs()
		s.has("OFFLINE BUILD: ✗ NO", "go.mod:7: unknown directive: reqire", "golang.org/x/mod")
	})
}

func TestMissingToolchain(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.project.report.Toolchain = deps.Toolchain{Want: "go1.99.0"}
	s.needs()
	s.has("toolchain go1.99.0 is not on this machine")
}

func TestNoProject(t *testing.T) {
	s := newScreen(t, 80, 24, look{noColor: true})
	s.f.project.report = nil
	s.needs()
	s.has("this folder is in no Go project")
	s.press("F", "S", "w", "v", "O", "y", "enter", "esc", "o")
	s.asked()
}

// TestDepsFollowTheProject: what somebody else has read is taken over, and not
// read again.
func TestDepsFollowTheProject(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.show(healthy())
	s.needs()
	s.f.project.last = readyProject()
	s.show(healthy())
	s.has("OFFLINE BUILD: ✓ YES")
	if n := s.f.project.reads; n != 1 {
		t.Errorf("the project was read %d times", n)
	}

	s = newScreen(t, 120, 36, look{noColor: true})
	s.f.project.last = readyProject()
	s.show(healthy())
	s.needs()
	s.has("OFFLINE BUILD: ✓ YES")
	if n := s.f.project.reads; n != 0 {
		t.Errorf("the project was read %d times although it was known", n)
	}
}

// TestReachIsAskedInSight: only what is missing or at risk, only in sight, and
// nothing twice.
func TestReachIsAskedInSight(t *testing.T) {
	s := newScreen(t, 80, 15, look{noColor: true})
	var mods []deps.Module
	for i := range 200 {
		mods = append(mods, lacking(fmt.Sprintf("z.example/m%03d", i), "v1.0.0"))
	}
	s.f.project.report = reportOf(append(mods, whole("golang.org/x/mod", "v0.42.0"))...)
	s.show(healthy())
	s.needs()
	asked := s.f.cache.asked
	if len(asked) == 0 || len(asked) > 30 {
		t.Fatalf("%d versions were asked for", len(asked))
	}
	for i, m := range asked {
		if m.Path == "golang.org/x/mod" {
			t.Errorf("%s is here", m)
		}
		if slices.Contains(asked[:i], m) {
			t.Errorf("%s was asked for twice", m)
		}
	}
}

// TestDepsChangeNothingInReplay: a recording is looked at only.
func TestDepsChangeNothingInReplay(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.recorded(healthy())
	s.needs()
	for _, key := range []string{"F", "S", "v"} {
		s.press(key)
		if len(s.m.c.Dialogs) > 0 {
			t.Errorf("%s opened a dialog", key)
		}
	}
	s.asked()
	if n := len(s.f.cache.asked); n > 0 {
		t.Errorf("%d versions were asked for", n)
	}
}

// TestHostileDeps: nothing that comes from files or from proxies moves the cursor.
func TestHostileDeps(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;pwned\a\u202e\u200b\r\n\u0085"
	s := newScreen(t, 120, 36, look{noColor: true})
	m := lacking("aaa"+evil, "v1.0.0"+evil, "p"+evil, "q"+evil)
	m.Older, m.Fix, m.Replacement = []string{evil}, "", mod("b"+evil, "v1"+evil)
	r := reportOf(m)
	r.Project.Go, r.Project.GoMod, r.Mode = evil, "/x/"+evil, "mod"
	s.f.project.report = r
	s.f.project.shown = []string{"https://x.example/" + evil}
	s.f.project.proof.Runs[0] = deps.Run{Command: []string{"go", "build"}, Output: []string{"out" + evil}}
	s.f.project.found = view.Salvaged{Lines: []view.Line{{Text: evil}}}
	s.m.c.Services.Where = func(_ context.Context, ms []module.Version, report func(reach.Answer)) error {
		for _, m := range ms {
			report(reach.Answer{Version: m, Asked: true, Why: evil, Sources: []reach.Source{{Hop: "https://x.example/" + evil, Class: "ok" + evil}}})
		}
		return nil
	}
	s.show(healthy())
	for _, keys := range [][]string{{"4"}, {"j", "k"}, {"enter"}, {"esc", "w"}, {"esc", "F"}, {"esc", "S", "enter"}, {"esc", "O"}, {"enter"}} {
		s.press(keys...)
		valid(t, s.m, 120, 36)
		for _, r := range s.m.View() {
			if r != '\n' && (r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r == 0x200b) {
				t.Fatalf("after %v the frame holds %U", keys, r)
			}
		}
	}
	if strings.Contains(s.text(), "pwned") && !strings.Contains(s.text(), "out") {
		t.Error("the output was not shown")
	}
}

// BenchmarkDeps draws, scrolls and filters 5,000 modules. A frame may take 16 ms.
func BenchmarkDeps(b *testing.B) {
	f := newFake(b)
	var mods []deps.Module
	for i := range 5000 {
		m := whole(fmt.Sprintf("github.com/owner%04d/module%04d", i, i), "v1.2.3")
		if i%10 == 0 {
			m = lacking(m.Path, "v1.2.3", m.Path, "corp.example/app")
		}
		mods = append(mods, m)
	}
	f.project.report = reportOf(mods...)
	m := newModel(context.Background(), Config{Services: f.services(), Now: func() time.Time { return now }}, theme.New(theme.Options{Dark: true, Profile: termenv.TrueColor}))
	s := &screen{b, m, f, nil}
	s.settle(m.reload())
	s.send(tea.WindowSizeMsg{Width: 200, Height: 50})
	s.show(healthy())
	s.press("4")
	b.Run("frame", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = m.View()
		}
	})
	b.Run("scroll", func(b *testing.B) {
		for b.Loop() {
			s.press("pgdown")
			_ = m.View()
		}
	})
	b.Run("sort", func(b *testing.B) {
		for b.Loop() {
			s.press("o")
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
