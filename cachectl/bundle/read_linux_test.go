package bundle

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Nobody waits for the other end of a pipe that stands for a bundle.
func TestPipeIsNoBundle(t *testing.T) {
	in := filepath.Join(t.TempDir(), "b.tar")
	must(t, unix.Mkfifo(in, 0o666))
	done := make(chan error)
	go func() {
		is, err := IsBuildCache(t.Context(), in)
		if is || err != nil {
			t.Errorf("a build cache: %v, %v", is, err)
		}
		_, err = Inspect(t.Context(), in)
		done <- err
	}()
	select {
	case err := <-done:
		saysNo(t, err, "it is neither a file nor a folder")
	case <-time.After(10 * time.Second):
		// The other end lets it go, so that nothing is left waiting.
		fd, err := unix.Open(in, unix.O_RDWR|unix.O_NONBLOCK, 0)
		must(t, err)
		t.Error("it waits for the pipe")
		unix.Close(fd)
		<-done
	}
}
