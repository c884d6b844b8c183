package trash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gpx/envctl/change"
)

// Every instant at which a process can be killed while it moves two versions,
// one by one: what is in flight is put back, what is done stands.
func TestRecoverTake(t *testing.T) {
	for _, kind := range []string{TrashVersion, RemoveVersion} {
		for moved := 0; ; moved++ {
			for _, made := range []bool{false, true} { // a tree writable, as it is just before it is moved
				c, steps, rs := twoVersions(t, kind)
				before := c.listing()
				box := boxOf(c.root, "id", moving)
				must(t, box.make())
				left := c.moves(box, rs, moved)
				if made {
					if len(left) == 0 || !left[0].Mode.IsDir() {
						continue
					}
					must(t, os.Chmod(box.home(left[0]), left[0].Mode|0o700))
				}
				name := fmt.Sprintf("%s, %d parts moved, next made writable: %v", kind, moved, made)
				done, revert := trashed, untake
				if kind == RemoveVersion {
					done = removed
				}
				if ok, err := done(t.Context(), "id", steps); ok || err != nil {
					t.Errorf("%s: it counts as done (%v)", name, err)
				}
				must(t, revert(t.Context(), "id", steps))
				if got := c.listing(); got != before {
					t.Errorf("%s: the cache is\n%s\nwas\n%s", name, got, before)
				}
				if got := c.inTrash(); len(got) > 0 {
					t.Errorf("%s: in the trash: %q", name, got)
				}
				if len(left) > 0 || made {
					continue
				}
				// The commit point, and what may follow it before the journal knows.
				must(t, box.make())
				c.moves(box, rs, moved)
				suffix := map[string]string{TrashVersion: "", RemoveVersion: purge}[kind]
				must(t, box.become(suffix))
				if ok, err := done(t.Context(), "id", steps); !ok || err != nil {
					t.Errorf("%s, committed: done %v, %v", name, ok, err)
				}
				if kind == RemoveVersion {
					unlockTree(Dir(c.root))
					must(t, os.RemoveAll(Dir(c.root))) // by another process
					if ok, err := done(t.Context(), "id", steps); !ok || err != nil {
						t.Errorf("%s, deleted: done %v, %v", name, ok, err)
					}
				}
			}
			if moved == 2*3 {
				break
			}
		}
	}
}

// The same on the way back.
func TestRecoverRestore(t *testing.T) {
	for moved := range 2*3 + 1 {
		for _, settled := range []bool{true, false} { // the tree that was moved last has its mode again
			c, _, rs := twoVersions(t, RestoreVersion)
			home := c.listing()
			c.apply(c.plan(TrashVersion, rs...))
			thrown, trash := c.listing(), c.inTrash()
			undo, err := c.changer.PlanUndo(t.Context(), "", false)
			must(t, err)
			box := boxOf(c.root, trash[0], "")
			for _, r := range rs {
				r.Box = trash[0]
			}
			steps := stepsOf(t, RestoreVersion, rs)
			n, tree := 0, false
			for _, r := range rs {
				for _, p := range slices.Backward(r.Parts) {
					if n++; n > moved {
						continue
					}
					must(t, move(box.in(p), box.home(p), p))
					if tree = p.Mode.IsDir(); n < moved || settled {
						must(t, p.settle(c.root))
					}
				}
			}
			if !settled && !tree {
				continue
			}
			name := fmt.Sprintf("%d of %d parts moved, settled: %v", moved, n, settled)
			done, err := restored(t.Context(), "id", steps)
			must(t, err)
			if done != (moved == n && settled) {
				t.Errorf("%s: done %v", name, done)
			}
			must(t, unrestore(t.Context(), "id", steps))
			if got := c.listing(); got != thrown {
				t.Errorf("%s: the cache is\n%s\nwas\n%s", name, got, thrown)
			}
			c.apply(undo)
			if got := c.listing(); got != home {
				t.Errorf("%s, then undone: the cache is\n%s\nwas\n%s", name, got, home)
			}
		}
	}
}

// Killed in the middle, and then a go command fetched the version again before
// gpx was started: what is there stays, and what is left over is kept a while.
func TestRecoverMeetsWhatWasFetchedAgain(t *testing.T) {
	for moved := 1; moved <= 3; moved++ {
		c, steps, rs := twoVersions(t, TrashVersion)
		box := boxOf(c.root, "id", moving)
		must(t, box.make())
		c.moves(box, rs, moved)
		n, err := rs[0].names()
		must(t, err)
		if !there(filepath.Join(c.root, filepath.FromSlash(n.Tree))) {
			c.tree(n)
		}
		c.write(n.File("zip"), "fetched again")
		c.write(n.File("ziphash"), "fetched again")
		fetched := c.listing()
		must(t, untake(t.Context(), "id", steps))
		if got := c.listing(); got != fetched {
			t.Errorf("%d parts moved: the cache is\n%s\nwas\n%s", moved, got, fetched)
		}
		if got, want := c.inTrash(), []string{"id" + again}; !slices.Equal(got, want) {
			t.Errorf("%d parts moved: in the trash %q, want %q", moved, got, want)
		}
		if done, err := trashed(t.Context(), "id", steps); done || err != nil {
			t.Errorf("%d parts moved: what could not be put back counts as done (%v)", moved, err)
		}
	}
}

