package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/probe/lab"
)

// A killWorld is a home with a module cache of some forty versions, three of
// which a project needs.
type killWorld struct {
	t       *testing.T
	dir     string
	app     string
	environ []string
}

// extras are versions that nothing needs; each has enough files to be caught in
// the middle of.
const extras = 40

func newKillWorld(t *testing.T) *killWorld {
	t.Helper()
	modules := lab.DefaultModules()
	var names []string
	for i := range extras {
		files := map[string]string{"go.mod": fmt.Sprintf("module lab.example.com/extra%d\n\ngo 1.21\n", i)}
		for j := range 40 {
			files[fmt.Sprintf("d%d/f.txt", j)] = strings.Repeat("extra\n", 50*j)
		}
		m, err := lab.NewModule(fmt.Sprintf("lab.example.com/extra%d", i), "v1.0.0", time.Unix(1_700_000_000, 0), files)
		must(t, err)
		modules, names = append(modules, m), append(names, m.String())
	}
	l, err := lab.Start(lab.Options{Modules: modules})
	must(t, err)
	t.Cleanup(func() { l.Close() })
	w := &killWorld{t: t, dir: t.TempDir()}
	w.app = filepath.Join(w.dir, "app")
	must(t, os.Mkdir(w.app, 0o777))
	must(t, os.WriteFile(filepath.Join(w.app, "go.mod"), []byte("module example.com/app\n\ngo 1.21\n\nrequire lab.example.com/gamma v0.3.0\n"), 0o666))
	must(t, os.WriteFile(filepath.Join(w.app, "main.go"), []byte("package main\n\nimport _ \"lab.example.com/gamma\"\n\nfunc main() {}\n"), 0o666))
	w.environ = append(l.GoEnv(w.dir, l.Proxy("ONE", nil).URL()),
		"XDG_STATE_HOME="+filepath.Join(w.dir, "state"), "XDG_CONFIG_HOME="+filepath.Join(w.dir, "config"), "GOFLAGS=", "GOCACHE="+lab.BuildCache())
	w.run("go", "mod", "tidy")
	w.run("go", append([]string{"mod", "download"}, names...)...)
	w.run("gpx", "status")                                  // which makes the project a known one
	t.Cleanup(func() { w.run("go", "clean", "-modcache") }) // t.TempDir cannot remove 0555 folders
	return w
}

func (w *killWorld) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	if name == "gpx" {
		self, err := os.Executable()
		must(w.t, err)
		c.Path, c.Err = self, nil
	}
	c.Dir, c.Env = w.app, w.environ
	return c
}

// run runs a command that must succeed, and returns what it printed.
func (w *killWorld) run(name string, args ...string) (stdout, stderr string) {
	w.t.Helper()
	c := w.command(name, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		w.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// killed runs gpx and kills it after d, unless it ended before.
func (w *killWorld) killed(d time.Duration, args ...string) (alive bool) {
	w.t.Helper()
	c := w.command("gpx", args...)
	must(w.t, c.Start())
	kill := time.AfterFunc(d, func() { c.Process.Kill() })
	err := c.Wait()
	kill.Stop()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		w.t.Fatalf("gpx %s: %v", strings.Join(args, " "), err)
	}
	return err != nil
}

// TestKilledCaches kills commands at any instant. Afterwards the next start says
// what was in flight, no version is half there, the project builds without a
// network, and what went can be had again.
func TestKilledCaches(t *testing.T) {
	t.Parallel()
	scale := os.Getenv("GPX_TEST_SCALE")
	rounds := map[string]int{"": 1, "system": 3, "soak": 250}[scale]
	w := newKillWorld(t)
	pristine := filepath.Join(w.dir, "all.tar")
	w.run("gpx", "cache", "export", "--all", "-o", pristine)
	for _, test := range []struct {
		name string
		args func(i int) []string
		long bool // not part of make test
	}{
		{"prune to the trash", func(int) []string { return []string{"cache", "prune", "--unreferenced", "--trash", "--yes"} }, false},
		{"prune", func(int) []string { return []string{"cache", "prune", "--unreferenced", "--yes"} }, true},
		{"import", func(int) []string { return []string{"cache", "import", pristine, "--yes"} }, false},
		{"export", func(i int) []string {
			return []string{"cache", "export", "--all", "-o", filepath.Join(w.dir, fmt.Sprintf("out%d.tar", i))}
		}, true},
		{"sync", func(int) []string {
			return []string{"cache", "export", "--all", "--sync", "-o", filepath.Join(w.dir, "served")}
		}, true},
		{"undo", func(int) []string { return []string{"undo", "--yes"} }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.long && scale == "" {
				t.Skip("with GPX_TEST_SCALE=system")
			}
			w.t = t
			w.prepare(test.name)
			start := time.Now()
			w.run("gpx", test.args(0)...)
			took, noted := time.Since(start), 0
			for i := range rounds {
				w.prepare(test.name)
				// It begins with reading, where nothing can be in flight.
				alive := w.killed(took/4+time.Duration(rand.Int64N(int64(took*3/4))), test.args(i+1)...)
				_, stderr := w.run("gpx", "cache", "ls", "--json")
				if strings.Contains(stderr, "gpx: note: change ") {
					noted++
				}
				if !alive && stderr != "" {
					t.Errorf("it had ended, and the next start says: %s", stderr)
				}
				w.check()
			}
			w.run("go", "mod", "verify")
			w.run("go", "mod", "download", "lab.example.com/extra0@v1.0.0", "lab.example.com/extra39@v1.0.0")
			t.Logf("%d of %d kills left something in flight", noted, rounds)
		})
	}
}

// prepare makes the state that a command is run in.
func (w *killWorld) prepare(name string) {
	w.t.Helper()
	switch name {
	case "import":
		w.run("gpx", "cache", "prune", "--unreferenced", "--all-files", "--yes")
	case "sync":
		must(w.t, os.RemoveAll(filepath.Join(w.dir, "served")))
		fallthrough
	default:
		w.run("gpx", "cache", "import", filepath.Join(w.dir, "all.tar"), "--yes")
	}
	if name == "undo" {
		w.run("gpx", "cache", "prune", "--unreferenced", "--trash", "--yes")
	}
}

// check holds what must be true after every kill.
func (w *killWorld) check() {
	w.t.Helper()
	out, _ := w.run("gpx", "cache", "verify", "--json")
	var doc struct{ Checked, OK int }
	must(w.t, json.Unmarshal([]byte(out), &doc))
	if doc.Checked != doc.OK || doc.Checked < 3 {
		w.t.Errorf("%s", out)
	}
	c := w.command("go", "build", "-o", os.DevNull, ".")
	c.Env = append(c.Env, "GOPROXY=off")
	if text, err := c.CombinedOutput(); err != nil {
		w.t.Errorf("the project does not build without a network: %v\n%s", err, text)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
