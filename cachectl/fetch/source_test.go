package fetch

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/module"

	"gpx/probe"
)

// A fake is a source whose answers take a time of a clock that tests move.
type fake struct {
	name  string
	takes time.Duration // to the first byte; negative: for ever
	body  time.Duration // from the first byte to the last
	size  int           // of the body, if it takes a time
	// length is what it says of its size.
	length int64
	class  probe.Class
	asked  []time.Duration // since the fakes were made
	start  time.Time
}

func (f *fake) Download(ctx context.Context, m module.Version, _ probe.File, w io.Writer, p probe.Patience, began func(size int64)) probe.Result {
	f.asked = append(f.asked, time.Since(f.start))
	wait, class := f.takes, f.class
	if wait < 0 || wait > p.FirstByte {
		wait, class = p.FirstByte, probe.Timeout
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return probe.Result{Class: probe.ClassUnknown}
	}
	if class == probe.OK {
		began(f.length)
		const parts = 200
		for range parts {
			select {
			case <-time.After(f.body / parts):
				w.Write(make([]byte, f.size/parts))
			case <-ctx.Done():
				return probe.Result{Class: probe.ClassUnknown}
			}
		}
		io.WriteString(w, f.name)
	}
	return probe.Result{Class: class}
}

func (*fake) Close() {}

// A track is a racer with fakes; those whose name begins with p are public, with x
// beyond the chain.
type track struct {
	*Racer
	t     *testing.T
	fakes []*fake
	eps   []probe.Endpoint
	start time.Time
}

func newTrack(t *testing.T, names ...string) *track {
	dir := t.TempDir()
	tr := &track{t: t, start: time.Now()}
	for _, name := range names {
		tr.fakes = append(tr.fakes, &fake{name: name, takes: 10 * time.Millisecond, class: probe.OK, start: tr.start})
		tr.eps = append(tr.eps, probe.Endpoint{URL: "https://" + name, Kind: probe.KindProxy})
	}
	tr.Racer = &Racer{
		Rest: 10 * time.Second, Temp: func() (*os.File, error) { return os.CreateTemp(dir, "*") },
		Circle: func(ep probe.Endpoint) Circle {
			switch {
			case strings.HasPrefix(ep.URL, "https://p"):
				return Public
			case strings.HasPrefix(ep.URL, "https://x"):
				return Beyond
			}
			return Own
		},
		visit: func(ep probe.Endpoint) visitor {
			return tr.fakes[slices.IndexFunc(tr.fakes, func(f *fake) bool { return "https://"+f.name == ep.URL })]
		},
	}
	return tr
}

// race asks once, and says who answered, how late, and who was passed.
func (tr *track) race() (race Race, by string, took time.Duration) {
	tr.t.Helper()
	start := time.Now()
	race = tr.Get(tr.t.Context(), tr.eps, module.Version{Path: "example.com/m", Version: "v1.0.0"}, probe.Mod, func(_ context.Context, file string) error {
		data, err := os.ReadFile(file)
		by = string(data)
		return err
	})
	return race, by, time.Since(start)
}

// warm gives a pace to those from first on, by asking them alone.
func (tr *track) warm(first int) {
	all := tr.eps
	defer func() { tr.eps = all }()
	for i := first; i < len(all); i++ {
		tr.eps = all[i : i+1]
		for range fewSamples {
			tr.race()
		}
	}
}

// Who is waited for has as long as it usually takes, within bounds; while that is
// not known, half a second.
func TestHedge(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		usual, want time.Duration
	}{
		"unknown":   {0, DefaultHedge},
		"fast":      {10 * time.Millisecond, leastHedge},
		"usual":     {300 * time.Millisecond, 300 * time.Millisecond},
		"very slow": {1900 * time.Millisecond, DefaultHedge},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTrack(t, "a", "b")
				if a := tr.fakes[0]; tt.usual > 0 {
					a.takes = tt.usual
					all := tr.eps
					tr.eps = all[:1]
					for range fewSamples {
						tr.race()
					}
					tr.eps = all
				}
				tr.fakes[0].takes = -1
				race, by, took := tr.race()
				if want := tt.want + tr.fakes[1].takes; by != "b" || took != want {
					t.Errorf("%s after %v, want %v", by, took, want)
				}
				if len(race.Passed) != 1 || race.Passed[0].Class != probe.Timeout {
					t.Errorf("%+v", race)
				}
			})
		})
	}
}

// Who is much faster is asked first, and nobody was passed by that; who is a little
// faster is not. What was measured is forgotten after a while.
func TestByPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTrack(t, "a", "b", "c")
		for i, takes := range []time.Duration{90, 80, 20} {
			tr.fakes[i].takes = takes * time.Millisecond
		}
		tr.warm(0)
		if race, by, _ := tr.race(); by != "c" || len(race.Passed) > 0 {
			t.Errorf("%s, %+v", by, race)
		}
		tr.fakes[2].class = probe.ServerError
		for range 3 {
			if race, by, _ := tr.race(); by != "a" || len(race.Passed) > 0 {
				t.Errorf("%s, %+v", by, race)
			}
		}
		tr.fakes[2].class = probe.OK
		time.Sleep(paceTime) // of the bubble's clock
		if _, by, _ := tr.race(); by != "a" {
			t.Errorf("%s is first, though it was measured long ago", by)
		}
	})
}

