// Package pace finds out how many goroutines to remove files with, while they do.
//
// No number is right everywhere: where only the kernel computes, as on ext4, two
// cores are busy with two; where removers wait for each other's locks, as on xfs and
// btrfs, eight are slower than two; where every file waits for the disk to discard
// its blocks, 32 take two thirds of the time of two. So a [Pace] begins in the
// middle, tries more as long as that helps, and less where that did not help at all.
package pace

import "time"

// A Pace says how many removers should work. It is not safe for use by several of
// them at once: what they share has a lock of its own.
type Pace struct {
	removers int

	begin   int
	less    bool // fewer than in the beginning are tried
	settled bool
	best    int     // of those that were tried
	rate    float64 // removals per second by best; 0: not measured yet
	since   time.Time
	removed int64 // files and folders that were gone by then
}

const (
	most     = 32
	factor   = 4                      // times as many, or a fraction
	interval = 100 * time.Millisecond // how long a number is tried, or until something is gone
	gain     = 1.1                    // what another number must bring, above the noise
)

// New is the pace of a removal that begins now, on as many cores.
func New(cores int, now time.Time) Pace {
	n := max(cores, min(cores*factor, most))
	return Pace{removers: n, begin: n, since: now}
}

// Fixed is the pace of as many removers, whatever comes of it.
func Fixed(removers int) Pace { return Pace{removers: removers, settled: true} }

// Removers is as many as should work now.
func (p *Pace) Removers() int { return p.removers }

// Look is told how many files and folders are gone by now, as often as one likes.
func (p *Pace) Look(now time.Time, removed int64) {
	passed := now.Sub(p.since)
	if p.settled || passed < interval || removed == p.removed {
		return
	}
	rate := float64(removed-p.removed) / passed.Seconds()
	p.since, p.removed = now, removed
	better := rate >= p.rate*gain
	if better {
		p.best, p.rate = p.removers, rate
	}
	switch more := min(p.removers*factor, most); {
	case better && !p.less && more > p.removers:
		p.removers = more
	case p.best == p.begin && !p.less && p.begin > 1:
		p.less, p.removers = true, max(p.begin/factor, 1)
	default:
		p.removers, p.settled = p.best, true
	}
}
