package reach_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/probe"
	"gpx/probe/lab"
	"gpx/probe/reach"
)

// TestFaults: what a hop with a fault is said to give, and how often it is asked
// about three versions until that is clear.
func TestFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		name    string
		fault   lab.Fault
		only    []probe.File
		tls     bool
		attempt time.Duration
		class   probe.Class
		most    int // requests
	}{
		{name: "healthy", class: probe.OK, most: 6},
		{name: "healthy https", tls: true, class: probe.OK, most: 6},
		{name: "slow", fault: lab.Slow(20 * time.Millisecond), class: probe.OK, most: 6},
		{name: "the zips are gone", fault: lab.Status(404, ""), only: []probe.File{probe.Zip}, class: probe.NotFound, most: 6},
		{name: "the zips are forbidden", fault: lab.Status(403, ""), only: []probe.File{probe.Zip}, class: probe.Forbidden, most: 6},
		{name: "a web page for a zip", fault: lab.Captive(), only: []probe.File{probe.Zip}, class: probe.CaptivePortal, most: 2},
		{name: "something else for a zip", fault: lab.Of(lab.ModeEndless), only: []probe.File{probe.Zip}, class: probe.ProtocolInvalid, most: 6},
		{name: "zips stop", fault: lab.Stall(3), only: []probe.File{probe.Zip}, attempt: brief, class: probe.Stalled, most: 9},
		{name: "zips never come", fault: lab.Hang(), only: []probe.File{probe.Zip}, attempt: brief, class: probe.Timeout, most: 9},
		{name: "no version at all", fault: lab.Status(410, ""), class: probe.NotFound, most: 3},
		{name: "wrong .info", fault: lab.Of(lab.ModeWrongVersion), class: probe.ProtocolInvalid, most: 3},
		{name: "forbidden to all", fault: lab.Status(403, ""), class: probe.Forbidden, most: 3},
		{name: "broken inside", fault: lab.Status(500, ""), class: probe.ServerError, most: 3},
		{name: "wants credentials", fault: lab.Auth("a", "b"), class: probe.AuthRequired, most: 3},
		{name: "rate limit", fault: lab.RateLimited(time.Hour), class: probe.RateLimited, most: 1},
		{name: "login page", fault: lab.Captive(), class: probe.CaptivePortal, most: 1},
		{name: "hangs", fault: lab.Hang(), attempt: brief, class: probe.Timeout, most: 2},
		{name: "refuses", fault: lab.Refuse(), class: probe.Refused},
		{name: "black hole", fault: lab.Blackhole(), attempt: brief, class: probe.ConnectTimeout},
		{name: "intercepted", fault: lab.Of(lab.ModeTLSUntrusted), tls: true, class: probe.TLSUntrusted},
		{name: "resets", fault: lab.Reset(), class: probe.Reset, most: 4},
		{name: "writes to the terminal", fault: lab.Hostile(), class: probe.ServerError, most: 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var opts []lab.ProxyOption
			if test.tls {
				opts = append(opts, lab.TLS())
			}
			s := w.Proxy(t.Name(), lab.Always(test.fault, test.only...), opts...)
			w := &world{t: t, Lab: w.Lab, options: w.options, attempt: patience}
			if test.attempt != 0 {
				w.attempt = test.attempt
			}
			w.chain(s.URL())
			for m, a := range w.ask(alpha, alpha1, beta) {
				if classOf(a) != test.class || a.Reachable() != (test.class == probe.OK) || !a.Asked || a.Version != m {
					t.Errorf("%s: %+v, want %s", m, a, test.class)
				}
			}
			if asked := requests(s); len(asked) > test.most {
				t.Errorf("asked %d times, want at most %d: %q", len(asked), test.most, asked)
			}
		})
	}
}

// TestDown: an endpoint that fails with everything is not asked for ever.
func TestDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.Proxy("A", lab.Always(lab.Status(500, "")))
	w.chain(s.URL())
	var many []module.Version
	for i := range 100 {
		many = append(many, module.Version{Path: "lab.example.com/alpha", Version: fmt.Sprintf("v1.0.%d", i)})
	}
	for m, a := range w.ask(many...) {
		if classOf(a) != probe.ServerError || !a.Asked {
			t.Errorf("%s: %+v", m, a)
		}
	}
	if n := len(requests(s)); n > 20 {
		t.Errorf("asked %d times", n)
	}
}

