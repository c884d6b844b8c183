package tui

import (
	"strings"
	"testing"
	"time"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/probe"
	"gpx/probe/lab"
	"gpx/probe/monitor"
	"gpx/tui/view"
)

// TestChecksumsWantTheWord: whatever a plan comes from, one after which less is
// verified than now is not applied with a single key.
func TestChecksumsWantTheWord(t *testing.T) {
	for name, tc := range map[string]struct {
		change change.VarChange
		want   string
	}{
		"off":                     {change.VarChange{Var: "GOSUMDB", EffectiveOld: "sum.golang.org", EffectiveNew: "off"}, "off"},
		"another database":        {change.VarChange{Var: "GOSUMDB", EffectiveOld: "sum.golang.org", EffectiveNew: "sum.golang.google.cn"}, ""},
		"on again":                {change.VarChange{Var: "GOSUMDB", EffectiveOld: "off", EffectiveNew: "sum.golang.org"}, ""},
		"off already":             {change.VarChange{Var: "GOSUMDB", EffectiveOld: "off", EffectiveNew: "off"}, ""},
		"off in the file, hidden": {change.VarChange{Var: "GOSUMDB", Old: "", New: "off", EffectiveOld: "sum.golang.org", EffectiveNew: "sum.golang.org", Shadowed: true}, "off"},
		"a pattern more":          {change.VarChange{Var: "GONOSUMDB", EffectiveOld: "a.example", EffectiveNew: "a.example,b.example"}, "off"},
		"the first pattern":       {change.VarChange{Var: "GONOSUMDB", EffectiveNew: "*"}, "off"},
		"a pattern less":          {change.VarChange{Var: "GONOSUMDB", EffectiveOld: "a.example,b.example", EffectiveNew: "b.example"}, ""},
		"no pattern":              {change.VarChange{Var: "GONOSUMDB", EffectiveOld: "a.example"}, ""},
		"the chain":               {change.VarChange{Var: "GOPROXY", EffectiveOld: "direct", EffectiveNew: "off"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := &change.Plan{Changes: []change.VarChange{{Var: "GOPROXY"}, tc.change}}
			got, notes := word(p)
			if got != tc.want || len(notes) > 0 != (got != "" && tc.change.Var == "GONOSUMDB") {
				t.Errorf("the word is %q, want %q; notes %q", got, tc.want, notes)
			}
		})
	}
}

// TestUndoToOffWantsTheWord: taking back the change that switched checksums on.
func TestUndoToOffWantsTheWord(t *testing.T) {
	both(t, func(s *screen) {
		s.show(healthy())
		s.f.applied = []*change.Plan{planFor("checksums on", "GOSUMDB", "off", "sum.golang.org")}
		s.press("u")
		s.has("Take back: checksums on", "type off to apply")
		s.press("y", "enter")
		s.asked(`plan undo ""`)
	})
}

// TestTheCursorStaysOnItsVariable: also when an edit makes other rows match.
func TestTheCursorStaysOnItsVariable(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.mu.Lock()
	e := *s.f.env // nothing is derived from GOPRIVATE yet
	e.Vars = append([]env.Var{}, e.Vars...)
	for i, v := range e.Vars {
		if v.Name == "GONOPROXY" || v.Name == "GONOSUMDB" || v.Name == "GOPRIVATE" {
			e.Vars[i] = env.Var{Name: v.Name, Origin: env.Default}
		}
	}
	s.f.env = &e
	s.f.mu.Unlock()
	s.show(healthy())
	s.press("r", "2", "/")
	s.typed("GOPRIVATE")
	s.press("enter", "enter")
	s.typed("corp.example")
	s.press("enter", "w")
	s.f.mu.Lock()
	s.f.env = goEnv() // GONOPROXY and GONOSUMDB say "from GOPRIVATE" now
	s.f.mu.Unlock()
	s.press("y")
	s.has("GONOPROXY ", "GONOSUMDB ", "› GOPRIVATE")
}

// TestTheCursorStaysOnItsEndpoint: once a key was about a row, the verdict does
// not move the cursor to another.
func TestTheCursorStaysOnItsEndpoint(t *testing.T) {
	for _, key := range []string{"p", "D"} {
		s := newScreen(t, 120, 36, look{noColor: true})
		s.show(outage())
		s.has("├─ https://proxy.example.com ")
		s.press(key)
		s.show(healthy()) // it is no hop any more, and stands lower
		s.has("├─ https://proxy.example.com ")
	}
}

