//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"

	"gpx/probe/lab"
)

// A terminal runs gpx in a pseudo-terminal that answers no query, and keeps
// what a person would see.
type terminal struct {
	t       *testing.T
	cmd     *exec.Cmd
	file    *os.File
	started time.Time

	mu      sync.Mutex
	screen  vt10x.Terminal
	raw     bytes.Buffer
	changed chan struct{} // closed and replaced at every write
	done    chan struct{} // closed at the end of the output
}

// open starts gpx with args; environ is all that it sees. The test binary is
// gpx when it is called by that name (TestMain).
func open(t *testing.T, environ []string, dir string, w, h int, args ...string) *terminal {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"gpx"}, args...)
	cmd.Env, cmd.Dir = environ, dir
	return openCommand(t, cmd, w, h)
}

// openCommand starts any program.
func openCommand(t *testing.T, cmd *exec.Cmd, w, h int) *terminal {
	t.Helper()
	term := &terminal{
		t: t, cmd: cmd, started: time.Now(),
		screen: vt10x.New(vt10x.WithSize(w, h)), changed: make(chan struct{}), done: make(chan struct{}),
	}
	var err error
	term.file, err = pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(w), Rows: uint16(h)})
	if err != nil {
		t.Fatal(err)
	}
	go term.read()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		<-term.done
		term.file.Close()
	})
	return term
}

func (t *terminal) read() {
	defer close(t.done)
	buf := make([]byte, 32<<10)
	for {
		n, err := t.file.Read(buf)
		t.mu.Lock()
		t.raw.Write(buf[:n])
		t.screen.Write(buf[:n])
		close(t.changed)
		t.changed = make(chan struct{})
		t.mu.Unlock()
		if err != nil {
			return // EIO on Linux: the other side is closed
		}
	}
}

func (t *terminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.screen.String()
}

// wait blocks until the screen satisfies ok.
func (t *terminal) wait(what string, within time.Duration, ok func(screen string) bool) {
	t.t.Helper()
	late := time.After(within)
	for {
		t.mu.Lock()
		screen, changed := t.screen.String(), t.changed
		t.mu.Unlock()
		if ok(screen) {
			return
		}
		select {
		case <-changed:
		case <-t.done:
			if ok(t.text()) {
				return
			}
			t.t.Fatalf("gpx ended before the screen showed %s:\n%s", what, t.text())
		case <-late:
			t.t.Fatalf("no %s within %v:\n%s", what, within, t.text())
		}
	}
}

func (t *terminal) shows(text string) {
	t.t.Helper()
	t.wait(text, 30*time.Second, func(s string) bool { return strings.Contains(s, text) })
}

func (t *terminal) press(keys string) {
	t.t.Helper()
	if _, err := io.WriteString(t.file, keys); err != nil {
		t.t.Fatal(err)
	}
}

// exit waits for the end and returns the status.
func (t *terminal) exit() int {
	t.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- t.cmd.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.t.Fatal(err)
		}
		<-t.done
		return t.cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		t.t.Fatalf("gpx does not end:\n%s", t.text())
		return -1
	}
}

