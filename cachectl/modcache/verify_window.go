package modcache

import (
	"io"
	"sync"
)

// A window reads a file in large pieces for somebody who reads small ones in
// order, as a zip's files are when they are hashed: one call of the system for
// some hundred. It is for one goroutine.
type window struct {
	r io.ReaderAt
	*windowBuffers
	off int64 // of data in the file
	n   int   // bytes of data that are filled
}

type windowBuffers struct {
	data  []byte
	other []byte // a second buffer that a caller may use meanwhile
}

// 256 KiB: more gained nothing.
const windowSize = 256 << 10

var windows = sync.Pool{New: func() any {
	return &windowBuffers{data: make([]byte, windowSize), other: make([]byte, 64<<10)}
}}

func newWindow(r io.ReaderAt) *window {
	return &window{r: r, windowBuffers: windows.Get().(*windowBuffers)}
}

func (w *window) release() { windows.Put(w.windowBuffers) }

// spare is a buffer that is the caller's until release.
func (w *window) spare() []byte { return w.other }

// ReadAt implements [io.ReaderAt].
func (w *window) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > len(w.data) {
		return w.r.ReadAt(p, off)
	}
	if off < w.off || off+int64(len(p)) > w.off+int64(w.n) {
		n, err := w.r.ReadAt(w.data, off)
		w.off, w.n = off, n
		if n < len(p) {
			return copy(p, w.data[:n]), err
		}
	}
	return copy(p, w.data[off-w.off:]), nil
}
