package bundle

import (
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"gpx/cachectl/internal/overlap"
)

// frameSize is how much of a bundle is compressed by itself, in bytes. Module
// zips are deflated, and share long runs of bytes with the next version of the
// same module, if they share anything: a smaller frame finds less of that. Of a
// gigabyte of zips these make 942 MB, zstd's own default 956 MB. A frame of
// another size makes other bundles of the same content.
const frameSize = 32 << 20

// maxAtOnce bounds the frames that are compressed at a time, each in some 70 MB.
const maxAtOnce = 4

// frames compresses a stream as a row of zstd frames, several at a time. What
// comes out does not depend on how many.
//
//	Write ─▶ full ─▶ compress, compress, … ─▶ queue, in order ─▶ w
type frames struct {
	size   int // of a frame, in bytes
	enc    *zstd.Encoder
	encode func(src, dst []byte) []byte // enc.EncodeAll
	full   []byte
	free   chan []byte      // to be filled
	out    chan []byte      // to be compressed into
	queue  chan chan []byte // of each frame, in order
	done   chan error       // what writing came to
	stop   chan struct{}    // closed when nothing is written any more: that failed, or abort was called
	halt   func()           // closes stop, once
}

// errStopped: what is written goes nowhere any more; Close says why.
var errStopped = errors.New("writing has failed")

// newFrames returns a writer. after is called with every frame that was written,
// beside the compression of the next.
func newFrames(w io.Writer, after func() error) (*frames, error) {
	return framesOf(frameSize, w, after)
}

// framesOf is newFrames with frames of another size, a power of two.
func framesOf(size int, w io.Writer, after func() error) (*frames, error) {
	n := min(overlap.Cores(), maxAtOnce)
	enc, err := zstd.NewWriter(nil, zstd.WithWindowSize(size), zstd.WithEncoderConcurrency(n))
	if err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	f := &frames{
		size: size, enc: enc, encode: enc.EncodeAll, free: make(chan []byte, n+1), out: make(chan []byte, n+1),
		queue: make(chan chan []byte, n), done: make(chan error, 1), stop: stop,
		halt: sync.OnceFunc(func() { close(stop) }),
	}
	for range n + 1 {
		f.free <- nil
		f.out <- nil
	}
	go f.write(w, after)
	return f, nil
}

func (f *frames) stopped() bool {
	select {
	case <-f.stop:
		return true
	default:
		return false
	}
}

// write writes the frames as they are ready. Once stopped it only receives.
func (f *frames) write(w io.Writer, after func() error) {
	var err error
	for frame := range f.queue {
		data := <-frame
		if !f.stopped() {
			if _, err = w.Write(data); err == nil {
				err = after()
			}
			if err != nil {
				f.halt()
			}
		}
		f.out <- data[:0]
	}
	f.done <- err
}

func (f *frames) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if f.full == nil {
			if f.full = <-f.free; f.full == nil {
				f.full = make([]byte, 0, f.size)
			}
		}
		k := min(len(p), f.size-len(f.full))
		f.full = append(f.full, p[:k]...)
		if p = p[k:]; len(f.full) == f.size {
			f.flush()
		}
	}
	if f.stopped() {
		return n, errStopped
	}
	return n, nil
}

// flush has what was collected compressed.
func (f *frames) flush() {
	frame := make(chan []byte, 1)
	f.queue <- frame
	in, out := f.full, <-f.out
	f.full = nil
	go func() {
		if !f.stopped() {
			out = f.encode(in, out)
		}
		frame <- out
		f.free <- in[:0]
	}()
}

// Close writes the rest and waits for everything. It says what went wrong with
// the writing, at whatever frame.
func (f *frames) Close() error {
	if len(f.full) > 0 && !f.stopped() {
		f.flush()
	}
	close(f.queue)
	err := <-f.done
	f.enc.Close()
	return err
}

// abort is Close where nobody wants what was written: what is collected or
// queued is neither compressed nor written.
func (f *frames) abort() {
	f.halt()
	f.Close()
}
