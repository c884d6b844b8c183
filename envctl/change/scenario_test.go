package change

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gpx/envctl/wire"
)

const before = "# mine\nGOPROXY=https://old.example,direct\n\nGOSUMDB=sum.golang.org"

func TestPlanSaysWhatItDoes(t *testing.T) {
	m := newMachine(t, "GONOSUMDB=*.os.example")
	m.write(before)
	p := m.plan(set("GOPROXY", "https://new.example|direct"), unset("GOSUMDB"), set("GONOSUMDB", "*.corp.example"))
	want := []VarChange{
		{Var: "GOPROXY", Old: "https://old.example,direct", New: "https://new.example|direct", OriginOld: "user",
			EffectiveOld: "https://old.example,direct", EffectiveNew: "https://new.example|direct"},
		{Var: "GOSUMDB", Old: "sum.golang.org", OriginOld: "user", EffectiveOld: "sum.golang.org", EffectiveNew: "sum.golang.org"},
		{Var: "GONOSUMDB", New: "*.corp.example", OriginOld: "os", EffectiveOld: "*.os.example", EffectiveNew: "*.os.example", Shadowed: true},
	}
	if !reflect.DeepEqual(p.Changes, want) {
		t.Errorf("changes\n%+v\nwant\n%+v", p.Changes, want)
	}
	commands := []string{
		"go env -u GOSUMDB",
		"go env -w 'GOPROXY=https://new.example|direct' 'GONOSUMDB=*.corp.example'",
		"export 'GONOSUMDB=*.corp.example'",
	}
	if !reflect.DeepEqual(p.Commands, commands) {
		t.Errorf("commands %q\nwant %q", p.Commands, commands)
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "GONOSUMDB") {
		t.Errorf("warnings %q", p.Warnings)
	}
	if got := p.Shell(); !reflect.DeepEqual(got, []Assignment{set("GONOSUMDB", "*.corp.example")}) {
		t.Errorf("shell %+v", got)
	}
	if m.read() != before {
		t.Error("the plan touched the file")
	}
}

func TestShadowing(t *testing.T) {
	cases := []struct {
		name     string
		os       string
		a        Assignment
		shadowed bool
		shell    []Assignment
	}{
		{"not in the OS environment", "", set("GOPROXY", "off"), false, nil},
		{"the same value", "off", set("GOPROXY", "off"), false, nil},
		{"another value", "direct", set("GOPROXY", "off"), true, []Assignment{set("GOPROXY", "off")}},
		{"unset below it", "direct", unset("GOPROXY"), true, []Assignment{unset("GOPROXY")}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, "GOPROXY="+c.os)
			m.write("GOPROXY=https://a.example\n")
			p := m.plan(c.a)
			if p.Changes[0].Shadowed != c.shadowed || len(p.Warnings) != len(c.shell) {
				t.Errorf("shadowed %v, warnings %q", p.Changes[0].Shadowed, p.Warnings)
			}
			if got := p.Shell(); len(got) != len(c.shell) || len(got) > 0 && got[0] != c.shell[0] {
				t.Errorf("shell %+v, want %+v", got, c.shell)
			}
			if c.os != "" && p.Changes[0].EffectiveNew != c.os {
				t.Errorf("effective %q, want the OS environment's %q", p.Changes[0].EffectiveNew, c.os)
			}
		})
	}
}

// Behind the hook the shell's part is made for the user.
func TestShadowingBehindTheHook(t *testing.T) {
	for name, a := range map[string]Assignment{"set": set("GOPROXY", "off"), "unset": unset("GOPROXY")} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, "GOPROXY=direct", "GPX_SHELL_FILE=/x", "GPX_SHELL=bash")
			m.write("GOPROXY=https://a.example\n")
			p := m.plan(a)
			if c := p.Changes[0]; c.Shadowed || c.EffectiveNew == "direct" || !a.Unset && c.EffectiveNew != "off" {
				t.Errorf("change %+v", c)
			}
			if len(p.Shell()) != 1 || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "shell hook") {
				t.Errorf("shell %+v, warnings %q", p.Shell(), p.Warnings)
			}
		})
	}
}

// Behind the hook the shell took the new value over; undo hands the old one
// back, and does nothing to a shell that never had it.
func TestUndoOfAShadowedChange(t *testing.T) {
	m := newMachine(t, "GOPROXY=direct")
	m.set(set("GOPROXY", "off"))
	p, err := m.changer.PlanUndo(t.Context(), "", false)
	must(t, err)
	if len(p.Shell()) != 0 || len(p.Warnings) != 0 {
		t.Errorf("a shell without the hook is told %+v, %q", p.Shell(), p.Warnings)
	}
	m.environ = append(m.environ, "GOPROXY=off")
	p, err = m.changer.PlanUndo(t.Context(), "", false)
	must(t, err)
	if got := p.Shell(); len(got) != 1 || got[0] != set("GOPROXY", "direct") {
		t.Errorf("a shell with the hook is told %+v", got)
	}
}

