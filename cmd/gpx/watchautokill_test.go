package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/history"
	"gpx/history/incident"
	"gpx/probe/lab"
)

// TestKilledWatchAuto kills the one of two programs that acts, at any instant of an
// outage and of its end: the other takes over, nobody acts twice, and the user's file
// is in the end what it was.
func TestKilledWatchAuto(t *testing.T) {
	t.Parallel()
	rounds := map[string]int{"system": 1, "soak": 40}[os.Getenv("GPX_TEST_SCALE")]
	if rounds == 0 {
		t.Skip("takes over after real seconds: with GPX_TEST_SCALE=system")
	}
	w := newAutoWorld(t)
	settings := filepath.Join(w.dir, "often.toml")
	must(t, os.WriteFile(settings, []byte("[schedule]\nhop_every = \"1s\"\n[switch]\nquiet = \"1s\"\n"), 0o600))
	two := []*autoProcess{w.watchAuto("--config", settings), w.watchAuto("--config", settings)}
	w.warm()
	s, err := history.Open(t.Context(), w.history(), history.Options{})
	must(t, err)
	defer s.Close()
	kill := func() {
		pid, err := s.Recorder(t.Context())
		must(t, err)
		for i, p := range two {
			if p.cmd.Process.Pid == pid {
				p.cmd.Process.Kill()
				p.stop()
				two[i] = w.watchAuto("--config", settings)
			}
		}
	}
	pause := func(most time.Duration) {
		timer := time.NewTimer(time.Duration(rand.Int64N(int64(most))))
		<-timer.C
	}
	became := func(what string, is func(file string) bool) {
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for late := time.Now().Add(40 * time.Second); !is(w.read()); <-tick.C {
			if time.Now().After(late) {
				t.Fatalf("%s after 40 s; the file holds\n%s\nsaid: %s\n%s", what, w.read(), two[0].said.String(), two[1].said.String())
			}
		}
	}
	for range rounds {
		w.one.SetFault(lab.Status(503, ""))
		pause(3 * time.Second)
		kill()
		became("nobody has switched", func(file string) bool { return file == w.switched() })
		w.one.SetFault(lab.OK())
		pause(4 * time.Second)
		kill()
		became("nobody has gone back", func(file string) bool { return file == w.own })
	}
	var list []incident.Incident
	became("an incident has no end", func(string) bool {
		list, err = s.Incidents(t.Context())
		must(t, err)
		return !slices.ContainsFunc(list, func(i incident.Incident) bool { return i.Open() })
	})
	for _, p := range two {
		p.stop()
	}
	records, err := s.Journal().List(t.Context())
	must(t, err)
	var uses, undos int
	for _, r := range records {
		switch {
		case r.Actor != "auto":
			t.Errorf("a change of %s: %s", r.Actor, r.Title)
		case r.State == "aborted":
		case strings.HasPrefix(r.Title, "undo: "):
			undos++
		default:
			uses++
		}
	}
	if uses != rounds || undos != rounds { // nobody acts twice, and nobody for what has passed
		t.Errorf("%d switches and %d returns in %d rounds", uses, undos, rounds)
	}
	t.Logf("%d rounds, %d switches, %d returns, %d incidents", rounds, uses, undos, len(list))
}
