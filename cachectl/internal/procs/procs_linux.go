package procs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Root is where the system shows its processes.
const Root = "/proc"

// Seen reports whether this system shows its processes at all.
const Seen = true

// ticks is what a second has in the stat file: USER_HZ, which is 100 on every
// architecture that Go knows.
const ticks = 100

// List finds the processes below root ([Root], but for tests) that are wanted
// by name and file. Processes that end meanwhile are left out.
func List(ctx context.Context, root string, now time.Time, wanted func(name, exe string) bool) ([]Process, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	up, upErr := uptime(filepath.Join(root, "uptime"))
	var list []Process
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return list, err
		}
		dir := filepath.Join(root, e.Name())
		// The name can be read of anybody's process, the links of one's own only.
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue
		}
		exe, exeErr := os.Readlink(filepath.Join(dir, "exe"))
		p := Process{Name: strings.TrimSuffix(string(comm), "\n"), Exe: strings.TrimSuffix(exe, " (deleted)")}
		if !wanted(p.Name, p.Exe) {
			continue
		}
		start, ok := startTicks(filepath.Join(dir, "stat"))
		if !ok {
			continue
		}
		if upErr == nil {
			p.Started = now.Add(-time.Duration((up - start/ticks) * float64(time.Second)))
		}
		p.Dir, err = os.Readlink(filepath.Join(dir, "cwd"))
		p.Hidden = errors.Is(exeErr, fs.ErrPermission) || errors.Is(err, fs.ErrPermission)
		p.environ, _ = os.ReadFile(filepath.Join(dir, "environ"))
		if _, err := os.Readlink(filepath.Join(dir, "exe")); errors.Is(err, fs.ErrNotExist) {
			continue // it is ending, and had no environment any more
		}
		list = append(list, p)
	}
	return list, nil
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
