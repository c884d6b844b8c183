package story

import (
	"fmt"
	"strings"
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
	for _, size := range []struct{ w, h int }{{120, 36}, {80, 24}} {
		for _, look := range looks {
			t.Run(fmt.Sprintf("%dx%d %s", size.w, size.h, look.name), func(t *testing.T) {
				t.Parallel()
				tell(t, size.w, size.h, look)
			})
		}
	}
}

func tell(t *testing.T, w, h int, look look) {
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
	frame = term.shows("2 more", "Because")
	wants(t, frame, "404 and", "upstream is gone")
	term.press("Escape")
	term.gone("2 more")

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
	term.press("/")
	term.types("GOPRIVATE")
	term.shows("1 shown")
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
	term.shows("Apply (y)", "GOPROXY=file://")
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
	term.checkRaw()
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
