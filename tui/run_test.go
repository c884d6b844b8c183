package tui

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"go.uber.org/goleak"

	"gpx/probe/monitor"
	"gpx/tui/noquery"
)

func TestMain(m *testing.M) {
	noquery.Restore()
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for something that takes milliseconds.
const patience = 20 * time.Second

// source is a stream that a test feeds.
type source struct{ ch chan monitor.Snapshot }

func (s source) Subscribe() (<-chan monitor.Snapshot, func()) { return s.ch, func() {} }

// console is a real pseudo-terminal with a screen behind it.
type console struct {
	t      *testing.T
	master *os.File
	tty    *os.File
	vt     vt10x.Terminal
	mu     sync.Mutex
	raw    strings.Builder
	news   chan struct{}
	done   chan struct{}
}

func newConsole(t *testing.T, w, h int) *console {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Cols: uint16(w), Rows: uint16(h)}); err != nil {
		t.Fatal(err)
	}
	c := &console{t: t, master: master, tty: tty, vt: vt10x.New(vt10x.WithSize(w, h)), news: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		buf := make([]byte, 32<<10)
		for {
			n, err := master.Read(buf)
			c.mu.Lock()
			c.raw.Write(buf[:n])
			_, _ = c.vt.Write(buf[:n])
			c.mu.Unlock()
			select {
			case c.news <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { tty.Close(); master.Close(); <-c.done })
	return c
}

func (c *console) text() (screen, raw string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.vt.String(), c.raw.String()
}

// wait returns when the screen shows want, or was sent it.
func (c *console) wait(want string) {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		if s, raw := c.text(); strings.Contains(s, want) || want[0] == '\x1b' && strings.Contains(raw, want) {
			return
		}
		select {
		case <-c.news:
		case <-deadline:
			s, _ := c.text()
			c.t.Fatalf("the terminal does not show %q:\n%s", want, s)
		}
	}
}

func (c *console) press(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.master, keys); err != nil {
		c.t.Fatal(err)
	}
}

// TestRun plays the main story in a real terminal, with everything between the
// tty and the cells: first frame, snapshots, a plan, its effect, the way out.
func TestRun(t *testing.T) {
	c := newConsole(t, 120, 36)
	f := newFake(t)
	src := source{make(chan monitor.Snapshot, 1)}
	ended := make(chan error, 1)
	go func() {
		ended <- Run(context.Background(), Config{Source: src, Services: f.services(), Input: c.tty, Output: c.tty, Environ: []string{"TERM=xterm-256color"}, Project: "~/src/app"})
	}()
	c.wait("PROBING")
	src.ch <- outage()
	c.wait("OUTAGE")
	c.wait("s switches to https://mirror.example.org | direct")
	c.press("s")
	c.wait("Apply (y)")
	c.press("y")
	c.wait("u takes it back")
	src.ch <- healthy()
	c.wait("go can download from mirror.example.org")
	c.press("2")
	c.wait("GOTOOLCHAIN")
	c.press("y")
	c.wait("copied: go env -w GOPROXY=")
	c.press("q")
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("q does not end the screen")
	}
	// The alternate screen and the mouse are taken and given back; y copied.
	for _, seq := range []string{"\x1b[?1049h", "\x1b[?1049l", "\x1b[?1002h", "\x1b[?1002l", "\x1b]52;c;"} {
		c.wait(seq)
	}
	_, raw := c.text()
	for _, query := range []string{"\x1b]10;?", "\x1b]11;?", "\x1b[6n", "\x1b[c"} {
		if strings.Contains(raw, query) {
			t.Errorf("the terminal was asked %q", query)
		}
	}
}

// TestRunEndsWithItsContext: what watches gpx can end it.
func TestRunEndsWithItsContext(t *testing.T) {
	c := newConsole(t, 80, 24)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{Source: source{make(chan monitor.Snapshot)}, Services: newFake(t).services(), Input: c.tty, Output: c.tty})
	}()
	c.wait("PROBING")
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the screen outlives its context")
	}
}

// TestSilentTerminal: a terminal that answers no query costs nothing. Only a
// process that starts with the terminal shows it, so the test starts itself.
func TestSilentTerminal(t *testing.T) {
	const child = "GPX_TEST_SILENT"
	if os.Getenv(child) != "" {
		if _, ok := os.LookupEnv("CI"); ok {
			t.Error("CI is still set after Restore")
		}
		return
	}
	c := newConsole(t, 80, 24)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestSilentTerminal$", "-test.v")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.tty, c.tty, c.tty
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "CI=") && !strings.HasPrefix(kv, "TERM=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, child+"=1", "TERM=xterm-256color")
	began := time.Now()
	if err := cmd.Run(); err != nil {
		s, _ := c.text()
		t.Fatalf("%v\n%s", err, s)
	}
	if took := time.Since(began); took > 4*time.Second { // termenv waits 5 s for an answer
		t.Errorf("the start took %v", took)
	}
	if _, raw := c.text(); strings.Contains(raw, "\x1b]11;?") {
		t.Error("the terminal was asked for its background")
	}
}
