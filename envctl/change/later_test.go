package change

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/envctl/wire"
)

// Somebody has brought the old value back by hand: there is nothing left to
// take back of that change, and the one before it is the last.
func TestUndoAfterSomebodyTookItBack(t *testing.T) {
	m := newMachine(t)
	m.write("GOPROXY=https://old.example\n")
	m.set(set("GOSUMDB", "off"))
	last := m.set(set("GOPROXY", "off"))
	m.write("GOFLAGS=-mod=mod\nGOPROXY=https://old.example\nGOSUMDB=off\n")
	p, err := m.changer.PlanUndo(t.Context(), last.ID, false)
	must(t, err)
	if !p.Empty() {
		t.Errorf("there is something to take back: %+v", p.Actions)
	}
	m.undo("")
	if got, want := m.read(), "GOFLAGS=-mod=mod\nGOPROXY=https://old.example\n"; got != want {
		t.Errorf("undo left %q, want %q", got, want)
	}
	if _, err := m.changer.PlanUndo(t.Context(), "", false); !errors.Is(err, ErrNothing) {
		t.Errorf("and then: %v", err)
	}
}

// What ran for a limited time does so again when it is brought back.
func TestRedoKeepsTheEnd(t *testing.T) {
	m := newMachine(t)
	p := m.plan(set("GOSUMDB", "off"))
	p.Expires = wire.At(noon.Add(time.Hour))
	m.apply(p)
	back := m.undo("")
	if !back.Expires.IsZero() {
		t.Errorf("the undo ends at %v", back.Expires)
	}
	if redo := m.undo(back.ID); !redo.Expires.Equal(noon.Add(time.Hour)) {
		t.Errorf("the redo ends at %v", redo.Expires)
	}
}

// Killed when the file was written, and somebody added a line before gpx ran
// again: the change stands, and what it replaced is not lost.
func TestRecoverAfterALaterEdit(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	p := m.plan(set("GOPROXY", "off"))
	m.begin(p)
	m.write("GOPROXY=off\nGOFLAGS=-mod=mod\n")
	found, err := m.changer.Recover(t.Context())
	must(t, err)
	if len(found) != 1 || !strings.Contains(found[0].Note, "it stands") {
		t.Errorf("found %+v", found)
	}
	m.undo("")
	if got, want := m.read(), "GOFLAGS=-mod=mod\nGOPROXY=https://old.example,direct\n"; got != want {
		t.Errorf("undo left %q, want %q", got, want)
	}
}

// The state directory was made by hand, or unpacked from an archive: whoever
// could write there could have gpx write any file.
func TestStateDirectoryIsPrivate(t *testing.T) {
	m := newMachine(t)
	undo := filepath.Join(m.dir, "state", "undo")
	for _, dir := range []string{filepath.Dir(undo), undo} {
		must(t, os.Mkdir(dir, 0o777))
		must(t, os.Chmod(dir, 0o777))
	}
	m.set(set("GOPROXY", "off"))
	for _, dir := range []string{filepath.Dir(undo), undo} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", dir, info.Mode(), err)
		}
	}
}

// The clock stands at 1970, or years ahead.
func TestClock(t *testing.T) {
	for name, at := range map[string]time.Time{"1970": time.Unix(5, 0), "2099": time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.write(before)
			m.set(set("GOPROXY", "off"))
			m.now = at
			m.set(set("GOPROXY", "direct"))
			m.undo("")
			m.now = noon
			m.undo("")
			if m.read() != before {
				t.Errorf("file %q", m.read())
			}
		})
	}
}

// Before-images go after 30 days, but for what a later end needs.
func TestAnEndAfterThirtyDays(t *testing.T) {
	m := newMachine(t)
	p := m.plan(set("GOSUMDB", "off"))
	p.Expires = wire.At(time.Now().Add(20 * 24 * time.Hour))
	c := m.apply(p)
	old := time.Now().Add(-40 * 24 * time.Hour)
	must(t, os.Chtimes(filepath.Join(m.dir, "state", "undo", c.ID), old, old))
	m.now = time.Now()
	_, err := m.changer.Recover(t.Context())
	must(t, err)
	m.undo(c.ID)
	if got := m.read(); strings.Contains(got, "off") {
		t.Errorf("file %q", got)
	}
}

// begin is all of a change that comes before the machine is touched.
func (m *machine) begin(p *Plan) {
	m.t.Helper()
	st, err := m.changer.lock()
	must(m.t, err)
	defer st.unlock()
	r := m.changer.record(p)
	must(m.t, m.journal.Begin(m.t.Context(), r))
	must(m.t, st.keep(r, p.steps))
}
