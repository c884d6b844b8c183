package history

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/envctl/change"
	"gpx/envctl/wire"
	"gpx/history/incident"
	"gpx/probe/monitor"
)

// A player is one of several processes that would record.
type player struct {
	t     *testing.T
	s     *Store
	tick  chan time.Time
	snaps chan monitor.Snapshot
	notes chan incident.Event
	stop  func()
}

func newPlayer(t *testing.T, path string, now *time.Time, acts bool) *player {
	t.Helper()
	s, err := Open(t.Context(), path, Options{Now: func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return *now
	}})
	must(t, err)
	p := &player{t: t, s: s, tick: make(chan time.Time), snaps: make(chan monitor.Snapshot), notes: make(chan incident.Event)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Record(ctx, p.snaps, RecorderOptions{Tick: p.tick, Notes: p.notes, Acts: func() bool { return acts }})
	}()
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.Close()
	}
	t.Cleanup(p.stop)
	return p
}

// may flushes, and reports whether the process may act after that.
func (p *player) may() bool {
	p.t.Helper()
	p.tick <- time.Time{}
	p.snaps <- monitor.Snapshot{} // once this is taken, the flush is over
	ok, err := p.s.MayAct(p.t.Context())
	must(p.t, err)
	return ok
}

// Of several processes one may act, and one that would is let to it.
func TestOneMayAct(t *testing.T) {
	now := began
	path := filepath.Join(t.TempDir(), "history.db")
	screen, watch := newPlayer(t, path, &now, false), newPlayer(t, path, &now, true)
	if pid, err := screen.s.Recorder(t.Context()); pid != 0 || err != nil {
		t.Errorf("process %d records before any, %v", pid, err)
	}
	step := func(what string, p *player, want bool) {
		t.Helper()
		advance(&now, flushEvery)
		if got := p.may(); got != want {
			t.Fatalf("%s: may act is %v", what, got)
		}
		if a, _ := screen.s.MayAct(t.Context()); a {
			if b, _ := watch.s.MayAct(t.Context()); b {
				t.Fatalf("%s: both may act", what)
			}
		}
	}
	step("the screen is alone", screen, true)
	step("the other asks", watch, false)
	step("the screen writes once more", screen, true)
	step("and leaves", screen, false)
	step("the other takes it", watch, true)
	for range 10 {
		step("the screen does not take it back", screen, false)
		step("while the other lives", watch, true)
	}
	if pid, err := screen.s.Recorder(t.Context()); pid == 0 || err != nil {
		t.Errorf("process %d records, %v", pid, err)
	}

	second := newPlayer(t, path, &now, true)
	for range 10 {
		step("another that would act", second, false)
		step("does not get it", watch, true)
	}
	advance(&now, leaseFor) // as if it were suspended
	if ok, err := watch.s.MayAct(t.Context()); ok || err != nil {
		t.Errorf("a lease that has run out is believed, %v", err)
	}
	step("another takes it over", second, true)
	step("which the one before is told", watch, false)
	second.stop()
	watch.stop()
	for range 3 {
		step("nobody else is left", screen, true)
	}
}

// Without a file nobody can tell who acts.
func TestNobodyActsWithoutAFile(t *testing.T) {
	now := began
	p := newPlayer(t, filepath.Join(t.TempDir(), "file", "\x00"), &now, true)
	if !p.s.InMemory() {
		t.Fatal("there is a file")
	}
	if p.may() {
		t.Error("it may act")
	}
}

// What another source tells is an event of the incident, also of one that is over.
func TestNotes(t *testing.T) {
	now := began.Truncate(worldPeriod).Add(worldPeriod - worldOutage - time.Minute)
	p := newPlayer(t, filepath.Join(t.TempDir(), "history.db"), &now, true)
	note := func(text string) {
		p.notes <- incident.Event{At: wire.At(now), Kind: incident.StoodDown, Text: text}
	}
	p.may()
	note("there is no incident yet")
	play := func(d time.Duration) {
		for end := now.Add(d); now.Before(end); advance(&now, worldEvery) {
			p.snaps <- worldAt(now)
			p.tick <- now
		}
	}
	play(2 * time.Minute)
	note("somebody else did")
	play(3 * time.Minute)
	note("after the end")
	p.may()
	i, err := p.s.Incident(t.Context(), 1)
	must(t, err)
	var told []string
	for _, e := range i.Events {
		if e.Kind == incident.StoodDown {
			told = append(told, e.Text)
		}
	}
	if got := strings.Join(told, ", "); got != "somebody else did, after the end" || i.Open() {
		t.Errorf("open %v, noted: %s", i.Open(), got)
	}
}

// What gpx changed by itself in an incident it takes back after its end; what a person
// does after the end is none of it.
func TestActionsByItself(t *testing.T) {
	at := func(m int) time.Time { return began.Add(time.Duration(m) * time.Minute) }
	record := func(id, actor, title, undoes string, m int) change.Record {
		return change.Record{ID: id, Actor: actor, Title: title, Undoes: undoes, DoneAt: at(m)}
	}
	records := []change.Record{
		record("before", change.ByItself, "use A", "", -5),
		record("switch", change.ByItself, "use B", "", 1),
		record("person", "cli", "use C", "", 3),
		record("undone", "cli", "undo: use C", "person", 20),
		record("back", change.ByItself, "undo: use B", "switch", 21),
		record("late", change.ByItself, "use D", "", 30),
		record("older", change.ByItself, "undo: use A", "before", 31),
	}
	var got []string
	for _, e := range actions(records, at(0), at(10)) {
		got = append(got, e.Change+": "+e.Text)
	}
	if want := "switch: gpx by itself: use B, person: use C, back: gpx by itself: undo: use B"; strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
}
