package main

import (
	"slices"
	"testing"

	"gpx/envctl/change"
)

func TestStanding(t *testing.T) {
	set := func(id, target string) change.Change {
		return change.Change{ID: id, Actions: []change.Action{{Kind: change.SetVariable, Target: target, Undoable: true}}}
	}
	undo := func(id, of, target string) change.Change {
		c := set(id, target)
		c.Undoes = of
		return c
	}
	undone := func(c change.Change) change.Change {
		c.Undone = true
		return c
	}
	for _, c := range []struct {
		name string
		list []change.Change // newest first
		want []string
	}{
		{"two variables", []change.Change{set("b", "GOSUMDB"), set("a", "GOPROXY")}, []string{"in force", "in force"}},
		{"set again", []change.Change{set("b", "GOPROXY"), set("a", "GOPROXY")}, []string{"in force", "replaced"}},
		{"the later one taken back", []change.Change{undo("c", "b", "GOPROXY"), undone(set("b", "GOPROXY")), set("a", "GOPROXY")},
			[]string{"done", "undone", "in force"}},
		{"and brought back", []change.Change{undo("d", "c", "GOPROXY"), undone(undo("c", "b", "GOPROXY")), undone(set("b", "GOPROXY")), set("a", "GOPROXY")},
			[]string{"in force", "undone", "undone", "replaced"}},
		{"what nothing brings back", []change.Change{{ID: "b", Actions: []change.Action{{Kind: "remove_version", Target: "m@v1"}}}, set("a", "GOPROXY")}, []string{"done", "in force"}},
		{"a journal that runs in circles", []change.Change{undo("b", "a", "X"), undo("a", "b", "X")}, []string{"in force", "replaced"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := standing(c.list); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
