package monitor

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/probe"
)

// Each letter is a probe, one second apart: s succeeds, n says not_found (which
// is alive), f fails, r is a 429, S succeeds while the window is slow. "s-2" says that the
// probe began two seconds before the others would suggest.
func TestConditionNext(t *testing.T) {
	for _, c := range []struct {
		name  string
		past  Past
		runs  string
		want  Health
		class probe.Class
	}{
		{"nothing is known", Past{}, "", Unknown, probe.ClassUnknown},
		{"the first success is enough to be up", Past{}, "s", Up, probe.OK},
		{"to lack a module is to be alive", Past{}, "n", Up, probe.NotFound},
		{"a first failure is suspect, and all there is to show", Past{}, "f", Suspect, probe.Refused},
		{"one failure does not hide that it was good", Past{}, "s f", Suspect, probe.OK},
		{"two neither", Past{}, "s f f", Suspect, probe.OK},
		{"three in a row are down", Past{}, "s f f f", Down, probe.Refused},
		{"a success breaks the run", Past{}, "s f f s f f", Suspect, probe.OK},
		{"two successes end the doubt", Past{}, "s f s s", Up, probe.OK},
		{"one does not", Past{}, "s f s", Suspect, probe.OK},
		{"one success does not bring it up", Past{}, "s f f f s", Down, probe.Refused},
		{"two do", Past{}, "s f f f s s", Up, probe.OK},
		{"two, but not in a row, do not", Past{}, "s f f f s f s", Down, probe.Refused},
		{"where probes get lost, three are not enough", Past{Lossy: true}, "s f f f", Suspect, probe.OK},
		{"but four are", Past{Lossy: true}, "s f f f f", Down, probe.Refused},
		{"a 429 says it for itself", Past{Lossy: true}, "s r", Down, probe.RateLimited},
		{"slow", Past{}, "s S", Slow, probe.OK},
		{"and fast again", Past{}, "s S s", Up, probe.OK},
		{"what was slow before the outage is not slow after it", Past{}, "f f f S S", Up, probe.OK},
		{"an old failure says nothing against a newer success", Past{}, "s s f-2", Up, probe.OK},
		{"three old failures neither", Past{}, "s s s s s f-4 f-4 f-4", Up, probe.OK},
		{"an old success says nothing for a hop that failed since", Past{}, "s f f f s-3 s-3", Down, probe.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
			cond := Condition{Health: Unknown, Since: start}
			for i, word := range strings.Fields(c.runs) {
				at := start.Add(time.Duration(i) * time.Second)
				if _, back, ok := strings.Cut(word, "-"); ok {
					at = at.Add(-time.Duration(back[0]-'0') * time.Second)
				}
				class := map[byte]probe.Class{'s': probe.OK, 'S': probe.OK, 'n': probe.NotFound, 'f': probe.Refused, 'r': probe.RateLimited}[word[0]]
				past := c.past
				past.Slow = word[0] == 'S'
				cond = cond.Next(DefaultConfig(), class, at, start.Add(time.Duration(i)*time.Second), past)
			}
			if cond.Health != c.want || cond.Settled() != c.class {
				t.Errorf("after %q: %s and %s, want %s and %s", c.runs, cond.Health, cond.Settled(), c.want, c.class)
			}
		})
	}
}

func TestSinceIsKeptWhileHealthStays(t *testing.T) {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	cond := Condition{Health: Unknown, Since: start}
	for i := range 5 {
		now := start.Add(time.Duration(i) * time.Second)
		cond = cond.Next(DefaultConfig(), probe.OK, now, now, Past{})
	}
	if !cond.Since.Equal(start) {
		t.Errorf("up since %v, it has been up from the first probe at %v", cond.Since, start)
	}
}

func TestWindowStatistics(t *testing.T) {
	cfg := DefaultConfig()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	var h history
	for i := 1; i <= 10; i++ {
		class := probe.OK
		if i == 10 {
			class = probe.Timeout
		}
		h.add(cfg, entry{at: now.Add(time.Duration(i-10) * time.Second), class: class, total: time.Duration(i) * time.Millisecond})
	}
	w := h.window(cfg, now)
	if w.Samples != 10 || w.Lost != 0.1 || time.Duration(w.P50) != 5*time.Millisecond || time.Duration(w.P99) != 9*time.Millisecond {
		t.Errorf("window %+v", w)
	}
	if w := h.window(cfg, now.Add(cfg.Window-5*time.Second)); w.Samples != 6 {
		t.Errorf("%d samples are younger than the window, want 6", w.Samples)
	}
	if w := h.window(cfg, now.Add(time.Hour)); w.Samples != 0 || w.Lost != 0 || w.P99 != 0 || w.Recent == nil {
		t.Errorf("an empty window is %+v", w)
	}
}

