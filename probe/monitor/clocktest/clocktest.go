// Package clocktest is a clock for tests: it stands still until it is told to
// move, so that what a test sees does not depend on the machine.
package clocktest

import (
	"context"
	"slices"
	"sync"
	"time"

	"gpx/probe/monitor"
)

// A Clock is a [monitor.Clock] that moves only when told.
type Clock struct {
	mu      sync.Mutex
	now     time.Time
	timers  []*timer      // running
	changed chan struct{} // closed when a timer is made or stopped
}

type timer struct {
	clock *Clock
	at    time.Time
	c     chan time.Time
}

// New returns a clock that shows start.
func New(start time.Time) *Clock {
	return &Clock{now: start, changed: make(chan struct{})}
}

// Now implements [monitor.Clock].
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// NewTimer implements [monitor.Clock].
func (c *Clock) NewTimer(d time.Duration) monitor.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{clock: c, at: c.now.Add(d), c: make(chan time.Time, 1)}
	if d <= 0 {
		t.c <- c.now
	} else {
		c.timers = append(c.timers, t)
	}
	c.signal()
	return t
}

// Advance moves the clock by d and fires what becomes due, in order, each timer
// at its own instant.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.now.Add(d)
	slices.SortStableFunc(c.timers, func(a, b *timer) int { return a.at.Compare(b.at) })
	for len(c.timers) > 0 && !c.timers[0].at.After(end) {
		t := c.timers[0]
		c.timers = c.timers[1:]
		c.now = t.at
		t.c <- t.at
	}
	c.now = end
	c.signal()
}

// Jump moves the clock by d at once, as a suspended machine sees it: timers
// that became due fire afterwards, all late.
func (c *Clock) Jump(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
	c.Advance(0)
}

// Next returns how long it is until the first running timer fires.
func (c *Clock) Next() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 {
		return 0, false
	}
	first := slices.MinFunc(c.timers, func(a, b *timer) int { return a.at.Compare(b.at) })
	return first.at.Sub(c.now), true
}

// BlockUntil waits until n timers or more are running.
func (c *Clock) BlockUntil(ctx context.Context, n int) error {
	for {
		c.mu.Lock()
		have, changed := len(c.timers), c.changed
		c.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// signal tells BlockUntil to look again; c.mu is held.
func (c *Clock) signal() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// C implements [monitor.Timer].
func (t *timer) C() <-chan time.Time { return t.c }

// Stop implements [monitor.Timer].
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	i := slices.Index(t.clock.timers, t)
	if i < 0 {
		return false
	}
	t.clock.timers = slices.Delete(t.clock.timers, i, i+1)
	t.clock.signal()
	return true
}
