package history

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A full disk: the journal goes on in memory and says so; when there is room
// again the database does.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 || os.Getenv("GPX_TEST_SCALE") == "" {
		t.Skip("mount is not permitted: it needs root, and GPX_TEST_SCALE=system")
	}
	dir := filepath.Join(t.TempDir(), "state")
	must(t, os.Mkdir(dir, 0o700))
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"))
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := sound(t, filepath.Join(dir, "history.db"))
	filler, err := os.Create(filepath.Join(dir, "filler"))
	must(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, 1024))
	}
	var last error
	for i := range 200 { // until the pages that SQLite holds already are full
		last = errors.Join(last, s.Journal().Begin(t.Context(), record("full"+string(rune('a'+i%26))+string(rune('a'+i/26)))))
		if s.Notice() != "" {
			break
		}
	}
	must(t, last)
	if !strings.Contains(s.Notice(), "memory only") || !strings.Contains(s.Notice(), "full") {
		t.Errorf("notice %q", s.Notice())
	}
	n := len(list(t, s))
	must(t, filler.Close()) // an open file keeps its room
	must(t, os.Remove(filler.Name()))
	must(t, s.Journal().Begin(t.Context(), record("roomy1")))
	if got := len(list(t, s)); got != n+1 {
		t.Errorf("%d records, want %d", got, n+1)
	}
	s.Close()
	s = sound(t, filepath.Join(dir, "history.db"))
	if got := list(t, s); len(got) == 0 || got[len(got)-1].ID != "roomy1" {
		t.Errorf("the database does not end with the last record: %d records", len(got))
	}
}
