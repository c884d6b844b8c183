package relay

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay")
	h, left, err := TakeHold(path)
	must(t, err)
	if left != "" {
		t.Errorf("a new file says %q", left)
	}
	must(t, h.Set("http://127.0.0.1:12345 with something behind it"))
	must(t, h.Set("http://127.0.0.1:1"))
	if _, _, err := TakeHold(path); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is held: %v", err)
	}
	must(t, h.Leave()) // as the end of the process does
	h, left, err = TakeHold(path)
	must(t, err)
	if left != "http://127.0.0.1:1" {
		t.Errorf("left is %q", left)
	}
	must(t, h.Release())
	h, left, err = TakeHold(path)
	must(t, err)
	defer h.Leave()
	if left != "" {
		t.Errorf("after it was given back: %q", left)
	}
	if _, _, err := TakeHold(filepath.Join(path, "x")); err == nil || errors.Is(err, ErrInUse) {
		t.Errorf("below a file: %v", err)
	}
}
