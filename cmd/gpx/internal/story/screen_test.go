package story

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gpx/probe/lab"
)

var looks = []look{
	{name: "dark", environ: []string{"COLORFGBG=15;0"}, colour: true},
	{name: "light", environ: []string{"COLORFGBG=0;15"}, colour: true},
	{name: "no colour", environ: []string{"NO_COLOR=1"}},
	{name: "ascii", flags: []string{"--ascii"}, colour: true, ascii: true},
	// Under this locale some libraries count lines and bullets as two cells.
	{name: "zh_CN", environ: []string{"LANG=zh_CN.UTF-8", "LC_ALL=zh_CN.UTF-8"}, colour: true},
}

// TestStory goes through the main job on the screen, with the real go command
// beside it: look, detail, switch, undo, edit a variable, checksums off and on,
// offline and back.
func TestStory(t *testing.T) {
	needs(t, "tmux", "git")
	var mu sync.Mutex
	colours := map[string]map[string]bool{}
	t.Run("looks", func(t *testing.T) { // ends when all of them have
		for _, size := range []struct{ w, h int }{{120, 36}, {80, 24}} {
			for _, look := range looks {
				t.Run(fmt.Sprintf("%dx%d %s", size.w, size.h, look.name), func(t *testing.T) {
					t.Parallel()
					used := tell(t, size.w, size.h, look)
					mu.Lock()
					defer mu.Unlock()
					colours[look.name] = used
				})
			}
		}
	})
	if maps.Equal(colours["dark"], colours["light"]) {
		t.Errorf("dark and light have the same colours: %v", colours["dark"])
	}
}

// tell is the story in one terminal. It returns the colours that were used.
func tell(t *testing.T, w, h int, look look) map[string]bool {
	b := newBox(t, ",")
	mine := b.settings()
	term := b.open(w, h, look)

	// Look: healthy, then the first proxy dies, and the header says so.
	term.says("OK", "go can download")
	b.primary.SetFault(lab.Status(502, "upstream is gone\n"))
	term.press("r")
	frame := term.says("OUTAGE")
	wants(t, frame, "primary", "backup", "DOWN", "502", "go       stops here")
	if ok, said := b.builds(); ok || !strings.Contains(said, "502 Bad Gateway") {
		t.Fatalf("go build in an outage: %v\n%s", ok, said)
	}

	// Detail: the row in words.
	term.press("Enter")
	frame = term.shows("2 below", "Because")
	wants(t, frame, "404 and", "upstream is gone")
	term.press("Escape")
	term.gone("2 below")

	// Switch: the plan first, nothing before y.
	term.press("s")
	frame = term.shows("Apply (y)", "go env -w GOPROXY="+b.backup.URL())
	wants(t, frame, "Cancel")
	if got := b.settings(); got != mine {
		t.Fatalf("the user file changed before anybody agreed:\n%s", got)
	}
	term.press("y")
	term.says("OK", "backup")
	if ok, said := b.builds(); !ok {
		t.Fatalf("go build after the switch:\n%s", said)
	}

	// Undo: byte for byte what was there.
	term.press("u")
	term.shows("Apply (y)")
	term.press("y")
	term.says("OUTAGE")
	if got := b.settings(); got != mine {
		t.Fatalf("after undo the user file is\n%q, was\n%q", got, mine)
	}
	b.primary.SetFault(lab.OK())
	term.press("r")
	term.says("OK")

	// Edit a variable.
	term.press("2")
	term.shows("[2 Env]", "GOTOOLCHAIN")
	term.types("/GOPRIVATE") // in one read, as fast hands do
	term.shows("1 variable")
	term.press("Enter") // keeps the filter
	term.press("Enter")
	term.shows("GOPRIVATE", "esc")
	term.types("corp.example.com")
	term.press("Enter")
	term.shows("corp.example.com", "w write")
	if got := b.settings(); got != mine {
		t.Fatalf("the user file changed before w:\n%s", got)
	}
	term.press("w")
	term.shows("Apply (y)", "go env -w GOPRIVATE=corp.example.com")
	term.press("y")
	term.gone("Apply (y)")
	b.has("GOPRIVATE=corp.example.com\n")
	term.press("Escape") // the filter
	term.gone("filter GOPRIVATE")

	// Checksums off, loudly: a word has to be typed. On again is what was there.
	before := b.settings()
	term.press("t")
	term.shows("Checksums off")
	term.press("Down", "Enter")
	term.shows("for 1 hour")
	term.press("Enter")
	term.shows("type off to apply", "go env -w GOSUMDB=off")
	term.types("off")
	term.press("Enter")
	frame = term.shows("CHECKSUMS ARE OFF")
	if second := strings.Split(frame, "\n")[1]; !strings.Contains(second, "CHECKSUMS ARE OFF") {
		t.Errorf("the banner is not below the header:\n%s", frame)
	}
	b.has("GOSUMDB=off\n")
	term.press("t")
	term.shows("on again")
	term.press("Down", "Enter")
	term.shows("Apply (y)", b.Lab.SumDBName())
	term.press("y")
	term.gone("CHECKSUMS ARE OFF")
	if got := b.settings(); got != before {
		t.Errorf("after off and on the user file is\n%q, was\n%q", got, before)
	}

	// Offline and back: the module cache alone builds, and nobody is asked.
	term.press("t")
	term.shows("Offline")
	term.press("Enter")
	term.shows("from the module cache")
	term.press("Enter")
	term.shows("Apply (y)", "+ file://")
	term.press("y")
	term.says("OFFLINE")
	b.primary.SetFault(lab.Refuse())
	b.backup.SetFault(lab.Refuse())
	if ok, said := b.builds(); !ok {
		t.Errorf("go build offline, from the cache:\n%s", said)
	}
	b.primary.SetFault(lab.OK())
	b.backup.SetFault(lab.OK())
	term.press("t")
	term.shows("back online")
	term.press("Enter")
	term.shows("Apply (y)")
	term.press("y")
	term.says("OK")
	if got := b.settings(); got != before {
		t.Errorf("after offline and back the user file is\n%q, was\n%q", got, before)
	}

	term.press("q")
	if status := term.exited(); status != "0" {
		t.Errorf("status %s after q", status)
	}
	return term.checkRaw()
}

