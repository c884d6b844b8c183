package monitor

import (
	"time"

	"gpx/envctl/wire"
)

func newGap(from, to time.Time) *Gap { return &Gap{From: wire.At(from), To: wire.At(to)} }

// A watch notices that time has passed in which nobody watched.
//
//	suspend          the wall clock runs ahead of the monotonic one
//	a set clock      the same, or backwards
//	a stopped process  the next wake-up comes far too late
type watch struct {
	last    time.Time // when the monitor last looked
	planned time.Time // when it meant to look again at the latest
}

// look is called whenever the monitor wakes up. It returns the gap since it
// last looked, if there is one.
func (w *watch) look(now time.Time, limit time.Duration) (from, to time.Time, gap bool) {
	last, planned := w.last, w.planned
	w.last = now
	if last.IsZero() {
		return now, now, false
	}
	wall := now.Round(0).Sub(last.Round(0))
	mono := now.Sub(last)
	late := mono - planned.Sub(last)
	return last, now, late > limit || (wall-mono).Abs() > limit
}
