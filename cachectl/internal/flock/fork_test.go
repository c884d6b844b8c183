package flock

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// A child has every file of its parent from fork to exec. What was closed meanwhile is
// given back all the same.
func TestCloseBesideForks(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var forks sync.WaitGroup
	for range 8 {
		forks.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					exec.Command(self, "-test.run=^$").Run()
				}
			}
		})
	}
	defer forks.Wait()
	defer close(done)
	path := filepath.Join(t.TempDir(), "lock")
	for i := range 20000 {
		f, err := Try(path)
		if err != nil {
			t.Fatalf("given back %d times, then %v", i, err)
		}
		f.Close()
	}
}
