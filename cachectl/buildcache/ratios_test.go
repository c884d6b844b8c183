//go:build unix

package buildcache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBuildCacheRatios is what `make bench` prints of this package: a scan beside du -s of
// the same folder, in turns, as medians of ratios. GPX_BENCH_GOCACHE names a
// real cache, which is only read; otherwise one is made up. It does nothing
// unless GPX_BENCH is set, because a loaded machine would make it lie.
func TestBuildCacheRatios(t *testing.T) {
	if os.Getenv("GPX_BENCH") == "" {
		t.Log("GPX_BENCH is not set; make bench sets it")
		return
	}
	dir := os.Getenv("GPX_BENCH_GOCACHE")
	if dir == "" {
		dir = benchCache(t)
	}
	c, err := Open(dir)
	must(t, err)
	scan := func(o ScanOptions) func() {
		return func() {
			_, err := c.Scan(context.Background(), o)
			must(t, err)
		}
	}
	runs := []struct {
		name string
		run  func()
	}{
		{"`du -s`", func() { must(t, exec.Command("du", "-s", dir).Run()) }},
		{"gpx: sizes, ages, next trim", scan(ScanOptions{})},
		{"gpx: also what each output is", scan(ScanOptions{Kinds: true})},
		{"gpx: plan a prune (reads every entry)", func() {
			_, err := c.PlanPrune(context.Background(), PruneOptions{OlderThan: day})
			must(t, err)
		}},
	}
	const rounds = 15
	ratios := make([][]float64, len(runs))
	var first time.Duration
	for round := range rounds + 1 {
		for i, r := range runs {
			start := time.Now()
			r.run()
			took := time.Since(start)
			if i == 0 {
				first = took
			}
			if round > 0 { // the first round warms the kernel's caches
				ratios[i] = append(ratios[i], float64(took)/float64(first))
			}
		}
	}
	inv, err := c.Scan(context.Background(), ScanOptions{})
	must(t, err)
	var table strings.Builder
	fmt.Fprintf(&table, "\n| build cache, %d files, %d MB, warm | ratio |\n|---|---|\n", inv.Files, inv.Bytes>>20)
	for i, r := range runs {
		slices.Sort(ratios[i])
		fmt.Fprintf(&table, "| %s | %.2f |\n", r.name, ratios[i][rounds/2])
	}
	t.Log(table.String())
}

// benchCache makes up a cache of 30,000 files, as large as those of a few
// projects.
func benchCache(t *testing.T) string {
	f := newFake(t)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 15_000 {
		content := "!<arch>\n__.PKGDEF       " + strings.Repeat("x", rng.IntN(40_000)) + fmt.Sprint(i)
		f.pair(fmt.Sprint(i), content, time.Duration(rng.Int64N(int64(10*day))))
	}
	return f.dir
}
