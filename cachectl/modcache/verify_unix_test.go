//go:build unix

package modcache

import (
	"testing"

	"golang.org/x/sys/unix"
)

func makePipe(t *testing.T, path string) {
	t.Helper()
	check(t, unix.Mkfifo(path, 0o666))
}
