package relay

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"gpx/cachectl/internal/flock"
)

// Folder makes a folder for one relay below base, and removes those whose relay
// was killed: each is locked by the process that it belongs to.
func Folder(base string) (dir string, remove func(), err error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", nil, err
	}
	clearOld(base)
	dir = filepath.Join(base, rand.Text())
	lock, err := flock.Try(dir + lockExt)
	if err != nil {
		return "", nil, err
	}
	remove = func() {
		os.RemoveAll(dir)
		os.Remove(lock.Name()) // nobody else wants a name that is never used again
		lock.Close()
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}

const lockExt = ".lock"

// clearOld removes the folders that no process holds. What cannot be removed now
// can be at the next start.
func clearOld(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), lockExt)
		if !ok || !e.Type().IsRegular() {
			continue
		}
		lock, err := flock.Try(filepath.Join(base, e.Name()))
		if err != nil {
			continue // it is at work
		}
		if err := os.RemoveAll(filepath.Join(base, name)); err == nil || errors.Is(err, os.ErrNotExist) {
			os.Remove(lock.Name())
		}
		lock.Close()
	}
}
