// Package flock takes the lock that the go command takes on a file
// (cmd/go/internal/lockedfile), without waiting for it: that other lock is
// taken for as long as a download lasts, and its Lock waits for ever.
package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrHeld: another process holds the lock.
var ErrHeld = errors.New("another process holds the lock")

// A File is a locked one. Close gives the lock back; so does the end of the process,
// however that comes.
type File struct{ *os.File }

// Close unlocks first: a child that was just forked has the file open too, until it
// executes its program, and would keep the lock for so long.
func (f File) Close() error { return errors.Join(unlock(f.File), f.File.Close()) }

// Try locks the file, which is created when it does not exist, or fails at once
// with an error that wraps [ErrHeld].
func Try(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return File{}, err
	}
	return locked(f, exclusive)
}

// TryShared is Try beside others that do the same: only a lock that [Try], or
// the go command, holds keeps it out. It creates no file, and only reads it.
func TryShared(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	return locked(f, shared)
}

// A kind of lock: one process holds an exclusive one, or any number a shared one.
type kind int

const (
	exclusive kind = iota
	shared
)

func locked(f *os.File, k kind) (File, error) {
	if err := try(f, k); err != nil {
		f.Close()
		return File{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return File{f}, nil
}

// patience is how long Soon waits: what is locked for longer is locked for a
// download, and that is not waited for.
const patience = 10 * time.Second

// Soon locks a file that nobody locks for long. It fails with an error that
// wraps [ErrHeld] when somebody does, or when ctx ends first.
func Soon(ctx context.Context, path string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := Try(path)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, ErrHeld) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}
