package history

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
)

// began is when the tests begin.
var began = time.Date(2026, 11, 5, 12, 0, 30, 0, time.UTC)

// clock guards what the tests' clocks show while a recorder looks at them.
var clock sync.Mutex

// advance moves a clock on.
func advance(now *time.Time, d time.Duration) {
	clock.Lock()
	defer clock.Unlock()
	*now = now.Add(d)
}

// recorded opens a store on a new file whose clock the test sets.
func recorded(t testing.TB, now *time.Time) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "history.db"), Options{Now: func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return *now
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A feed makes samples of several endpoints as their probes would come.
type feed struct {
	rand      *rand.Rand
	endpoints []incident.Endpoint
	at        time.Time
}

func newFeed(endpoints int, at time.Time) *feed {
	f := &feed{rand: rand.New(rand.NewPCG(1, 2)), at: at}
	for i := range endpoints {
		f.endpoints = append(f.endpoints, incident.Endpoint{URL: fmt.Sprintf("https://proxy-%d.example.com", i), Kind: probe.KindProxy})
	}
	return f
}

// next is a round of probes, 4.4 s after the one before.
func (f *feed) next(into []seen) []seen {
	for i, e := range f.endpoints {
		s := seen{endpoint: e, at: f.at.Add(time.Duration(i) * 7 * time.Millisecond), class: probe.OK, status: 200}
		total := time.Duration((5 + 40*f.rand.ExpFloat64()) * float64(time.Millisecond))
		switch n := f.rand.IntN(1000); {
		case n < 3:
			s.class, s.status, total = probe.Timeout, 0, 2*time.Second
		case n < 8:
			s.class, s.status = probe.ServerError, 502
		}
		s.phases = probe.Phases{DNS: wire.Millis(total / 20), TCP: wire.Millis(total / 5), TLS: wire.Millis(total / 3), TTFB: wire.Millis(total / 4), Total: wire.Millis(total)}
		into = append(into, s)
	}
	f.at = f.at.Add(4400 * time.Millisecond)
	return into
}

// fill stores n samples, 100 a transaction, rolled up as they come, and returns
// them.
func fill(t testing.TB, s *Store, f *feed, n int, keep bool) []seen {
	t.Helper()
	r, err := s.recordsOf(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all, batch []seen
	for stored := 0; stored < n; {
		for len(batch) < 100 {
			batch = f.next(batch)
		}
		err := r.within(t.Context(), func(tx *sql.Tx) error {
			if err := r.add(t.Context(), tx, batch); err != nil {
				return err
			}
			return r.roll(t.Context(), tx, f.at)
		})
		if err != nil {
			t.Fatal(err)
		}
		stored += len(batch)
		if keep {
			all = append(all, batch...)
		}
		batch = batch[:0]
	}
	return all
}

// TestStats compares sums out of rollups with those of the samples themselves, over
// periods that begin and end anywhere.
func TestStats(t *testing.T) {
	now := began
	s := recorded(t, &now)
	f := newFeed(3, began)
	all := fill(t, s, f, 150_000, true)
	now = f.at
	for _, tt := range []struct {
		name     string
		from, to time.Duration // since began; 0 is open
	}{
		{"all", 0, 0},
		{"the last hours", 5*time.Hour + 10*time.Minute, 0},
		{"within an hour", 3*time.Hour + 2*time.Minute, 3*time.Hour + 40*time.Minute},
		{"days and their ends", 3*time.Hour + 20*time.Minute, 50*time.Hour + 7*time.Minute},
		{"a middle", 2 * time.Hour, 6*time.Hour + 7*time.Minute},
		{"what is not rolled up", f.at.Sub(began).Truncate(time.Minute) - time.Minute, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := StatsOptions{SLO: 0.99}
			from, to := time.Time{}, now
			if tt.from > 0 {
				from = began.Truncate(time.Minute).Add(tt.from)
				o.Since = from
			}
			if tt.to > 0 {
				to = began.Truncate(time.Minute).Add(tt.to)
				o.Until = to
			}
			got, err := s.Stats(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range f.endpoints {
				want := exact(all, e, from, to)
				i := slices.IndexFunc(got, func(g EndpointStats) bool { return g.URL == e.URL })
				if i < 0 {
					t.Fatalf("%s is missing", e.URL)
				}
				g := got[i]
				if g.Samples != want.samples || g.Lost != want.lost {
					t.Errorf("%s: %d samples, %d lost, want %d, %d", e.URL, g.Samples, g.Lost, want.samples, want.lost)
				}
				for _, q := range []struct {
					name string
					got  wire.Millis
					q    float64
				}{{"p50", g.P50, 0.5}, {"p95", g.P95, 0.95}, {"p99", g.P99, 0.99}} {
					w := want.times[int(q.q*float64(len(want.times)-1))]
					if off := float64(q.got)/float64(w) - 1; off < -0.02 || off > 0.02 {
						t.Errorf("%s %s: %v, want %v", e.URL, q.name, time.Duration(q.got), w)
					}
				}
				var classes int64
				for _, n := range g.Classes {
					classes += n
				}
				if classes != g.Samples {
					t.Errorf("%s: the classes count %d of %d", e.URL, classes, g.Samples)
				}
			}
		})
	}
}

type exactStats struct {
	samples, lost int64
	times         []time.Duration
}

func exact(all []seen, e incident.Endpoint, from, to time.Time) exactStats {
	var x exactStats
	for _, s := range all {
		if s.endpoint != e || s.at.Before(from) || !s.at.Before(to) {
			continue
		}
		x.samples++
		if s.class.Failed() {
			x.lost++
			continue
		}
		x.times = append(x.times, time.Duration(s.phases.Total))
	}
	slices.Sort(x.times)
	return x
}

// TestRollAfterAKill rolls up nothing twice and leaves nothing out, wherever the
// process before stopped.
func TestRollAfterAKill(t *testing.T) {
	now := began
	s := recorded(t, &now)
	f := newFeed(2, began)
	r, err := s.recordsOf(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored := int64(0)
	for n := range 40 {
		var batch []seen
		for range 60 {
			batch = f.next(batch)
		}
		stored += int64(len(batch))
		roll := n%3 == 0 // the others died before they came to it
		if err := r.within(t.Context(), func(tx *sql.Tx) error {
			if err := r.add(t.Context(), tx, batch); err != nil || !roll {
				return err
			}
			return r.roll(t.Context(), tx, f.at)
		}); err != nil {
			t.Fatal(err)
		}
		// The same samples again, as after a commit whose answer was lost.
		if err := r.within(t.Context(), func(tx *sql.Tx) error { return r.add(t.Context(), tx, batch) }); err != nil {
			t.Fatal(err)
		}
	}
	now = f.at
	list, err := s.Stats(t.Context(), StatsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, e := range list {
		sum += e.Samples
	}
	if sum != stored {
		t.Errorf("%d samples are counted, %d were stored", sum, stored)
	}
}

// BenchmarkIngest is 100 samples a transaction, rollups included.
func BenchmarkIngest(b *testing.B) {
	now := began
	s := recorded(b, &now)
	f := newFeed(8, began)
	b.ResetTimer()
	for range b.N {
		fill(b, s, f, 100, false)
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "samples/s")
}
