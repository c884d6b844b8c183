package story

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// A terminal is gpx in a tmux server of its own. tmux keeps the screen as a
// person would see it, with its own idea of how wide a character is.
type terminal struct {
	t      *testing.T
	socket string
	w, h   int
	look   look
	raw    string // file of everything that gpx wrote
	status string // file of its exit status
}

// A look is one way in which people run the screen.
type look struct {
	name    string
	environ []string
	flags   []string
	colour  bool // the frame has colours
	ascii   bool // the frame has nothing but ASCII
}

// open starts gpx in the box, in a terminal of w×h cells.
func (b *box) open(w, h int, look look, args ...string) *terminal {
	b.t.Helper()
	dir := b.t.TempDir()
	t := &terminal{
		t: b.t, socket: filepath.Join(dir, "tmux"), w: w, h: h, look: look,
		raw: filepath.Join(dir, "raw"), status: filepath.Join(dir, "status"),
	}
	// The environment goes through a script: tmux would add its own to what the
	// session is given.
	script := "#!/bin/sh\ncd " + quote(b.Project) + "\nenv -i"
	for _, kv := range append(append(b.environ[:len(b.environ):len(b.environ)], "TERM=tmux-256color", "LANG=C.UTF-8"), look.environ...) {
		script += " \\\n  " + quote(kv)
	}
	script += " \\\n  " + quote(gpx)
	for _, a := range append(look.flags, args...) {
		script += " " + quote(a)
	}
	script += "\necho $? > " + quote(t.status) + ".new && mv " + quote(t.status) + ".new " + quote(t.status) + "\n"
	start := filepath.Join(dir, "start")
	must(b.t, os.WriteFile(start, []byte(script), 0o700))

	// pipe-pane must be there before the first byte, so gpx waits for a file.
	gate := filepath.Join(dir, "gate")
	must(b.t, exec.Command("mkfifo", gate).Run())
	conf := filepath.Join(dir, "conf")
	must(b.t, os.WriteFile(conf, []byte("set -g status off\nset -g default-terminal tmux-256color\nset -s escape-time 0\nset -g remain-on-exit on\n"), 0o600))
	cmd := exec.Command("tmux", "-u", "-S", t.socket, "-f", conf, "new-session", "-d",
		"-x", fmt.Sprint(w), "-y", fmt.Sprint(h), "cat "+quote(gate)+"; exec "+quote(start))
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "TMUX=", "SHELL=/bin/sh")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("tmux: %v: %s", err, out)
	}
	b.t.Cleanup(func() { t.tmux("kill-server") })
	t.tmux("pipe-pane", "-O", "cat > "+quote(t.raw))
	must(b.t, os.WriteFile(gate, []byte("\n"), 0))
	return t
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (t *terminal) tmux(args ...string) string {
	t.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-S", t.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.t.Fatalf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// screen is what the terminal shows: h lines, blanks at their ends cut.
func (t *terminal) screen() string {
	t.t.Helper()
	return strings.TrimSuffix(t.tmux("capture-pane", "-p"), "\n")
}

// press sends keys as tmux names them: letters, Enter, Escape, Down.
func (t *terminal) press(keys ...string) {
	t.t.Helper()
	t.tmux(append([]string{"send-keys"}, keys...)...)
}

// types sends text as it is.
func (t *terminal) types(text string) {
	t.t.Helper()
	t.tmux("send-keys", "-l", text)
}

// until waits for a sound frame that satisfies ok, and returns it. A frame may be
// seen half drawn, so what is wrong with it counts only when it stays so.
func (t *terminal) until(what string, ok func(screen string) bool) string {
	t.t.Helper()
	var screen string
	var wrong error
	if !eventually(patience, func() bool {
		screen = t.screen()
		wrong = t.check(screen)
		return wrong == nil && ok(screen)
	}) {
		if wrong == nil {
			wrong = fmt.Errorf("no %s within %v", what, patience)
		}
		t.t.Fatalf("%dx%d %s: %v:\n%s", t.w, t.h, t.look.name, wrong, screen)
	}
	return screen
}

// shows waits until all the words stand on the screen.
func (t *terminal) shows(words ...string) string {
	t.t.Helper()
	return t.until(strings.Join(words, ", "), func(s string) bool {
		for _, w := range words {
			if !strings.Contains(s, w) {
				return false
			}
		}
		return true
	})
}

// says waits until the header does.
func (t *terminal) says(words ...string) string {
	t.t.Helper()
	return t.until("header "+strings.Join(words, ", "), func(s string) bool {
		header, _, _ := strings.Cut(s, "\n")
		for _, w := range words {
			if !strings.Contains(header, w) {
				return false
			}
		}
		return true
	})
}

// gone waits until the words are no longer on the screen.
func (t *terminal) gone(words string) {
	t.t.Helper()
	t.until("end of "+words, func(s string) bool { return !strings.Contains(s, words) })
}

// exited waits for the end of gpx and returns its status.
func (t *terminal) exited() string {
	t.t.Helper()
	var status []byte
	if !eventually(patience, func() (ok bool) {
		var err error
		status, err = os.ReadFile(t.status)
		return err == nil
	}) {
		t.t.Fatalf("gpx does not end:\n%s", t.screen())
	}
	return strings.TrimSpace(string(status))
}

var (
	// What is left of a sequence whose ESC was lost on the way.
	leftover = regexp.MustCompile(`\[[0-9;?]+[A-Za-z]|\]\d+;`)
	// What can ask the terminal something, or write where it must not.
	query = regexp.MustCompile(`\x1b\](?:10|11|4);[^\x07\x1b]*\?|\x1b\[[0-9;]*n|\x1b\[[0-9]*c|\x1b\[[?>][0-9;]*[cu]`)
	sgr   = regexp.MustCompile(`\x1b\[([0-9;]*)m`)
	// 30 to 49, 90 to 97 and 100 to 107 set a colour, less 39 and 49; 0 to 29 do not.
	colour = regexp.MustCompile(`;(?:[34][0-8]|9[0-7]|10[0-7]);`)
)

// check holds a frame against what is true of every frame.
func (t *terminal) check(screen string) error {
	lines := strings.Split(screen, "\n")
	if len(lines) != t.h {
		return fmt.Errorf("%d lines", len(lines))
	}
	if !utf8.ValidString(screen) {
		return errors.New("not UTF-8")
	}
	if strings.ContainsFunc(screen, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 }) {
		return errors.New("control characters")
	}
	if s := leftover.FindString(screen); s != "" {
		return fmt.Errorf("a piece of an escape sequence: %q", s)
	}
	if t.look.ascii && strings.ContainsFunc(screen, func(r rune) bool { return r > '~' }) {
		return errors.New("not ASCII")
	}
	for i, line := range lines {
		if w := ansi.StringWidth(line); w > t.w {
			return fmt.Errorf("line %d has %d cells", i+1, w)
		}
	}
	if t.w < 60 || t.h < 15 {
		return nil // the state line and the states of the chain, no frame
	}
	if !strings.HasPrefix(lines[0], " gpx ") {
		return errors.New("no header")
	}
	return t.border(lines)
}

