package buildcache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNextTrim(t *testing.T) {
	now := time.Unix(1_800_000_000, 500)
	at := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	for _, c := range []struct {
		name, text string
		in         time.Duration // from now
	}{
		{"never", "", 0},
		{"unreadable", "yesterday", 0},
		{"just now", at(0), day},
		{"an hour ago", at(-time.Hour), day - time.Hour},
		{"a moment short of a day ago", at(-day + time.Second), time.Second},
		{"a day ago", at(-day), 0},
		{"long ago", at(-400 * day), 0},
		{"half an hour ahead, as clocks do", at(30 * time.Minute), day + 30*time.Minute},
		{"two hours ahead, which cannot be", at(2 * time.Hour), 0},
		{"with blanks", " " + at(-time.Hour) + "\n", day - time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := now.Add(c.in)
			if c.in > 0 {
				want = want.Truncate(time.Second) // trim.txt has whole seconds
			}
			if got := nextTrim(lastTrim(c.text), now); !got.Equal(want) {
				t.Errorf("in %v, want in %v", got.Sub(now), want.Sub(now))
			}
		})
	}
}

// The forecast against the go command: what it says a trim will take is what a
// real one takes, byte for byte.
func TestTrimTakesWhatWasForecast(t *testing.T) {
	for round := range scale(2, 3, 30) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			h := newGohome(t, 6)
			h.run("build", "./...")
			addOddities(t, h.cache)
			rng := rand.New(rand.NewPCG(uint64(round), 1))
			edge := time.Now().Add(-trimLimit - mtimeInterval)
			for name := range stats(t, h.cache) {
				// Within the minutes around the edge, and far from it.
				used := edge.Add(time.Duration(rng.IntN(3)-1) * (time.Minute + time.Duration(rng.Int64N(int64(5*day)))))
				must(t, os.Chtimes(filepath.Join(h.cache, name), used, used))
				if dir := filepath.Dir(name); strings.HasSuffix(dir, "-d") {
					must(t, os.Chtimes(filepath.Join(h.cache, dir), used, used))
				}
			}
			must(t, os.WriteFile(filepath.Join(h.cache, "trim.txt"), fmt.Append(nil, time.Now().Add(-25*time.Hour).Unix()), 0o666))
			before := stats(t, h.cache)
			inv, err := h.open().Scan(context.Background(), ScanOptions{})
			must(t, err)
			if wait := time.Until(inv.NextTrim); wait > 0 {
				t.Fatalf("the next trim is forecast in %v", wait)
			}

			// A package that needs nothing of what is there, so that nothing is used.
			h.write("alone/x.go", "package alone\n")
			h.run("build", "-o", os.DevNull, "./alone")

			after := stats(t, h.cache)
			var took int64
			for name, info := range before {
				now, kept := after[name]
				if !kept {
					took += info.Size()
				} else if now.ModTime() != info.ModTime() && now.ModTime().Sub(edge) > 2*time.Minute && info.ModTime().Before(edge) && name != "trim.txt" {
					t.Errorf("%s was used: this test proves nothing about it", name)
				}
			}
			if took != inv.TrimTake || took == 0 {
				t.Errorf("a trim took %d bytes, forecast were %d", took, inv.TrimTake)
			}
			again, err := h.open().Scan(context.Background(), ScanOptions{})
			must(t, err)
			if since := time.Since(again.LastTrim); since > time.Minute || again.NextTrim.Sub(again.LastTrim) != trimInterval {
				t.Errorf("after it: last %v, next %v", again.LastTrim, again.NextTrim)
			}
		})
	}
}

// addOddities puts into a real cache what a trim has rules for.
func addOddities(t *testing.T, dir string) {
	f := &fake{t: t, dir: dir, now: time.Now()}
	for i := range 20 {
		f.program(fmt.Sprintf("%s%d", elf, i), 0)
		f.pair(fmt.Sprint("pair ", i), strings.Repeat("y", i), 0)
	}
	f.write("11/stray-d", "a trim takes this", 0)
	f.write("11/stray-x", "and not this", 0)
	f.write("fuzz/corpus-d", "nor this", 0)
}
