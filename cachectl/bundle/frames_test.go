package bundle

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// smallFrame is a frame that is compressed in no time under the race detector,
// where one of 32 MiB takes half a minute.
const smallFrame = 1 << 20

// What comes out is what went in, in the same bytes whatever the machine.
func TestFrames(t *testing.T) {
	for name, size := range map[string]int{
		"nothing": 0, "a byte": 1, "less than a frame": 100_000, "a frame": smallFrame, "some frames": 2*smallFrame + 12345,
	} {
		t.Run(name, func(t *testing.T) {
			data := make([]byte, size)
			r := rand.NewChaCha8([32]byte{})
			for i := 0; i < len(data); i += 64 {
				r.Read(data[i:min(i+8, len(data))]) // one byte in eight is noise
			}
			pack := func(processors, step int) []byte {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
				var b bytes.Buffer
				written := 0
				f, err := framesOf(smallFrame, &b, func() error { written++; return nil })
				must(t, err)
				for rest := data; len(rest) > 0; {
					n := min(step, len(rest))
					_, err := f.Write(rest[:n])
					must(t, err)
					rest = rest[n:]
				}
				must(t, f.Close())
				if want := (size + smallFrame - 1) / smallFrame; written != want {
					t.Errorf("%d frames, want %d", written, want)
				}
				return b.Bytes()
			}
			packed := pack(1, smallFrame/32)
			if other := pack(4, 3*smallFrame/32+1); !bytes.Equal(packed, other) {
				t.Error("the bytes depend on the number of processors, or on how they were written")
			}
			d, err := zstd.NewReader(bytes.NewReader(packed))
			must(t, err)
			defer d.Close()
			got, err := io.ReadAll(d)
			must(t, err)
			if !bytes.Equal(got, data) {
				t.Error("something else came out")
			}
		})
	}
}

type failing struct{ left int }

var errFull = errors.New("no space left")

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// A disk that fills up is told at the end, and nothing waits for ever.
func TestFramesThatCannotBeWritten(t *testing.T) {
	for _, left := range []int{0, 1} {
		f, err := framesOf(smallFrame, &failing{left}, func() error { return nil })
		must(t, err)
		buf := make([]byte, smallFrame/32)
		for err = nil; err == nil; {
			_, err = f.Write(buf)
		}
		if !errors.Is(err, errStopped) {
			t.Errorf("after %d frames a write says %v", left, err)
		}
		if err := f.Close(); !errors.Is(err, errFull) {
			t.Errorf("after %d frames: %v", left, err)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// What nobody wants any more is neither compressed nor written.
func TestFramesAreGivenUp(t *testing.T) {
	for name, fail := range map[string]bool{"after an error": true, "aborted": false} {
		t.Run(name, func(t *testing.T) {
			var compressed, written atomic.Int32
			began := make(chan struct{})
			var f *frames
			f, err := framesOf(smallFrame, writerFunc(func(p []byte) (int, error) {
				written.Add(1)
				close(began)
				if fail {
					return 0, errFull
				}
				<-f.stop
				return len(p), nil
			}), func() error { return nil })
			must(t, err)
			encode := f.encode
			f.encode = func(src, dst []byte) []byte { compressed.Add(1); return encode(src, dst) }
			_, err = f.Write(make([]byte, smallFrame+1))
			must(t, err)
			<-began
			if fail {
				<-f.stop
				if err := f.Close(); !errors.Is(err, errFull) {
					t.Errorf("Close says %v", err)
				}
			} else {
				f.abort()
			}
			if c, w := compressed.Load(), written.Load(); c != 1 || w != 1 {
				t.Errorf("%d frames were compressed and %d written, want the first alone", c, w)
			}
		})
	}
}