// TestEditsEndWithTheirChain: pending edits of a chain that is no longer in
// force would bring it back.
func TestEditsEndWithTheirChain(t *testing.T) {
	both(t, func(s *screen) {
		s.show(outage())
		s.press("j", "t")
		s.has("~ pending")
		s.press("r") // the environment is read again, and is the same
		s.has("~ pending")
		s.f.mu.Lock()
		s.f.env = set(s.f.env, "GOPROXY", "file:///home/me/go/pkg/mod/cache/download", env.User)
		s.f.mu.Unlock()
		s.press("r")
		s.lacks("~ pending", "~2")
		s.has("GOPROXY is another chain now: 1 pending edit of the old one dropped")
	})
}

// TestEscAtAQuestion: esc is not an answer.
func TestEscAtAQuestion(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	s.f.called()
	s.show(outage())
	s.press("a")
	s.has("Probe the catalog?")
	s.press("esc")
	s.lacks("Probe the catalog?", "Add a hop")
	s.asked() // the question is not answered either
	s.press("a")
	s.has("Probe the catalog?")
	s.press("n")
	s.has("Add a hop")
	s.asked("consent false")
}

// TestTheLogIsWhole: the commands of @ are there to be copied.
func TestTheLogIsWhole(t *testing.T) {
	both(t, func(s *screen) {
		long := "go env -w GOPROXY=file:///home/me/a/rather/long/way/to/the/module/cache/of/this/machine/pkg/mod/cache/download GONOPROXY=none"
		s.m.c.Log = append(s.m.c.Log, view.LogEntry{At: now, Text: long})
		s.show(healthy())
		s.press("@")
		s.has("✓ go env -w", "GONOPROXY=none")
	})
}

// TestTheBannerSaysWhatToDo: at every width, and for every length of what is off.
func TestTheBannerSaysWhatToDo(t *testing.T) {
	if lab.Raced {
		t.Skip("it computes for long: what could race is in other tests")
	}
	for _, modules := range []string{"", "corp.example.com", strings.Repeat("corp.example.com/a-long-name/*,", 6)} {
		for _, until := range []time.Time{{}, now.Add(time.Hour), now.Add(-time.Hour)} {
			for w := 60; w < 170; w++ {
				s := newScreen(t, w, 24, look{noColor: true})
				s.m.c.Status = Status{SumDBOff: true, SumDBUntil: until, SumDBModules: modules}
				valid(t, s.m, w, 24)
				s.has("CHECKSUMS ARE OFF", "2 t: on")
			}
		}
	}
}

// TestUnauditedStaysInSight: at every width, and only while there is something.
func TestUnauditedStaysInSight(t *testing.T) {
	for w := 60; w < 130; w++ {
		s := newScreen(t, w, 24, look{noColor: true})
		s.m.c.Status = Status{Unaudited: 3}
		valid(t, s.m, w, 24)
		s.has("3 ", "gpx cache audit")
		s.m.c.Status = Status{}
		s.lacks("gpx cache audit")
	}
}

// TestProfileInForce: what is in force is not what the title says.
func TestProfileInForce(t *testing.T) {
	s := newScreen(t, 100, 30, look{noColor: true})
	s.f.status.Offline = "offline"
	s.show(healthy())
	s.press("2", "t")
	s.has("ends what is in force")
}

// TestOfflineSaysWhatIsMissing: with the module cache as the only proxy a build
// needs nothing that is not there, and nothing has failed.
func TestOfflineSaysWhatIsMissing(t *testing.T) {
	s := newScreen(t, 120, 36, look{noColor: true})
	snap := healthy()
	snap.Verdict.State = monitor.StateOffline
	snap.Chain.Hops = []monitor.Hop{{N: 1, URL: "file:///home/me/cache", Kind: probe.KindFile, Health: monitor.Up, Class: probe.NotFound, GoWill: probe.Stop}}
	snap.Endpoints = []monitor.EndpointStatus{endpoint("file:///home/me/cache", probe.KindFile, monitor.Up, probe.NotFound, 1)}
	s.show(snap)
	s.has("builds from what is here")
	s.lacks("the build fails", "go stops")
}

// TestTheNextStepIsInEveryView: a notice waits, and in another view the key that
// leads there is said too.
func TestTheNextStepIsInEveryView(t *testing.T) {
	both(t, func(s *screen) {
		s.f.status = Status{Notices: []string{"something of yesterday"}}
		s.m.c.Status = s.f.status
		s.show(outage())
		s.has(" s switches to https://mirror.example.org | direct")
		s.press("2")
		s.has(" 1 s switches to https://mirror.example.org | direct")
		s.lacks("yesterday")
		s.press("?")
		s.has("Keys")
		s.press("G")
		s.has("Noticed", "something of yesterday")
		s.press("esc")
		s.show(healthy())
		s.has("yesterday")
	})
}
