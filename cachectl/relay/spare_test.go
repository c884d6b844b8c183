package relay

import (
	"errors"
	"os"
	"sync"
	"testing"
)

// Everybody has a file of their own, which exists, also when somebody has removed
// those that waited; what nobody took goes in the end.
func TestSpares(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSpares(func() (*os.File, error) { return os.CreateTemp(dir, "*") })
	var mu sync.Mutex
	taken := map[string]bool{}
	take := func() {
		f, err := s.take()
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		mu.Lock()
		defer mu.Unlock()
		if taken[f.Name()] {
			t.Errorf("%s was given away twice", f.Name())
		}
		taken[f.Name()] = true
		if err := os.Remove(f.Name()); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		var all sync.WaitGroup
		for range 3 * maxSpares {
			all.Go(take)
		}
		all.Wait()
		s.making.Wait()
		if n := len(s.ready); n < 1 || n > maxSpares {
			t.Errorf("%d are ready, want 1 to %d", n, maxSpares)
		}
		left, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range left {
			must(t, os.Remove(dir+"/"+e.Name()))
		}
		take()
	}
	s.close()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// That none can be made is told to who needs one.
func TestSparesFail(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	s := newSpares(func() (*os.File, error) { return nil, full })
	defer s.close()
	if _, err := s.take(); !errors.Is(err, full) {
		t.Error(err)
	}
}
