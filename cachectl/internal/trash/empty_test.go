package trash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gpx/cachectl/internal/flock"
	"gpx/cachectl/internal/pace"
)

func TestEmptyTakesWhatIsOld(t *testing.T) {
	c := newCache(t)
	c.version(one)
	c.version(two)
	first := c.apply(c.plan(TrashVersion, c.removal(one, false)))
	second := c.apply(c.plan(TrashVersion, c.removal(two, false)))
	now := time.Now()
	past := now.Add(-KeepFor)
	must(t, os.Chtimes(boxOf(c.root, first.ID, "").dir, past, past))
	must(t, os.Chtimes(boxOf(c.root, second.ID, "").dir, now, past.Add(time.Second)))

	did, err := Empty(t.Context(), c.root, now)
	must(t, err)
	if len(did) != 1 || !strings.Contains(did[0], "emptied the trash of change "+first.ID) || !strings.Contains(did[0], "3 files") {
		t.Errorf("it did %q", did)
	}
	if got, want := c.inTrash(), []string{second.ID}; !slices.Equal(got, want) {
		t.Errorf("in the trash %q, want %q", got, want)
	}
	if did, err := Empty(t.Context(), c.root, now); err != nil || len(did) > 0 {
		t.Errorf("a second time it did %q, %v", did, err)
	}
}

// What a killed process left: half deleted, in flight long ago, not put back.
func TestEmptyFinishesWhatWasInFlight(t *testing.T) {
	c := newCache(t)
	past := time.Now().Add(-KeepFor)
	for name, at := range map[string]time.Time{
		"a" + purge: time.Now(), "b" + moving: time.Now(), "c" + again: past, "d" + again: time.Now(), "e" + moving: past,
	} {
		c.write("cache/gpx-trash/"+name+"/cache/download/example.com/m/@v/v1.0.0.zip", "")
		must(t, os.Chtimes(filepath.Join(Dir(c.root), name), at, at))
	}
	did, err := Empty(t.Context(), c.root, time.Now())
	must(t, err)
	if got, want := c.inTrash(), []string{"b" + moving, "d" + again, "e" + again}; !slices.Equal(got, want) {
		t.Errorf("in the trash %q, want %q: what is in flight is left to Recover", got, want)
	}
	said := strings.Join(did, "\n")
	for _, want := range []string{
		"change a was interrupted while it deleted what it had taken out of the module cache", "emptied the trash of change c",
		"change e was interrupted while it pruned the module cache, and its record is lost",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it did %q, want %q", did, want)
		}
	}
	// What nobody has put back goes after as long again.
	if did, err := Empty(t.Context(), c.root, time.Now().Add(KeepFor-time.Minute)); err != nil || len(did) != 0 {
		t.Errorf("a day later, nearly, it did %q, %v", did, err)
	}
	if did, err := Empty(t.Context(), c.root, time.Now().Add(KeepFor+time.Minute)); err != nil || len(did) != 3 {
		t.Errorf("another day later it did %q, %v", did, err)
	}
	if got := c.inTrash(); !slices.Equal(got, []string{"b" + again}) {
		t.Errorf("in the trash %q", got)
	}
}

func TestEmptyLeavesWhatAnotherProcessDeletes(t *testing.T) {
	c := newCache(t)
	c.write("cache/gpx-trash/a.purge/x", "")
	f, err := flock.Try(filepath.Join(Dir(c.root), "a.purge", "lock"))
	must(t, err)
	defer f.Close()
	if did, err := Empty(t.Context(), c.root, time.Now()); err != nil || len(did) > 0 {
		t.Errorf("it did %q, %v", did, err)
	}
	if !there(filepath.Join(Dir(c.root), "a.purge", "x")) {
		t.Error("it deleted all the same")
	}
}

func TestEmptyWithoutTrash(t *testing.T) {
	c := newCache(t)
	if did, err := Empty(t.Context(), c.root, time.Now()); err != nil || did != nil {
		t.Errorf("it did %q, %v", did, err)
	}
	if there(filepath.Join(c.root, "cache")) {
		t.Error("it made a folder")
	}
}

// A wipe deletes what is there, however it is protected, and nothing else.
func TestWipe(t *testing.T) {
	dir := t.TempDir()
	t.Cleanup(func() { unlockTree(dir) })
	outside := filepath.Join(dir, "outside")
	must(t, os.MkdirAll(filepath.Join(outside, "precious"), 0o777))
	top := filepath.Join(dir, "top")
	want := int64(0)
	for i := range 20 {
		sub := filepath.Join(top, fmt.Sprint("d", i), "e", "f")
		must(t, os.MkdirAll(sub, 0o777))
		for j := range 30 {
			must(t, os.WriteFile(filepath.Join(sub, fmt.Sprint(j)), nil, 0o444))
			want++
		}
		if os.Symlink(outside, filepath.Join(sub, "link")) == nil {
			want++
		}
		must(t, os.Chmod(sub, 0o555))
		must(t, os.Chmod(filepath.Dir(sub), 0o111))
	}
	must(t, os.WriteFile(filepath.Join(top, "lock"), nil, 0o666))
	files, err := wipe(t.Context(), top, "lock")
	must(t, err)
	if files != want {
		t.Errorf("%d files, want %d", files, want)
	}
	if entries, err := os.ReadDir(top); err != nil || len(entries) != 1 {
		t.Errorf("left: %v %v", entries, err)
	}
	if !there(filepath.Join(outside, "precious")) {
		t.Error("it went through a link")
	}
}

// Cut short at any file, and called again, it comes to its end.
func TestWipeIsCutShort(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		must(t, os.MkdirAll(filepath.Join(dir, fmt.Sprint(i%17), fmt.Sprint(i%5)), 0o777))
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i%17), fmt.Sprint(i%5), fmt.Sprint(i)), nil, 0o666))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := wipe(ctx, dir, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	files, err := wipe(t.Context(), dir, "")
	if err != nil || files != 300 {
		t.Errorf("%d files, %v", files, err)
	}
	if _, err := wipe(t.Context(), filepath.Join(dir, "none"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// Removers that are too many leave, and what they were woken for is done all the
// same.
func TestTooManyRemoversLeave(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o777))
	must(t, os.WriteFile(filepath.Join(dir, "a", "b", "c"), nil, 0o666))
	synctest.Test(t, func(t *testing.T) {
		top, err := openHandle(dir)
		must(t, err)
		w := &wiper{ctx: t.Context(), open: 1, pace: pace.Fixed(4)}
		w.work = sync.NewCond(&w.mu)
		w.mu.Lock()
		w.hire()
		w.mu.Unlock()
		synctest.Wait() // all four wait for work
		w.mu.Lock()
		w.pace = pace.Fixed(1)
		w.stack = []*folder{{handle: top, waits: 1}}
		w.work.Signal()
		w.mu.Unlock()
		w.owner.Wait()
		if got := w.files.Load(); got != 1 || w.err != nil {
			t.Errorf("%d files, %v; want 1", got, w.err)
		}
	})
}
