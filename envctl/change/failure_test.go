package change

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpx/envctl/advice"
)

// Every failure is one line that names what to do next, and leaves the user
// file as it was.
func TestFailures(t *testing.T) {
	one := []Assignment{set("GOPROXY", "off")}
	cases := []struct {
		name    string
		environ []string
		prepare func(m *machine)
		as      []Assignment
		want    []string // parts of the message
	}{
		{name: "GOENV=off", environ: []string{"GOENV=off"}, want: []string{"GOENV=off", "unset GOENV", "shell only: export GOPROXY=off"}},
		{name: "GOENV=off and a secret", environ: []string{"GOENV=off"}, as: []Assignment{set("GOPROXY", "https://u:secret@a.example"), unset("GOSUMDB")},
			want: []string{"unset GOSUMDB; export GOPROXY=https://xxxxx@a.example"}},
		{name: "no home", environ: []string{"HOME=", "XDG_CONFIG_HOME="}, want: []string{"neither HOME nor XDG_CONFIG_HOME", "set HOME"}},
		{name: "no go command", environ: []string{"PATH=/nonexistent"}, want: []string{"no go command on PATH", "install Go"}},
		{name: "the user file is a directory", prepare: func(m *machine) { must(m.t, os.MkdirAll(m.file, 0o777)) }, want: []string{"not a regular file"}},
		{name: "a loop of links", prepare: func(m *machine) {
			must(m.t, os.MkdirAll(filepath.Dir(m.file), 0o777))
			must(m.t, os.Symlink("env", m.file))
		}, want: []string{"too many"}},
		{name: "unknown variable", as: []Assignment{set("GOPROXXY", "off")}, want: []string{"unknown go command variable GOPROXXY"}},
		{name: "read-only variable", as: []Assignment{set("GOVERSION", "1")}, want: []string{"GOVERSION cannot be modified"}},
		{name: "newline", as: []Assignment{set("GOPROXY", "a\nb")}, want: []string{"invalid newline"}},
		{name: "invalid UTF-8", as: []Assignment{set("GOPROXY", "a\xff")}, want: []string{"invalid UTF-8"}},
		{name: "relative cache", as: []Assignment{set("GOMODCACHE", "x")}, want: []string{"GOMODCACHE entry is relative"}},
		{name: "no name", as: []Assignment{set("", "x")}, want: []string{"not the name"}},
		{name: "escape in a name", as: []Assignment{set("GO\x1b[31m=PROXY", "x")}, want: []string{"not the name"}},
		{name: "given twice", as: []Assignment{set("GOPROXY", "x"), unset("GOPROXY")}, want: []string{"given twice"}},
		{name: "nothing given", as: []Assignment{}, want: []string{"no variable"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, c.environ...)
			if c.prepare != nil {
				c.prepare(m)
			} else {
				m.write(before)
			}
			as := c.as
			if as == nil {
				as = one
			}
			_, err := PlanEnv(m.env(), "test", as)
			oneLine(t, err, c.want...)
			if c.prepare == nil && m.read() != before {
				t.Errorf("the file holds %q", m.read())
			}
		})
	}
}

func oneLine(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("error %q is more than one clean line", err)
	}
}

func TestApplyRefusesAStalePlan(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	p := m.plan(set("GOPROXY", "off"))
	m.write(before + "\n# meanwhile\n")
	_, err := m.changer.Apply(t.Context(), p)
	if !errors.Is(err, ErrStale) {
		t.Errorf("error %v", err)
	}
	oneLine(t, err, "make the plan again", "nothing was changed")
	if got := advice.Of(err); got != "make the plan again" {
		t.Errorf("it advises %q", got)
	}
	if m.read() != before+"\n# meanwhile\n" {
		t.Errorf("file %q", m.read())
	}
	if cs, _ := m.changer.Changes(t.Context()); len(cs) != 0 {
		t.Errorf("journal %+v", cs)
	}
	must(t, os.Remove(m.file))
	if _, err := m.changer.Apply(t.Context(), m.plan(set("GOPROXY", "off"))); err != nil {
		t.Errorf("a new plan on the missing file: %v", err)
	}
}

func TestApplyTakesAPlanOnce(t *testing.T) {
	m := newMachine(t)
	p := m.plan(set("GOPROXY", "off"))
	p.DryRun = true
	if _, err := m.changer.Apply(t.Context(), p); err == nil || m.read() != "absent" {
		t.Errorf("a dry run was applied: %v", err)
	}
	p.DryRun = false
	m.apply(p)
	if _, err := m.changer.Apply(t.Context(), p); err == nil {
		t.Error("a plan was applied twice")
	}
}

// One step of several fails: the ones before it are taken back.
func TestApplyRollsBack(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	tree := m.tree()
	marker := filepath.Join(m.dir, "cache", "supported")
	p := &Plan{Title: "two steps"}
	must(t, p.PlanFile(marker, []byte("x")))
	p.Merge(m.plan(set("GOPROXY", "off")))
	late := filepath.Join(m.dir, "late")
	must(t, p.PlanFile(late, nil))
	// The third step finds the name of its copy taken, which no check sees.
	must(t, os.WriteFile(beside(late, "id0001"), nil, 0o600))
	_, err := m.changer.Apply(t.Context(), p)
	oneLine(t, err, "two steps", "nothing was changed")
	must(t, os.Remove(beside(late, "id0001")))
	if m.read() != before {
		t.Errorf("file %q", m.read())
	}
	if got := m.tree(); strings.Join(got, " ") != strings.Join(tree, " ") {
		t.Errorf("files %q, were %q", got, tree)
	}
}

// The state directory cannot be used: nothing is changed without an undo.
func TestApplyNeedsItsState(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	must(t, os.WriteFile(filepath.Join(m.dir, "state"), nil, 0o600))
	_, err := m.changer.Apply(t.Context(), m.plan(set("GOPROXY", "off")))
	oneLine(t, err, "state directory", "XDG_STATE_HOME", "nothing was changed")
	if m.read() != before {
		t.Errorf("file %q", m.read())
	}
}

func TestUndoOfAnotherUserFile(t *testing.T) {
	m := newMachine(t)
	m.set(set("GOPROXY", "off"))
	m.environ = append(m.environ, "GOENV="+filepath.Join(m.dir, "other"))
	_, err := m.changer.PlanUndo(t.Context(), "", false)
	oneLine(t, err, "GOENV=")
}

func TestPlanUndoRefuses(t *testing.T) {
	m := newMachine(t)
	for _, id := range []string{"nobody", "../lock", "\x1b[31m"} {
		_, err := m.changer.PlanUndo(t.Context(), id, true)
		oneLine(t, err, "no such change")
	}
	c := m.set(set("GOPROXY", "off"))
	m.undo("")
	_, err := m.changer.PlanUndo(t.Context(), c.ID, true)
	oneLine(t, err, "taken back already")
}

// Two plans made at the same time: the second one must not overwrite the
// first one's change.
func TestPlansOfTwoProcesses(t *testing.T) {
	m := newMachine(t)
	a, b := m.plan(set("GOPROXY", "off")), m.plan(set("GOSUMDB", "off"))
	m.apply(a)
	if _, err := m.changer.Apply(t.Context(), b); !errors.Is(err, ErrStale) {
		t.Errorf("error %v", err)
	}
}
