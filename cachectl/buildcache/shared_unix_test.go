//go:build unix

package buildcache

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpx/cachectl/internal/nobody"
)

// Root runs these as nobody.
func TestAsAnotherUser(t *testing.T) { nobody.Tests(t, "^TestShared") }

// lock takes permissions of a folder of the cache away, as if it were another
// user's, and returns its path.
func (f *fake) lock(name string, mode fs.FileMode) string {
	if os.Geteuid() == 0 {
		f.t.Skip("permissions do not hold root back")
	}
	dir := filepath.Join(f.dir, name)
	must(f.t, os.Chmod(dir, mode))
	f.t.Cleanup(func() { os.Chmod(dir, 0o755) })
	return dir
}

func TestSharedCacheIsPrunedAsFarAsItMay(t *testing.T) {
	f := newFake(t)
	f.output("1", 10*day)
	f.output("2", 10*day)
	f.output("3", 10*day)
	locked := f.lock(idOf("1").Shard(), 0o555)
	f.lock(idOf("2").Shard(), 0)
	p := f.plan(PruneOptions{All: true})
	if p.FreedBytes != 2 { // nobody knows what is in the other folder
		t.Errorf("it frees %d bytes", p.FreedBytes)
	}
	f.apply(p)
	if _, err := os.Lstat(filepath.Join(f.dir, outputPath(idOf("3")))); err == nil {
		t.Error("what may be removed is there")
	}
	if _, err := os.Lstat(filepath.Join(f.dir, outputPath(idOf("1")))); err != nil {
		t.Error(err)
	}
	if left := strings.Join(p.Warnings, "\n"); !strings.Contains(left, locked+": permission denied") {
		t.Errorf("it says %q", left)
	}
}

func TestSharedCacheOfWhichNothingMayGo(t *testing.T) {
	f := newFake(t)
	f.output("1", 10*day)
	locked := f.lock(idOf("1").Shard(), 0o555)
	_, err := changer(t).Apply(context.Background(), f.plan(PruneOptions{All: true}))
	if err == nil || !strings.Contains(err.Error(), locked+": permission denied; nothing was changed") {
		t.Errorf("%v", err)
	}
}

func TestSharedProgramOfAnotherUserStays(t *testing.T) {
	f := newFake(t)
	id := f.program(elf, 10*day)
	f.output("2", 10*day)
	dir := f.lock(outputPath(id), 0o555)
	p := f.plan(PruneOptions{All: true})
	f.apply(p)
	if _, err := os.Lstat(dir); err != nil {
		t.Error(err)
	}
	if got := names(t, f.dir); len(got) != 1 || got[0] != outputPath(id)+"/prog" {
		t.Errorf("left: %q", got)
	}
	if said := strings.Join(p.Warnings, "\n"); !strings.Contains(said, dir+" cannot be removed") {
		t.Errorf("it says %q", said)
	}
}
