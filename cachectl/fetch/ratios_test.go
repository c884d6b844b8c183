package fetch

import (
	"os"
	"slices"
	"testing"
	"time"

	"gpx/probe"
	"gpx/probe/lab"
)

// TestRatios is what `make bench` prints: fetching 50 modules from a healthy
// source alone, and behind one that drops packets and one that sends other bytes.
// It does nothing unless GPX_BENCH is set, because a loaded machine would make it
// lie.
func TestRatios(t *testing.T) {
	if os.Getenv("GPX_BENCH") == "" {
		t.Log("GPX_BENCH is not set; make bench sets it")
		return
	}
	w := newWorld(t, 50)
	good, dead, wrong := w.endpoint("good", lab.OK()), w.endpoint("dead", lab.Blackhole()), w.endpoint("wrong", lab.Of(lab.ModeWrongZip))
	run := func(eps ...probe.Endpoint) time.Duration {
		o := w.options(t.TempDir(), eps...)
		o.Hedge, o.Patience = 0, probe.Patience{} // as they are by default
		start := time.Now()
		r, err := Get(t.Context(), o)
		took := time.Since(start)
		must(t, err)
		if len(r.Fetched) != len(w.wants) {
			t.Fatalf("%+v", r.Failed)
		}
		return took
	}
	var alone, behind []time.Duration
	for range 5 {
		alone = append(alone, run(good))
		behind = append(behind, run(dead, wrong, good))
	}
	slices.Sort(alone)
	slices.Sort(behind)
	healthy, broken := alone[2], behind[2]
	most := 2*healthy + 3*time.Second
	t.Logf("\n| 50 modules, 5 rounds | median | worst |\n|---|---|---|\n| one healthy source | %v | %v |\n| black hole, wrong bytes, healthy | %v | %v |\n| promised: twice the healthy time and 3 s | %v | |\n",
		round(healthy), round(alone[4]), round(broken), round(behind[4]), round(most))
	if broken > most {
		t.Errorf("it takes %v", broken)
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
