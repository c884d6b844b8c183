package history

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

// TestHistoryRatios is what `make bench` prints of the history: how fast it takes
// samples, how large they are, and how long the screen waits for what it shows of
// them. `make soak` asks the same of ten million.
func TestHistoryRatios(t *testing.T) {
	n, most := 2_000_000, 30*time.Millisecond
	switch {
	case os.Getenv("GPX_TEST_SCALE") == "soak":
		n, most = 10_000_000, 50*time.Millisecond
	case os.Getenv("GPX_BENCH") == "":
		t.Log("GPX_BENCH is not set; make bench sets it")
		return
	}
	path := filepath.Join(t.TempDir(), "history.db")
	now := began
	open := func() *Store {
		s, err := Open(t.Context(), path, Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	f := newFeed(8, began)
	start := time.Now()
	fill(t, s, f, n, false)
	rate := float64(n) / time.Since(start).Seconds()
	now = f.at
	for i := range 50 {
		opened := began.Add(time.Duration(i+1) * 3 * time.Hour)
		if _, err := s.AddRecording(t.Context(), &incident.Recording{Incident: incident.Incident{
			Opened: wire.At(opened), Detected: wire.At(opened.Add(5 * time.Second)), Resolved: wire.At(opened.Add(time.Hour)),
			Headline: "OUTAGE: proxy-0.example.com answers 502 and go stops", Causes: []probe.Class{probe.ServerError}, Endpoints: []string{f.endpoints[0].URL},
		}, Frames: []incident.Frame{{Snapshot: monitor.Snapshot{At: wire.At(opened)}}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}

	var table strings.Builder
	fmt.Fprintf(&table, "| history of %d samples of 8 endpoints | measured | promised |\n|---|---|---|\n", n)
	row := func(what, measured, promised string, ok bool) {
		fmt.Fprintf(&table, "| %s | %s | %s |\n", what, measured, promised)
		if !ok {
			t.Errorf("%s: %s, promised is %s", what, measured, promised)
		}
	}
	row("samples stored per second, 100 a transaction, with rollups", fmt.Sprintf("%.0f", rate), "120000", rate >= 120_000 || n > 2_000_000)
	size := float64(info.Size()) / float64(n)
	row("bytes a sample, rollups included", fmt.Sprintf("%.1f", size), "60", size <= 60)
	ask := func(what string, limit time.Duration, fn func() error) {
		t.Helper()
		took := make([]time.Duration, 9)
		for i := range took {
			start := time.Now()
			if err := fn(); err != nil {
				t.Fatal(err)
			}
			took[i] = time.Since(start)
		}
		slices.Sort(took)
		row(what, took[len(took)/2].Round(10*time.Microsecond).String(), limit.String(), took[len(took)/2] <= limit)
	}
	ask("opening the database", 5*time.Millisecond, func() error { return open().Close() })
	s = open()
	defer s.Close()
	ask("opening the view: the incidents and the last day", 50*time.Millisecond, func() error {
		if _, err := s.Incidents(t.Context()); err != nil {
			return err
		}
		_, err := s.Stats(t.Context(), StatsOptions{Since: now.Add(-24 * time.Hour)})
		return err
	})
	ask("statistics of the last day", 10*time.Millisecond*time.Duration(1+n/10_000_000*4), func() error {
		_, err := s.Stats(t.Context(), StatsOptions{Since: now.Add(-24 * time.Hour)})
		return err
	})
	ask("statistics of all time", most, func() error {
		_, err := s.Stats(t.Context(), StatsOptions{})
		return err
	})
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	row("memory that Go holds after all this", fmt.Sprintf("%.0f MB", float64(m.Sys)/1e6), "bounded", m.Sys < 200<<20)
	t.Logf("\n%s", table.String())
}
