package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// Without hard links too, one of many wins and replaces nobody.
func TestRenameReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	to := filepath.Join(dir, "to")
	for round := range 200 {
		must(t, os.RemoveAll(to))
		var won atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 4 {
			from := filepath.Join(dir, fmt.Sprint(i))
			write(t, from, from)
			wg.Go(func() {
				<-start
				switch err := renameNew(from, to); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, fs.ErrExist):
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("round %d: %d were placed", round, won.Load())
		}
	}
	if err := renameNew(filepath.Join(dir, "none"), filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing was renamed: %v", err)
	}
}
