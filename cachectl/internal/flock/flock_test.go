package flock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// The lock is the go command's: who holds one keeps out the other.
func TestTryKeepsOutTheGoCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v1.0.0.lock")
	unlock, err := lockedfile.MutexAt(path).Lock()
	if err != nil {
		t.Fatal(err)
	}
	if f, err := Try(path); !errors.Is(err, ErrHeld) {
		t.Fatalf("the lock was given twice: %v %v", f, err)
	}
	unlock()
	f, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Try(path); !errors.Is(err, ErrHeld) {
		t.Fatalf("the lock was given twice: %v", err)
	}
	f.Close()
	if f, err = Try(path); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestTrySaysWhatIsWrong(t *testing.T) {
	if _, err := Try(filepath.Join(t.TempDir(), "no", "folder")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
