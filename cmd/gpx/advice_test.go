package main

import (
	"regexp"
	"testing"

	"gpx/probe"
)

// TestAdviceNamesCommands: what the table of classes tells a user to type is a
// command line that gpx takes.
func TestAdviceNamesCommands(t *testing.T) {
	line := regexp.MustCompile(`\bgpx ([a-z-]+)([^.,]*)`)
	root := newRoot(&app{})
	n := 0
	for _, c := range probe.Classes {
		for _, m := range line.FindAllStringSubmatch(c.Advice, -1) {
			n++
			cmd, _, err := root.Find([]string{m[1]})
			if err != nil || cmd == root {
				t.Errorf("%s: %q: there is no such command", c.Class, c.Advice)
				continue
			}
			for _, flag := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(m[2], -1) {
				if cmd.Flag(flag[1]) == nil {
					t.Errorf("%s: %q: gpx %s has no flag --%s", c.Class, c.Advice, m[1], flag[1])
				}
			}
		}
	}
	if n == 0 {
		t.Error("no advice names a command")
	}
}