// A half tree never comes back without the mark that says that it is one, and a
// whole one never gets it.
func TestPartialComesBackMarked(t *testing.T) {
	c := newCache(t)
	n, err := NamesOf(one)
	must(t, err)
	c.write(n.File("partial"), "")
	c.tree(n)
	r := c.removal(one, false)
	if last := r.Parts[len(r.Parts)-1].Rel; last != n.File("partial") {
		t.Fatalf("the last part to leave is %s, want the mark", last)
	}
	box := boxOf(c.root, "id", moving)
	must(t, box.make())
	c.moves(box, []*Removal{r}, 2)
	must(t, move(box.in(r.Parts[1]), box.home(r.Parts[1]), r.Parts[1])) // killed on the way back
	steps := stepsOf(t, TrashVersion, []*Removal{r})
	must(t, untake(t.Context(), "id", steps))
	if !there(box.home(r.Parts[0])) || !there(box.home(r.Parts[1])) {
		t.Error("it did not come back")
	}

	must(t, box.make())
	c.moves(box, []*Removal{r}, 2)
	c.tree(n) // extracted whole
	must(t, untake(t.Context(), "id", steps))
	if there(box.home(r.Parts[1])) {
		t.Error("the whole tree is marked as a half one")
	}
}

func twoVersions(t *testing.T, kind string) (*cache, []change.Step, []*Removal) {
	t.Helper()
	c := newCache(t)
	c.version(one)
	c.version(sub)
	rs := []*Removal{c.removal(one, false), c.removal(sub, false)}
	return c, stepsOf(t, kind, rs), rs
}

func stepsOf(t *testing.T, kind string, rs []*Removal) []change.Step {
	t.Helper()
	var steps []change.Step
	for _, r := range rs {
		s, err := r.Step(kind, 0)
		must(t, err)
		steps = append(steps, s)
	}
	return steps
}

// moves moves the first n parts into the box, and returns the others.
func (c *cache) moves(b box, rs []*Removal, n int) (left []Part) {
	c.t.Helper()
	for _, r := range rs {
		for _, p := range r.Parts {
			if n--; n < 0 {
				left = append(left, p)
				continue
			}
			must(c.t, move(b.home(p), b.in(p), p))
		}
	}
	return left
}

// What cannot be put back at once stays in flight, and the next start tries
// again; what cannot be put back then, either, is kept a while.
func TestPuttingBackFails(t *testing.T) {
	for _, mended := range []bool{true, false} {
		t.Run(fmt.Sprint("mended: ", mended), func(t *testing.T) {
			c := newCache(t)
			c.version(one)
			c.version(sub)
			before := c.listing()
			home, aside := filepath.Join(c.root, "example.com"), filepath.Join(c.root, "aside")
			ctx, cancel := context.WithCancel(t.Context())
			ctx = change.WithProgress(ctx, func(p change.Progress) {
				if p.Done == 1 { // something else takes the folder away
					must(t, os.Rename(home, aside))
					must(t, os.WriteFile(home, nil, 0o666))
					cancel()
				}
			})
			_, err := c.changer.Apply(ctx, c.plan(TrashVersion, c.removal(one, false), c.removal(sub, false)))
			if !errors.Is(err, change.ErrHalfWay) || strings.Contains(err.Error(), "nothing was changed") {
				t.Fatalf("error %v", err)
			}
			if got := c.inTrash(); !slices.Equal(got, []string{"id0001" + moving}) {
				t.Fatalf("in the trash: %q", got)
			}
			restore := func() {
				must(t, os.Remove(home))
				must(t, os.Rename(aside, home))
			}
			if mended {
				restore()
			}
			found, err := c.changer.Recover(t.Context())
			must(t, err)
			if len(found) != 1 {
				t.Fatalf("found %+v", found)
			}
			if mended {
				if got := c.listing(); got != before || len(c.inTrash()) > 0 {
					t.Errorf("the cache is\n%s\nwas\n%s", got, before)
				}
				return
			}
			if note := found[0].Note; !strings.Contains(note, "interrupted half way: example.com/One@v1.0.0") || !strings.Contains(note, "what could not be put back is in the trash of the module cache for 24 h") {
				t.Errorf("note %q", note)
			}
			if got := c.inTrash(); !slices.Equal(got, []string{"id0001" + again}) {
				t.Errorf("in the trash: %q", got)
			}
			restore()
		})
	}
}
