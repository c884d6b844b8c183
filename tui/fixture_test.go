package tui

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/catalog"
	"gpx/probe/failover"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
)

// now is the fixed clock of every frame.
var now = time.Date(2026, 11, 23, 14, 22, 7, 0, time.UTC)

func ms(n float64) wire.Millis { return wire.Millis(n * float64(time.Millisecond)) }

// samples makes a window; a digit is a time (powers of two from 8 ms), "!" a
// lost probe.
func samples(pattern string, class probe.Class) []monitor.Sample {
	out := make([]monitor.Sample, 0, len(pattern))
	for i, c := range pattern {
		s := monitor.Sample{At: wire.At(now.Add(time.Duration(i-len(pattern)) * 4 * time.Second)), Class: probe.OK}
		if c == '!' {
			s.Class = class
		} else {
			s.Total = ms(float64(int(8) << (c - '0')))
		}
		out = append(out, s)
	}
	return out
}

func endpoint(url string, kind probe.Kind, h monitor.Health, c probe.Class, hops ...int) monitor.EndpointStatus {
	e := monitor.EndpointStatus{Health: h, Hops: hops, Since: wire.At(now.Add(-14*time.Minute - 32*time.Second))}
	e.Result = probe.Result{At: wire.At(now.Add(-3 * time.Second)), URL: url, Kind: kind, Class: c, Layer: c.Info().Layer, Module: "golang.org/x/mod@v0.42.0"}
	return e
}

// outage is the main picture: the first hop is down before ",".
func outage() monitor.Snapshot {
	dead := endpoint("https://proxy.example.com", probe.KindProxy, monitor.Down, probe.TLSTimeout, 1)
	dead.Detail = "net/http: TLS handshake timeout after 2s (203.0.113.7:443)"
	dead.RemoteAddr = "203.0.113.7:443"
	dead.Phases = probe.Phases{DNS: ms(4), TCP: ms(61), Total: ms(2000)}
	dead.Window = monitor.Window{Samples: 30, Lost: 0.53, P50: ms(31), P95: ms(402), P99: ms(640), Recent: samples("22132213213546!7!!!!!!!!!!!!!!", probe.TLSTimeout)}

	good := endpoint("https://mirror.example.org", probe.KindProxy, monitor.Up, probe.OK, 2)
	good.HTTPStatus, good.RemoteAddr, good.TLSExpires = 200, "198.51.100.20:443", wire.At(now.AddDate(0, 2, 9))
	good.Phases = probe.Phases{DNS: ms(3), TCP: ms(40), TLS: ms(82), TTFB: ms(59), Total: ms(184)}
	good.Window = monitor.Window{Samples: 30, P50: ms(184), P95: ms(402), P99: ms(433), Recent: samples("445444544544454555545444454445", probe.OK)}
	good.SumDB = &probe.SumDBResult{Name: "sum.golang.org", Supported: true, Class: probe.OK}

	vcs := endpoint("direct", probe.KindDirect, monitor.Slow, probe.OK, 3)
	vcs.Phases = probe.Phases{Total: ms(1900)}
	vcs.Window = monitor.Window{Samples: 28, Lost: 0.08, P50: ms(1900), P95: ms(4100), P99: ms(4400), Recent: samples("7787789788!7898778787897!787", probe.Timeout)}

	cat := endpoint("https://goproxy.cn", probe.KindProxy, monitor.Up, probe.OK)
	cat.Window = monitor.Window{Samples: 8, P50: ms(212), P95: ms(530), P99: ms(560), Recent: samples("45455445", probe.OK)}
	tree := endpoint("file:///srv/gpx-export", probe.KindFile, monitor.Up, probe.OK)
	tree.Window = monitor.Window{Samples: 30, P50: ms(0.6), P95: ms(1), P99: ms(1), Recent: samples("000000000000000000000000000000", probe.OK)}
	db := endpoint("https://sum.golang.org", probe.KindSumDB, monitor.Down, probe.SumDBUnavailable)
	db.Detail = "https://proxy.example.com/sumdb/sum.golang.org/supported: net/http: TLS handshake timeout"
	db.Window = monitor.Window{Samples: 8, Lost: 1, Recent: samples("!!!!!!!!", probe.SumDBUnavailable)}

	return monitor.Snapshot{
		At: wire.At(now.Add(-2 * time.Second)), Round: 42, EnvDigest: "e1",
		Verdict: monitor.Verdict{State: monitor.StateOutage, Scope: monitor.ScopeChain,
			Headline: "OUTAGE: proxy.example.com is silent in TLS and go fails after 10 s",
			Evidence: []string{"3 probes in a row failed, the last one 3 s ago", "mirror.example.org works, but stands behind \",\""},
			Fixes:    []monitor.Fix{{Title: "Switch to a chain that works", Command: "gpx use --best"}}},
		Chain: monitor.ChainStatus{Value: "https://proxy.example.com,https://mirror.example.org|direct", Origin: "user", Hops: []monitor.Hop{
			{N: 1, URL: "https://proxy.example.com", Kind: probe.KindProxy, Separator: ",", Health: monitor.Down, Class: probe.TLSTimeout, GoWill: probe.Stop},
			{N: 2, URL: "https://mirror.example.org", Kind: probe.KindProxy, Separator: "|", Health: monitor.Up, Class: probe.OK, GoWill: probe.Serve},
			{N: 3, URL: "direct", Kind: probe.KindDirect, Health: monitor.Slow, Class: probe.OK, GoWill: probe.GoDirect}}},
		SumDB:     monitor.SumDBStatus{Value: "sum.golang.org", Class: probe.SumDBUnavailable},
		Endpoints: []monitor.EndpointStatus{dead, good, vcs, cat, tree, db},
	}
}

