package trash

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/module"
)

// The list file says what is there, as the go command writes it: a version
// whose .mod goes is offered no more, and is again when it comes back.
func TestListFollows(t *testing.T) {
	const rel = "cache/download/example.com/!one/@v/list"
	third := module.Version{Path: one.Path, Version: "v0.9.0"}
	tests := []struct {
		name         string
		list         string
		meta         bool
		after, again string
	}{
		{".info and .mod stay", "v0.9.0\nv1.0.0\n", false, "v0.9.0\nv1.0.0\n", "v0.9.0\nv1.0.0\n"},
		{"they go", "v0.9.0\nv1.0.0\n", true, "v0.9.0\n", "v0.9.0\nv1.0.0\n"},
		{"a list that was wrong before", "v7.0.0\n", true, "v0.9.0\n", "v0.9.0\nv1.0.0\n"},
		{"no list", "", true, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache(t)
			c.version(one)
			c.version(third)
			c.write("cache/download/example.com/!one/@v/v1.0.0-!r!c1.mod", "") // never listed
			if tt.list != "" {
				c.write(rel, tt.list)
			}
			list := func() string {
				data, err := os.ReadFile(filepath.Join(c.root, filepath.FromSlash(rel)))
				if os.IsNotExist(err) {
					return ""
				}
				must(t, err)
				return string(data)
			}
			c.apply(c.plan(TrashVersion, c.removal(one, tt.meta)))
			if got := list(); got != tt.after {
				t.Errorf("after the prune: %q, want %q", got, tt.after)
			}
			undo, err := c.changer.PlanUndo(t.Context(), "", false)
			must(t, err)
			c.apply(undo)
			if got := list(); got != tt.again {
				t.Errorf("after undo: %q, want %q", got, tt.again)
			}
		})
	}
}
