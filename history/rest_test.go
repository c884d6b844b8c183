package history

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAtRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	link := filepath.Join(t.TempDir(), "link.db")
	must(t, os.Symlink(path, link))
	check := func(when string, want bool) Rest {
		t.Helper()
		at, ok := AtRest(path)
		other, linked := AtRest(link)
		if ok != want || linked != want || at != other {
			t.Errorf("%s: %v, by a link %v, want %v", when, ok, linked, want)
		}
		return at
	}
	check("before", false)
	s, err := Open(t.Context(), path, Options{})
	must(t, err)
	check("open", false)
	must(t, s.Close())
	first := check("closed", true)

	s, err = Open(t.Context(), path, Options{})
	must(t, err)
	_, err = s.Journal().List(t.Context())
	must(t, err)
	must(t, s.Close())
	if again := check("read", true); again != first {
		t.Errorf("read: %+v, want %+v", again, first)
	}

	s, err = Open(t.Context(), path, Options{})
	must(t, err)
	must(t, s.Journal().Begin(t.Context(), record("aaaaaa")))
	check("written", false)
	must(t, s.Close())
	if changed := check("written and closed", true); changed == first {
		t.Error("written: it looks the same")
	}
	must(t, os.WriteFile(path+"-journal", nil, 0o600))
	check("in the middle of a transaction", false)
}