// healthy is what outage becomes after the switch.
func healthy() monitor.Snapshot {
	s := outage()
	s.EnvDigest = "e2"
	s.Verdict = monitor.Verdict{State: monitor.StateOK, Headline: "OK: go can download from mirror.example.org", Evidence: []string{}, Fixes: []monitor.Fix{}}
	s.Chain = monitor.ChainStatus{Value: "https://mirror.example.org|direct", Origin: "user", Hops: []monitor.Hop{
		{N: 1, URL: "https://mirror.example.org", Kind: probe.KindProxy, Separator: "|", Health: monitor.Up, Class: probe.OK, GoWill: probe.Serve},
		{N: 2, URL: "direct", Kind: probe.KindDirect, Health: monitor.Slow, Class: probe.OK, GoWill: probe.GoDirect}}}
	s.Endpoints[0].Hops, s.Endpoints[1].Hops, s.Endpoints[2].Hops = nil, []int{1}, []int{2}
	s.Endpoints[5].Health, s.Endpoints[5].Class, s.Endpoints[5].Detail = monitor.Up, probe.OK, ""
	return s
}

// goEnv is the environment of the fixtures.
func goEnv() *env.Env {
	v := func(name, value string, o env.Origin, shadowed ...env.Setting) env.Var {
		return env.Var{Name: name, Value: value, Origin: o, Shadowed: shadowed}
	}
	def := func(s string) env.Setting { return env.Setting{Origin: env.Default, Value: s} }
	root := func(s string) env.Setting { return env.Setting{Origin: env.GOROOT, Value: s} }
	user := func(s string) env.Setting { return env.Setting{Origin: env.User, Value: s} }
	return &env.Env{
		GoVersion: "go1.26.8", GOROOT: "/usr/local/go", UserFile: "/home/me/.config/go/env", Environ: []string{"HOME=/home/me"},
		UserFileValues: map[string]string{"GOPROXY": "https://proxy.example.com,https://mirror.example.org|direct", "GOPRIVATE": "corp.example/*", "GOFLAGS": "-trimpath"},
		Vars: []env.Var{
			v("CGO_ENABLED", "1", env.Derived), v("GOARCH", "amd64", env.Default), v("GOAUTH", "netrc", env.Default), v("GOBIN", "", env.Default),
			v("GOCACHE", "/home/me/.cache/go-build", env.Derived), v("GOENV", "/home/me/.config/go/env", env.Derived),
			v("GOFLAGS", "-mod=mod", env.OS, user("-trimpath"), def("")), v("GOINSECURE", "", env.Default),
			v("GOMOD", "/home/me/src/app/go.mod", env.Derived), v("GOMODCACHE", "/home/me/go/pkg/mod", env.Derived),
			v("GONOPROXY", "corp.example/*", env.Derived), v("GONOSUMDB", "corp.example/*", env.Derived),
			v("GOOS", "linux", env.Default), v("GOPATH", "/home/me/go", env.Default), v("GOPRIVATE", "corp.example/*", env.User, def("")),
			v("GOPROXY", "https://proxy.example.com,https://mirror.example.org|direct", env.User, root("https://goproxy.example.net,direct")),
			v("GOROOT", "/usr/local/go", env.Derived), v("GOSUMDB", "sum.golang.org", env.GOROOT),
			v("GOTOOLCHAIN", "auto", env.GOROOT), v("GOVCS", "", env.Default), v("GOVERSION", "go1.26.8", env.Derived), v("GOWORK", "", env.Derived),
		},
	}
}

