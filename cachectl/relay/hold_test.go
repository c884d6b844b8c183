package relay

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay")
	h, left, err := TakeHold(t.Context(), path)
	must(t, err)
	if left != "" {
		t.Errorf("a new file says %q", left)
	}
	must(t, h.Set("http://127.0.0.1:12345 with something behind it"))
	must(t, h.Set("http://127.0.0.1:1"))
	if _, _, err := TakeHold(t.Context(), path); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is held: %v", err)
	}
	must(t, h.Leave()) // as the end of the process does
	h, left, err = TakeHold(t.Context(), path)
	must(t, err)
	if left != "http://127.0.0.1:1" {
		t.Errorf("left is %q", left)
	}
	must(t, h.Release())
	h, left, err = TakeHold(t.Context(), path)
	must(t, err)
	defer h.Leave()
	if left != "" {
		t.Errorf("after it was given back: %q", left)
	}
	if _, _, err := TakeHold(t.Context(), filepath.Join(path, "x")); err == nil || errors.Is(err, ErrInUse) {
		t.Errorf("below a file: %v", err)
	}
}

// Who has the file for a moment, to look whether somebody was killed, has no relay.
func TestHoldWaitsForALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "relay")
		look, _, err := TakeHold(t.Context(), path)
		must(t, err)
		time.AfterFunc(shortHold/2, func() { look.Release() })
		h, _, err := TakeHold(t.Context(), path)
		must(t, err)
		defer h.Leave()
		if _, _, err := TakeHold(t.Context(), path); !errors.Is(err, ErrInUse) {
			t.Errorf("one that does not end: %v", err)
		}
	})
}
