package trash

import "time"

// A pace finds out how many folders to empty at a time. No number is right
// everywhere: where only the kernel computes, as on ext4, two cores are busy with
// two; where removers wait for each other's locks, as on xfs and btrfs, eight are
// slower than one; where every file waits for the disk to discard its blocks, 32
// take half of the time of two. So it tries more as long as that helps.
type pace struct {
	removers int // as many as should work now

	settled bool
	before  int     // as many as worked before the last step
	rate    float64 // removals per second by those; 0: not measured yet
	since   time.Time
	removed int64 // files and folders that were gone by then
}

const (
	mostRemovers = 32
	paceStep     = 4                      // times as many at a time
	paceLook     = 150 * time.Millisecond // how long a number is tried, or until something is gone
	paceGain     = 1.1                    // what more must bring, above the noise
)

func newPace(removers int, now time.Time) pace { return pace{removers: removers, since: now} }

// look is told how many files and folders are gone by now, as often as one likes.
func (p *pace) look(now time.Time, removed int64) {
	passed := now.Sub(p.since)
	if p.settled || passed < paceLook || removed == p.removed {
		return
	}
	rate := float64(removed-p.removed) / passed.Seconds()
	if rate < p.rate*paceGain {
		p.removers, p.settled = p.before, true
		return
	}
	p.before, p.rate, p.since, p.removed = p.removers, rate, now, removed
	p.removers = max(p.removers, min(p.removers*paceStep, mostRemovers))
	p.settled = p.removers == p.before
}
