package trash

import "time"

// A pace finds out how many folders to empty at a time. No number is right
// everywhere: where only the kernel computes, as on ext4, two cores are busy with
// two; where removers wait for each other's locks, as on xfs and btrfs, eight are
// slower than two; where every file waits for the disk to discard its blocks, 32
// take two thirds of the time of two. So it begins in the middle, tries more as long as
// that helps, and less where that did not help at all.
type pace struct {
	removers int // as many as should work now

	begin   int
	less    bool // fewer than in the beginning are tried
	settled bool
	best    int     // of those that were tried
	rate    float64 // removals per second by best; 0: not measured yet
	since   time.Time
	removed int64 // files and folders that were gone by then
}

const (
	mostRemovers = 32
	paceStep     = 4                      // times as many, or a fraction
	paceLook     = 100 * time.Millisecond // how long a number is tried, or until something is gone
	paceGain     = 1.1                    // what another number must bring, above the noise
)

func newPace(cores int, now time.Time) pace {
	n := max(cores, min(cores*paceStep, mostRemovers))
	return pace{removers: n, begin: n, since: now}
}

// look is told how many files and folders are gone by now, as often as one likes.
func (p *pace) look(now time.Time, removed int64) {
	passed := now.Sub(p.since)
	if p.settled || passed < paceLook || removed == p.removed {
		return
	}
	rate := float64(removed-p.removed) / passed.Seconds()
	p.since, p.removed = now, removed
	better := rate >= p.rate*paceGain
	if better {
		p.best, p.rate = p.removers, rate
	}
	switch more := min(p.removers*paceStep, mostRemovers); {
	case better && !p.less && more > p.removers:
		p.removers = more
	case p.best == p.begin && !p.less && p.begin > 1:
		p.less, p.removers = true, max(p.begin/paceStep, 1)
	default:
		p.removers, p.settled = p.best, true
	}
}
