package pace

import (
	"sync"
	"sync/atomic"
	"time"

	"gpx/cachectl/internal/overlap"
)

// Each calls f for 0 … n-1, for as many at a time as the pace says, and waits for all
// of them. f calls step after each file: there it rests while too many are at work.
func Each(n int, f func(i int, step func())) {
	cores := overlap.Cores()
	defer overlap.Calls()()
	each(cores, n, f)
}

func each(cores, n int, f func(i int, step func())) {
	c := crew{pace: New(cores, time.Now())}
	c.room.L = &c.mu
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, max(c.pace.Removers(), most)) {
		wg.Go(func() {
			c.begin()
			defer c.end()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i, c.step)
			}
		})
	}
	wg.Wait()
}

// A crew are those of Each who may work at the same time.
type crew struct {
	mu      sync.Mutex
	room    sync.Cond // there may be some for one more
	pace    Pace
	working int
	done    int64 // files
}

func (c *crew) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enter()
}

func (c *crew) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave()
}

func (c *crew) step() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	before := c.pace.Removers()
	c.pace.Look(time.Now(), c.done)
	switch now := c.pace.Removers(); {
	case now > before:
		c.room.Broadcast()
	case now < c.working:
		c.leave()
		c.enter()
	}
}

// enter waits until there is room. c.mu is held.
func (c *crew) enter() {
	for c.working >= c.pace.Removers() {
		c.room.Wait()
	}
	c.working++
}

// leave makes room. c.mu is held.
func (c *crew) leave() {
	c.working--
	c.room.Signal()
}
