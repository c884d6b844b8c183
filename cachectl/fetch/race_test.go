package fetch

import (
	"context"
	"os"
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
