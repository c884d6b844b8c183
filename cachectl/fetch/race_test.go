package fetch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gpx/probe"
	"gpx/probe/lab"
)

// A source that failed twice is asked last, is tried again after its rest, and
// comes first when it is well.
func TestRacerRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	srv := w.lab.Proxy("first", lab.Always(lab.Status(503, "")))
	eps := []probe.Endpoint{{URL: srv.URL(), Kind: probe.KindProxy}, w.endpoint("second", lab.OK())}
	dir := t.TempDir()
	r := Racer{
		Prober: probe.New(probe.DefaultConfig(), w.env), Patience: probe.Patience{FirstByte: 20 * time.Second, Stall: time.Second},
		Hedge: time.Minute, Rest: time.Hour, Temp: func() (*os.File, error) { return os.CreateTemp(dir, "*") },
	}
	defer r.Close()
	get := func() Race {
		return r.Get(t.Context(), eps, w.wants[0].Version, probe.Mod, func(context.Context, string) error { return nil })
	}
	for i := range 4 {
		race := get()
		if !race.Won || len(race.Passed) != 1 || race.Passed[0].Class != probe.ServerError {
			t.Fatalf("%d: %+v", i, race)
		}
	}
	if n := len(srv.Log()); n != 2 {
		t.Errorf("the first was asked %d times, want 2", n)
	}

	srv.SetFault(lab.OK())
	r.Rest = time.Nanosecond
	r.sources[eps[0].Key()].until = time.Now()
	for {
		if race := get(); race.Won && len(race.Passed) == 0 {
			break
		}
	}
	if n := len(srv.Log()); n != 3 {
		t.Errorf("the first was asked %d times, want 3", n)
	}
	left, err := os.ReadDir(dir)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Only when everybody says that there is no such file is there none.
func TestRaceMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	no, down := w.endpoint("no", lab.Status(404, "")), w.endpoint("down", lab.Status(502, ""))
	dir := t.TempDir()
	for _, tt := range []struct {
		eps  []probe.Endpoint
		want bool
	}{{[]probe.Endpoint{no}, true}, {[]probe.Endpoint{no, down}, false}, {[]probe.Endpoint{down, no}, false}, {nil, true}} {
		r := Racer{Prober: probe.New(probe.DefaultConfig(), w.env), Rest: time.Hour, Temp: func() (*os.File, error) { return os.CreateTemp(dir, "*") }}
		for range 3 {
			race := r.Get(t.Context(), tt.eps, w.wants[0].Version, probe.Info, func(context.Context, string) error { return nil })
			if race.Missing() != tt.want {
				t.Errorf("%v: %+v", tt.eps, race)
			}
		}
		r.Close()
	}
}

// A disk that is full, or a folder that is gone, is no fault of who sends: nobody is
// struck, and nobody else is asked, least of all who would not be otherwise.
func TestRaceBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	first, second := w.lab.Proxy("first", nil), w.lab.Proxy("second", nil)
	eps := []probe.Endpoint{{URL: first.URL(), Kind: probe.KindProxy}, {URL: second.URL(), Kind: probe.KindProxy}}
	dir := t.TempDir()
	gone := func() (*os.File, error) { return os.CreateTemp(filepath.Join(dir, "gone"), "*") }
	// Reading only, as good as full.
	full := func() (*os.File, error) {
		f, err := os.CreateTemp(dir, "*")
		if err != nil {
			return nil, err
		}
		f.Close()
		return os.Open(f.Name())
	}
	sound := func() (*os.File, error) { return os.CreateTemp(dir, "*") }
	take := func(context.Context, string) error { return nil }
	cannot := func(_ context.Context, file string) error { return os.Rename(file, filepath.Join(dir, "gone", "x")) }
	for name, tt := range map[string]struct {
		temp   func() (*os.File, error)
		accept func(context.Context, string) error
	}{"no folder": {gone, take}, "no room": {full, take}, "cannot be moved": {sound, cannot}} {
		r := Racer{Prober: probe.New(probe.DefaultConfig(), w.env), Rest: time.Hour, Hedge: time.Minute, Temp: tt.temp}
		for range 3 {
			race := r.Get(t.Context(), eps, w.wants[0].Version, probe.Mod, tt.accept)
			if race.Won || race.Broken == nil || len(race.Tried) > 0 || race.Missing() {
				t.Errorf("%s: %+v", name, race)
			}
		}
		if r.Err() == nil {
			t.Errorf("%s: not told", name)
		}
		r.Temp = sound
		if race := r.Get(t.Context(), eps, w.wants[0].Version, probe.Mod, take); !race.Won || race.Source != first.URL() || len(race.Passed) > 0 {
			t.Errorf("%s, and then well: %+v", name, race)
		}
		r.Close()
	}
	if n := len(second.Log()); n > 0 {
		t.Errorf("the second was asked %d times", n)
	}
}