// set gives a variable another value in a copy of e.
func set(e *env.Env, name, value string, o env.Origin) *env.Env {
	c := *e
	c.Vars = append([]env.Var{}, e.Vars...)
	for i, v := range c.Vars {
		if v.Name == name {
			c.Vars[i] = env.Var{Name: name, Value: value, Origin: o, Shadowed: append([]env.Setting{{Origin: v.Origin, Value: v.Value}}, v.Shadowed...)}
		}
	}
	return &c
}

// fake is a set of services that record what is asked of them.
type fake struct {
	mu      sync.Mutex
	calls   []string
	env     *env.Env
	status  Status
	rec     failover.Recommendation
	consent bool
	asked   bool
	fail    error // what Apply returns
	applied []*change.Plan
	cache   *caches
	project *project
	past    *past
	relay   relay
	auto    view.Automatic
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

// called returns the calls since the last time, without those of Env, Status
// and Recommend, which happen by themselves.
func (f *fake) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.calls
	f.calls = nil
	return out
}

func newFake(t testing.TB) *fake {
	best, err := chain.Parse("https://mirror.example.org|direct")
	if err != nil {
		t.Fatal(err)
	}
	return &fake{env: goEnv(), cache: newCaches(), project: newProject(), past: newPast(), rec: failover.Recommendation{Found: true, Chain: best,
		Reasons: []string{"mirror.example.org answers in 184 ms and serves the checksum database."}}}
}

// planFor makes a plan that sets one variable.
func planFor(title, name, old, next string) *change.Plan {
	return &change.Plan{ID: "p-" + name, Title: title,
		Actions:  []change.Action{{Kind: change.SetVariable, Target: name, Old: old, New: next, Undoable: true}},
		Changes:  []change.VarChange{{Var: name, Old: old, New: next, OriginOld: "user", EffectiveOld: old, EffectiveNew: next}},
		Commands: []string{"go env -w " + name + "='" + next + "'"}}
}

