package buildcache

import (
	"context"
	"time"

	"gpx/cachectl/internal/procs"
)

// A go command that has been running for longer than [keepRecent] may have
// looked an output up at its start, and link it at its end; a day of go test is
// not unheard of. So what may have been used since the start of the oldest one
// stays. One that is older than a day is a go run, which waits for its program
// and looks at the cache no more ("don't trim things used in the last day",
// cmd/go/internal/cache).
const longestBuild = 24 * time.Hour

// spareFor is the instant before which nothing can have been used by a running
// go command, the oldest of which was started then (zero: none is known).
func spareFor(now, started time.Time) time.Time {
	recent := now.Add(-keepRecent - mtimeInterval)
	if started.IsZero() || now.Sub(started) > longestBuild {
		return recent
	}
	if since := started.Add(-mtimeInterval); since.Before(recent) {
		return since
	}
	return recent
}

// oldestGo is when the oldest go command was started that runs now and may use
// the build cache in dir, of those that are not older than [longestBuild]; the
// zero time when there is none, or where the system does not show its processes.
func oldestGo(ctx context.Context, dir string, now time.Time) time.Time {
	return oldestGoIn(ctx, procs.Root, dir, now)
}

func oldestGoIn(ctx context.Context, root, dir string, now time.Time) time.Time {
	var oldest time.Time
	// Of a list that was cut short, what is in it counts.
	list, _ := procs.List(ctx, root, now, func(name, _ string) bool { return name == "go" })
	for _, p := range list {
		if theirs := p.BuildCache(); theirs != "" && theirs != dir || p.Started.IsZero() {
			continue
		}
		if now.Sub(p.Started) <= longestBuild && (oldest.IsZero() || p.Started.Before(oldest)) {
			oldest = p.Started
		}
	}
	return oldest
}