// TestOneVersion: a failure that is about one version says nothing of the others.
func TestOneVersion(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]func(http.ResponseWriter, *http.Request){
		"forbidden":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not for you", http.StatusForbidden) },
		"broken":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "boom", http.StatusInternalServerError) },
		"hangs":      func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"wrong info": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"Version":"v9.0.0"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.attempt = 2 * time.Second
			at := except(t, w.Proxy("A", nil), func(w http.ResponseWriter, r *http.Request) bool {
				hit := strings.Contains(r.URL.Path, "/alpha/@v/v1.0.0.")
				if hit {
					odd(w, r)
				}
				return hit
			})
			w.chain(at)
			answers := w.ask(alpha, alpha1, beta, upper)
			for m, a := range answers {
				if a.Reachable() != (m != alpha) || !a.Asked {
					t.Errorf("%s: %+v", m, a)
				}
			}
		})
	}
}

// TestNextHop: a version is looked for where the one before lacks it, and only
// there.
func TestNextHop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.Proxy("A", nil, lab.Lacking("lab.example.com/beta"))
	b := w.Proxy("B", nil)
	w.chain(a.URL(), b.URL())
	answers := w.ask(alpha, beta, alpha)
	if got := answers[beta].Sources; len(answers) != 2 || len(got) != 2 || got[0].Class != probe.NotFound || got[1].Class != probe.OK || got[1].Hop != b.URL() {
		t.Errorf("%+v", answers)
	}
	if got := answers[alpha].Sources; len(got) != 1 || got[0].Hop != a.URL() {
		t.Errorf("%+v", got)
	}
	if got := requests(b); len(got) != 2 || !strings.Contains(strings.Join(got, " "), "beta/@v/v1.0.0.zip") {
		t.Errorf("the second hop was asked for %q", got)
	}

	w.options.Everyone = true
	for m, a := range w.ask(alpha, beta) {
		if len(a.Sources) != 2 || !a.Asked || !a.Reachable() {
			t.Errorf("asking everyone: %s: %+v", m, a)
		}
	}
}

func TestFileTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	if err := w.WriteTree(dir, false); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "lab.example.com/beta/@v/v1.0.0.zip")); err != nil {
		t.Fatal(err)
	}
	tree := "file://" + filepath.ToSlash(dir)
	w.chain(tree)
	w.options.NoProxy = "corp.example.com"
	answers := w.ask(alpha, beta, secret)
	for m, class := range map[module.Version]probe.Class{alpha: probe.OK, beta: probe.NotFound, secret: probe.NotFound} {
		if got := answers[m]; classOf(got) != class || len(got.Sources) != 1 || !got.Asked {
			t.Errorf("%s: %+v, want %s", m, got, class)
		}
	}

	// In the module cache it is what is about to go, whatever way leads there.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, cache := range []string{dir, link, filepath.Dir(dir)} {
		w.options.Cache = cache
		if a := w.ask(alpha)[alpha]; a.Asked || len(a.Sources) > 0 || a.Why == "" {
			t.Errorf("a tree in the cache %s counts: %+v", cache, a)
		}
	}

	w.options.Cache = ""
	w.chain("file://" + filepath.ToSlash(filepath.Join(dir, "gone")))
	if a := w.ask(alpha)[alpha]; classOf(a) != probe.MissingFile {
		t.Errorf("%+v", a)
	}
	// A bundle is looked into even when nobody else is asked.
	w.chain("off")
	w.options.Extra = []probe.Endpoint{{URL: tree, Kind: probe.KindFile}}
	if a := w.ask(alpha)[alpha]; !a.Reachable() {
		t.Errorf("%+v", a)
	}
}

// TestNobody: who wants no network has none asked.
func TestNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.Proxy("A", nil)
	w.options.Consent = true
	w.options.Extra = []probe.Endpoint{{URL: s.URL(), Kind: probe.KindProxy}}
	w.options.NoProxy = "corp.example.com"
	for _, value := range []string{"off", "file://" + filepath.ToSlash(t.TempDir())} {
		w.chain(value)
		for m, a := range w.ask(gitOne, secret) {
			if a.Reachable() || slices.ContainsFunc(a.Sources, func(s reach.Source) bool { return !strings.HasPrefix(s.Hop, "file:") }) {
				t.Errorf("GOPROXY=%s: %s: %+v", value, m, a)
			}
		}
	}
	if got := requests(s); len(got) > 0 {
		t.Errorf("asked for %q", got)
	}
	if a := reach.New(nil, reach.Options{}); len(where(t, a, alpha)) != 1 {
		t.Error("no chain, no answer")
	}
}

