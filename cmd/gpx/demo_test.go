package main

import (
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// TestEnterNoticeFits: on a terminal of 80 columns the command that enters the
// demo is whole, with the longest number that a temporary folder gets, the sign
// in front of a notice and the remark that there are more.
func TestEnterNoticeFits(t *testing.T) {
	line := " ▲ " + enterNotice("/tmp/gpx-lab-4294967295/demo") + "  9 more: ? "
	if w := ansi.StringWidth(line); w > 80 {
		t.Errorf("%q takes %d columns of 80", line, w)
	}
}
