package monitor

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/wire"
	"gpx/probe"
)

// A world says how an endpoint answers a probe that begins at a time (since the
// beginning of the simulation): after how long, and how.
type world func(key string, at time.Duration) (time.Duration, probe.Class)

// A sim runs a schedule against a world, event by event, without goroutines.
type sim struct {
	t       *testing.T
	s       *schedule
	world   world
	start   time.Time
	now     time.Time
	pending []landing
	asked   map[string][]time.Duration // starts by key
	// onChange is called when the health of an endpoint changes.
	onChange func(key string, h Health, at time.Duration)
}

type landing struct {
	at    time.Time
	id    int
	class probe.Class
	total time.Duration
	key   string
}

func newSim(t *testing.T, seed uint64, w world, specs ...spec) *sim {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	m := &sim{t: t, s: newSchedule(DefaultConfig(), seed), world: w, start: start, now: start, asked: map[string][]time.Duration{}}
	m.s.set(specs, start)
	return m
}

func (m *sim) since() time.Duration { return m.now.Sub(m.start) }

// until runs the simulation up to a time.
func (m *sim) until(end time.Duration) {
	for {
		for _, j := range m.s.due(m.now) {
			m.asked[j.key] = append(m.asked[j.key], m.since())
			total, class := m.world(j.key, m.since())
			m.pending = append(m.pending, landing{at: m.now.Add(total), id: j.id, class: class, total: total, key: j.key})
		}
		slices.SortStableFunc(m.pending, func(a, b landing) int { return cmp.Or(a.at.Compare(b.at), a.id-b.id) })
		next := m.s.wake(m.now)
		if len(m.pending) > 0 && !m.pending[0].at.After(next) {
			next = m.pending[0].at
		}
		if next.Sub(m.start) > end {
			m.now = m.start.Add(end)
			return
		}
		if next.Before(m.now) {
			m.t.Fatalf("the schedule wants to wake up in the past: %v at %v", next.Sub(m.start), m.since())
		}
		m.now = next
		for len(m.pending) > 0 && !m.pending[0].at.After(m.now) {
			l := m.pending[0]
			m.pending = m.pending[1:]
			before := m.health(l.key)
			m.s.done(l.id, outcome{result: probe.Result{Class: l.class, Phases: probe.Phases{Total: wire.Millis(l.total)}}}, m.now)
			if h := m.health(l.key); h != before && m.onChange != nil {
				m.onChange(l.key, h, m.since())
			}
		}
	}
}

func (m *sim) health(key string) Health { return m.s.find(key).cond.Health }

func hopSpec(url string, n int) spec {
	return spec{ep: probe.Endpoint{URL: url, Kind: probe.KindProxy}, role: roleHop, hops: []int{n}}
}

const hopA, hopB = "https://a.example.com", "https://b.example.com"

// After the faults of the table the hop is down in time, wherever in the
// schedule they begin and however fast the hop was before.
func TestTimeToDown(t *testing.T) {
	faults := []struct {
		name  string
		after time.Duration
		class probe.Class
		limit time.Duration
	}{
		{"black hole, connecting", 2 * time.Second, probe.ConnectTimeout, 8 * time.Second},
		{"black hole, answering", 2 * time.Second, probe.Timeout, 8 * time.Second},
		{"refused", time.Millisecond, probe.Refused, 6 * time.Second},
		{"503", 80 * time.Millisecond, probe.ServerError, 6 * time.Second},
		{"429", 80 * time.Millisecond, probe.RateLimited, 6 * time.Second},
		{"slow 503", 600 * time.Millisecond, probe.ServerError, 6500 * time.Millisecond},
	}
	for _, f := range faults {
		for _, normal := range []time.Duration{5 * time.Millisecond, 90 * time.Millisecond, 600 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s after %v", f.name, normal), func(t *testing.T) {
				var worst time.Duration
				for seed := range uint64(40) {
					begins := 60*time.Second + time.Duration(seed)*137*time.Millisecond
					lossy := seed%2 == 1 // a single probe was lost before: one failure more is needed
					w := func(key string, at time.Duration) (time.Duration, probe.Class) {
						if at >= begins {
							return f.after, f.class
						}
						if lossy && at > 20*time.Second && at < 30*time.Second && key == hopA {
							lossy = false
							return 30 * time.Millisecond, probe.Reset
						}
						return normal, probe.OK
					}
					m := newSim(t, seed, w, hopSpec(hopA, 1), hopSpec(hopB, 2))
					down := time.Duration(-1)
					m.onChange = func(key string, h Health, at time.Duration) {
						if h == Down && key == hopA && down < 0 {
							down = at
						}
					}
					m.until(begins + 20*time.Second)
					if down < 0 {
						t.Fatalf("seed %d: not down after 20 s", seed)
					}
					worst = max(worst, down-begins)
				}
				t.Logf("worst of 40: %v", worst)
				if worst > f.limit {
					t.Errorf("down only after %v, the limit is %v", worst, f.limit)
				}
			})
		}
	}
}

