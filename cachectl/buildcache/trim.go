package buildcache

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxStamp bounds what is read of trim.txt and testexpire.txt: a number and a
// line break.
const maxStamp = 64

// readStamp reads a small file of the cache's root. It takes no lock: the go
// command writes the new number over the old one before it cuts the file
// (lockedfile.Transform), so that a reader never sees an empty one.
func (c *Cache) readStamp(name string) string {
	path := filepath.Join(c.dir, name)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxStamp))
	if err != nil {
		return ""
	}
	return string(data)
}

// lastTrim reads trim.txt, the zero time when it holds none.
func lastTrim(text string) time.Time {
	t, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(t, 0)
}

// nextTrim is the first instant from now on at which the end of a go command
// trims (DiskCache.Trim): a day after the last trim, and at once when that is
// unknown or too far in the future to be true.
func nextTrim(last, now time.Time) time.Time {
	if last.IsZero() {
		return now
	}
	if since := now.Sub(last); since >= trimInterval || since <= -mtimeInterval {
		return now
	}
	return last.Add(trimInterval)
}

// trimCutoff is the instant such that a trim at t takes what was last used
// before it.
func trimCutoff(t time.Time) time.Time { return t.Add(-trimLimit - mtimeInterval) }
