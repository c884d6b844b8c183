package flock

import (
	"context"
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

func TestSoonWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	held, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Soon(ctx, path); !errors.Is(err, ErrHeld) {
		t.Fatalf("the lock was given twice: %v", err)
	}
	got := make(chan error)
	go func() {
		unlock, err := Soon(t.Context(), path)
		if err == nil {
			unlock()
		}
		got <- err
	}()
	held.Close()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestTrySaysWhatIsWrong(t *testing.T) {
	if _, err := Try(filepath.Join(t.TempDir(), "no", "folder")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// Who only wants to know whether somebody is at work does not look like work.
func TestShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v1.0.0.lock")
	if _, err := TryShared(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("without a file: %v", err)
	}
	held, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryShared(path); !errors.Is(err, ErrHeld) {
		t.Fatalf("beside a lock: %v", err)
	}
	held.Close()
	for range 2 {
		f, err := TryShared(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if _, err := Try(path); !errors.Is(err, ErrHeld) {
		t.Fatalf("the lock was given while others share it: %v", err)
	}
}
