package history

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
)

// The world of these tests is a function of time, so that every process sees the
// same: a chain whose first proxy fails for two minutes of every ten.
const (
	worldChain  = "https://one.example.com,https://two.example.com"
	worldPeriod = 10 * time.Minute
	worldOutage = 2 * time.Minute
	worldEvery  = 4400 * time.Millisecond
	worldLate   = 30 * time.Millisecond // until an answer is there
)

// brokenAt reports whether the first proxy fails at t: in the last minutes of a
// period.
func brokenAt(t time.Time) bool {
	return t.Sub(t.Truncate(worldPeriod)) >= worldPeriod-worldOutage
}

// worldAt is what a monitor shows at t.
func worldAt(t time.Time) monitor.Snapshot {
	cfg := monitor.DefaultConfig()
	s := monitor.Snapshot{
		At: wire.At(t), Round: 1, EnvDigest: "same",
		Verdict: monitor.Verdict{State: monitor.StateOK, Scope: monitor.ScopeNone, Headline: "OK: go can download from one.example.com"},
		Chain:   monitor.ChainStatus{Value: worldChain, Works: true},
	}
	for n, url := range strings.Split(worldChain, ",") {
		e := monitor.EndpointStatus{Health: monitor.Up, Hops: []int{n + 1}}
		e.URL, e.Kind = url, probe.KindProxy
		var past []monitor.Sample
		for at := t.Add(-worldLate).Truncate(worldEvery); len(past) < cfg.WindowSamples; at = at.Add(-worldEvery) {
			sample := monitor.Sample{At: wire.At(at), Class: probe.OK, Total: wire.Millis(worldLate)}
			if n == 0 && brokenAt(at) {
				sample.Class = probe.ServerError
			}
			past = append([]monitor.Sample{sample}, past...)
		}
		e.Window = monitor.WindowOf(cfg, past, t)
		last := past[len(past)-1]
		e.At, e.Class, e.Phases.Total = last.At, last.Class, last.Total
		if past[len(past)-1].Class.Failed() && past[len(past)-2].Class.Failed() && past[len(past)-3].Class.Failed() {
			e.Health = monitor.Down
		}
		s.Endpoints = append(s.Endpoints, e)
		hop := monitor.Hop{N: n + 1, URL: url, Kind: probe.KindProxy, Separator: ",", Health: e.Health, Class: e.Class, GoWill: probe.Serve}
		if n == 0 && e.Health == monitor.Down {
			hop.GoWill, s.Chain.Works = probe.Stop, false
			s.Verdict = monitor.Verdict{State: monitor.StateOutage, Scope: monitor.ScopeChain, Headline: "OUTAGE: one.example.com answers 502 and go stops"}
		}
		s.Chain.Hops = append(s.Chain.Hops, hop)
	}
	return s
}

