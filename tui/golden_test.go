package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"gpx/cachectl/deps"
	"gpx/cachectl/modcache"
)

var update = flag.Bool("update", false, "write the golden frames again")

// golden compares a frame with its file under testdata.
func golden(t *testing.T, name, frame string) {
	t.Helper()
	path := filepath.Join("testdata", "frames", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(frame+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with: go test ./tui -update)", err)
	}
	if got := frame + "\n"; got != string(want) {
		t.Errorf("%s differs:\n--- got ---\n%s\n--- want ---\n%s", path, ansi.Strip(got), ansi.Strip(string(want)))
	}
}

// scenes are the frames that are kept.
var scenes = []struct {
	name string
	play func(s *screen)
}{
	{"start", func(s *screen) {}},
	{"outage", func(s *screen) { s.show(outage()) }},
	{"healthy", func(s *screen) { s.show(healthy()); s.press("j") }},
	{"plan", func(s *screen) { s.show(outage()); s.press("s") }},
	{"pending", func(s *screen) { s.show(outage()); s.press("j", "t", "|") }},
	{"deep", func(s *screen) { s.show(outage()); s.press("j", "D", "enter") }},
	{"relay", func(s *screen) { s.relaying() }},
	{"automatic", func(s *screen) { s.flying(); s.show(healthy()) }},
	{"automatic-ask", func(s *screen) { s.show(outage()); s.press("A") }},
	{"relay-plan", func(s *screen) { s.show(outage()); s.press("S") }},
	{"env", func(s *screen) { s.show(outage()); s.press("2") }},
	{"env-pending", func(s *screen) { s.show(outage()); s.press("2", "enter", "ctrl+u"); s.typed("off"); s.press("enter") }},
	{"sumdb-off", func(s *screen) {
		s.f.status.SumDBOff, s.f.status.SumDBUntil = true, now.Add(29*60*1e9)
		s.show(healthy())
		s.press("r", "2")
	}},
	{"help", func(s *screen) { s.show(outage()); s.press("?") }},
	{"cache", func(s *screen) { s.show(outage()); s.look(); s.press("j") }},
	{"cache-scanning", func(s *screen) {
		s.f.cache.partial = first()
		finish := s.scanning("first sizes")
		s.t.Cleanup(finish)
	}},
	{"cache-versions", func(s *screen) { s.show(healthy()); s.look(); s.press("enter", "j", " ") }},
	{"cache-damaged", func(s *screen) {
		s.f.cache.bad = []modcache.Bad{damage("k8s.io/kubernetes", "v1.30.0")}
		s.show(healthy())
		s.look()
		s.press("v", "right", "enter")
	}},
	{"cache-prune", func(s *screen) { s.show(healthy()); s.look(); s.press(" ", "P", "down") }},
	{"cache-plan", func(s *screen) {
		s.f.cache.kept = []modcache.Kept{{Path: "corp.example/billing", Version: "v1.0.0", Reason: modcache.OnlyCopy, Why: "nobody who answers now can give it back", Bytes: 90 * mib}}
		s.show(healthy())
		s.look()
		s.press("P", "enter")
	}},
	{"cache-build", func(s *screen) { s.show(healthy()); s.look(); s.press("b", "j", "j", "j") }},
	{"deps", func(s *screen) { s.show(healthy()); s.needs(); s.press("j") }},
	{"deps-detail", func(s *screen) { s.show(outage()); s.f.cache.down = true; s.needs(); s.press("j", "enter") }},
	{"deps-ready", func(s *screen) { s.f.project.report = readyProject(); s.show(healthy()); s.needs() }},
	{"deps-broken", func(s *screen) { s.f.project.report = brokenProject(); s.show(healthy()); s.needs() }},
	{"deps-fetch", func(s *screen) { s.show(healthy()); s.needs(); s.press("F") }},
	{"deps-salvage", func(s *screen) { s.f.project.found = salvaged(); s.show(healthy()); s.needs(); s.press("S", "enter") }},
	{"deps-proof", func(s *screen) {
		s.f.project.proof.Runs[0] = deps.Run{Command: []string{"go", "build", "./..."}, Output: []string{"history/db.go:12:2: github.com/mattn/go-sqlite3@v1.14.53: module lookup disabled by GOPROXY=off"}}
		s.show(healthy())
		s.needs()
		s.press("O")
	}},
	{"history", func(s *screen) { s.show(outage()); s.happened() }},
	{"history-empty", func(s *screen) { s.f.past.incidents = nil; s.show(healthy()); s.happened() }},
	{"history-stats", func(s *screen) { s.show(healthy()); s.happened(); s.press("s") }},
	{"history-report", func(s *screen) { s.show(healthy()); s.happened(); s.press("e") }},
	{"replay", func(s *screen) { s.show(healthy()); s.happened(); s.press("enter", "]", "]"); s.quiet(time.Minute) }},
	{"replay-gap", func(s *screen) {
		s.show(healthy())
		s.happened()
		s.press("enter", "]", "]", "]", "left")
		s.quiet(time.Minute)
	}},
	{"replay-proxies", func(s *screen) {
		s.show(healthy())
		s.happened()
		s.press("enter", "]", "]", "1")
		s.quiet(time.Minute)
	}},
	{"palette", func(s *screen) { s.show(outage()); s.press(":"); s.typed("sw") }},
}

var sizes = [][2]int{{80, 24}, {100, 30}, {120, 36}, {200, 50}}

// TestGolden keeps every scene at every size without colour, and the main ones
// in each look.
func TestGolden(t *testing.T) {
	for _, sc := range scenes {
		for _, size := range sizes {
			name := fmt.Sprintf("%s-%dx%d", sc.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				s := newScreen(t, size[0], size[1], look{noColor: true})
				sc.play(s)
				valid(t, s.m, size[0], size[1])
				golden(t, name, s.m.View())
			})
		}
		for look, l := range map[string]look{"dark": {}, "light": {light: true}, "ascii": {ascii: true, noColor: true}} {
			name := fmt.Sprintf("%s-120x36-%s", sc.name, look)
			t.Run(name, func(t *testing.T) {
				s := newScreen(t, 120, 36, l)
				sc.play(s)
				valid(t, s.m, 120, 36)
				golden(t, name, s.m.View())
			})
		}
	}
}

// valid checks that a frame is exactly as large as the terminal and holds
// nothing that moves the cursor.
func valid(t testing.TB, m *model, w, h int) {
	t.Helper()
	frame := m.View()
	lines := strings.Split(frame, "\n")
	if len(lines) != h {
		t.Fatalf("%dx%d: %d lines", w, h, len(lines))
	}
	for i, l := range lines {
		if n := ansi.StringWidth(l); n != w {
			t.Fatalf("%dx%d: line %d is %d cells wide: %q", w, h, i, n, ansi.Strip(l))
		}
		for _, r := range ansi.Strip(l) {
			if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
				t.Fatalf("%dx%d: line %d holds %U", w, h, i, r)
			}
		}
		if m.c.Theme.ASCII() {
			for _, r := range l {
				if r >= 0x80 {
					t.Fatalf("%dx%d: line %d is not ASCII: %q", w, h, i, l)
				}
			}
		}
	}
}