func TestUndoIsExact(t *testing.T) {
	for name, content := range map[string]string{"with comments": before, "empty": "", "absent": "absent"} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			if content != "absent" {
				m.write(content)
			}
			tree := m.tree()
			m.set(set("GOPROXY", "https://a.example"))
			m.undo("")
			if got := m.read(); got != content {
				t.Errorf("undo left %q, want %q", got, content)
			}
			if got := m.tree(); !reflect.DeepEqual(got, tree) {
				t.Errorf("files %q, were %q", got, tree)
			}
			if _, err := m.changer.PlanUndo(t.Context(), "", false); !errors.Is(err, ErrNothing) {
				t.Errorf("a second undo: %v", err)
			}
			m.undo("id0002") // redo
			if got := m.read(); !strings.Contains(got, "GOPROXY=https://a.example\n") {
				t.Errorf("the undo of the undo left %q", got)
			}
			m.undo("")
			if got := m.read(); got != content {
				t.Errorf("undo after redo left %q, want %q", got, content)
			}
		})
	}
}

func TestUndoGoesBackStepByStep(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	states := []string{m.read()}
	for _, a := range []Assignment{set("GOPROXY", "off"), set("GOSUMDB", "off"), unset("GOPROXY"), set("GOPROXY", "direct")} {
		m.set(a)
		states = append(states, m.read())
	}
	for i := len(states) - 2; i >= 0; i-- {
		m.undo("")
		if got := m.read(); got != states[i] {
			t.Errorf("step %d: %q, want %q", i, got, states[i])
		}
	}
}

func TestUndoOfAnOlderChangeIsPerVariable(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	first := m.set(set("GOPROXY", "off"), set("GOFLAGS", "-mod=mod"))
	second := m.set(set("GOSUMDB", "off"))
	m.undo(first.ID)
	if got := values([]byte(m.read())); got["GOPROXY"] != "https://old.example,direct" || got["GOSUMDB"] != "off" || got["GOFLAGS"] != "" {
		t.Errorf("file %q", m.read())
	}
	m.undo(second.ID)
	if got := values([]byte(m.read())); got["GOSUMDB"] != "sum.golang.org" || !strings.HasPrefix(m.read(), "# mine\n") {
		t.Errorf("file %q", m.read())
	}
}

func TestUndoRefusesWhatWasChangedSince(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	first := m.set(set("GOPROXY", "off"))
	later := m.set(set("GOPROXY", "direct"))
	_, err := m.changer.PlanUndo(t.Context(), first.ID, false)
	if !errors.Is(err, ErrChangedSince) || !strings.Contains(err.Error(), "gpx undo "+later.ID) || !strings.Contains(err.Error(), "now direct") {
		t.Errorf("error %v", err)
	}
	m.write("GOPROXY=https://by.hand.example\n")
	if _, err = m.changer.PlanUndo(t.Context(), later.ID, false); !errors.Is(err, ErrChangedSince) {
		t.Errorf("error %v", err)
	}
	p, err := m.changer.PlanUndo(t.Context(), later.ID, true)
	must(t, err)
	m.apply(p)
	if got := m.read(); got != "GOPROXY=off\n" {
		t.Errorf("forced undo left %q", got)
	}
}

// Something else in the file changed: comments, another variable.
func TestUndoKeepsWhatOthersWrote(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	m.set(set("GOPROXY", "off"))
	m.write(m.read() + "# by hand\nGOFLAGS=-mod=mod\n")
	m.undo("")
	if got := m.read(); !strings.Contains(got, "# by hand\nGOFLAGS=-mod=mod\n") || values([]byte(got))["GOPROXY"] != "https://old.example,direct" {
		t.Errorf("file %q", got)
	}
}

func TestUndoAfterThirtyDays(t *testing.T) {
	m := newMachine(t)
	c := m.set(set("GOPROXY", "off"))
	old := time.Now().Add(-31 * 24 * time.Hour)
	must(t, os.Chtimes(filepath.Join(m.dir, "state", "undo", c.ID), old, old))
	m.now = time.Now()
	_, err := m.changer.Recover(t.Context())
	must(t, err)
	_, err = m.changer.PlanUndo(t.Context(), "", false)
	if err == nil || !strings.Contains(err.Error(), "30 days") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(m.dir, "state", "undo", c.ID)); err == nil {
		t.Error("the before-image is still there")
	}
}

func TestMarkerFiles(t *testing.T) {
	m := newMachine(t)
	tree := m.tree()
	marker := filepath.Join(m.dir, "cache", "sumdb", "sum.example", "supported")
	p := &Plan{Title: "marker"}
	must(t, p.PlanFile(marker, nil))
	if want := []string{"mkdir -p " + filepath.Dir(marker), "touch " + marker}; !reflect.DeepEqual(p.Commands, want) {
		t.Errorf("the same by hand is %q, want %q", p.Commands, want)
	}
	p.Merge(m.plan(set("GOPROXY", "off")))
	m.apply(p)
	if content(t, marker) != "" {
		t.Errorf("marker holds %q", content(t, marker))
	}
	again := &Plan{}
	must(t, again.PlanFile(marker, nil))
	if !again.Empty() {
		t.Error("a marker that is there is planned again")
	}
	u := m.undo("")
	if u.Actions[0].Kind != SetVariable || u.Actions[1].Kind != RemoveFile {
		t.Errorf("undo does %+v", u.Actions)
	}
	if by := u.Commands[len(u.Commands)-1]; by != "rm "+marker {
		t.Errorf("the last of the same by hand is %q", by)
	}
	if got := m.tree(); !reflect.DeepEqual(got, tree) {
		t.Errorf("undo left %q, there was %q", got, tree)
	}
	m.undo("id0002")
	if content(t, marker) != "" {
		t.Error("the redo did not bring the marker back")
	}
}

