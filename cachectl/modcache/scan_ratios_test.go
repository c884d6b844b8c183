//go:build unix

package modcache

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpx/cachectl/internal/walk"
)

// TestScanRatios is what `make bench` prints of scans: gpx and others beside
// `du -s` of the same module cache, in turns, as medians of ratios.
// GPX_BENCH_MODCACHE names a real cache, which is only read; otherwise one of
// 30,000 files is made up. It does nothing unless GPX_BENCH is set, because a
// loaded machine would make it lie.
func TestScanRatios(t *testing.T) {
	if os.Getenv("GPX_BENCH") == "" {
		t.Log("GPX_BENCH is not set; make bench sets it")
		return
	}
	dir := os.Getenv("GPX_BENCH_MODCACHE")
	if dir == "" {
		dir = benchCache(t)
	}
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(t.TempDir(), "index")
	scan := func(ctx context.Context, opt ScanOptions) *Inventory {
		inv, err := c.Scan(ctx, opt)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		return inv
	}
	inv := scan(t.Context(), ScanOptions{IndexFile: index, Now: later})
	checkSums(t, inv)
	contenders := []contender{
		{name: "`du -s`", run: func() { command(t, "du", "-s", dir) }},
		{name: "`gdu -npc`", needs: "gdu", run: func() { command(t, "gdu", "-n", "-p", "-c", dir) }},
		{name: "`ncdu -0 -o`", needs: "ncdu", run: func() { command(t, "ncdu", "-0", "-o", os.DevNull, dir) }},
		{name: "filepath.WalkDir", run: func() { findSum(t, dir) }},
		{name: "gpx: the bare walk", run: func() {
			if _, err := walk.Tree(t.Context(), dir, walk.Options{}); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "gpx: everything, exact", most: 0.65, run: func() { scan(t.Context(), ScanOptions{}) }},
		{name: "gpx: first sizes of all versions", most: 0.10, run: func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			scan(ctx, ScanOptions{Report: func(p Progress) {
				if p.Phase == Estimating && p.Inventory != nil {
					cancel()
				}
			}})
		}},
		{name: "gpx: everything again, by the index", most: 0.04, run: func() { scan(t.Context(), ScanOptions{IndexFile: index, Now: later}) }},
	}
	contenders = slices.DeleteFunc(contenders, func(c contender) bool {
		if c.needs == "" {
			return false
		}
		_, err := exec.LookPath(c.needs)
		return err != nil
	})
	results := []result{{"warm", compare(contenders, 9, func() {})}}
	drop := func() error { return os.WriteFile(dropCaches, []byte("3"), 0) }
	coldErr := drop()
	if coldErr == nil {
		results = append(results, result{"cold", compare(contenders, 5, func() {
			command(t, "sync")
			if err := drop(); err != nil {
				t.Fatal(err)
			}
		})})
	}
	peak := peakMemory(t, dir)
	if peak > mostMemory {
		t.Errorf("a scan takes %d MB of memory, promised are %d", peak>>20, mostMemory>>20)
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n| module cache: %d files, %.1f GB, %d versions of %d modules |", inv.Files, float64(inv.Bytes)/1e9, len(inv.Versions), inv.Modules())
	for _, r := range results {
		fmt.Fprintf(&table, " %s |", r.name)
	}
	fmt.Fprintf(&table, " promised |\n|---|%s---|\n", strings.Repeat("---|", len(results)))
	for i, c := range contenders {
		fmt.Fprintf(&table, "| %s |", c.name)
		for _, r := range results {
			fmt.Fprintf(&table, " %.3f |", r.medians[i])
			if c.most > 0 && r.medians[i] > c.most {
				t.Errorf("%s takes %.3f of du -s %s, promised is %.2f", c.name, r.medians[i], r.name, c.most)
			}
		}
		fmt.Fprintf(&table, " %s |\n", strings.TrimSuffix(fmt.Sprintf("%.2f", c.most), "0.00"))
	}
	fmt.Fprintf(&table, "| peak memory of a scan | %d MB |%s %d MB |\n", peak>>20, strings.Repeat(" |", len(results)-1), mostMemory>>20)
	if coldErr != nil {
		fmt.Fprintf(&table, "\nNothing was measured cold: %v\n", coldErr)
	}
	t.Log(table.String())
}

// mostMemory is what a scan may take, for a cache of 650,000 files as well.
const mostMemory = 80 << 20

const dropCaches = "/proc/sys/vm/drop_caches"

// A contender is measured beside the first one.
type contender struct {
	name  string
	needs string  // a program
	most  float64 // what is promised of the median ratio
	run   func()
}

// A result is what was measured with warm caches of the kernel, or with cold
// ones.
type result struct {
	name    string
	medians []float64 // of the contenders
}

// compare runs all in turns and returns the medians of the ratios to the first
// one of the same turn.
func compare(all []contender, rounds int, before func()) []float64 {
	ratios := make([][]float64, len(all))
	for range rounds {
		var first time.Duration
		for i, c := range all {
			before()
			start := time.Now()
			c.run()
			took := time.Since(start)
			if i == 0 {
				first = took
			}
			ratios[i] = append(ratios[i], float64(took)/float64(first))
		}
	}
	medians := make([]float64, len(all))
	for i := range ratios {
		slices.Sort(ratios[i])
		medians[i] = ratios[i][rounds/2]
	}
	return medians
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// peakMemory is the peak of the resident memory of a process that scans dir, in
// bytes.
func peakMemory(t *testing.T, dir string) int64 {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestScanForPeakMemory$")
	cmd.Env = append(os.Environ(), "GPX_BENCH_SCAN="+dir, "GPX_BENCH_INDEX="+filepath.Join(t.TempDir(), "index"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scanning in another process: %v\n%s", err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("no resource usage of a process")
	}
	const unit = 1024 // of Linux; a macOS says bytes
	return usage.Maxrss * unit
}

// TestScanForPeakMemory is the other process of peakMemory.
func TestScanForPeakMemory(t *testing.T) {
	if dir := os.Getenv("GPX_BENCH_SCAN"); dir != "" {
		scanOf(t, dir, ScanOptions{IndexFile: os.Getenv("GPX_BENCH_INDEX"), Now: later, Report: func(Progress) {}})
	}
}

// benchCache makes up a cache with the proportions of a real one (190,000 files,
// 1,546 versions of 423 modules): 70 modules with .info and .mod of four
// versions each, 30 of them with two zips and trees of 500 files.
func benchCache(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 1))
	write := func(name string, data []byte) {
		name = filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(name), 0o777))
		check(t, os.WriteFile(name, data, 0o444))
	}
	for i := range 70 {
		m := fmt.Sprintf("example%d.com/org%d/module%d", i%7, i%20, i)
		for n, v := range []string{"v1.2.3", "v1.10.0", "v1.11.0", "v1.12.0-rc.1"} {
			at := "cache/download/" + m + "/@v/" + v
			write(at+".info", []byte(`{"Version":"`+v+`"}`))
			write(at+".mod", []byte("module "+m+"\n"))
			if i >= 30 || n >= 2 {
				continue
			}
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for n := range 500 {
				name := fmt.Sprintf("%s@%s/internal%d/pkg%d/file%d.go", m, v, n%3, n%11, n)
				data := bytes.Repeat([]byte("package x\n"), r.IntN(1000))
				write(name, data)
				f, err := z.Create(name)
				check(t, err)
				_, err = f.Write(data)
				check(t, err)
			}
			check(t, z.Close())
			write(at+".zip", b.Bytes())
			write(at+".ziphash", []byte("h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="))
			write(at+".lock", nil)
		}
	}
	return dir
}
