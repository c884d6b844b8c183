package modcache_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gpx/cachectl/modcache"
	"gpx/probe/lab"
)

// A prune to the trash and its undo leave the cache as it was: names, modes,
// times and bytes; in between the go command finds nothing, and with a proxy it
// fetches everything again.
func TestTrashAndBack(t *testing.T) {
	h := newHouse(t, lab.DefaultModules())
	known := h.project("known", imports("example.com/known", "lab.example.com/alpha"))
	h.project("gone", imports("example.com/gone", "lab.example.com/gamma", "lab.example.com/Upper"))
	before := h.tree()

	p, kept := h.plan(modcache.PruneOptions{Unreferenced: true, Trash: true, Needs: h.needs(known), Reach: everybody})
	want := []string{"lab.example.com/Upper@v1.2.3", "lab.example.com/beta@v1.0.0", "lab.example.com/gamma@v0.3.0"}
	if got := targets(p); !slices.Equal(got, want) {
		t.Fatalf("the plan takes %q, want %q; kept %+v", got, want, kept)
	}
	ch := h.apply(p)
	if ch.Note != "" {
		t.Errorf("note %q", ch.Note)
	}
	h.goes("known", []string{"GOPROXY=off"}, "build", "./...")
	if out, err := h.try("gone", []string{"GOPROXY=off"}, "build", "./..."); err == nil {
		t.Errorf("what was pruned is still there:\n%s", out)
	}
	h.undo()
	sameTree(t, "after undo", h.tree(), before)
	h.goes("gone", []string{"GOPROXY=off"}, "build", "./...")
	h.goes("gone", []string{"GOPROXY=off"}, "mod", "verify")
}

// A version that a go command extracts between the plan and its application is
// left whole, and one whose lock is held is not waited for.
func TestPruneMeetsAnExtraction(t *testing.T) {
	h := newHouse(t, lab.DefaultModules())
	h.project("app", imports("example.com/app", "lab.example.com/alpha"))
	h.goes("app", nil, "mod", "download", "lab.example.com/delta/v2@v2.0.1")
	must(t, os.Chmod(filepath.Join(h.cache, "lab.example.com", "alpha@v1.1.0"), 0o700))
	must(t, os.RemoveAll(filepath.Join(h.cache, "lab.example.com", "alpha@v1.1.0")))
	p, _ := h.plan(modcache.PruneOptions{Unreferenced: true, Reach: everybody})
	if got, want := targets(p), []string{"lab.example.com/alpha@v1.1.0", "lab.example.com/delta/v2@v2.0.1"}; !slices.Equal(got, want) {
		t.Fatalf("the plan takes %q, want %q", got, want)
	}
	h.goes("app", []string{"GOPROXY=off"}, "build", "./...") // extracts it
	h.apply(p)
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "lab.example.com/alpha@v1.1.0 was left as it is: it has changed since the plan was made") {
		t.Errorf("warnings %q", p.Warnings)
	}
	h.goes("app", []string{"GOPROXY=off"}, "build", "./...")
	h.goes("app", []string{"GOPROXY=off"}, "mod", "verify")
}
