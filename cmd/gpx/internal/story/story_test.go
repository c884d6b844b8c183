package story

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/probe/lab"
)

// gpx is the program under test.
var gpx string

// What takes longer than this hangs. A probe round takes milliseconds and a
// build of the sandbox's project about a second, on a machine that does
// nothing else.
const patience = 30 * time.Second

// TestMain builds the program once, as make does.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		if !atScale() && !benching() {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "gpx-story-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		gpx = filepath.Join(dir, "gpx")
		if out, err := exec.Command("go", "build", "-trimpath", "-o", gpx, "gpx/cmd/gpx").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

func atScale() bool {
	scale := os.Getenv("GPX_TEST_SCALE")
	return scale == "system" || scale == "soak"
}

// needs skips a test that meets the system for real where it is not asked for,
// or a program is missing.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if !atScale() {
		t.Skip("a system test: GPX_TEST_SCALE=system runs it with " + strings.Join(programs, ", "))
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip("needs " + p)
		}
	}
}

// A box is a developer's machine around a lab: a home folder with a user file
// of go env -w, a module, and two proxies that the test breaks.
type box struct {
	*lab.Sandbox
	t               *testing.T
	primary, backup *lab.Server
	environ         []string
	userFile        string
}

// newBox starts a healthy world whose chain is primary and backup with
// separator between them. The user file has what real ones have, besides the
// values: a comment and a blank line.
func newBox(t *testing.T, separator string) *box {
	t.Helper()
	sandbox, err := lab.Scenario{
		Name: "story", Separator: separator,
		Proxies: []lab.ScenarioProxy{{Name: "primary"}, {Name: "backup"}},
	}.Start()
	must(t, err)
	t.Cleanup(func() {
		if err := sandbox.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &box{Sandbox: sandbox, t: t, primary: sandbox.Servers[0], backup: sandbox.Servers[1], userFile: sandbox.Getenv("GOENV")}
	must(t, os.WriteFile(b.userFile, []byte("# mine, by hand\n\n"+b.settings()), 0o644))
	b.environ = append(sandbox.Environ(), "GOCACHE="+lab.BuildCache())
	return b
}

// settings is what the user file holds now.
func (b *box) settings() string {
	b.t.Helper()
	data, err := os.ReadFile(b.userFile)
	must(b.t, err)
	return string(data)
}

// run runs a program in the box's project and returns what it wrote and its
// exit status.
func (b *box) run(name string, args ...string) (stdout, stderr string, status int) {
	b.t.Helper()
	return run(b.t, b.Project, b.environ, name, args...)
}

func run(t *testing.T, dir string, environ []string, name string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environ, &out, &errs
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// builds says whether go build works in the project, and what it said.
func (b *box) builds() (ok bool, said string) {
	b.t.Helper()
	stdout, stderr, status := b.run("go", "build", "-o", os.DevNull, ".")
	return status == 0, stdout + stderr
}

// eventually waits until ok, looking again after pauses that grow, and reports
// whether it came true in time.
func eventually(within time.Duration, ok func() bool) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	pause := 10 * time.Millisecond
	for !ok() {
		select {
		case <-time.After(pause):
			pause = min(pause*3/2, 100*time.Millisecond)
		case <-deadline.C:
			return ok()
		}
	}
	return true
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
