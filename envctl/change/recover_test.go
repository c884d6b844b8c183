package change

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every instant at which a process can be killed, one by one.
func TestRecover(t *testing.T) {
	const changed = "GOPROXY=off\n"
	type flight struct {
		m      *machine
		p      *Plan
		r      Record
		st     *state
		marker string
	}
	cases := []struct {
		name   string
		killed func(f flight)
		file   string // what the user file holds afterwards
		marker string
		state  State
		note   string
	}{
		{"after begin", func(f flight) {}, before, "absent", Aborted, "before it began"},
		{"while the before-image was written", func(f flight) {
			must(f.m.t, f.st.keep(f.r, f.p.steps))
			must(f.m.t, os.Truncate(f.st.undoFile(f.r.ID), 20))
		}, before, "absent", Aborted, "before it began"},
		{"after the before-image", func(f flight) {
			must(f.m.t, f.st.keep(f.r, f.p.steps))
		}, before, "absent", Aborted, "rolled back"},
		{"while the copy was written", func(f flight) {
			must(f.m.t, f.st.keep(f.r, f.p.steps))
			must(f.m.t, os.WriteFile(beside(f.m.file, f.r.ID), []byte("GOPRO"), 0o600))
		}, before, "absent", Aborted, "rolled back"},
		{"after the first of two steps", func(f flight) {
			must(f.m.t, f.st.keep(f.r, f.p.steps))
			f.m.write(changed)
		}, before, "absent", Aborted, "rolled back"},
		{"after the last step", func(f flight) {
			must(f.m.t, f.st.keep(f.r, f.p.steps))
			f.m.write(changed)
			must(f.m.t, put(f.marker, "x", image{Exists: true}))
		}, changed, "", Applied, "it stands, and can be undone"},
		{"and somebody edited the file since", func(f flight) {
			must(f.m.t, f.st.keep(f.r, f.p.steps))
			f.m.write("GOPROXY=by.hand\n")
		}, "GOPROXY=by.hand\n", "absent", Aborted, "left as it is"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.write(before)
			f := flight{m: m, marker: filepath.Join(m.dir, "cache", "supported")}
			f.p = m.plan(set("GOPROXY", "off"), unset("GOSUMDB"))
			must(t, f.p.PlanFile(f.marker, nil))
			f.p.steps[0] = writing(t, f.p.steps[0], changed)
			var err error
			f.st, err = m.changer.lock()
			must(t, err)
			f.r = m.changer.record(f.p)
			must(t, m.journal.Begin(t.Context(), f.r))
			c.killed(f)
			f.st.unlock() // as the system does for a killed process

			found, err := m.changer.Recover(t.Context())
			must(t, err)
			if len(found) != 1 || !strings.Contains(found[0].Note, c.note) {
				t.Errorf("found %+v, want a note with %q", found, c.note)
			}
			if got := m.read(); got != c.file {
				t.Errorf("user file %q, want %q", got, c.file)
			}
			if got := content(t, f.marker); got != c.marker {
				t.Errorf("marker %q, want %q", got, c.marker)
			}
			rs, err := m.journal.List(t.Context())
			must(t, err)
			if rs[0].State != c.state {
				t.Errorf("state %s, want %s", rs[0].State, c.state)
			}
			if left, _ := filepath.Glob(m.file + ".gpx-*"); len(left) > 0 {
				t.Errorf("left behind %v", left)
			}
			if _, err := os.Stat(f.st.undoFile(f.r.ID)); (err == nil) != (c.state == Applied) {
				t.Errorf("undo file there: %v", err == nil)
			}
			if found, err := m.changer.Recover(t.Context()); err != nil || len(found) != 0 {
				t.Errorf("a second recovery finds %+v %v", found, err)
			}
			if c.state == Applied {
				m.undo("")
				if m.read() != before || content(t, f.marker) != "absent" {
					t.Errorf("undo left %q, marker %q", m.read(), content(t, f.marker))
				}
			}
		})
	}
}

// Nobody is told to undo what cannot be undone.
func TestRecoverOfWhatIsForGood(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	p := m.plan(set("GOPROXY", "off"))
	p.steps[0].Action.Undoable = false
	m.begin(p)
	m.write("GOPROXY=off\n")
	found, err := m.changer.Recover(t.Context())
	must(t, err)
	if len(found) != 1 || !strings.HasSuffix(found[0].Note, "it stands") {
		t.Errorf("found %+v", found)
	}
}

// writing makes a set_variable step write data, so that a test can do by itself
// what the step would.
func writing(t *testing.T, s Step, data string) Step {
	t.Helper()
	var v variableStep
	must(t, json.Unmarshal(s.Payload, &v))
	v.File.After.Data = []byte(data)
	payload, err := json.Marshal(v)
	must(t, err)
	s.Payload = payload
	return s
}

// Killed between the commit of an undo and the mark on what it took back.
func TestRecoverMarksWhatAnUndoTookBack(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	c := m.set(set("GOPROXY", "off"))
	kept := content(t, filepath.Join(m.dir, "state", "undo", c.ID))
	m.undo("")
	j := m.journal.(*memory)
	j.records[0].State = Applied
	must(t, os.WriteFile(filepath.Join(m.dir, "state", "undo", c.ID), []byte(kept), 0o600))
	_, err := m.changer.Recover(t.Context())
	must(t, err)
	if j.records[0].State != Undone || j.records[0].UndoneBy != j.records[1].ID {
		t.Errorf("record %+v", j.records[0])
	}
	if _, err := os.Stat(filepath.Join(m.dir, "state", "undo", c.ID)); err == nil {
		t.Error("the before-image is still there")
	}
}

// The journal went with a process that had only a memory of it: the copy that
// it left beside the user file goes, the before-image stays for its 30 days.
func TestRecoverWithoutARecord(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	c := m.set(set("GOPROXY", "off"))
	must(t, os.WriteFile(beside(m.file, c.ID), []byte("GOPRO"), 0o600))
	m.journal.(*memory).records = nil
	found, err := m.changer.Recover(t.Context())
	if err != nil || len(found) != 0 {
		t.Errorf("found %+v %v", found, err)
	}
	if left, _ := filepath.Glob(m.file + ".gpx-*"); len(left) > 0 {
		t.Errorf("left behind %v", left)
	}
	if m.read() == before {
		t.Error("an applied change was taken back")
	}
}