// An hour with 2 % of the probes lost, each by itself, takes nothing down.
func TestNoFalseAlarm(t *testing.T) {
	for _, lost := range []struct {
		name  string
		after time.Duration
		class probe.Class
	}{
		{"packets vanish", 2 * time.Second, probe.Timeout},
		{"connections are reset", 20 * time.Millisecond, probe.Reset},
	} {
		for seed := uint64(1); seed <= 8; seed++ {
			t.Run(fmt.Sprintf("%s, seed %d", lost.name, seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 2))
				w := func(string, time.Duration) (time.Duration, probe.Class) {
					if r.Float64() < 0.02 {
						return lost.after, lost.class
					}
					return 20*time.Millisecond + time.Duration(r.ExpFloat64()*float64(20*time.Millisecond)), probe.OK
				}
				m := newSim(t, seed, w, hopSpec(hopA, 1), hopSpec(hopB, 2),
					spec{ep: probe.Endpoint{Kind: probe.KindSumDB, SumDB: chain.SumDB{Name: "sum.example.com"}}, role: roleSumDB})
				m.onChange = func(key string, h Health, at time.Duration) {
					if h == Down {
						t.Errorf("%s was called down after %v", key, at)
					}
				}
				m.until(time.Hour)
				if n := len(m.asked[hopA]); n < 700 || n > 1100 {
					t.Errorf("%d probes of a hop in an hour", n)
				}
			})
		}
	}
}

func TestRecovery(t *testing.T) {
	w := func(_ string, at time.Duration) (time.Duration, probe.Class) {
		if at > 30*time.Second && at < 90*time.Second {
			return time.Millisecond, probe.Refused
		}
		return 10 * time.Millisecond, probe.OK
	}
	m := newSim(t, 1, w, hopSpec(hopA, 1))
	var up time.Duration
	m.onChange = func(_ string, h Health, at time.Duration) {
		if h == Up && at > time.Minute {
			up = at
		}
	}
	m.until(2 * time.Minute)
	if up == 0 || up > 96*time.Second {
		t.Errorf("up again at %v, the fault ended at 90 s", up)
	}
	if h := m.health(hopA); h != Up {
		t.Errorf("health is %s: what failed in the outage still counts", h)
	}
}

// A hop that fails every other time is asked more often, within bounds.
func TestFlappingIsNotHammered(t *testing.T) {
	n := 0
	w := func(string, time.Duration) (time.Duration, probe.Class) {
		if n++; n%2 == 0 {
			return time.Millisecond, probe.ServerError
		}
		return time.Millisecond, probe.OK
	}
	m := newSim(t, 1, w, hopSpec(hopA, 1))
	m.until(time.Minute)
	if got := len(m.asked[hopA]); got > 15*(1+overlapLimit) {
		t.Errorf("%d probes in a minute", got)
	}
	if h := m.health(hopA); h == Down {
		t.Errorf("down, but it never failed three times in a row")
	}
}

func TestRateLimitBacksOff(t *testing.T) {
	m := newSim(t, 1, nil, hopSpec(hopA, 1))
	m.world = func(_ string, at time.Duration) (time.Duration, probe.Class) {
		if at < time.Second {
			return time.Millisecond, probe.OK
		}
		return time.Millisecond, probe.RateLimited
	}
	m.until(5 * time.Minute)
	starts := m.asked[hopA]
	if len(starts) > 10 {
		t.Errorf("%d probes of a hop that said 429: %v", len(starts), starts)
	}
	for i := 2; i < len(starts); i++ {
		if d := starts[i] - starts[i-1]; d < DefaultConfig().BackoffMin {
			t.Errorf("asked again after %v", d)
		}
	}
	if h := m.health(hopA); h != Down {
		t.Errorf("health is %s", h)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		asked, want time.Duration
	}{
		{90 * time.Second, 90 * time.Second},
		{time.Second, DefaultConfig().BackoffMin},
		{40 * time.Minute, 40 * time.Minute},
		{365 * 24 * time.Hour, DefaultConfig().RetryAfterMax},
	} {
		s := newSchedule(DefaultConfig(), 1)
		s.set([]spec{hopSpec(hopA, 1)}, now)
		j := s.due(now)[0]
		s.done(j.id, outcome{result: probe.Result{Class: probe.RateLimited, RetryAfter: wire.Millis(c.asked)}}, now)
		if got := s.wake(now).Sub(now); s.round > 0 && got != min(c.want, time.Minute) {
			t.Errorf("Retry-After %v: next look after %v, want %v", c.asked, got, c.want)
		}
		if got := s.targets[0].next.Sub(now); got != c.want {
			t.Errorf("Retry-After %v: next probe after %v, want %v", c.asked, got, c.want)
		}
		if s.skip(now, now, now); s.targets[0].next.Sub(now) != c.want {
			t.Errorf("Retry-After %v: a gap shortens it", c.asked)
		}
	}
}

