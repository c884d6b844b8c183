package history

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A Rest tells a database that nobody has open from what it may be later.
type Rest struct {
	Size int64
	Time time.Time // when it was last written
}

// AtRest looks at the file of a database. It is false where there is none, and
// where a process has it open or was killed: then part of it is in other files
// (sqlite.org/wal.html, sqlite.org/tempfiles.html).
func AtRest(path string) (Rest, bool) {
	// SQLite has its other files beside the one that links lead to.
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Rest{}, false
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return Rest{}, false
		}
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || onNetwork(filepath.Dir(path)) {
		return Rest{}, false
	}
	return Rest{info.Size(), info.ModTime()}, true
}
