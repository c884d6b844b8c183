package needs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// processes finds the tools that run, through /proc (proc(5)).
func processes(ctx context.Context, cache string) Run { return processesIn(ctx, "/proc", cache) }

func processesIn(ctx context.Context, proc, cache string) Run {
	var r Run
	entries, err := os.ReadDir(proc)
	if err != nil {
		r.Unseen = "which go commands run is unknown: " + proc + " cannot be read"
		return r
	}
	hidden := 0
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if ctx.Err() != nil {
			r.Unseen = "not all running go commands were looked at: interrupted"
			return r
		}
		dir := filepath.Join(proc, e.Name())
		// The name can be read of anybody's process, the links of one's own only.
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue // it has ended
		}
		exe, exeErr := os.Readlink(filepath.Join(dir, "exe"))
		if !isTool(strings.TrimSpace(string(comm))) && !isTool(strings.TrimSuffix(exe, " (deleted)")) {
			continue
		}
		if environ, err := os.ReadFile(filepath.Join(dir, "environ")); err == nil && worksElsewhere(environ, cache) {
			continue
		}
		cwd, cwdErr := os.Readlink(filepath.Join(dir, "cwd"))
		if os.IsPermission(exeErr) || os.IsPermission(cwdErr) {
			hidden++
		}
		for _, path := range []string{cwd, exe} {
			if filepath.IsAbs(path) && !slices.Contains(r.Paths, path) {
				r.Paths = append(r.Paths, path)
			}
		}
	}
	if hidden > 0 {
		r.Unseen = fmt.Sprintf("%d go commands of other users run, and what they need is unknown", hidden)
	}
	return r
}