// home is an environment of the lab's kind without a lab: nothing of this
// machine but its programs.
func home(t *testing.T, l *lab.Lab, chain string) (environ []string, goenv string) {
	t.Helper()
	dir := t.TempDir()
	goenv = filepath.Join(dir, "home", ".config", "go", "env")
	if err := os.MkdirAll(filepath.Dir(goenv), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, kv := range l.GoEnv(dir, chain) {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "GOPROXY", "GOSUMDB", "TERM", "LANG", "GOENV":
			continue // they come from the user file, or below
		}
		environ = append(environ, kv)
	}
	environ = append(environ, "GOENV="+goenv, "TERM=xterm-256color", "LANG=C.UTF-8", "GOCACHE="+lab.BuildCache())
	settings := "# mine\n\nGOPROXY=" + chain + "\nGOSUMDB=" + l.VerifierKey() + "\n"
	if err := os.WriteFile(goenv, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	return environ, goenv
}

func startLab(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Start(lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// shop writes a project that needs a module of the lab.
func shop(t *testing.T, l *lab.Lab) string {
	t.Helper()
	dir := t.TempDir()
	var sum string
	for _, m := range l.Modules() {
		if m.Path == "lab.example.com/alpha" && m.Version.Version == "v1.1.0" {
			sum = m.GoSum()
		}
	}
	for name, text := range map[string]string{
		"go.mod":  "module example.com/shop\n\ngo 1.21\n\nrequire lab.example.com/alpha v1.1.0\n",
		"go.sum":  sum,
		"main.go": "package main\n\nimport _ \"lab.example.com/alpha\"\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A terminal that answers no query must not cost the five seconds that Bubble
// Tea's init would wait for it (tui/noquery).
func TestSilentTerminal(t *testing.T) {
	l := startLab(t)
	environ, _ := home(t, l, l.Proxy("one", nil).URL())
	const limit = 2 * time.Second // a loaded machine under -race; without the work-around it is more than 5 s

	version := open(t, environ, shop(t, l), 80, 24, "version")
	if status := version.exit(); status != 0 {
		t.Fatalf("status %d", status)
	}
	if took := time.Since(version.started); took > limit {
		t.Errorf("gpx version took %v", took)
	}

	screen := open(t, environ, shop(t, l), 120, 36)
	screen.wait("the first frame", limit, func(s string) bool { return strings.Contains(s, "gpx") })
	t.Logf("first frame after %v", time.Since(screen.started).Round(time.Millisecond))
	screen.press("q")
	if status := screen.exit(); status != 0 {
		t.Errorf("status %d after q:\n%s", status, screen.text())
	}
	for _, query := range []string{"\x1b]11;?", "\x1b[6n", "\x1b]10;?"} {
		if bytes.Contains(screen.raw.Bytes(), []byte(query)) {
			t.Errorf("gpx asked the terminal %q", query)
		}
	}
}

// TestStory is the main job on the real program: the outage is seen, s and y
// switch away, go build works again, and u brings back the user's file byte for
// byte.
func TestStory(t *testing.T) {
	l := startLab(t)
	one, two := l.Proxy("one", lab.Always(lab.Status(502, ""))), l.Proxy("two", nil)
	environ, goenv := home(t, l, one.URL()+","+two.URL())
	project := shop(t, l)
	before := readText(t, goenv)
	if out, err := build(project, environ); err == nil {
		t.Fatalf("go build works in an outage: %s", out)
	}

	screen := open(t, environ, project, 120, 36)
	screen.wait("the outage", 3*time.Second, func(s string) bool { return strings.Contains(s, "OUTAGE") })
	t.Logf("outage shown after %v", time.Since(screen.started).Round(time.Millisecond))
	screen.press("s")
	screen.shows("Apply")
	if !strings.Contains(screen.text(), "go env -w GOPROXY="+two.URL()) {
		t.Errorf("the dialog does not show the command:\n%s", screen.text())
	}
	if got := readText(t, goenv); got != before {
		t.Fatalf("the file was changed before anybody agreed: %q", got)
	}
	screen.press("y")
	screen.wait("the switch", 30*time.Second, func(s string) bool { return strings.Contains(s, "OK") && !strings.Contains(s, "OUTAGE") })
	if out, err := build(project, environ); err != nil {
		t.Errorf("go build still fails after the switch: %v\n%s", err, out)
	}

	screen.press("u")
	screen.shows("Apply")
	screen.press("y")
	screen.shows("OUTAGE")
	if got := readText(t, goenv); got != before {
		t.Errorf("after undo the file is\n%q, was\n%q", got, before)
	}
	screen.press("q")
	if status := screen.exit(); status != 0 {
		t.Errorf("status %d after q", status)
	}
}

func build(dir string, environ []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", os.DevNull, ".")
	cmd.Dir, cmd.Env = dir, environ
	return cmd.CombinedOutput()
}

func readText(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// On a terminal a change is asked for, and the default is no.
func TestQuestion(t *testing.T) {
	l := startLab(t)
	environ, goenv := home(t, l, l.Proxy("one", nil).URL())
	project := shop(t, l)
	before := readText(t, goenv)
	for _, test := range []struct {
		name, answer string
		status       int
		changed      bool
	}{
		{"enter", "\r", 1, false},
		{"no", "n\r", 1, false},
		{"ctrl+c", "\x03", 130, false},
		{"end of input", "\x04", 1, false},
		{"yes", "y\r", 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			term := open(t, environ, project, 100, 30, "use", "https://proxy.example.com")
			term.shows("Apply? [y/N]")
			if !strings.Contains(term.text(), "go env -w GOPROXY=https://proxy.example.com") {
				t.Errorf("the plan is not shown:\n%s", term.text())
			}
			term.press(test.answer)
			if status := term.exit(); status != test.status {
				t.Errorf("status %d, want %d:\n%s", status, test.status, term.text())
			}
			if changed := readText(t, goenv) != before; changed != test.changed {
				t.Errorf("changed = %v, want %v", changed, test.changed)
			}
		})
	}
}

// ctrl+c ends what takes long, with the status of an interruption.
func TestInterrupt(t *testing.T) {
	l := startLab(t)
	one := l.Proxy("one", lab.Always(lab.Hang()))
	environ, _ := home(t, l, one.URL())
	project := shop(t, l)
	for _, args := range [][]string{{"status"}, {"probe"}, {"doctor"}, {"route", "lab.example.com/alpha"}, {"use", "--best"}} {
		t.Run(args[0], func(t *testing.T) {
			one.ResetLog()
			term := open(t, environ, project, 100, 30, args...)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := one.WaitHeld(ctx, 1); err != nil {
				t.Fatal(err)
			}
			term.press("\x03")
			if status := term.exit(); status != statusInterrupted {
				t.Errorf("status %d, want %d:\n%s", status, statusInterrupted, term.text())
			}
		})
	}
}
