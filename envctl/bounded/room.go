package bounded

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// MakeRoom makes room for one more file in a folder of at most limit: those that
// were written longest ago are removed. It is for what can be made again, so
// what it cannot read or remove stays.
func MakeRoom(dir string, limit int) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < limit {
		return
	}
	written := func(d fs.DirEntry) time.Time {
		if fi, err := d.Info(); err == nil {
			return fi.ModTime()
		}
		return time.Time{}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return written(a).Compare(written(b)) })
	for _, d := range entries[:len(entries)-limit+1] {
		os.Remove(filepath.Join(dir, d.Name()))
	}
}
