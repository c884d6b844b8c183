package change

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/envctl/env"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A machine is a home directory with a user file, a state directory and a
// journal.
type machine struct {
	t       testing.TB
	dir     string
	file    string // the user file
	environ []string
	journal Journal
	changer *Changer
	now     time.Time
	ids     int
	cached  *env.Env // when set, env returns it
}

// newMachine makes one whose user file is at the default place of a home of
// its own. more is added to its OS environment.
func newMachine(t testing.TB, more ...string) *machine {
	t.Helper()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "telemetry"), 0o777))
	must(t, os.WriteFile(filepath.Join(dir, "telemetry", "mode"), []byte("off"), 0o666))
	m := &machine{t: t, dir: dir, file: filepath.Join(dir, "config", "go", "env"), journal: NewMemoryJournal(), now: noon}
	m.environ = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"), "GOPATH=" + filepath.Join(dir, "gopath"),
		"TEST_TELEMETRY_DIR=" + filepath.Join(dir, "telemetry"), // it is beside the user file otherwise
	}, more...)
	m.changer = New(Options{
		Journal: m.journal, StateDir: filepath.Join(dir, "state"), Actor: "test",
		Env:   func(context.Context) (*env.Env, error) { return m.env(), nil },
		Now:   func() time.Time { return m.now },
		NewID: func() string { m.ids++; return fmt.Sprintf("id%04d", m.ids) },
	})
	return m
}

func (m *machine) env() *env.Env {
	m.t.Helper()
	if m.cached != nil {
		return m.cached
	}
	e, err := env.Read(m.t.Context(), env.Options{Dir: m.dir, Environ: m.environ})
	if err != nil {
		m.t.Fatal(err)
	}
	return e
}

func (m *machine) write(data string) {
	m.t.Helper()
	must(m.t, os.MkdirAll(filepath.Dir(m.file), 0o777))
	must(m.t, os.WriteFile(m.file, []byte(data), 0o666))
}

// read is what the user file holds; "absent" when there is none.
func (m *machine) read() string { return content(m.t, m.file) }

func content(t testing.TB, path string) string {
	t.Helper()
	i, err := readImage(path)
	must(t, err)
	if !i.Exists {
		return "absent"
	}
	return string(i.Data)
}

func (m *machine) plan(as ...Assignment) *Plan {
	m.t.Helper()
	p, err := PlanEnv(m.env(), "test", as)
	must(m.t, err)
	return p
}

func (m *machine) apply(p *Plan) Change {
	m.t.Helper()
	c, err := m.changer.Apply(m.t.Context(), p)
	must(m.t, err)
	return c
}

func (m *machine) set(as ...Assignment) Change { m.t.Helper(); return m.apply(m.plan(as...)) }

func (m *machine) undo(id string) *Plan {
	m.t.Helper()
	p, err := m.changer.PlanUndo(m.t.Context(), id, false)
	must(m.t, err)
	m.apply(p)
	return p
}

// tree lists every file and directory below the home, but for the state and
// what the go command keeps for itself.
func (m *machine) tree() []string {
	m.t.Helper()
	var names []string
	must(m.t, filepath.WalkDir(m.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(m.dir, path)
		if rel == "state" || strings.HasSuffix(rel, "telemetry") {
			return filepath.SkipDir
		}
		names = append(names, rel)
		return nil
	}))
	return names
}

func set(name, value string) Assignment { return Assignment{Name: name, Value: value} }
func unset(name string) Assignment      { return Assignment{Name: name, Unset: true} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func goCommand(t testing.TB) string {
	path, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not installed")
	}
	return path
}

// times scales a number of repetitions by GPX_TEST_SCALE.
func times(quick, system, soak int) int {
	switch os.Getenv("GPX_TEST_SCALE") {
	case "soak":
		return soak
	case "system":
		return system
	}
	return quick
}