func TestLate(t *testing.T) {
	cfg := DefaultConfig()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		times []time.Duration
		want  time.Duration
	}{
		{"nothing is known", nil, 700 * time.Millisecond},
		{"a fast endpoint", []time.Duration{5 * time.Millisecond}, 300 * time.Millisecond},
		{"four times its own p99", []time.Duration{100 * time.Millisecond, 120 * time.Millisecond}, 480 * time.Millisecond},
		{"a slow endpoint", []time.Duration{900 * time.Millisecond}, 700 * time.Millisecond},
	} {
		var h history
		for _, d := range c.times {
			h.add(cfg, entry{at: now, class: probe.OK, total: d})
		}
		if got := h.late(cfg, now); got != c.want {
			t.Errorf("%s: late after %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSlow(t *testing.T) {
	const ms = time.Millisecond
	cfg := DefaultConfig()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	type run struct {
		n     int
		total time.Duration
		lost  bool
		down  bool
	}
	for _, c := range []struct {
		name string
		runs []run // oldest first, 4 s apart
		want bool
	}{
		{"nothing is known", nil, false},
		{"fast", []run{{60, 20 * ms, false, false}}, false},
		{"a slow first answer", []run{{1, 1500 * ms, false, false}, {5, 20 * ms, false, false}}, false},
		{"two slow answers of a few", []run{{5, 20 * ms, false, false}, {2, 900 * ms, false, false}}, true},
		{"slow by nature", []run{{200, 600 * ms, false, false}, {60, 900 * ms, false, false}}, false},
		{"three times slower than by nature", []run{{200, 300 * ms, false, false}, {60, 950 * ms, false, false}}, true},
		{"one lost of a few means nothing", []run{{1, 0, true, false}, {9, 20 * ms, false, false}}, false},
		{"one lost of twenty is 5 %, and not above", []run{{1, 0, true, false}, {19, 20 * ms, false, false}}, false},
		{"a tenth lost", []run{{54, 20 * ms, false, false}, {6, 0, true, false}}, true},
		{"an outage that is over", []run{{10, 20 * ms, false, false}, {20, 0, true, true}, {30, 20 * ms, false, false}}, false},
	} {
		var h history
		total := 0
		for _, r := range c.runs {
			total += r.n
		}
		i := 0
		for _, r := range c.runs {
			for range r.n {
				i++
				class := probe.OK
				if r.lost {
					class = probe.Timeout
				}
				h.add(cfg, entry{at: now.Add(time.Duration(i-total) * 4 * time.Second), class: class, total: r.total, down: r.down})
			}
		}
		if got := h.slow(cfg, time.Time{}, now); got != c.want {
			t.Errorf("%s: slow is %v", c.name, got)
		}
	}
}

func TestLossy(t *testing.T) {
	for _, c := range []struct {
		name string
		runs string // . answered, x lost, D lost while down
		want bool
	}{
		{"nothing lost", "....", false},
		{"the run that goes on", "...xx", false},
		{"one lost in the past", ".x...", true},
		{"one lost, and a run", ".x..xx", true},
		{"an outage", "..DDDD..", false},
	} {
		var h history
		for _, r := range c.runs {
			e := entry{class: probe.OK}
			if r != '.' {
				e = entry{class: probe.Timeout, down: r == 'D'}
			}
			h.add(DefaultConfig(), e)
		}
		if got := h.lossy(); got != c.want {
			t.Errorf("%s: lossy is %v", c.name, got)
		}
	}
	var h history
	for _, class := range []probe.Class{probe.OK, probe.Timeout, probe.Timeout, probe.Timeout} {
		h.add(DefaultConfig(), entry{class: class})
	}
	h.outage()
	h.add(DefaultConfig(), entry{class: probe.OK})
	if h.lossy() {
		t.Error("an outage makes the endpoint lossy")
	}
}

// What is counted as samples come is what counting them all would say.
func TestHistoryCounts(t *testing.T) {
	cfg := DefaultConfig()
	cfg.HistorySamples = 50
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	var h history
	var all []entry
	for i := range 2000 {
		now = now.Add(time.Duration(r.IntN(9)) * time.Second)
		e := entry{at: now, class: probe.OK, total: time.Duration(r.IntN(2000)) * time.Millisecond, down: r.IntN(4) == 0}
		if r.IntN(1+i%30) == 0 {
			e.class = probe.Timeout
		}
		h.add(cfg, e)
		e.failed = e.class.Failed()
		if all = append(all, e); len(all) > cfg.HistorySamples {
			all = all[1:]
		}
		if r.IntN(20) == 0 {
			h.outage()
			for i := len(all) - 1; i >= 0 && all[i].failed && !all[i].down; i-- {
				all[i].down = true
			}
		}
		if !slices.Equal(h.entries, all) {
			t.Fatalf("after %d samples the entries differ", i)
		}
		past := all
		for len(past) > 0 && past[len(past)-1].failed {
			past = past[:len(past)-1]
		}
		if want := slices.ContainsFunc(past, func(e entry) bool { return e.failed && !e.down }); h.lossy() != want {
			t.Fatalf("after %d samples lossy is %v", i, !want)
		}
		_, window := h.split(cfg, now)
		window = slices.DeleteFunc(slices.Clone(window), func(e entry) bool { return e.down })
		slow := len(window) >= cfg.SlowMinSamples && errorRate(window) > cfg.SlowErrorRate || tail(timesOf(window)) > cfg.SlowP99
		if slow && !cfg.maybeSlow(window) {
			t.Fatalf("after %d samples slow is overlooked", i)
		}
	}
}
