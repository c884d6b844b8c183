// Package flock takes the lock that the go command takes on a file
// (cmd/go/internal/lockedfile), without waiting for it: that other lock is
// taken for as long as a download lasts, and its Lock waits for ever.
package flock

import (
	"errors"
	"fmt"
	"os"
)

// ErrHeld: another process holds the lock.
var ErrHeld = errors.New("another process holds the lock")

// Try locks the file, which is created when it does not exist, or fails at once
// with an error that wraps [ErrHeld]. Closing the file gives the lock back; so
// does the end of the process, however that comes.
func Try(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := try(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}
