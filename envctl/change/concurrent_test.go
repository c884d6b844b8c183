package change

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gpx/envctl/env"
)

// Several processes change different variables at the same time: each plan is
// applied whole or refused as stale, and no change is lost.
func TestConcurrentChanges(t *testing.T) {
	m := newMachine(t)
	m.write(before)
	e := m.env()
	names := []string{"GOPROXY", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOINSECURE"}
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			c := New(Options{Journal: m.journal, StateDir: filepath.Join(m.dir, "state"), Env: func(context.Context) (*env.Env, error) { return e, nil }})
			for n := range 3 {
				for {
					p, err := PlanEnv(e, "test", []Assignment{set(name, fmt.Sprintf("%s%d.example", name, n))})
					if err == nil {
						_, err = c.Apply(context.Background(), p)
					}
					if err == nil {
						break
					}
					if !errors.Is(err, ErrStale) {
						errs[i] = err
						return
					}
				}
			}
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	have := values([]byte(m.read()))
	for _, name := range names {
		if have[name] != name+"2.example" {
			t.Errorf("%s=%q", name, have[name])
		}
	}
	cs, err := m.changer.Changes(t.Context())
	must(t, err)
	if len(cs) != 3*len(names) {
		t.Errorf("%d changes in the journal, want %d", len(cs), 3*len(names))
	}
	files, err := os.ReadDir(filepath.Join(m.dir, "state", "undo"))
	must(t, err)
	if len(files) != 3*len(names) {
		t.Errorf("%d undo files", len(files))
	}
}

func TestDefaultStateDir(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	for xdg, want := range map[string]string{"": "/home/u/.local/state/gpx", "/x": "/x/gpx", "relative": "/home/u/.local/state/gpx"} {
		t.Setenv("XDG_STATE_HOME", xdg)
		if got, err := DefaultStateDir(); err != nil || got != want {
			t.Errorf("XDG_STATE_HOME=%q: %q %v, want %q", xdg, got, err, want)
		}
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_STATE_HOME", "")
	_, err := DefaultStateDir()
	oneLine(t, err, "set HOME")
}

// What gpx adds to the go command's own run time: a plan runs it once.
func BenchmarkPlan(b *testing.B) {
	m := newMachine(b)
	m.write(before)
	e := m.env()
	for b.Loop() {
		if _, err := PlanEnv(e, "test", []Assignment{set("GOPROXY", "off")}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGoEnvW(b *testing.B) {
	m := newMachine(b)
	m.write(before)
	e := m.env()
	for b.Loop() {
		if _, err := goEnv(b.Context(), e, filepath.Dir(m.file), "-w", "GOPROXY=off"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	m := newMachine(b)
	m.write(before)
	p := m.plan(set("GOPROXY", "off"))
	for b.Loop() {
		m.write(before)
		m.changer.o.Journal = NewMemoryJournal()
		q := *p
		if _, err := m.changer.Apply(b.Context(), &q); err != nil {
			b.Fatal(err)
		}
	}
}
