package pace

import (
	"testing"
	"time"
)

// What a pace comes to on disks whose throughput depends on the number of
// removers, in files per second.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		name  string
		cores int
		rate  func(removers int) int
		want  int
	}{
		{"the kernel computes", 2, func(n int) int { return 30_000 * min(n, 2) }, 8},
		{"they wait for each other", 2, func(n int) int { return 30_000 - 900*n }, 2},
		{"a disk that serves many at once", 2, func(n int) int { return 3_000 * n }, 32},
		{"a disk that serves ten at once", 2, func(n int) int { return 3_000 * min(n, 10) }, 32},
		{"a disk that serves eight at once", 2, func(n int) int { return 3_000 * min(n, 8) }, 8},
		{"one core", 1, func(n int) int { return 3_000 * min(n, 16) }, 16},
		{"eight cores that wait for each other", 8, func(n int) int { return 60_000 - 900*n }, 8},
		{"many cores", 64, func(n int) int { return 3_000 * n }, 64},
		{"nothing is deleted", 2, func(int) int { return 0 }, 8},
	} {
		now := time.Unix(0, 0)
		p := New(c.cores, now)
		files := 0
		for range 100 { // looks, ten in a trial
			now = now.Add(interval / 10)
			files += c.rate(p.removers) * int(interval/10) / int(time.Second)
			p.Look(now, int64(files))
		}
		if p.removers != c.want || p.settled != (files > 0) {
			t.Errorf("%s: %d removers, settled %v; want %d", c.name, p.removers, p.settled, c.want)
		}
	}
}
