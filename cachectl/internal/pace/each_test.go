package pace

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// How many work in the end on disks whose throughput depends on that number, and
// that all is done once.
func TestEach(t *testing.T) {
	for _, c := range []struct {
		name  string
		cores int
		rate  func(working int) int // files per second
		want  int
	}{
		{"the kernel computes", 2, func(n int) int { return 30_000 * min(n, 2) }, 8},
		{"they wait for each other", 2, func(n int) int { return 30_000 - 700*n }, 2},
		{"a disk that serves many at once", 2, func(n int) int { return 3_000 * n }, 32},
		{"they wait for each other on one core", 1, func(n int) int { return 10_000 - 1_000*min(n, 9) }, 1},
		{"many cores", 64, func(n int) int { return 1_000 * n }, 64},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const folders, files = 256, 300
				var mu sync.Mutex
				working, most, done, calls := 0, 0, 0, [folders]int{}
				each(c.cores, folders, func(i int, step func()) {
					calls[i]++
					for range files {
						mu.Lock()
						working++
						if done > folders*files/2 { // each number was tried
							most = max(most, working)
						}
						takes := time.Second * time.Duration(working) / time.Duration(c.rate(working))
						mu.Unlock()
						time.Sleep(takes) // of the bubble's clock
						mu.Lock()
						working, done = working-1, done+1
						mu.Unlock()
						step()
					}
				})
				if most != c.want {
					t.Errorf("%d work, want %d", most, c.want)
				}
				for i, n := range calls {
					if n != 1 {
						t.Errorf("folder %d is called %d times", i, n)
					}
				}
			})
		})
	}
}

// Fewer than may work at a time, and none at all.
func TestEachOfFew(t *testing.T) {
	for n := range 3 {
		var got atomic.Int64
		Each(n, func(_ int, step func()) { step(); got.Add(1) })
		if got.Load() != int64(n) {
			t.Errorf("%d calls, want %d", got.Load(), n)
		}
	}
}
