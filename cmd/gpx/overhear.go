package main

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// overhear lets gpx see what a command writes to standard error, without the
// command noticing: child is what the command is given. A terminal it is given as
// it is, and nothing is seen: a command behaves otherwise on a pipe. A file is read
// when the command has ended; only what goes to another program goes through gpx.
func (a *app) overhear() (child streams, heard func() []byte) {
	child = a.std
	none := func() []byte { return nil }
	f, isFile := a.std.err.(*os.File)
	if !isFile {
		t := &tail{w: a.std.err}
		child.err = t
		return child, t.text
	}
	info, err := f.Stat()
	switch {
	case err != nil || a.std.errTTY:
		return child, none
	case info.Mode().IsRegular():
		return child, func() []byte { return appended(f, info.Size()) }
	case info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0: // the null device
		return child, none
	}
	t := &tail{w: f}
	child.err = t
	if out, ok := a.std.out.(*os.File); ok {
		if other, err := out.Stat(); err == nil && os.SameFile(info, other) {
			child.out = t // what goes to one place keeps its order
		}
	}
	return child, t.text
}

// overheardBytes are kept, of the end: the go command's last words.
const overheardBytes = 64 << 10

// A tail passes on what is written, and keeps the end of it.
type tail struct {
	w io.Writer

	mu   sync.Mutex
	last []byte
}

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.last = append(t.last, p[max(0, len(p)-overheardBytes):]...)
	if len(t.last) > 2*overheardBytes { // moved once in a while, not at each write
		t.last = append(t.last[:0], t.last[len(t.last)-overheardBytes:]...)
	}
	t.mu.Unlock()
	return t.w.Write(p)
}

func (t *tail) text() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[max(0, len(t.last)-overheardBytes):]
}

// appended is the end of what a file has behind offset from. It is opened anew,
// since it may be open for writing alone; where that cannot be done there is
// nothing.
func appended(f *os.File, from int64) []byte {
	own, err := os.Open(fmt.Sprintf("/dev/fd/%d", f.Fd()))
	if err != nil {
		return nil
	}
	defer own.Close()
	before, err1 := f.Stat()
	info, err2 := own.Stat()
	if err1 != nil || err2 != nil || !os.SameFile(before, info) {
		return nil
	}
	from = max(from, info.Size()-overheardBytes)
	data, err := io.ReadAll(io.NewSectionReader(own, from, overheardBytes))
	if err != nil {
		return nil
	}
	return data
}
