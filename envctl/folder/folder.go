// Package folder says whether a folder can be made, or written to, without trying:
// what only looks must leave nothing behind.
package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Nearest is path where that is there, else the nearest folder above it, and then
// the first name below it that is missing. The error is of what lies in the way: a
// file, or a folder that cannot be looked into.
func Nearest(path string) (at, missing string, err error) {
	for at = path; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case err == nil && !info.IsDir():
			return at, missing, &fs.PathError{Op: "mkdir", Path: at, Err: syscall.ENOTDIR}
		case err == nil:
			return at, missing, nil
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(at) == at:
			return at, missing, err
		}
		missing = at
	}
}

// Make is the error that os.MkdirAll(path) would come to, as far as one can see: nil
// where it would make path, and where that is a folder. It makes nothing.
func Make(path string) error {
	at, missing, err := Nearest(path)
	if err != nil || missing == "" {
		return err
	}
	if _, err := os.Lstat(missing); err == nil { // a link to nothing
		return &fs.PathError{Op: "mkdir", Path: missing, Err: syscall.EEXIST}
	}
	if err := access(at); err != nil {
		return &fs.PathError{Op: "mkdir", Path: missing, Err: err}
	}
	return nil
}

// Keep is why this user can make no files in path, also where it would have to be made
// first; nil where they can.
func Keep(path string) error {
	if err := Make(path); err != nil {
		return err
	}
	if at, _, _ := Nearest(path); at == path {
		if err := access(path); err != nil {
			return &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
	return nil
}

// Writable reports whether this user can make files in dir, which is there.
func Writable(dir string) bool { return access(dir) == nil }
