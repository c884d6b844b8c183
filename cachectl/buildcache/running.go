package buildcache

import (
	"bytes"
	"path/filepath"
	"time"
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

// usesAnother reports whether a process's environment, as proc(5) has it, names
// another build cache.
func usesAnother(environ []byte, dir string) bool {
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if other, ok := bytes.CutPrefix(entry, []byte("GOCACHE=")); ok && len(other) > 0 {
			real, err := filepath.EvalSymlinks(string(other))
			return err != nil || real != dir
		}
	}
	return false
}
