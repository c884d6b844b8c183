package folder

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Nobody makes anything in a folder without the right to.
func TestMakeWithoutRights(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	locked, secret := filepath.Join(dir, "locked"), filepath.Join(dir, "secret")
	for path, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, locked: 0o555, secret: 0o666} {
		os.Mkdir(path, 0o777)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 { // rights do not hold root back: this thread alone is nobody to the file system
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer unix.Setfsuid(0)
	}
	for _, path := range []string{filepath.Join(locked, "a"), filepath.Join(locked, "a", "b"), filepath.Join(secret, "a")} {
		said := Make(path)
		checkMake(t, path, said, os.MkdirAll(path, 0o777))
		if said == nil {
			t.Errorf("%s can be made", path)
		}
	}
	if Writable(locked) || Keep(locked) == nil || Keep(filepath.Join(locked, "a")) == nil {
		t.Error("a folder without the right to write is writable")
	}
}
