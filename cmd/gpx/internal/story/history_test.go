package story

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gpx/history/incident"
	"gpx/probe/lab"
)

// probeInterval is the time between two probes of a hop: what happened in between
// is known that late at most, and for an outage a few failures later.
const probeInterval = 4400 * time.Millisecond

// TestIncident lives through an outage on the screen and asks the commands what was
// recorded of it: a proxy answers 502, then nothing; the chain is switched; checksums
// are off for a while; the proxy comes back.
func TestIncident(t *testing.T) {
	needs(t, "tmux", "git")
	t.Parallel()
	b := newBox(t, ",")
	term := b.open(120, 36, looks[0])
	term.says("OK", "go can download")

	broken := time.Now()
	b.primary.SetFault(lab.Status(502, "upstream is gone\n"))
	term.says("OUTAGE")
	b.primary.SetFault(lab.Blackhole())
	term.says("drops packets")
	term.press("s")
	term.shows("Apply (y)")
	term.press("y")
	switched := time.Now()
	term.says("OK", "backup")
	for _, args := range [][]string{{"sumdb", "off", "--yes"}, {"sumdb", "on", "--yes"}} {
		if out, errs, status := b.run(gpx, args...); status != 0 {
			t.Fatalf("gpx %s: %s%s", strings.Join(args, " "), out, errs)
		}
		if args[1] == "off" {
			term.shows("CHECKSUMS ARE OFF")
			if ok, said := b.builds(); !ok { // modules arrive now
				t.Fatalf("go build: %s", said)
			}
		} else {
			term.gone("CHECKSUMS ARE OFF")
		}
	}
	back := time.Now()
	b.primary.SetFault(lab.OK())

	var i incident.Incident
	show := func() string {
		t.Helper()
		out, errs, status := b.run(gpx, "history", "show", "1", "--json")
		if status != 0 {
			t.Fatalf("gpx history show: %s%s", out, errs)
		}
		must(t, json.Unmarshal([]byte(out), &i))
		return out
	}
	var shown string
	if !eventually(patience, func() bool { shown = show(); return !i.Open() }) {
		t.Fatalf("the incident has no end:\n%s", shown)
	}
	for _, tt := range []struct {
		what   string
		is     time.Time
		truth  time.Time
		within time.Duration
	}{
		{"opened", i.Opened.Time, broken, probeInterval},
		{"detected", i.Detected.Time, broken, 2 * probeInterval},
		{"mitigated", i.Mitigated.Time, switched, probeInterval},
		{"resolved", i.Resolved.Time, back, 2 * probeInterval},
	} {
		if off := tt.is.Sub(tt.truth); off < -50*time.Millisecond || off > tt.within {
			t.Errorf("%s %v after it was so, more than %v:\n%s", tt.what, off, tt.within, shown)
		}
	}
	if len(i.Endpoints) != 1 || i.Endpoints[0] != b.primary.URL() || i.RTO == nil {
		t.Errorf("the incident is not that of %s:\n%s", b.primary.URL(), shown)
	}
	wants(t, shown, `"server_error"`, `"connect_timeout"`, "GOPROXY", "checksums are off", "checksums are on")

	text, errs, status := b.run(gpx, "history", "replay", "1")
	if status != 0 {
		t.Fatalf("gpx history replay: %s%s", text, errs)
	}
	at := 0
	for _, phase := range []string{"down server_error: go will stop", "down connect_timeout: go will stop", b.backup.URL() + " up ok: go will serve", "checksums off", "resolved"} {
		n := strings.Index(text[at:], phase)
		if n < 0 {
			t.Fatalf("the replay does not show %q after the phases before it:\n%s", phase, text)
		}
		at += n
	}
	list, _, _ := b.run(gpx, "history", "ls")
	wants(t, list, "server_error, connect_timeout")
	stats, _, _ := b.run(gpx, "history", "stats")
	wants(t, stats, "AVAILABLE", b.primary.URL())
	// On the screen it is replayed through the same views, and changes nothing.
	term.press("5")
	term.shows("#1", "connect timeout")
	term.press("Enter")
	term.says("REPLAY #1")
	term.press("]", "]", "]", "1")
	term.shows("REPLAY: nothing here is live", b.primary.URL()[len("https://"):])
	term.press("s")
	term.shows("this is a recording: nothing can be changed")
	term.press("L")
	term.says("LIVE")

	// What arrived unverified is in sight until it is audited.
	term.shows("arrived while checksums were off")
	if out, errs, status := b.run(gpx, "cache", "audit"); status != 0 {
		t.Fatalf("gpx cache audit: %s%s", out, errs)
	}
	term.gone("arrived while checksums were off")
	term.press("q")
	if got := term.exited(); got != "0" {
		t.Errorf("exit status %s", got)
	}
}
