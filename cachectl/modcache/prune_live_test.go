package modcache_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gpx/cachectl/modcache"
	"gpx/probe/lab"
)

// scale is how long a test of many rounds runs (GPX_TEST_SCALE).
func scale(unset, system, soak int) int {
	switch os.Getenv("GPX_TEST_SCALE") {
	case "system":
		return system
	case "soak":
		return soak
	}
	return unset
}

// chainOf makes n modules, each of which needs the one before, in two versions.
func chainOf(t testing.TB, n int) []*lab.Module {
	t.Helper()
	var list []*lab.Module
	for i := range n {
		for _, version := range []string{"v1.0.0", "v1.1.0"} {
			files := map[string]string{
				"go.mod": fmt.Sprintf("module lab.example.com/m%d\n\ngo 1.20\n", i),
				"m.go":   fmt.Sprintf("package m%d\n", i),
			}
			if i > 0 {
				files["go.mod"] += fmt.Sprintf("\nrequire lab.example.com/m%d %s\n", i-1, version)
				files["m.go"] += fmt.Sprintf("\nimport _ \"lab.example.com/m%d\"\n", i-1)
			}
			for j := range 5 {
				files[fmt.Sprintf("sub%d/deep/x.go", j)] = "package deep\n"
			}
			m, err := lab.NewModule(fmt.Sprintf("lab.example.com/m%d", i), version, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), files)
			must(t, err)
			list = append(list, m)
		}
	}
	return list
}

// Pruning in a loop beside go commands in a loop: no build ever fails, neither
// one that may not ask a proxy nor one that fetches what is being pruned.
func TestPruneBesideBuilds(t *testing.T) {
	h := newHouse(t, chainOf(t, 8))
	known := []string{
		h.project("known1", imports("example.com/known1", "lab.example.com/m3")),
		h.project("known2", imports("example.com/known2", "lab.example.com/m1", "lab.example.com/m5")),
	}
	other := imports("example.com/other", "lab.example.com/m7")
	h.project("other", other)
	older := imports("example.com/older", "lab.example.com/m6")
	older["go.mod"] += "\nrequire lab.example.com/m6 v1.0.0\n"
	h.project("older", older)
	commands := [][]string{{"build", "-a", "./..."}, {"vet", "./..."}, {"list", "-deps", "-test", "./..."}, {"mod", "verify"}}
	if scale(0, 1, 1) == 1 {
		commands = append(commands, []string{"test", "-count=1", "./..."})
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var builders sync.WaitGroup
	var built atomic.Int64
	for _, project := range []string{"known1", "known2"} {
		builders.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				args := commands[i%len(commands)]
				if out, err := h.try(project, []string{"GOPROXY=off"}, args...); err != nil {
					t.Errorf("%s: go %q failed beside a prune: %v\n%s", project, args, err, out)
					return
				}
				built.Add(1)
			}
		})
	}
	needed := h.needs(known...)
	pruned := 0
	for round := range scale(5, 10, 300) {
		p, kept := h.plan(modcache.PruneOptions{Unreferenced: true, AllFiles: round%3 == 0, Trash: round%2 == 0, Needs: needed, Reach: everybody})
		if len(p.Actions) == 0 || len(kept) == 0 {
			t.Fatalf("round %d: the plan takes %q and keeps %+v", round, targets(p), kept)
		}
		h.apply(p)
		pruned += len(p.Actions)
		if round%4 == 2 {
			h.undo()
		}
		// What nobody protects comes again, and from time to time just while it
		// is taken away.
		h.goes("older", nil, "build", "./...")
		h.goes("other", nil, "build", "./...")
		if t.Failed() {
			break
		}
	}
	stop()
	builders.Wait()
	t.Logf("%d versions pruned beside %d go commands", pruned, built.Load())
	if built.Load() == 0 {
		t.Error("no go command came to its end meanwhile")
	}
	for _, project := range []string{"known1", "known2", "other", "older"} {
		h.goes(project, []string{"GOPROXY=off"}, "build", "-a", "./...")
		h.goes(project, []string{"GOPROXY=off"}, "mod", "verify")
	}
}

// A version that is pruned over and over just while a go command fetches it. The
// go command reads what it has found whole without a lock, so it can miss a file
// (that is what Since is for), but it never finds a wrong one, and finds
// everything whole when it is left in peace.
func TestPruneWhatIsBeingFetched(t *testing.T) {
	h := newHouse(t, chainOf(t, 3))
	h.project("other", imports("example.com/other", "lab.example.com/m2"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var pruner sync.WaitGroup
	var pruned, left int
	pruner.Go(func() {
		for ctx.Err() == nil {
			p, _ := h.plan(modcache.PruneOptions{Unreferenced: true, Reach: everybody})
			if p.Empty() {
				continue
			}
			if _, err := h.changer.Apply(t.Context(), p); err == nil {
				pruned += len(p.Actions) - len(p.Warnings)
				left += len(p.Warnings)
			}
		}
	})
	missed := 0
	for range scale(15, 20, 1000) {
		out, err := h.try("other", nil, "mod", "download", "lab.example.com/m2@v1.1.0", "lab.example.com/m1@v1.1.0")
		if err == nil {
			continue
		}
		if missed++; !strings.Contains(out, "no such file or directory") {
			t.Errorf("go mod download failed for another reason than a file that had just gone: %v\n%s", err, out)
			break
		}
	}
	stop()
	pruner.Wait()
	t.Logf("%d versions pruned, %d left because a go command was at them, %d downloads missed a file", pruned, left, missed)
	h.goes("other", nil, "build", "./...")
	h.goes("other", []string{"GOPROXY=off"}, "mod", "verify")
}
