package monitor_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"gpx/envctl/chain"
	"gpx/envctl/env"
	"gpx/envctl/wire"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/probe/monitor/clocktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fakeProber answers from a table that a test may change while it runs. A
// host that is in no table is fine.
type fakeProber struct {
	mu    sync.Mutex
	delay map[string]time.Duration // by endpoint key
	class map[string]probe.Class
	asked map[string]int
	mods  map[string]string // the module that an endpoint was asked for
	base  string            // of the checksum database
}

func newFake() *fakeProber {
	return &fakeProber{delay: map[string]time.Duration{}, class: map[string]probe.Class{}, asked: map[string]int{}, mods: map[string]string{}, base: "https://sum.golang.org"}
}

func (f *fakeProber) set(key string, delay time.Duration, class probe.Class) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay[key], f.class[key] = delay, class
}

func (f *fakeProber) count(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[key]
}

func (f *fakeProber) Probe(ctx context.Context, ep probe.Endpoint) probe.Result {
	key := ep.Key()
	f.mu.Lock()
	f.asked[key]++
	f.mods[key] = ep.Module.String()
	delay, class := f.delay[key], f.class[key]
	f.mu.Unlock()
	if class == "" {
		class = probe.OK
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			class = probe.Timeout
		}
	}
	return probe.Result{URL: key, Kind: ep.Kind, Class: class, Phases: probe.Phases{Total: wire.Millis(max(delay, time.Millisecond))}}
}

func (f *fakeProber) Deep(ctx context.Context, ep probe.Endpoint) probe.Result {
	r := f.Probe(ctx, ep)
	r.Checks = []probe.Check{{File: probe.Info, Class: r.Class}}
	return r
}

func (f *fakeProber) SumDBRoute(context.Context, chain.Chain, chain.SumDB) ([]probe.Result, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []probe.Result{{Class: probe.NotFound}}, f.base
}

// environ is an environment with these variables and origins.
func environ(vars ...string) *env.Env {
	e := &env.Env{}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		e.Vars = append(e.Vars, env.Var{Name: name, Value: value, Origin: env.User})
	}
	return e
}

func inputs(goproxy string) monitor.Inputs {
	return monitor.Inputs{Env: environ("GOPROXY="+goproxy, "GOSUMDB=sum.golang.org")}
}

// watching runs a monitor until the test's function returns.
func watching(t *testing.T, f *fakeProber, in monitor.Inputs, do func(m *monitor.Monitor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := monitor.New(monitor.DefaultConfig(), f, in)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- m.Run(ctx) }()
		do(m)
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

// wait lets the fake time of a synctest bubble pass.
func wait(d time.Duration) { <-time.After(d) }

const a, b = "https://a.example.com", "https://b.example.com"

func TestBurstKnowsWithin2500ms(t *testing.T) {
	for _, c := range []struct {
		name  string
		delay time.Duration
		class probe.Class
		want  monitor.State
		most  time.Duration
	}{
		{"all is well", 50 * time.Millisecond, probe.OK, monitor.StateOK, 60 * time.Millisecond},
		{"a black hole", 2 * time.Second, probe.Timeout, monitor.StateOutage, 2200 * time.Millisecond},
		{"refused", time.Millisecond, probe.Refused, monitor.StateOutage, 600 * time.Millisecond},
		{"a prober that takes too long", 9 * time.Second, probe.OK, monitor.StateUnknown, 2500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.set(a, c.delay, c.class)
				m := monitor.New(monitor.DefaultConfig(), f, inputs(a+","+b))
				start := time.Now()
				s := m.Burst(t.Context())
				if took := time.Since(start); took > c.most {
					t.Errorf("took %v", took)
				}
				if s.Verdict.State != c.want || s.Round == 0 {
					t.Errorf("round %d: %+v", s.Round, s.Verdict)
				}
				if n := len(s.Endpoints); n != 3 {
					t.Errorf("%d endpoints", n)
				}
			})
		})
	}
}