func (f *fake) services() Services {
	return Services{
		Env:    func(context.Context) (*env.Env, error) { f.mu.Lock(); defer f.mu.Unlock(); return f.env, nil },
		Status: func(context.Context) (Status, error) { f.mu.Lock(); defer f.mu.Unlock(); return f.status, nil },
		Recommend: func(context.Context, monitor.Snapshot) (failover.Recommendation, error) {
			return f.rec, nil
		},
		PlanUse: func(_ context.Context, c chain.Chain) (*change.Plan, error) {
			f.note("plan use %s", c.Redacted())
			return planFor("Use another chain", "GOPROXY", f.env.Get("GOPROXY"), c.Redacted()), nil
		},
		PlanEnv: func(_ context.Context, title string, as []change.Assignment) (*change.Plan, error) {
			f.note("plan env %v", as)
			return planFor(title, as[0].Name, f.env.Get(as[0].Name), as[0].Value), nil
		},
		Profiles: func(context.Context) ([]Profile, error) {
			return []Profile{
				{ID: "offline", Title: "Offline", Detail: "Builds from the module cache alone; what is there is still verified.", On: f.status.Offline != ""},
				{ID: "offline-strict", Title: "Offline, strict", Detail: "GOPROXY=off and GONOPROXY=none: no lookup at all."},
				{ID: "vendor", Title: "Vendor", Detail: "GOFLAGS gains -mod=vendor.", Disabled: "there is no vendor folder"},
				{ID: "sumdb-off", Title: "Checksums off", Detail: "New module versions are taken unverified.", Loud: true,
					Choices: []Choice{{Title: "for 1 hour", Arg: "1h"}, {Title: "until switched on", Arg: ""}}},
				{ID: "sumdb-on", Title: "Checksums on", Detail: "GOSUMDB back to the default.", On: !f.status.SumDBOff},
			}, nil
		},
		PlanProfile: func(_ context.Context, id, choice string) (*change.Plan, error) {
			f.note("plan profile %s %s", id, choice)
			switch id {
			case "sumdb-off":
				p := planFor("Switch checksums off", "GOSUMDB", "sum.golang.org", "off")
				p.Warnings = []string{"What arrives until then is not verified by anyone."}
				return p, nil
			case "sumdb-on":
				return planFor("Switch checksums on", "GOSUMDB", "off", "sum.golang.org"), nil
			}
			return planFor("Offline", "GOPROXY", f.env.Get("GOPROXY"), "file:///home/me/go/pkg/mod/cache/download"), nil
		},
		PlanUndo: func(_ context.Context, id string, force bool) (*change.Plan, error) {
			f.note("plan undo %q", id)
			f.mu.Lock()
			defer f.mu.Unlock()
			if len(f.applied) == 0 {
				return nil, fmt.Errorf("undo: there is no change to take back")
			}
			last := f.applied[len(f.applied)-1]
			if len(last.Changes) == 0 {
				return &change.Plan{Title: "undo: " + last.Title, Undoes: last.ID, Actions: []change.Action{{Kind: "restore_version", Target: "all", Undoable: true}}}, nil
			}
			p := planFor("Take back: "+last.Title, last.Changes[0].Var, last.Changes[0].New, last.Changes[0].Old)
			p.Undoes = last.ID
			return p, nil
		},
		Apply: func(ctx context.Context, p *change.Plan) (change.Change, error) {
			f.note("apply %s", p.Title)
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.fail != nil {
				return change.Change{}, f.fail
			}
			f.applied = append(f.applied, p)
			f.cache.apply(ctx, p)
			for _, c := range p.Changes {
				f.env = set(f.env, c.Var, c.New, env.User)
			}
			return change.Change{ID: p.ID, Title: p.Title, Actions: p.Actions}, nil
		},
		Changes: func(context.Context) ([]change.Change, error) {
			return []change.Change{{ID: "c1", At: wire.At(now.Add(-26 * time.Hour)), Title: "Use the mirror", Undone: true}}, nil
		},
		ProbeNow: func(keys ...string) { f.note("probe %v", keys) },
		Deep: func(_ context.Context, key string) (probe.Result, error) {
			f.note("deep %s", key)
			r := outage().Endpoints[1].Result
			r.Checks = []probe.Check{
				{File: probe.List, Class: probe.OK, HTTPStatus: 200, Total: ms(88)}, {File: probe.Latest, Class: probe.NotFound, HTTPStatus: 404, Total: ms(70)},
				{File: probe.Info, Class: probe.OK, HTTPStatus: 200, Total: ms(91)}, {File: probe.Mod, Class: probe.OK, HTTPStatus: 200, Total: ms(77)},
				{File: probe.Zip, Class: probe.OK, HTTPStatus: 200, Total: ms(310)}, {File: probe.Supported, Class: probe.OK, HTTPStatus: 200, Total: ms(64)},
				{File: probe.Lookup, Class: probe.ServerError, HTTPStatus: 502, Total: ms(120), Detail: "502 Bad Gateway"},
			}
			return r, nil
		},
		Catalog: func() []catalog.Entry {
			return []catalog.Entry{
				{Name: "goproxy.cn", URL: "https://goproxy.cn", Kind: catalog.Proxy, Operator: "Qiniu", Region: "China", SumDB: "yes", State: "alive", Confidence: "high", Date: "2026-11", Source: "its home page"},
				{Name: "gocenter", URL: "https://gocenter.io", Kind: catalog.Proxy, Operator: "JFrog", Region: "none", SumDB: "n/a", State: "retired", Confidence: "high", Date: "2021-05", Source: "its announcement", Retired: true},
			}
		},
		Relay: f.relayServices(),
		Automatic: func() view.Automatic {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.auto
		},
		SetAutomatic: func(on bool) {
			f.note("automatic %v", on)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.auto.On = on
		},
		Caches:      f.caches(),
		Deps:        f.deps(),
		History:     f.history(),
		AddEndpoint: func(_ context.Context, raw string) error { f.note("watch %s", raw); return nil },
		Consent:     func(context.Context) (bool, bool, error) { return f.consent, f.asked, nil },
		SetConsent: func(_ context.Context, ok bool) error {
			f.note("consent %v", ok)
			f.consent, f.asked = ok, true
			return nil
		},
		Crash: func(v any, _ []byte) string { f.note("crash %v", v); return "crash.txt" },
	}
}

