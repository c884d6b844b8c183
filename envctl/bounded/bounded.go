// Package bounded reads small files that somebody else may have put in their
// place: a project that was cloned holds whatever its author wanted, and a
// variable may name any path.
//
// os.ReadFile waits for ever for a named pipe that nobody writes to, and reads
// a device such as /dev/zero until memory ends. ReadFile refuses what is no
// regular file, and stops at a bound. It never follows what changes between
// the look and the read: whoever can do that can stop gpx in other ways.
//
// MakeRoom bounds the other end: the small files that gpx keeps by itself.
package bounded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrIrregular: the path names a pipe, a socket or a device.
var ErrIrregular = errors.New("not a regular file")

// ErrTooLarge: the file has more bytes than its reader takes.
var ErrTooLarge = errors.New("too large")

// ReadFile is os.ReadFile for a regular file, behind symbolic links too, of at
// most limit bytes. Its errors are *fs.PathError with ErrIrregular, ErrTooLarge
// or what the system says. The null device is empty, as for os.ReadFile.
func ReadFile(path string, limit int64) ([]byte, error) {
	if path == os.DevNull {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR} // as os.ReadFile
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrIrregular}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One byte more tells a file that ends at the bound from one that goes on:
	// what /proc holds has a size of 0. There is room for the end of the file, so
	// that nothing is copied while it grows.
	var b bytes.Buffer
	b.Grow(int(min(info.Size(), limit)) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	}
	data := b.Bytes()
	if int64(len(data)) > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)}
	}
	return data, nil
}