// live plays the world into a recorder from one instant to another.
func live(t *testing.T, s *Store, now *time.Time, to time.Time) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	snaps, tick, done := make(chan monitor.Snapshot), make(chan time.Time), make(chan error, 1)
	go func() { done <- s.Record(ctx, snaps, RecorderOptions{Tick: tick}) }()
	tick <- *now
	for ; now.Before(to); advance(now, worldEvery/2) {
		snaps <- worldAt(*now)
		tick <- *now
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestRecorder records two outages and compares what is told of them with the world.
func TestRecorder(t *testing.T) {
	start := began.Truncate(worldPeriod)
	now := start.Add(time.Minute)
	s := recorded(t, &now)
	live(t, s, &now, start.Add(2*worldPeriod+time.Minute))
	list, err := s.Incidents(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%d incidents, %v: %+v", len(list), err, list)
	}
	for n, i := range list {
		broke := start.Add(time.Duration(2-n)*worldPeriod - worldOutage)
		well := broke.Add(worldOutage)
		near := func(what string, got wire.Time, want time.Time, within time.Duration) {
			t.Helper()
			if off := got.Sub(want); off < 0 || off > within {
				t.Errorf("incident %d %s %v after it was so", i.ID, what, off)
			}
		}
		near("opened", i.Opened, broke, worldEvery)
		near("detected", i.Detected, broke, 4*worldEvery)
		near("mitigated", i.Mitigated, well, 2*worldEvery)
		near("resolved", i.Resolved, well, 2*worldEvery)
		if i.Chain != worldChain || len(i.Causes) != 1 || i.Causes[0] != probe.ServerError || len(i.Endpoints) != 1 || i.Unobserved != 0 {
			t.Errorf("%+v", i)
		}
	}

	rec, err := s.Recording(t.Context(), list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	reel := incident.NewReel(monitor.DefaultConfig(), rec)
	for at := list[0].Opened.Add(-time.Minute); at.Before(list[0].Resolved.Add(time.Minute)); at = at.Add(worldEvery / 2) {
		got, want := reel.At(at), worldAt(at)
		if off := list[0].Detected.Sub(at).Abs(); off < worldEvery || list[0].Resolved.Sub(at).Abs() < worldEvery {
			continue // a frame is a snapshot's, which came up to that later
		}
		if got.Verdict.State != want.Verdict.State || got.Chain.Hops[0].GoWill != want.Chain.Hops[0].GoWill {
			t.Errorf("%v: replay shows %v %v, it was %v %v", at, got.Verdict.State, got.Chain.Hops[0].GoWill, want.Verdict.State, want.Chain.Hops[0].GoWill)
		}
		if g, w := got.Endpoints[0].Window, want.Endpoints[0].Window; g.Samples != w.Samples || g.Lost != w.Lost {
			t.Errorf("%v: replay has a window of %d, %v lost; it was %d, %v", at, g.Samples, g.Lost, w.Samples, w.Lost)
		}
	}
}

// TestTakeOver has a second process find the incident of one that was killed: still
// there, or over.
func TestTakeOver(t *testing.T) {
	start := began.Truncate(worldPeriod)
	broke := start.Add(worldPeriod - worldOutage)
	for _, tt := range []struct {
		name  string
		again time.Time // when the second one starts
	}{
		{"in the outage", broke.Add(time.Minute)},
		{"after it", broke.Add(worldOutage + 4*time.Minute)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := broke.Add(-time.Minute)
			s := recorded(t, &now)
			live(t, s, &now, broke.Add(30*time.Second))
			now = tt.again
			live(t, s, &now, broke.Add(worldOutage+5*time.Minute))
			list, err := s.Incidents(t.Context())
			if err != nil || len(list) != 1 || list[0].Open() {
				t.Fatalf("%v: %+v", err, list)
			}
			i, err := s.Incident(t.Context(), list[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			gap := tt.again.Sub(broke.Add(30 * time.Second))
			if off := time.Duration(i.Unobserved) - gap; off.Abs() > 2*worldEvery {
				t.Errorf("unobserved %v, it was %v: %+v", time.Duration(i.Unobserved), gap, i.Events)
			}
		})
	}
}

// TestTakeOverBehind has a process take over whose last look is from before the end
// of an outage, which the one before has seen: there was one outage.
func TestTakeOverBehind(t *testing.T) {
	broke := began.Truncate(worldPeriod).Add(worldPeriod - worldOutage)
	now := broke.Add(-time.Minute)
	s := recorded(t, &now)
	behind := worldAt(broke.Add(worldOutage - time.Second))
	live(t, s, &now, broke.Add(worldOutage+30*time.Second))

	ctx, cancel := context.WithCancel(t.Context())
	snaps, tick, done := make(chan monitor.Snapshot), make(chan time.Time), make(chan error, 1)
	go func() { done <- s.Record(ctx, snaps, RecorderOptions{Tick: tick}) }()
	snaps <- behind
	tick <- now // takes the lease
	snaps <- worldAt(now.Add(time.Second))
	tick <- now
	cancel()
	must(t, <-done)
	if list, err := s.Incidents(t.Context()); err != nil || len(list) != 1 || list[0].Open() {
		t.Errorf("%v: %+v", err, list)
	}
}

// TestSuspended has a recorder sleep through the end of an outage, which another
// process, dead since, has recorded: it goes on where that one left off.
func TestSuspended(t *testing.T) {
	broke := began.Truncate(worldPeriod).Add(worldPeriod - worldOutage)
	now := broke.Add(-time.Minute)
	s := recorded(t, &now)
	snaps, tick, done := make(chan monitor.Snapshot), make(chan time.Time), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- s.Record(ctx, snaps, RecorderOptions{Tick: tick}) }()
	watch := func(to time.Time) {
		for ; now.Before(to); advance(&now, worldEvery/2) {
			snaps <- worldAt(now)
			tick <- now
		}
		snaps <- worldAt(now) // taken when all before is written
	}
	tick <- now
	watch(broke.Add(time.Minute)) // and sleeps

	now = now.Add(30 * time.Second)
	live(t, s, &now, broke.Add(worldOutage+30*time.Second))
	now = now.Add(30 * time.Second)

	// It wakes up, and what it has not read yet is what it saw last.
	snaps <- worldAt(broke.Add(time.Minute))
	tick <- now
	watch(now.Add(time.Minute))
	cancel()
	must(t, <-done)
	list, err := s.Incidents(t.Context())
	if err != nil || len(list) != 1 || list[0].Open() {
		t.Fatalf("%v: %+v", err, list)
	}
	if off := list[0].Resolved.Sub(broke.Add(worldOutage)); off > 2*worldEvery {
		t.Errorf("resolved %v after it was over", off)
	}
}

// TestTidy packs an incident before its samples go.
func TestTidy(t *testing.T) {
	start := began.Truncate(worldPeriod)
	now := start.Add(time.Minute)
	s := recorded(t, &now)
	live(t, s, &now, start.Add(worldPeriod+time.Minute))
	before, err := s.Recording(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(30 * 24 * time.Hour)
	if err := s.Tidy(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	r, _ := s.recordsOf(t.Context())
	var left int
	if err := r.db.QueryRow(`SELECT count(*) FROM samples`).Scan(&left); err != nil || left > 40 {
		t.Errorf("%d samples are left, %v", left, err) // of the minute that is not complete yet
	}
	after, err := s.Recording(t.Context(), 1)
	if err != nil || len(after.Samples) != len(before.Samples) || len(after.Frames) != len(before.Frames) || len(after.Incident.Events) != len(before.Incident.Events) {
		t.Errorf("%v: %d samples, %d frames, %d events; were %d, %d, %d", err, len(after.Samples), len(after.Frames), len(after.Incident.Events),
			len(before.Samples), len(before.Frames), len(before.Incident.Events))
	}
	if list, err := s.Stats(t.Context(), StatsOptions{}); err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	if p, err := s.Prune(t.Context(), now, false); err != nil || p.Incidents != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := s.Incident(t.Context(), 1); !errors.Is(err, ErrNoIncident) {
		t.Errorf("%v", err)
	}
}

// worldSpeed is how much faster than the clock the world of the SIGKILL test runs.
const worldSpeed = 600

// recorderVar starts this test binary as a recorder; it holds the database and the
// instant at which the world began.
const recorderVar = "GPX_HISTORY_RECORDER"

// recordChild records until it is killed, and prints every sample that was
// committed.
func recordChild(arg string) error {
	path, nanos, _ := strings.Cut(arg, "@")
	zero, err := strconv.ParseInt(nanos, 10, 64)
	if err != nil {
		return err
	}
	now := worldClock(time.Unix(0, zero))
	s, err := Open(context.Background(), path, Options{Now: now})
	if err != nil || s.InMemory() {
		return fmt.Errorf("%v %s", err, s.Notice())
	}
	snaps := make(chan monitor.Snapshot, 1)
	tick := time.NewTicker(5 * time.Millisecond)
	go func() {
		for range time.Tick(3 * time.Millisecond) {
			snaps <- worldAt(now())
		}
	}()
	out := bufio.NewWriter(os.Stdout)
	err = s.Record(context.Background(), snaps, RecorderOptions{Tick: tick.C, flushed: func(list []seen) {
		for _, x := range list {
			fmt.Fprintln(out, x.at.UnixMilli(), x.endpoint.URL)
		}
		fmt.Fprintln(out)
		out.Flush()
	}})
	return fmt.Errorf("the recorder ended: %v %s", err, s.Notice())
}

func worldClock(zero time.Time) func() time.Time {
	return func() time.Time { return began.Truncate(worldPeriod).Add(worldSpeed * time.Since(zero)) }
}

// A recorderChild is one of the processes of TestKillRecorders.
type recorderChild struct {
	cmd  *exec.Cmd
	errs strings.Builder
	said chan []string // what it committed, when it has ended
}

func startRecorder(t *testing.T, path string, zero time.Time) *recorderChild {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	c := &recorderChild{cmd: exec.Command(exe), said: make(chan []string, 1)}
	c.cmd.Env = append(environFor(filepath.Dir(path)), fmt.Sprintf("%s=%s@%d", recorderVar, path, zero.UnixNano()))
	c.cmd.Stderr = &c.errs
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	must(t, c.cmd.Start())
	go func() {
		var lines, whole []string
		for scan := bufio.NewScanner(out); scan.Scan(); {
			if scan.Text() == "" { // a commit is told whole
				whole, lines = append(whole, lines...), lines[:0]
				continue
			}
			lines = append(lines, scan.Text())
		}
		c.said <- whole
	}()
	return c
}

func (c *recorderChild) kill(t *testing.T) []string {
	t.Helper()
	must(t, c.cmd.Process.Kill())
	said := <-c.said
	c.cmd.Wait()
	if c.errs.Len() > 0 {
		t.Fatalf("a recorder failed: %s", c.errs.String())
	}
	return said
}

func anyIncident(t *testing.T, path string) bool {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	must(t, err)
	defer s.Close()
	list, err := s.Incidents(t.Context())
	must(t, err)
	return len(list) > 0
}

// TestKillRecorders kills one of three recorders again and again: the file stays
// whole, no committed sample is lost, and no outage becomes two incidents or one
// without an end.
func TestKillRecorders(t *testing.T) {
	n := map[string]int{"system": 100, "soak": 500}[os.Getenv("GPX_TEST_SCALE")]
	if n == 0 {
		n = 12
	}
	path, zero := filepath.Join(t.TempDir(), "history.db"), time.Now()
	var children []*recorderChild
	for range 3 {
		children = append(children, startRecorder(t, path, zero))
	}
	committed := map[string]bool{}
	kills := 0
	for ; kills < n || kills < 100 && !anyIncident(t, path); kills++ { // a loaded machine is slow to see one
		timer := time.NewTimer(time.Duration(rand.Int64N(int64(150 * time.Millisecond))))
		<-timer.C
		i := rand.IntN(len(children))
		for _, line := range children[i].kill(t) {
			committed[line] = true
		}
		children[i] = startRecorder(t, path, zero)
	}
	for _, c := range children {
		for _, line := range c.kill(t) {
			committed[line] = true
		}
	}

	// The next process sees the first minute in which all is well.
	now := worldClock(zero)().Add(2 * time.Minute)
	for brokenAt(now) || brokenAt(now.Add(-time.Minute)) || brokenAt(now.Add(time.Minute)) {
		now = now.Add(time.Minute)
	}
	s, err := Open(t.Context(), path, Options{Now: func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return now
	}})
	must(t, err)
	defer s.Close()
	live(t, s, &now, now.Add(time.Minute))
	r, err := s.recordsOf(t.Context())
	must(t, err)
	var verdict string
	if err := r.db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity_check: %s %v", verdict, err)
	}
	stored := map[string]bool{}
	must(t, r.samples(t.Context(), time.Time{}, now.Add(time.Hour), 1<<40, func(e incident.Endpoint, x incident.Sample) {
		stored[fmt.Sprint(x.At.UnixMilli(), " ", e.URL)] = true
	}))
	for line := range committed {
		if !stored[line] {
			t.Errorf("the committed sample %q is lost", line)
		}
	}
	list, err := s.Incidents(t.Context())
	must(t, err)
	outages := map[time.Time]int64{}
	for _, i := range list {
		if i.Open() {
			t.Errorf("incident %d has no end", i.ID)
		}
		which := i.Opened.Truncate(worldPeriod)
		if other := outages[which]; other != 0 {
			t.Errorf("incidents %d and %d are the same outage", other, i.ID)
		}
		outages[which] = i.ID
	}
	if len(committed) == 0 || len(list) == 0 {
		t.Errorf("%d samples and %d incidents were recorded: nothing was tried", len(committed), len(list))
	}
	t.Logf("%d kills, %d samples, %d incidents", kills, len(committed), len(list))
}

// TestNoRoom records in memory what the file has no room for, and says so.
func TestNoRoom(t *testing.T) {
	start := began.Truncate(worldPeriod).Add(time.Minute)
	now := start
	s := recorded(t, &now)
	live(t, s, &now, start.Add(time.Minute))
	r, err := s.recordsOf(t.Context())
	must(t, err)
	if _, err := r.db.Exec(`PRAGMA max_page_count = 1`); err != nil {
		t.Fatal(err)
	}
	live(t, s, &now, start.Add(worldPeriod+time.Minute))
	if !strings.Contains(s.Notice(), "in memory only") {
		t.Errorf("notice: %q", s.Notice())
	}
	if list, err := s.Incidents(t.Context()); err != nil || len(list) != 1 || list[0].Open() {
		t.Errorf("%v: %+v", err, list)
	}
}

// TestLockedFile keeps what is seen until another process lets go of the file.
func TestLockedFile(t *testing.T) {
	start := began.Truncate(worldPeriod).Add(time.Minute)
	now := start
	path := filepath.Join(t.TempDir(), "history.db")
	s, err := Open(t.Context(), path, Options{Busy: time.Millisecond, Now: func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return now
	}})
	must(t, err)
	defer s.Close()
	live(t, s, &now, start.Add(time.Minute))
	other, err := sql.Open("sqlite3", dsn(path, time.Second, "NORMAL"))
	must(t, err)
	defer other.Close()
	other.SetMaxOpenConns(1)

	ctx, cancel := context.WithCancel(t.Context())
	snaps, tick, done := make(chan monitor.Snapshot), make(chan time.Time), make(chan error, 1)
	go func() { done <- s.Record(ctx, snaps, RecorderOptions{Tick: tick}) }()
	tick <- now
	play := func(until time.Time) {
		for ; now.Before(until); advance(&now, worldEvery/2) {
			snaps <- worldAt(now)
			tick <- now
		}
	}
	play(start.Add(2 * time.Minute))
	tx, err := other.Begin() // immediate: it is the only one that writes
	must(t, err)
	play(start.Add(worldPeriod))
	must(t, tx.Rollback())
	play(start.Add(worldPeriod + time.Minute))
	cancel()
	must(t, <-done)
	if s.Notice() != "" {
		t.Errorf("notice: %q", s.Notice())
	}
	list, err := s.Incidents(t.Context())
	if err != nil || len(list) != 1 || list[0].Open() || list[0].Unobserved != 0 {
		t.Errorf("%v: %+v", err, list)
	}
	stats, err := s.Stats(t.Context(), StatsOptions{})
	if want := int64((worldPeriod + time.Minute) / worldEvery); err != nil || stats[0].Samples < want-2 {
		t.Errorf("%v: %d samples of %d", err, stats[0].Samples, want)
	}
}
