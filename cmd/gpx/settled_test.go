package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/envctl/change"
	"gpx/history"
)

// A command leaves the database alone where the one before it found nothing to put
// right, and not where anything that may have to be put right has changed.
func TestSettled(t *testing.T) {
	top := t.TempDir()
	state, project, other, shorter, config := filepath.Join(top, "state"), filepath.Join(top, "project"), filepath.Join(top, "other"), filepath.Join(top, "proj"), filepath.Join(top, "config.toml")
	db, undo := filepath.Join(state, "history.db"), filepath.Join(state, "undo")
	writeText(t, filepath.Join(project, "go.mod"), "module example.com/app\n\ngo 1.22\n")
	writeText(t, filepath.Join(other, "go.mod"), "module example.com/other\n\ngo 1.22\n")
	writeText(t, filepath.Join(shorter, "go.mod"), "module example.com/shorter\n\ngo 1.22\n")
	writeText(t, config, "")
	now := time.Now().Add(time.Minute) // all files are of before

	run := func(folder string) (opened bool, said string) {
		t.Helper()
		var out, errs bytes.Buffer
		a := newApp(streams{in: strings.NewReader(""), out: &out, err: &errs})
		a.stateDir, a.folder = state, folder
		a.now = func() time.Time { return now }
		a.environ = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + top, "GOENV=off", "GOPROXY=off", "GOTOOLCHAIN=local", "GOFLAGS=", "GOWORK=off",
			"GOPATH=" + filepath.Join(top, "gopath"), "GOCACHE=" + filepath.Join(top, "gocache"), "GOMODCACHE=" + filepath.Join(top, "mod"),
		}
		root := newRoot(a)
		root.SetArgs([]string{"deps", "--json", "--config", config})
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err, errs.String())
		}
		opened = a.store != nil
		a.close()
		if !strings.Contains(out.String(), `"state":"ready"`) {
			t.Errorf("it printed %s", out.String())
		}
		return opened, errs.String()
	}
	settle := func() {
		t.Helper()
		for range 3 {
			run(project)
		}
		if opened, said := run(project); opened || said != "" {
			t.Fatalf("nothing has changed: opened %v, said %q", opened, said)
		}
	}
	journal := func(do func(change.Journal) error) func() {
		return func() {
			s, err := history.Open(t.Context(), db, history.Options{Now: func() time.Time { return now }})
			must(t, err)
			must(t, do(s.Journal()))
			must(t, s.Close())
		}
	}
	ctx := t.Context()
	file := func() string {
		files, err := filepath.Glob(filepath.Join(state, "settled-*"))
		must(t, err)
		if len(files) != 1 {
			t.Fatal(files)
		}
		return files[0]
	}
	remove := func(name string) func() { return func() { must(t, os.RemoveAll(name)) } }
	for _, c := range []struct {
		name         string
		do, takeBack func()
		folder, want string // want is what it says
	}{
		{"a change that was cut short", journal(func(j change.Journal) error {
			return j.Begin(ctx, change.Record{ID: "aaaaaa", At: now, Title: "use x"})
		}), nil, project, "interrupted before it began"},
		{"a file in undo", func() { writeText(t, filepath.Join(undo, "bbbbbb"), "{}") }, remove(filepath.Join(undo, "bbbbbb")), project, ""},
		{"an end that is marked", func() { writeText(t, filepath.Join(state, change.ExpiryFile), "1\n") }, nil, project, ""},
		{"a relay", func() { writeText(t, filepath.Join(state, "relay-in-use"), "") }, remove(filepath.Join(state, "relay-in-use")), project, ""},
		{"a process that was killed", func() { writeText(t, db+"-journal", "") }, remove(db + "-journal"), project, ""},
		{"another project", func() {}, nil, other, ""},
		{"a while", func() { now = now.Add(settledTime + time.Second) }, nil, project, ""},
		{"a clock that was set back", func() { now = now.Add(-settledTime - time.Hour) }, func() { now = time.Now().Add(time.Minute) }, project, ""},
		{"a line that was cut", func() { must(t, os.Truncate(file(), 40)) }, nil, project, ""},
		{"a project that was cut", func() {
			data, err := os.ReadFile(file())
			must(t, err)
			must(t, os.Truncate(file(), int64(bytes.LastIndex(data, []byte("proj"))+len("proj"))))
		}, nil, shorter, ""},
		{"no database", remove(db), nil, project, ""},
	} {
		now = time.Now().Add(time.Minute)
		settle()
		c.do()
		opened, said := run(c.folder)
		if !opened || !strings.Contains(said, c.want) || c.want == "" && said != "" {
			t.Errorf("%s: opened %v, said %q", c.name, opened, said)
		}
		if c.takeBack != nil {
			c.takeBack()
		}
	}
}

// Right after something was written there is no telling it from what is written next.
func TestNothingIsSettledAtOnce(t *testing.T) {
	a := newApp(streams{})
	a.stateDir = t.TempDir()
	s, err := history.Open(t.Context(), a.database(), history.Options{})
	must(t, err)
	must(t, s.Close())
	undo := filepath.Join(a.stateDir, "undo")
	must(t, os.MkdirAll(undo, 0o700))
	second := time.Now().Truncate(time.Second)
	for _, fine := range []time.Duration{0, 345 * time.Millisecond, 345678 * time.Microsecond} {
		for _, name := range []string{undo, a.database()} {
			written := second.Add(fine)
			for _, file := range []string{undo, a.database()} {
				must(t, os.Chtimes(file, written, written.Add(-time.Hour)))
			}
			must(t, os.Chtimes(name, written, written))
			for age, want := range map[time.Duration]bool{
				-time.Second: false, 50 * time.Millisecond: false, time.Second: fine%time.Millisecond != 0, 3 * time.Second: true,
			} {
				a.now = func() time.Time { return written.Add(age) }
				if got := a.settledLine() != ""; got != want {
					t.Errorf("%s written %v after a second, %v later: known %v, want %v", filepath.Base(name), fine, age, got, want)
				}
			}
		}
	}
}

func writeText(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o700))
	must(t, os.WriteFile(name, []byte(text), 0o600))
}
