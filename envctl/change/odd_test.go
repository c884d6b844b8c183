package change

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A link that leads up and out of a directory which is itself a link: the
// parent is that of the real directory, not of the name (dotfiles are kept so).
func TestLinkBehindALinkedDirectory(t *testing.T) {
	m := newMachine(t)
	real, target := filepath.Join(m.dir, "store", "config"), filepath.Join(m.dir, "store", "env")
	must(t, os.MkdirAll(filepath.Join(real, "go"), 0o777))
	must(t, os.Symlink(real, filepath.Join(m.dir, "config")))
	must(t, os.Symlink("../../env", m.file))
	must(t, os.WriteFile(target, []byte(before), 0o644))
	wrong := filepath.Join(m.dir, "env")
	m.set(set("GOPROXY", "off"))
	if got := content(t, wrong); got != "absent" {
		t.Errorf("a file that nobody named was written: %q", got)
	}
	if got := m.env().Get("GOPROXY"); got != "off" {
		t.Errorf("GOPROXY=%q", got)
	}
	m.undo("")
	if got := content(t, target); got != before {
		t.Errorf("undo left %q", got)
	}
	m.environ = append(m.environ, "GOENV="+filepath.Join(m.dir, "config")+"/../env")
	m.set(set("GOPROXY", "off"))
	if content(t, wrong) != "absent" || m.env().Get("GOPROXY") != "off" {
		t.Errorf("GOENV with a parent: GOPROXY=%q, another file %q", m.env().Get("GOPROXY"), content(t, wrong))
	}
}

// An editor saves the file between the check and the rename.
func TestEditWhileTheJournalIsWritten(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	p := m.plan(set("GOPROXY", "off"))
	m.changer.o.Journal = slowJournal{m.journal, func() { m.write(before + "\n# saved\n") }}
	_, err := m.changer.Apply(t.Context(), p)
	if !errors.Is(err, ErrStale) || m.read() != before+"\n# saved\n" {
		t.Errorf("error %v, file %q", err, m.read())
	}
	oneLine(t, err, "nothing was changed")
	rs, err := m.journal.List(t.Context())
	must(t, err)
	if rs[0].State != Aborted {
		t.Errorf("record %+v", rs[0])
	}
}

// A slowJournal lets something happen when a change begins.
type slowJournal struct {
	Journal
	meanwhile func()
}

func (j slowJournal) Begin(ctx context.Context, r Record) error {
	j.meanwhile()
	return j.Journal.Begin(ctx, r)
}

// Two files of one group: the second fails, so the first is taken back.
func TestApplyRollsBackWithinAGroup(t *testing.T) {
	m := newMachine(t)
	first := filepath.Join(m.dir, "cache", "one")
	p := &Plan{Title: "two files"}
	must(t, p.PlanFile(first, []byte("x")))
	late := filepath.Join(m.dir, "late")
	must(t, p.PlanFile(late, nil))
	must(t, os.WriteFile(beside(late, "id0001"), nil, 0o600)) // its copy's name is taken
	tree := m.tree()
	_, err := m.changer.Apply(t.Context(), p)
	oneLine(t, err, "nothing was changed")
	if got := m.tree(); strings.Join(got, " ") != strings.Join(tree, " ") {
		t.Errorf("files %q, were %q", got, tree)
	}
}

func TestFileSizes(t *testing.T) {
	for name, content := range map[string]string{"0 bytes": "", "1 MB": strings.Repeat("# a line of a comment\n", 50_000)} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.write(content)
			m.set(set("GOPROXY", "off"))
			if got := m.env().Get("GOPROXY"); got != "off" {
				t.Errorf("GOPROXY=%q", got)
			}
			m.undo("")
			if m.read() != content {
				t.Error("undo left another file")
			}
		})
	}
}

// A file in the place of a directory: the error names it.
func TestFileBehindAFile(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	err := (&Plan{}).PlanFile(filepath.Join(m.file, "cache", "supported"), nil)
	if err == nil || !strings.Contains(err.Error(), m.file) {
		t.Errorf("the error does not say which: %v", err)
	}
}