// screen is a model that a test drives by hand.
type screen struct {
	t testing.TB
	m *model
	f *fake
	// clock is what the screen takes for the time.
	clock *time.Time
}

// look is how a screen is drawn.
type look struct {
	light, noColor, ascii bool
}

func newScreen(t testing.TB, w, h int, l look) *screen {
	f := newFake(t)
	th := theme.New(theme.Options{Dark: !l.light, NoColor: l.noColor, ASCII: l.ascii, Profile: termenv.TrueColor})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	clock := now
	m := newModel(ctx, Config{Services: f.services(), Project: "~/src/app", Now: func() time.Time { return clock }}, th)
	s := &screen{t, m, f, &clock}
	s.settle(m.reload())
	s.send(tea.WindowSizeMsg{Width: w, Height: h})
	return s
}

// settle runs commands and what follows from them until nothing is left.
// Tickers and listeners are not started by tests.
func (s *screen) settle(cmd tea.Cmd) {
	s.t.Helper()
	queue := []tea.Cmd{cmd}
	for n := 0; len(queue) > 0; n++ {
		if n > 1000 {
			s.t.Fatal("commands without end")
		}
		c := queue[0]
		queue = queue[1:]
		if c == nil {
			continue
		}
		switch msg := c().(type) {
		case nil, tickMsg:
		case tea.BatchMsg:
			queue = append(queue, msg...)
		default:
			_, next := s.update(msg)
			queue = append(queue, next)
		}
	}
}

// update is Update without the spinner and the ticks of a replay.
func (s *screen) update(msg tea.Msg) (tea.Model, tea.Cmd) {
	s.m.spinning, s.m.beating = true, true
	return s.m.Update(msg)
}

func (s *screen) send(msg tea.Msg) {
	s.t.Helper()
	_, cmd := s.update(msg)
	s.settle(cmd)
}

func (s *screen) show(snap monitor.Snapshot) {
	s.t.Helper()
	s.settle(s.m.snapshot(snap))
}

// press sends keys by their names; others are typed as runes.
func (s *screen) press(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		s.send(keyMsg(k))
	}
}

// typed sends text one rune at a time.
func (s *screen) typed(text string) {
	s.t.Helper()
	for _, r := range text {
		s.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}})
	}
}

func keyMsg(name string) tea.KeyMsg {
	special := map[string]tea.KeyType{"enter": tea.KeyEnter, "esc": tea.KeyEsc, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown,
		"ctrl+u": tea.KeyCtrlU, "ctrl+c": tea.KeyCtrlC, "ctrl+z": tea.KeyCtrlZ, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "left": tea.KeyLeft,
		"right": tea.KeyRight, "backspace": tea.KeyBackspace, "end": tea.KeyEnd, "home": tea.KeyHome, "shift+tab": tea.KeyShiftTab}
	if t, ok := special[name]; ok {
		return tea.KeyMsg{Type: t}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(name)}
}
