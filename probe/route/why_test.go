package route

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/lab"
)

// TestWhy holds the headline's words: that a separator matters only where the go
// command looks at it, and which request failed. The go command names the same
// request; A and B in words and says stand for the hops.
func TestWhy(t *testing.T) {
	needPrograms(t)
	t.Parallel()
	program, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	then := hop{Kind: chain.Direct, Sep: ","}
	for _, c := range []struct {
		name  string
		s     scenario
		words string // end of the headline
		says  string // in what the go command says
	}{
		{"a comma before another hop", scenario{Hops: []hop{proxy("503", ","), good}}, `.info from A (server error): "," moves on after 404 and 410 only`, "A/github.com/gpx-lab/one/@v/v1.0.0.info: 503"},
		{"a comma behind direct", scenario{Hops: []hop{then, good}, SumDB: "off", Set: []string{"PATH=WORLD/bin"}}, ".info from direct (config invalid)", `exec: "git": executable file not found`},
		{"a lookup that is 404", scenario{Hops: []hop{proxy("404", ",", probe.Lookup), good}}, "the checksum lookup from A (not found)", "/lookup/github.com/gpx-lab/one@v1.0.0: 404"},
		{"a lookup before a pipe", scenario{Hops: []hop{proxy("500", "|", probe.Lookup), good}},
			".mod from B (ok): the checksum database is not asked again after the checksum lookup from A (server error)", "A/sumdb/"},
		{"a tile before a pipe", scenario{Hops: []hop{proxy("500", "|", probe.Tile), good}},
			".mod from B (ok): the checksum database is not asked again after the checksum database's tiles from A (server error)", "A/sumdb/"},
		{"/supported, then 404", scenario{Hops: []hop{proxy("sumdb-503", "|"), proxy("no-sumdb", chain.Last)}},
			".mod from B (ok): the checksum database is not asked again after the checksum database's /supported from A (server error)", "A/sumdb/"},
		{"GOSUMDB that cannot be used", scenario{Hops: []hop{proxy("", "|"), good}, SumDB: "bad"},
			".mod from B (ok): GOSUMDB cannot be used: ", "GOSUMDB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			defer slot()()
			dir, err := os.MkdirTemp("", "gpx-route-")
			if err != nil {
				t.Fatal(err)
			}
			w, err := build(dir, c.s)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			if err := os.Mkdir(w.path("bin"), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(program, w.path("bin", "go")); err != nil {
				t.Fatal(err)
			}
			byName := func(text string) string {
				for url, name := range w.names {
					text = strings.ReplaceAll(text, url, name)
				}
				return text
			}
			r, err := w.observe(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			why, rest, _ := strings.Cut(byName(r.Why), c.words)
			if r.Result != Stopped || why != "stops at " || rest != "" && !strings.HasSuffix(c.words, " ") {
				t.Errorf("%s: %s; want it to stop at %s", r.Result, byName(r.Why), c.words)
			}
			o, err := w.run(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if o.outcome != "fails" || !strings.Contains(byName(o.output), c.says) {
				t.Errorf("the go command %s, and does not say %q: %s", o.outcome, c.says, byName(o.output))
			}
		})
	}
}

// TestSlowIsNotForEver: a probe gives up after its time, and says no more than
// that. What answers later, or a few bytes a second, is what the go command waits
// for.
func TestSlowIsNotForEver(t *testing.T) {
	needPrograms(t)
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault lab.Fault
		class string
	}{
		{"a first byte after 3 s", lab.Slow(3 * time.Second), "timeout"},
		{"20 bytes a second", lab.Trickle(20), "stalled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			defer slot()()
			dir, err := os.MkdirTemp("", "gpx-route-")
			if err != nil {
				t.Fatal(err)
			}
			w, err := build(dir, scenario{Hops: []hop{good}, Lines: SumLines{Match, Match}})
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			w.servers["A"].SetFault(c.fault, probe.Info)
			r, err := w.observe(t.Context(), true)
			if err != nil {
				t.Fatal(err)
			}
			// A machine under load takes a little longer to give up.
			want := regexp.MustCompile(`^not whole within [23](\.\d)? s: \.info from \S+ \(` + c.class + `\); the go command has no deadline and waits as long as it takes$`)
			if r.Result != Hangs || !want.MatchString(r.Why) {
				t.Errorf("%s: %s; want %s", r.Result, r.Why, want)
			}
			o, err := w.run(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if o.outcome != "served" {
				t.Errorf("the go command %s: %s", o.outcome, o.output)
			}
		})
	}
}