// The whole story: well, black hole, outage; the chain is switched; the old hop
// is still watched, and comes back.
func TestOutageAndRecovery(t *testing.T) {
	f := newFake()
	watching(t, f, inputs(a+","+b), func(m *monitor.Monitor) {
		wait(3 * time.Second)
		if v := m.Snapshot().Verdict; v.State != monitor.StateOK {
			t.Fatalf("before: %+v", v)
		}
		f.set(a, 2*time.Second, probe.Timeout)
		wait(8 * time.Second)
		s := m.Snapshot()
		if s.Verdict.State != monitor.StateOutage || s.Chain.Hops[0].Health != monitor.Down || s.Chain.Hops[0].GoWill != probe.Hang {
			t.Fatalf("8 s into the black hole: %+v, hop %+v", s.Verdict, s.Chain.Hops[0])
		}
		if !strings.Contains(s.Verdict.Headline, "waits as long as it takes") {
			t.Errorf("headline %q", s.Verdict.Headline)
		}

		original, _ := chain.Parse(a + "," + b)
		in := inputs(b)
		in.Original = &original
		m.SetInputs(in)
		wait(time.Second)
		s = m.Snapshot()
		if s.Verdict.State != monitor.StateOK || s.Original == nil || s.Original.Works || len(s.Original.Hops) != 2 {
			t.Fatalf("switched: %+v, original %+v", s.Verdict, s.Original)
		}
		if w := s.Endpoints[0].Window; s.Endpoints[0].URL != b || w.Samples < 2 {
			t.Errorf("b has lost its past: %+v", w)
		}

		f.set(a, 0, probe.OK)
		wait(8 * time.Second)
		if s = m.Snapshot(); !s.Original.Works {
			t.Errorf("the original chain works again, and nobody noticed: %+v", s.Original)
		}
	})
}

func TestOneEndpointForSeveralHops(t *testing.T) {
	f := newFake()
	in := inputs(a + "," + b + "|" + a)
	in.Extra = []probe.Endpoint{{URL: a, Kind: probe.KindProxy}, {URL: "https://c.example.com", Kind: probe.KindProxy}}
	watching(t, f, in, func(m *monitor.Monitor) {
		wait(time.Second)
		s := m.Snapshot()
		if len(s.Endpoints) != 4 || len(s.Endpoints[0].Hops) != 2 || s.Endpoints[0].Hops[1] != 3 {
			t.Errorf("endpoints %+v", s.Endpoints)
		}
		if n := f.count(a); n != 1 {
			t.Errorf("asked %d times at once", n)
		}
	})
}

func TestSnapshotsAreCoalesced(t *testing.T) {
	f := newFake()
	in := inputs(a)
	for i := range 40 {
		u := "https://x" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".example.com"
		in.Extra = append(in.Extra, probe.Endpoint{URL: u, Kind: probe.KindProxy})
		f.set(u, time.Duration(7*i)*time.Millisecond, probe.OK)
	}
	watching(t, f, in, func(m *monitor.Monitor) {
		c, cancel := m.Subscribe()
		defer cancel()
		idle, stop := m.Subscribe() // a reader that never reads holds nobody up
		defer stop()
		n := 0
		for end := time.After(time.Second); ; {
			select {
			case s := <-c:
				n++
				_ = s
				continue
			case <-end:
			}
			break
		}
		if n > 12 {
			t.Errorf("%d snapshots in a second", n)
		}
		m.ProbeNow()
		wait(2 * time.Second)
		if s := <-idle; time.Since(s.At.Time) > 2*time.Second {
			t.Errorf("the idle reader's snapshot is of %v ago", time.Since(s.At.Time))
		}
	})
}

func TestUnsubscribe(t *testing.T) {
	m := monitor.New(monitor.DefaultConfig(), newFake(), inputs(a))
	c, cancel := m.Subscribe()
	if s := <-c; s.Verdict.State != monitor.StateUnknown || s.Round != 0 {
		t.Errorf("the first snapshot is %+v", s.Verdict)
	}
	cancel()
	cancel()
	if _, ok := <-c; ok {
		t.Error("the channel is open")
	}
}

func TestDeepAndProbeNow(t *testing.T) {
	f := newFake()
	watching(t, f, inputs(a), func(m *monitor.Monitor) {
		wait(time.Second)
		before := f.count(a)
		m.ProbeNow(a)
		wait(100 * time.Millisecond)
		if n := f.count(a); n != before+1 {
			t.Errorf("asked %d times more", n-before)
		}
		if r := m.Deep(context.Background(), a); len(r.Checks) != 1 {
			t.Errorf("deep: %+v", r)
		}
		if r := m.Deep(context.Background(), "https://elsewhere.example.com"); r.Class != probe.ClassUnknown {
			t.Errorf("deep of what is not watched: %+v", r)
		}
	})
}

func TestBurstBesideRun(t *testing.T) {
	f := newFake()
	watching(t, f, inputs(a), func(m *monitor.Monitor) {
		wait(time.Second)
		before := f.count(a)
		if s := m.Burst(context.Background()); s.Verdict.State != monitor.StateOK || f.count(a) != before+1 {
			t.Errorf("%d probes more, %+v", f.count(a)-before, s.Verdict)
		}
	})
}

func TestRunTwice(t *testing.T) {
	watching(t, newFake(), inputs(a), func(m *monitor.Monitor) {
		wait(time.Second)
		if err := m.Run(context.Background()); err != monitor.ErrRunning {
			t.Errorf("a second Run: %v", err)
		}
	})
}

