//go:build unix

package probe_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// blockingFile makes a file whose opening blocks until it is released.
func blockingFile(t *testing.T, name string) (release func()) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o777))
	must(t, syscall.Mkfifo(name, 0o666))
	return func() {
		f, err := os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		must(t, err)
		f.Close()
	}
}
