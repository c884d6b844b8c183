//go:build unix

package main

import (
	"strings"
	"testing"
)

// A command that gpx runs has the terminal: it reads it, gets each ctrl+c once,
// and gpx stays until it ends, whatever the number of them.
func TestRunTerminal(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	environ, _ := home(t, l, l.Proxy("one", nil).URL())
	term := open(t, environ, shop(t, l), 100, 30, "run", "sh", "-c",
		`n=0; trap 'n=$((n+1)); echo got $n' INT; test -t 0 && test -t 1 && test -t 2 && echo ready
		while :; do read line; test "$line" = end && exit 5; done`)
	term.shows("ready")
	for _, want := range []string{"got 1", "got 2", "got 3"} {
		term.press("\x03")
		term.shows(want)
	}
	term.press("end\n")
	if status := term.exit(); status != 5 {
		t.Errorf("status %d, want 5:\n%s", status, term.text())
	}
	if strings.Contains(term.text(), "got 4") {
		t.Errorf("ctrl+c came twice:\n%s", term.text())
	}
}
