package buildcache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Prunes beside running builds: no build ever fails. Before each round all that
// is in the cache is made to look old, since a prune leaves alone what was used
// just now; so every output that the builds look up is one that the prunes want.
func TestPruneBesideBuilds(t *testing.T) {
	h := newGohome(t, 12)
	var pruned int64
	for round := range scale(5, 8, 300) {
		pruned += besideOne(t, h, round, 1, [][]string{{"build", "./..."}, {"build", "./p03/...", "./p07/..."}, {"list", "-export", "./..."}})
	}
	if pruned == 0 {
		t.Error("the prunes took nothing: this test proves nothing")
	}
}

// The same with tests, which need the standard library, a minute of compiling.
func TestPruneBesideTests(t *testing.T) {
	rounds := scale(0, 0, 60)
	if rounds == 0 {
		t.Skip("compiles much of the standard library again and again; GPX_TEST_SCALE=soak runs it")
	}
	h := newGohome(t, 4)
	h.withStd()
	for i := range 4 {
		h.write(pkg(i)+"/x_test.go", fmt.Sprintf("package %s\n\nimport \"testing\"\n\nfunc Test(t *testing.T) { _ = Value() }\n", pkg(i)))
	}
	var pruned int64
	for round := range rounds {
		// A tenth of what is there: compiling all of it again takes minutes.
		pruned += besideOne(t, h, round, 0.1, [][]string{{"test", "-vet=off", "./..."}, {"test", "-count=1", "-vet=off", "./p02"}})
	}
	if pruned == 0 {
		t.Error("the prunes took nothing: this test proves nothing")
	}
}

// besideOne runs go commands and prunes at the same time, where a share of the
// outputs looks old, and returns what the prunes took, in bytes.
func besideOne(t *testing.T, h *gohome, round int, share float64, commands [][]string) int64 {
	rng := rand.New(rand.NewPCG(uint64(round), 3))
	// Something new to compile beside what is looked up.
	at := rng.IntN(4)
	h.write(pkg(at)+"/x.go", source(at, round))
	if err := os.MkdirAll(h.cache, 0o777); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-3*time.Hour - time.Duration(rng.IntN(3))*day)
	outputs, err := h.open().Outputs(context.Background())
	must(t, err)
	for o := range outputs {
		if rng.Float64() >= share {
			continue
		}
		must(t, os.Chtimes(filepath.Join(h.cache, outputPath(o.ID)), old, old))
		for _, a := range o.Actions {
			must(t, os.Chtimes(filepath.Join(h.cache, actionPath(a)), old, old))
		}
	}

	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	building, built := context.WithCancel(ctx)
	var pruner, builders sync.WaitGroup
	var pruned int64
	pruner.Go(func() {
		for building.Err() == nil {
			pruned += pruneAll(building, t, h)
		}
	})
	for _, args := range commands {
		builders.Go(func() {
			if out, err := h.command(ctx, args...).CombinedOutput(); err != nil {
				t.Errorf("round %d: go %v: %v\n%s", round, args, err, out)
			}
		})
	}
	builders.Wait()
	built()
	pruner.Wait()
	return pruned
}

func pruneAll(ctx context.Context, t *testing.T, h *gohome) int64 {
	p, err := h.open().PlanPrune(ctx, PruneOptions{All: true, Started: noGo})
	if err == nil && !p.Empty() {
		_, err = changer(t).Apply(ctx, p)
	}
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return 0
	case err != nil:
		t.Errorf("prune: %v", err)
		return 0
	}
	if p.Applied {
		return p.FreedBytes
	}
	return 0
}