func TestDirect(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	w := newWorld(t)
	config, err := w.WriteGit(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.environ = []string{"GIT_CONFIG_GLOBAL=" + config}
	gone := module.Version{Path: gitOne.Path, Version: "v1.9.0"}
	hop := w.Proxy("A", nil)
	w.chain(hop.URL(), "direct")
	answers := w.ask(gitOne, gone)
	if got := answers[gitOne].Sources; len(got) != 1 || got[0].Hop != hop.URL() {
		t.Errorf("version control was asked for what a proxy has: %+v", got)
	}
	if got := answers[gone]; len(got.Sources) != 2 || got.Sources[1] != (reach.Source{Hop: "direct", Class: probe.NotFound}) {
		t.Errorf("%+v", got)
	}

	// What GONOPROXY names is asked of its own host and of nobody else.
	w.options.NoProxy = "github.com/gpx-lab"
	w.chain(hop.URL())
	before := len(requests(hop))
	if got := w.ask(gitTwo)[gitTwo]; len(got.Sources) != 1 || got.Sources[0] != (reach.Source{Hop: "direct", Class: probe.OK}) {
		t.Errorf("%+v", got)
	}
	if got := requests(hop)[before:]; len(got) > 0 {
		t.Errorf("the proxy was asked for %q", got)
	}

	// Beyond the bound nobody is asked, and that is said.
	w.options.VCS = 1
	answers = w.ask(gitOne, gitTwo)
	if a, b := answers[gitOne], answers[gitTwo]; !a.Asked || b.Asked || b.Why == "" {
		t.Errorf("%+v, %+v", a, b)
	}
}

// TestBudget: a call ends when its time is used up, and says what it did not ask.
func TestBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.Proxy("A", lab.Always(lab.Slow(100*time.Millisecond)))
	w.chain(s.URL())
	w.options.PerCall, w.options.Concurrency = 2*time.Second, 1
	var many []module.Version
	for i := range 200 {
		many = append(many, module.Version{Path: "lab.example.com/alpha", Version: fmt.Sprintf("v2.0.0-pre.%d", i)})
	}
	many[0] = alpha
	for i := range many[1:] {
		many[i+1].Version = fmt.Sprintf("v1.0.0-pre.%d", i)
	}
	start := time.Now()
	answers := w.ask(many...)
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
	if a := answers[alpha]; !a.Reachable() {
		t.Errorf("the first: %+v", a)
	}
	if a := answers[many[199]]; a.Asked || a.Why == "" || len(answers) != 200 {
		t.Errorf("the last of %d: %+v", len(answers), a)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.Proxy("A", lab.Always(lab.Hang()))
	w.chain(s.URL())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := w.reacher().Where(ctx, []module.Version{alpha, beta}, nil)
		done <- err
	}()
	for len(s.Log()) == 0 {
		select {
		case err := <-done:
			t.Fatalf("ended by itself: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestMemory: an answer is kept for a while, a failure for less.
func TestMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.Proxy("A", nil)
	w.chain(s.URL())
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w.options.Now = func() time.Time { return now }
	w.options.TTL = 10 * time.Minute
	r := w.reacher()
	asks := func(what string, want bool) {
		t.Helper()
		before := len(requests(s))
		where(t, r, alpha)
		if got := len(requests(s)) > before; got != want {
			t.Errorf("%s: asked is %v", what, got)
		}
	}
	asks("at first", true)
	asks("again", false)
	now = now.Add(9 * time.Minute)
	asks("later", false)
	now = now.Add(2 * time.Minute)
	s.SetFault(lab.Status(403, ""))
	asks("when it is stale", true)
	asks("after a failure", false)
	now = now.Add(61 * time.Second)
	asks("a while after a failure", true)
}

// TestReport: every version is handed out once, complete.
func TestReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.Proxy("A", nil, lab.Lacking("lab.example.com/beta"))
	b := w.Proxy("B", nil)
	w.chain(a.URL(), b.URL())
	for _, everyone := range []bool{false, true} {
		w.options.Everyone = everyone
		got := map[module.Version]reach.Answer{}
		answers, err := w.reacher().Where(t.Context(), []module.Version{alpha, beta, secret, {Path: "x", Version: "y"}}, func(a reach.Answer) {
			if _, again := got[a.Version]; again {
				t.Errorf("%s twice", a.Version)
			}
			got[a.Version] = a
		})
		if err != nil || len(got) != len(answers) {
			t.Fatalf("%v, reported %d of %d", err, len(got), len(answers))
		}
		for m, a := range answers {
			if fmt.Sprint(got[m]) != fmt.Sprint(a) {
				t.Errorf("%s: reported %+v, returned %+v", m, got[m], a)
			}
		}
	}
}