// How long those were waited for who never answered counts too: who became slow is
// asked first no more, though none of its answers is seen to the end.
func TestLateCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTrack(t, "a", "b")
		tr.warm(0)
		tr.Rest = time.Nanosecond // strikes put nobody last here
		a := tr.fakes[0]
		a.takes = 400 * time.Millisecond
		before := len(a.asked)
		for range 3 * paceSamples {
			tr.race()
		}
		if n := len(a.asked) - before; n > paceSamples {
			t.Errorf("the slow one is asked first %d times", n)
		}
	})
}

// Public ones are asked after those before them failed, not because they are slow;
// and never first because they are fast.
func TestPublicWaits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		takes time.Duration
		class probe.Class
		by    string
		took  time.Duration
	}{
		"slow":     {1500 * time.Millisecond, probe.OK, "mine", 1500 * time.Millisecond},
		"hangs":    {-1, probe.OK, "public", 2*time.Second + 10*time.Millisecond},
		"has none": {50 * time.Millisecond, probe.NotFound, "public", 60 * time.Millisecond},
		"fails":    {50 * time.Millisecond, probe.ServerError, "public", 60 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTrack(t, "mine", "public")
				tr.fakes[0].takes = 100 * time.Millisecond
				tr.warm(0)
				tr.fakes[0].takes, tr.fakes[0].class = tt.takes, tt.class
				told := len(tr.fakes[1].asked)
				if _, by, took := tr.race(); by != tt.by || took != tt.took {
					t.Errorf("%s after %v, want %s after %v", by, took, tt.by, tt.took)
				}
				if tt.by == "mine" && len(tr.fakes[1].asked) > told {
					t.Error("a public one was told")
				}
			})
		})
	}
}

// One beyond the chain is asked after the hops of the chain, however fast it is.
func TestBeyondWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTrack(t, "public", "xtra")
		hop, extra := tr.fakes[0], tr.fakes[1]
		hop.takes = 900 * time.Millisecond
		tr.warm(0)
		told := len(extra.asked)
		if _, by, _ := tr.race(); by != "public" || len(extra.asked) > told {
			t.Errorf("%s, and the other was told %d times", by, len(extra.asked)-told)
		}
		hop.class = probe.ServerError
		if race, by, _ := tr.race(); by != "xtra" || len(race.Passed) != 1 {
			t.Errorf("%s, %+v", by, race)
		}
	})
}

// A second private one is asked when the first is late, and a public one behind
// both when neither may still answer.
func TestPublicWaitsForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTrack(t, "a", "b", "public")
		tr.fakes[0].takes, tr.fakes[0].class = 700*time.Millisecond, probe.ServerError
		tr.fakes[1].takes, tr.fakes[1].class = 900*time.Millisecond, probe.NotFound
		_, by, took := tr.race()
		if want := DefaultHedge + 900*time.Millisecond + 10*time.Millisecond; by != "public" || took != want {
			t.Errorf("%s after %v, want %v", by, took, want)
		}
	})
}

// Who sends, but too slowly, is not waited for alone: a small file has the hedge's
// time again, a zip as long as it moves.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file   probe.File
		length int64
		size   int
		body   time.Duration
		accept time.Duration
		by     string
	}{
		"a small file":                {probe.Mod, 1000, 1000, 300 * time.Millisecond, 0, "a"},
		"a small file, byte by byte":  {probe.Mod, 1000, 1000, time.Minute, 0, "b"},
		"a zip on a slow line":        {probe.Zip, 10 << 20, 10 << 20, time.Minute, 0, "a"},
		"a zip, byte by byte":         {probe.Zip, 1000, 1000, time.Minute, 0, "b"},
		"a zip that may never end":    {probe.Zip, -1, 100 << 20, time.Minute, 0, "b"},
		"whole, and verified at ease": {probe.Mod, 1000, 1000, 0, 10 * time.Second, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTrack(t, "a", "b")
				tr.fakes[0].length, tr.fakes[0].size, tr.fakes[0].body = tt.length, tt.size, tt.body
				race := tr.Get(t.Context(), tr.eps, module.Version{Path: "example.com/m", Version: "v1.0.0"}, tt.file, func(context.Context, string) error {
					time.Sleep(tt.accept) // of the bubble's clock
					return nil
				})
				if !race.Won || race.Source != "https://"+tt.by || (len(tr.fakes[1].asked) > 0) != (tt.by == "b") {
					t.Errorf("%+v, b was asked %d times", race, len(tr.fakes[1].asked))
				}
				if passed := len(race.Passed) > 0; passed != (tt.by == "b") {
					t.Errorf("passed: %+v", race.Passed)
				}
			})
		})
	}
}