func TestExpiryMarker(t *testing.T) {
	m := newMachine(t)
	file := filepath.Join(m.dir, "state", ExpiryFile)
	for i, d := range []time.Duration{time.Hour, time.Minute} {
		p := m.plan([]Assignment{set("GOSUMDB", "off"), set("GONOSUMDB", "x.example")}[i])
		p.Expires = wire.At(noon.Add(d))
		m.apply(p)
	}
	if got := content(t, file); got != "1795435260\n" {
		t.Errorf("marker %q, want the earlier end", got)
	}
	m.undo("")
	if got := content(t, file); got != "1795438800\n" {
		t.Errorf("marker %q, want the other end", got)
	}
	m.undo("")
	if got := content(t, file); got != "absent" {
		t.Errorf("marker %q", got)
	}
}

func TestCredentialsStayInTheUndoFile(t *testing.T) {
	m := newMachine(t)
	m.write("GOPROXY=https://user:0ldsecret@old.example\n")
	p := m.plan(set("GOPROXY", "https://user:n3wsecret@new.example"))
	c := m.apply(p)
	rs, err := m.journal.List(t.Context())
	must(t, err)
	u, err := m.changer.PlanUndo(t.Context(), "", false)
	must(t, err)
	for what, v := range map[string]any{"plan": p, "change": c, "journal": rs, "undo plan": u} {
		data, err := json.Marshal(v)
		must(t, err)
		if strings.Contains(string(data), "0ldsecret") || strings.Contains(string(data), "n3wsecret") {
			t.Errorf("%s holds a secret: %s", what, data)
		}
	}
	if !strings.Contains(p.Commands[0], "does not run as shown") || !strings.Contains(p.RawCommands()[0], "n3wsecret") {
		t.Errorf("commands %q, raw %q", p.Commands, p.RawCommands())
	}
	if !MatchesHash(rs[0].Hashes[0], "https://user:n3wsecret@new.example") {
		t.Error("the journal's hash does not recognise the value")
	}
	kept := filepath.Join(m.dir, "state", "undo", c.ID)
	info, err := os.Stat(kept)
	must(t, err)
	dir, err := os.Stat(filepath.Dir(kept))
	must(t, err)
	if info.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 {
		t.Errorf("undo file %v in %v", info.Mode(), dir.Mode())
	}
	m.apply(u)
	if _, err := os.Stat(kept); err == nil {
		t.Error("the before-image outlived the undo")
	}
}

func TestPlanMarshalsWithoutNull(t *testing.T) {
	for _, v := range []any{&Plan{}, Plan{}, Change{}} {
		data, err := json.Marshal(v)
		must(t, err)
		if strings.Contains(strings.ReplaceAll(string(data), `"at":null`, ""), "null") {
			t.Errorf("%s", data)
		}
	}
}

func TestNothingToDo(t *testing.T) {
	m := newMachine(t)
	m.write("GOPROXY=off\n")
	p := m.plan(set("GOPROXY", "off"), unset("GOSUMDB"))
	if !p.Empty() {
		t.Errorf("plan %+v", p)
	}
	if _, err := m.changer.Apply(t.Context(), p); err == nil {
		t.Error("an empty plan was applied")
	}
}

func TestRecoverRemovesOldCopies(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	old, young := filepath.Join(tmp, copyPrefix+"1"), filepath.Join(tmp, copyPrefix+"2")
	for _, dir := range []string{old, young} {
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "env"), []byte("GOPROXY=x\n"), 0o600))
	}
	then := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(old, then, then))
	_, err := newMachine(t).changer.Recover(t.Context())
	must(t, err)
	if _, err := os.Stat(old); err == nil {
		t.Error("the old copy is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("a copy that may be in use was removed")
	}
}

func TestReplaced(t *testing.T) {
	goCommand(t)
	m := newMachine(t)
	m.write("GOPROXY=https://user:secret@old.example\n")
	c := m.set(set("GOPROXY", "https://new.example"), set("GOSUMDB", "off"))
	for name, want := range map[string]Assignment{"GOPROXY": set("GOPROXY", "https://user:secret@old.example"), "GOSUMDB": unset("GOSUMDB")} {
		if got, err := m.changer.Replaced(t.Context(), c.ID, name); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := m.changer.Replaced(t.Context(), c.ID, "GOFLAGS"); err == nil {
		t.Error("a variable that was not set")
	}
	m.undo(c.ID)
	if _, err := m.changer.Replaced(t.Context(), c.ID, "GOPROXY"); err == nil {
		t.Error("a change that was taken back")
	}
}