// What the go command does not use learns nothing of the project.
func TestExtraIsAskedForTheNeutralModule(t *testing.T) {
	f := newFake()
	in := inputs(a)
	c := "https://c.example.com"
	ep := probe.Endpoint{URL: c, Kind: probe.KindProxy}
	ep.Module.Path, ep.Module.Version = "corp.example/secret", "v1.0.0"
	in.Extra = []probe.Endpoint{ep}
	watching(t, f, in, func(m *monitor.Monitor) {
		wait(time.Second)
		f.mu.Lock()
		defer f.mu.Unlock()
		if got := f.mods[c]; strings.Contains(got, "secret") {
			t.Errorf("the catalog's host was asked for %s", got)
		}
	})
}

func TestBadValues(t *testing.T) {
	for _, c := range []struct{ proxy, sum, words string }{
		{"ftp://joe:secret@x.example.com", "sum.golang.org", "rejects GOPROXY"},
		{a, "one two three", "rejects GOSUMDB"},
		{"", "sum.golang.org", "rejects GOPROXY"},
	} {
		watching(t, newFake(), monitor.Inputs{Env: environ("GOPROXY="+c.proxy, "GOSUMDB="+c.sum)}, func(m *monitor.Monitor) {
			wait(3 * time.Second)
			s := m.Snapshot()
			if s.Verdict.State != monitor.StateOutage || s.Verdict.Scope != monitor.ScopeConfig || !strings.Contains(s.Verdict.Headline, c.words) {
				t.Errorf("%q: %+v", c.proxy, s.Verdict)
			}
			if data, err := json.Marshal(s); err != nil || strings.Contains(string(data), "secret") || strings.Contains(string(data), "null,") && strings.Contains(string(data), `"hops":null`) {
				t.Errorf("%s %v", data, err)
			}
		})
	}
}

// A suspended machine: the time counts for nothing, and is told once.
func TestSuspend(t *testing.T) {
	f := newFake()
	clock := clocktest.New(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
	m := monitor.NewWithClock(monitor.DefaultConfig(), f, inputs(a), clock)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- m.Run(ctx) }()
	defer func() { cancel(); <-over }()

	limit, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	c, unsubscribe := m.Subscribe()
	defer unsubscribe()
	until := func(what string, ok func(monitor.Snapshot) bool) {
		t.Helper()
		for {
			select {
			case s := <-c:
				if ok(s) {
					return
				}
			case <-limit.Done():
				t.Fatalf("no snapshot in which %s", what)
			default:
				if err := clock.BlockUntil(limit, 1); err != nil {
					t.Fatalf("no snapshot in which %s: %v", what, err)
				}
				clock.Advance(100 * time.Millisecond)
			}
		}
	}
	until("a is up", func(s monitor.Snapshot) bool { return s.Verdict.State == monitor.StateOK })
	if err := clock.BlockUntil(limit, 1); err != nil {
		t.Fatal(err)
	}
	clock.Jump(8 * time.Hour)
	until("the gap is told", func(s monitor.Snapshot) bool {
		return s.Gap != nil && s.Gap.To.Sub(s.Gap.From.Time) >= 8*time.Hour
	})
	until("it is over", func(s monitor.Snapshot) bool { return s.Gap == nil && s.Verdict.State == monitor.StateOK })
}

func TestReadinessIsInEverySnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor.New(monitor.DefaultConfig(), newFake(), inputs(a))
		if got := m.Snapshot().Readiness.State; got != "unknown" {
			t.Errorf("before anybody has looked it is %q", got)
		}
		c, end := m.Subscribe()
		defer end()
		<-c
		want := monitor.Readiness{State: "not_ready", Ready: 80, Missing: 3, AtRisk: 2}
		m.SetReadiness(want)
		if got := (<-c).Readiness; got != want {
			t.Errorf("told %v, and the next snapshot says %v", want, got)
		}
		m.SetInputs(inputs(b))
		if got := (<-c).Readiness; got != want {
			t.Errorf("told %v, and after other inputs it is %v", want, got)
		}
	})
}

// A chain that changes leads to the checksum database by another way, which is asked
// at once: what was known of the old one would be blamed on the new one.
func TestAnotherChainAsksTheDatabaseAtOnce(t *testing.T) {
	f := newFake()
	watching(t, f, inputs(a+","+b), func(m *monitor.Monitor) {
		wait(20 * time.Second)
		count := func() (n int) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for key, asked := range f.asked {
				if strings.HasPrefix(key, "sumdb ") {
					n += asked
				}
			}
			return n
		}
		before := count()
		m.SetInputs(inputs(a + "," + b))
		wait(time.Second)
		same := count()
		m.SetInputs(inputs(b))
		wait(time.Second)
		if other := count(); same != before || other == same || before == 0 {
			t.Errorf("the database was asked %d times, %d after nothing has changed, %d by another chain", before, same, other)
		}
	})
}
