package story

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpx/probe/lab"
)

// downloads has the go command of another shell with the same GOENV download a
// module into an empty cache.
func (b *box) downloads() (ok bool, took time.Duration, said string) {
	b.t.Helper()
	began := time.Now()
	_, stderr, status := run(b.t, b.Project, append(b.environ, "GOMODCACHE="+b.t.TempDir(), "GOFLAGS=-modcacherw"), "go", "mod", "download", module)
	return status == 0, time.Since(began), stderr
}

var rescued = regexp.MustCompile(`[1-9]\d* rescued`)

// TestRelayInTheScreen hangs the first hop, where no GOPROXY helps, and goes on with
// S: in another shell a download works, on the screen it is counted, and afterwards
// everything is what it was.
func TestRelayInTheScreen(t *testing.T) {
	needs(t, "tmux")
	t.Parallel()
	b := newBox(t, ",")
	mine := b.settings()
	b.primary.SetFault(lab.Hang())
	term := b.open(120, 36, looks[0])
	term.says("OUTAGE")

	term.press("S")
	wants(t, term.shows("Apply (y)"), "GOPROXY through a relay in this gpx", "Cancel")
	term.press("n")
	term.shows("nothing was changed")
	if got := b.settings(); got != mine {
		t.Fatalf("the user file changed though nobody agreed:\n%s", got)
	}

	term.press("S")
	term.shows("Apply (y)")
	term.press("y")
	term.shows("GOPROXY leads through it", "wrong bytes")
	if !strings.Contains(b.settings(), "GOPROXY=http://127.0.0.1:") {
		t.Fatalf("GOPROXY does not lead through the relay:\n%s", b.settings())
	}
	// Gpx itself has looked at its relay by then, which is no work to count.
	wants(t, term.says("OK", "go can download from 127.0.0.1"), " 0 requests")
	if ok, _, said := b.downloads(); !ok {
		t.Fatalf("behind the relay: %s", said)
	}
	term.until("what was rescued", rescued.MatchString)

	term.press("S")
	term.shows("Apply (y)", "undo")
	term.press("y")
	term.gone("wrong bytes")
	if got := b.settings(); got != mine {
		t.Fatalf("S left behind\n%s\nwant\n%s", got, mine)
	}

	// Quitting with a relay in use asks, and undoes.
	term.press("S")
	term.shows("Apply (y)")
	term.press("y")
	term.shows("GOPROXY leads through it")
	term.press("q")
	term.shows("The relay ends with gpx")
	term.press("y")
	if status := term.exited(); status != "0" {
		t.Errorf("gpx ended with %s", status)
	}
	if got := b.settings(); got != mine {
		t.Errorf("quitting left behind\n%s\nwant\n%s", got, mine)
	}
}

// TestRelayKilled kills gpx while GOPROXY leads through its relay. The go command
// goes on along the chain behind it at once, and the next gpx puts GOPROXY back.
func TestRelayKilled(t *testing.T) {
	needs(t, "tmux")
	t.Parallel()
	b := newBox(t, ",")
	mine := b.settings()
	term := b.open(80, 24, looks[0])
	term.says("OK")
	_, before, _ := b.downloads()
	term.press("S")
	term.shows("Apply (y)")
	term.press("y")
	term.shows("GOPROXY leads through it")
	if _, said, status := b.run(gpx, "status"); status != 0 || strings.Contains(said, "relay") || b.settings() == mine {
		t.Errorf("another gpx takes back the relay of one that lives: %d, %s", status, said)
	}
	program, err := os.FindProcess(term.program())
	must(t, err)
	must(t, program.Kill())
	term.exited()
	if !strings.Contains(b.settings(), "GOPROXY=http://127.0.0.1:") {
		t.Fatalf("GOPROXY was put back by somebody:\n%s", b.settings())
	}
	ok, took, said := b.downloads()
	if !ok || took > before+5*time.Second {
		t.Errorf("with a relay that is gone: %v after %s, before it was %s: %s", ok, took, before, said)
	}
	t.Logf("a download took %s before there was a relay, and %s with one that is gone", before.Round(time.Millisecond), took.Round(time.Millisecond))
	if _, said, status := b.run(gpx, "status"); status != 0 || !strings.Contains(said, "was killed") {
		t.Errorf("the next gpx: %d, %s", status, said)
	}
	if got := b.settings(); got != mine {
		t.Errorf("the next gpx left\n%s\nwant\n%s", got, mine)
	}
}

// program is the process of gpx in the terminal: the child of the shell that started
// it.
func (t *terminal) program() int {
	t.t.Helper()
	shell := strings.TrimSpace(t.tmux("display-message", "-p", "#{pane_pid}"))
	data, err := os.ReadFile("/proc/" + shell + "/task/" + shell + "/children")
	must(t.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	must(t.t, err)
	return pid
}