// border checks the frame around a view. What is too wide wraps, and a line
// that is counted too narrow or too wide has its right border somewhere else.
func (t *terminal) border(lines []string) error {
	upper, lower, sides := "╭", "╰", "│├┤"
	if t.look.ascii {
		upper, lower, sides = "+", "+", "|+"
	}
	top := 1
	for top < 3 && !strings.HasPrefix(lines[top], upper) {
		top++ // a banner
	}
	bottom := t.h - 3 // above the message and the keys
	if !strings.HasPrefix(lines[top], upper) || !strings.HasPrefix(lines[bottom], lower) {
		return errors.New("the frame is not closed")
	}
	for i := top; i <= bottom; i++ {
		if w := ansi.StringWidth(lines[i]); w != t.w {
			return fmt.Errorf("line %d is %d cells wide", i+1, w)
		}
		if first, last := edges(lines[i]); i > top && i < bottom && (!strings.Contains(sides, first) || !strings.Contains(sides, last)) {
			return fmt.Errorf("line %d has no border", i+1)
		}
	}
	return nil
}

// edges returns the first and the last character of a line.
func edges(line string) (first, last string) {
	r, _ := utf8.DecodeRuneInString(line)
	l, _ := utf8.DecodeLastRuneInString(line)
	return string(r), string(l)
}

// checkRaw holds all that gpx wrote against what it may write, and returns the
// colours that it used.
func (t *terminal) checkRaw() (colours map[string]bool) {
	t.t.Helper()
	data, err := os.ReadFile(t.raw)
	must(t.t, err)
	if q := query.Find(data); q != nil {
		t.t.Errorf("%s: the terminal was asked %q", t.look.name, q)
	}
	colours = map[string]bool{}
	for _, m := range sgr.FindAllStringSubmatch(string(data), -1) {
		if colour.MatchString(";" + m[1] + ";") {
			colours[m[1]] = true
		}
	}
	if got := len(colours) > 0; got != t.look.colour {
		t.t.Errorf("%s: colours are on the screen: %v, want %v", t.look.name, got, t.look.colour)
	}
	if !strings.Contains(string(data), "\x1b[?1049h") || !strings.Contains(string(data), "\x1b[?1049l") {
		t.t.Errorf("%s: the alternate screen was not entered and left", t.look.name)
	}
	return colours
}

// resize gives the terminal another size.
func (t *terminal) resize(w, h int) {
	t.t.Helper()
	t.w, t.h = w, h
	t.tmux("resize-window", "-x", fmt.Sprint(w), "-y", fmt.Sprint(h))
}