// Jitter only shortens, and hops are asked every 4–5 s, the rest every 15 s.
func TestIntervals(t *testing.T) {
	w := func(string, time.Duration) (time.Duration, probe.Class) { return 5 * time.Millisecond, probe.OK }
	direct := spec{ep: probe.Endpoint{URL: "direct", Kind: probe.KindDirect}, role: roleHop, hops: []int{2}}
	m := newSim(t, 3, w, hopSpec(hopA, 1), direct)
	m.until(10 * time.Minute)
	check := func(key string, least, most time.Duration) {
		starts := m.asked[key]
		for i := 1; i < len(starts); i++ {
			if d := starts[i] - starts[i-1]; d < least || d > most {
				t.Errorf("%s: %v between two probes", key, d)
			}
		}
	}
	check(hopA, 4*time.Second, 5*time.Second)
	check("direct", 12*time.Second, 15*time.Second)
}

// The first failure of a hop asks the database and the forward proxy at once:
// is it the hop, or the network?
func TestFirstFailureAsksTheOthers(t *testing.T) {
	w := func(_ string, at time.Duration) (time.Duration, probe.Class) {
		if at > 20*time.Second {
			return time.Millisecond, probe.Unreachable
		}
		return time.Millisecond, probe.OK
	}
	db := spec{ep: probe.Endpoint{Kind: probe.KindSumDB, SumDB: chain.SumDB{Name: "sum.example.com"}}, role: roleSumDB}
	m := newSim(t, 1, w, hopSpec(hopA, 1), db)
	var downs []time.Duration
	m.onChange = func(_ string, h Health, at time.Duration) {
		if h == Down {
			downs = append(downs, at)
		}
	}
	m.until(30 * time.Second)
	if len(downs) != 2 || downs[1] > 27*time.Second {
		t.Errorf("hop and database are down at %v", downs)
	}
}

func TestSettingInputsKeepsThePast(t *testing.T) {
	w := func(string, time.Duration) (time.Duration, probe.Class) { return 5 * time.Millisecond, probe.OK }
	m := newSim(t, 1, w, hopSpec(hopA, 1))
	m.until(time.Minute)
	samples := len(m.s.find(hopA).past.entries)
	m.s.set([]spec{hopSpec(hopB, 1), {ep: probe.Endpoint{URL: hopA, Kind: probe.KindProxy}, role: roleOriginal}}, m.now)
	if got := len(m.s.find(hopA).past.entries); got != samples || got == 0 {
		t.Errorf("%d samples of %d are left", got, samples)
	}
	m.until(2 * time.Minute)
	if got := len(m.s.find(hopA).past.entries); got < samples+11 {
		t.Errorf("the original chain is not probed as before: %d samples after %d", got, samples)
	}
	if got := m.asked[hopB][0]; got > time.Minute {
		t.Errorf("the new hop was first asked at %v", got)
	}
}

// A gap counts for nothing: what was in flight is dropped, a run of failures
// does not go on across it, and everything is asked again at once.
func TestGap(t *testing.T) {
	fails := func(string, time.Duration) (time.Duration, probe.Class) { return time.Millisecond, probe.Refused }
	m := newSim(t, 1, fails, hopSpec(hopA, 1))
	m.until(300 * time.Millisecond) // two failures
	tg := m.s.find(hopA)
	if tg.cond.fails != 2 {
		t.Fatalf("%d failures", tg.cond.fails)
	}
	j := m.s.due(m.now.Add(time.Second))[0] // in flight when the lid closes
	from := m.now
	m.now = m.now.Add(8 * time.Hour)
	m.s.skip(from, m.now, m.now)
	if m.s.done(j.id, outcome{result: probe.Result{Class: probe.Timeout}}, m.now) {
		t.Error("a probe that slept counts")
	}
	if tg.cond.Health == Down || tg.cond.fails != 0 {
		t.Errorf("health %s with %d failures after the gap", tg.cond.Health, tg.cond.fails)
	}
	if len(m.s.due(m.now)) != 1 {
		t.Error("nothing is asked after the gap")
	}
}

func TestWatch(t *testing.T) {
	base := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name          string
		planned, came time.Duration
		want          bool
	}{
		{"in time", 4 * time.Second, 4 * time.Second, false},
		{"early, something happened", 4 * time.Second, time.Second, false},
		{"a little late", 4 * time.Second, 7 * time.Second, false},
		{"the process was stopped", 4 * time.Second, 60 * time.Second, true},
	} {
		w := watch{last: base, planned: base.Add(c.planned)}
		if _, _, got := w.look(base.Add(c.came), 5*time.Second); got != c.want {
			t.Errorf("%s: gap %v", c.name, got)
		}
	}
	if _, _, got := new(watch).look(base, time.Second); got {
		t.Error("the first look is a gap")
	}
}