// TestSizes makes the terminal large and small while the screen runs: a whole
// frame from 60x15 on, the state below that, and never a broken line.
func TestSizes(t *testing.T) {
	needs(t, "tmux", "git")
	t.Parallel()
	b := newBox(t, ",")
	b.primary.SetFault(lab.Refuse())
	term := b.open(100, 30, looks[0])
	term.says("OUTAGE")
	for _, size := range []struct{ w, h int }{{200, 50}, {60, 15}, {59, 14}, {40, 10}, {80, 24}, {20, 5}, {120, 36}} {
		term.resize(size.w, size.h)
		frame := term.says("OUTAGE")
		if size.w < 60 && size.w >= 40 {
			wants(t, frame, "primary", "backup", "60x15")
		}
		if size.w >= 60 {
			term.shows("? help", "q quit")
		}
	}
	// Nobody can agree to what is not shown.
	term.resize(40, 10)
	term.shows("60x15")
	mine := b.settings()
	term.press("s")
	term.shows("esc closes")
	term.press("y")
	term.press("Escape")
	term.gone("esc closes")
	if got := b.settings(); got != mine {
		t.Errorf("y applied a plan that was not shown:\n%s", got)
	}
	term.press("C-c")
	if status := term.exited(); status != "0" && status != "130" {
		t.Errorf("status %s after ctrl+c", status)
	}
}

// TestBanner: the banner says which modules go unverified, and ends when
// somebody else ends it.
func TestBanner(t *testing.T) {
	needs(t, "tmux", "git")
	t.Parallel()
	b := newBox(t, ",")
	if _, stderr, status := b.run(gpx, "sumdb", "off", "--modules", "corp.example.com", "--for", "1h", "--yes"); status != 0 {
		t.Fatal(stderr)
	}
	term := b.open(100, 30, looks[0])
	term.shows("CHECKSUMS ARE OFF for corp.example.com")
	term.press("2") // what the banner advises ends it
	term.press("t")
	term.shows("on again")
	term.press("Down", "Enter")
	term.shows("Apply (y)", "GONOSUMDB")
	term.press("y")
	term.gone("CHECKSUMS ARE OFF")

	if _, stderr, status := b.run(gpx, "sumdb", "off", "--modules", "corp.example.com", "--for", "1h", "--yes"); status != 0 {
		t.Fatal(stderr)
	}
	term.press("r")
	term.shows("CHECKSUMS ARE OFF for corp.example.com")
	if _, stderr, status := b.run("go", "env", "-u", "GONOSUMDB"); status != 0 {
		t.Fatal(stderr)
	}
	term.gone("CHECKSUMS ARE OFF")
	term.press("C-c")
	term.exited()
}

// TestEveryKey presses every key in every view, in an outage: whatever opens,
// the frame is sound, esc leads back, and without y nothing changes.
func TestEveryKey(t *testing.T) {
	needs(t, "tmux", "git")
	t.Parallel()
	b := newBox(t, "|")
	b.primary.SetFault(lab.Hostile())
	b.environ = append(b.environ, "GOCACHE="+filepath.Join(b.Dir, "gocache")) // the screen looks into it
	mine := b.settings()
	term := b.open(80, 24, looks[2])
	term.shows("502")
	keys := []string{"Enter", "Space", "Tab", "BTab", "Up", "Down", "Left", "Right", "Home", "End", "PPage", "NPage", "DC", "IC", "BSpace", "F1", "F5", "C-a", "C-l", "C-r", "M-x"}
	for c := '!'; c <= '~'; c++ {
		if c != 'q' {
			keys = append(keys, string(c))
		}
	}
	for _, view := range []string{"1", "2", "3"} {
		for _, key := range keys {
			term.press("-l", view)
			if len(key) == 1 {
				term.types(key)
			} else {
				term.press(key)
			}
			term.until("frame after "+key, func(string) bool { return true })
			for range 3 { // at most: a choice, its dialog, the filter
				term.press("Escape")
				term.until("frame after esc", func(string) bool { return true })
			}
		}
	}
	if got := b.settings(); got != mine {
		t.Errorf("a key changed the user file without being asked:\n%s", got)
	}
	// What is pending asks before it is lost.
	term.press("q")
	if !eventually(patience, func() bool { return strings.Contains(term.screen(), "Quit (y)") || exists(term.status) }) {
		t.Fatalf("q does nothing:\n%s", term.screen())
	}
	if !exists(term.status) {
		term.press("y")
	}
	if status := term.exited(); status != "0" {
		t.Errorf("status %s after q", status)
	}
	term.checkRaw()
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func wants(t *testing.T, frame string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(frame, w) {
			t.Errorf("the frame lacks %q:\n%s", w, frame)
		}
	}
}

// has waits until the user file holds a line.
func (b *box) has(line string) {
	b.t.Helper()
	if !eventually(patience, func() bool { return strings.Contains("\n"+b.settings(), "\n"+line) }) {
		b.t.Fatalf("the user file lacks %q:\n%s", line, b.settings())
	}
}
