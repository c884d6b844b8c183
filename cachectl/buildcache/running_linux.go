package buildcache

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks is what a second has in /proc/PID/stat: USER_HZ, which is 100 on every
// architecture that Go knows.
const ticks = 100

// oldestGo is when the oldest go command was started that runs now and may use
// the build cache in dir, of those that are not older than [longestBuild]; the
// zero time when there is none.
func oldestGo(ctx context.Context, dir string, now time.Time) time.Time {
	return oldestGoIn(ctx, "/proc", dir, now)
}

func oldestGoIn(ctx context.Context, proc, dir string, now time.Time) time.Time {
	var oldest time.Time
	up, err := uptime(filepath.Join(proc, "uptime"))
	if err != nil {
		return oldest
	}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return oldest
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if ctx.Err() != nil {
			return oldest
		}
		process := filepath.Join(proc, e.Name())
		if comm, err := os.ReadFile(filepath.Join(process, "comm")); err != nil || string(comm) != "go\n" {
			continue
		}
		if environ, err := os.ReadFile(filepath.Join(process, "environ")); err == nil && usesAnother(environ, dir) {
			continue
		}
		start, ok := startTicks(filepath.Join(process, "stat"))
		if !ok {
			continue // it has ended
		}
		started := now.Add(-time.Duration((up - start/ticks) * float64(time.Second)))
		if now.Sub(started) <= longestBuild && (oldest.IsZero() || started.Before(oldest)) {
			oldest = started
		}
	}
	return oldest
}

// startTicks reads when a process was started, after boot: field 22. The name in
// the second field may have blanks and parentheses in it.
func startTicks(stat string) (float64, bool) {
	data, err := os.ReadFile(stat)
	if err != nil {
		return 0, false
	}
	const after = 22 - 3 // the field after the last parenthesis is the third
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) <= after {
		return 0, false
	}
	n, err := strconv.ParseFloat(fields[after], 64)
	return n, err == nil
}

// uptime reads how long the system has been up, in seconds.
func uptime(file string) (float64, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	seconds, _, _ := strings.Cut(string(data), " ")
	return strconv.ParseFloat(seconds, 64)
}
