package trash

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"

	"gpx/envctl/change"
)

func TestTrashIsUndoneAndRedone(t *testing.T) {
	c := newCache(t)
	c.version(one)
	c.version(two)
	c.version(sub)
	c.write("cache/download/example.com/!one/@v/list", "v1.0.0\n")
	before := c.listing()
	ch := c.apply(c.plan(TrashVersion, c.removal(one, false), c.removal(sub, true)))
	after := c.listing()
	for _, gone := range []string{"example.com/!one@v1.0.0", "!one/@v/v1.0.0.zip", "!one/@v/v1.0.0.ziphash", "sub/v2/@v/v2.0.0.mod", "sub/v2@v2.0.0"} {
		if strings.Contains(after, gone) {
			t.Errorf("%s is still there", gone)
		}
	}
	for _, stays := range []string{"!one/@v/v1.0.0.mod", "!one/@v/v1.0.0.info", "example.com/!one@v1.1.0-!r!c1/sub/deep/x.go", "!one/@v/v1.1.0-!r!c1.zip"} {
		if !strings.Contains(after, stays) {
			t.Errorf("%s is gone", stays)
		}
	}
	if got, want := c.inTrash(), []string{ch.ID}; !slices.Equal(got, want) {
		t.Errorf("in the trash: %q, want %q", got, want)
	}
	for range 2 {
		undo, err := c.changer.PlanUndo(t.Context(), ch.ID, false)
		must(t, err)
		back := c.apply(undo)
		if got := c.listing(); got != before {
			t.Errorf("after undo:\n%s\nwant\n%s", got, before)
		}
		if got := c.inTrash(); len(got) > 0 {
			t.Errorf("in the trash after undo: %q", got)
		}
		redo, err := c.changer.PlanUndo(t.Context(), back.ID, false)
		must(t, err)
		ch = c.apply(redo)
		if got := c.listing(); got != after {
			t.Errorf("after redo:\n%s\nwant\n%s", got, after)
		}
	}
}

func TestRemovalIsForGood(t *testing.T) {
	c := newCache(t)
	c.version(one)
	c.version(two)
	ch := c.apply(c.plan(RemoveVersion, c.removal(one, true)))
	if got := c.inTrash(); len(got) > 0 {
		t.Errorf("left in the trash: %q", got)
	}
	if got := c.files("cache/download/example.com/!one/@v"); !slices.Contains(got, "v1.0.0.lock") || slices.Contains(got, "v1.0.0.zip") || !slices.Contains(got, "v1.1.0-!r!c1.zip") {
		t.Errorf("files %q", got)
	}
	if _, err := c.changer.PlanUndo(t.Context(), ch.ID, true); !errors.Is(err, change.ErrForGood) {
		t.Errorf("undo says %v", err)
	}
}

// What cannot be taken now is left whole and named; the rest goes.
func TestWhatIsLeft(t *testing.T) {
	zip := "cache/download/example.com/!one/@v/v1.0.0.zip"
	tests := []struct {
		name string
		meet func(c *cache) (after func())
		why  string
	}{
		{"a go command holds the lock", func(c *cache) func() {
			unlock, err := lockedfile.MutexAt(filepath.Join(c.root, "cache/download/example.com/!one/@v/v1.0.0.lock")).Lock()
			must(c.t, err)
			return unlock
		}, "a go command is at work on it"},
		{"the zip is another", func(c *cache) func() { c.write(zip, "longer than it was before, by far"); return nil }, "it has changed"},
		{"the zip is younger", func(c *cache) func() {
			now := old.Add(1)
			must(c.t, os.Chtimes(filepath.Join(c.root, filepath.FromSlash(zip)), now, now))
			return nil
		}, "it has changed"},
		{"the tree was extracted again", func(c *cache) func() {
			tree := filepath.Join(c.root, "example.com", "!one@v1.0.0")
			must(c.t, os.Chtimes(tree, old.Add(1), old.Add(1)))
			return nil
		}, "it has changed"},
		{"it is being extracted", func(c *cache) func() {
			c.write("cache/download/example.com/!one/@v/v1.0.0.partial", "")
			return nil
		}, "it has changed"},
		{"a part went", func(c *cache) func() {
			must(c.t, os.Remove(filepath.Join(c.root, filepath.FromSlash(zip))))
			return nil
		}, "it has changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache(t)
			c.version(one)
			c.version(two)
			p := c.plan(TrashVersion, c.removal(one, false), c.removal(two, false))
			after := tt.meet(c)
			files := c.files("example.com/!one@v1.0.0")
			ch := c.apply(p)
			if after != nil {
				after()
			}
			if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "example.com/One@v1.0.0 was left as it is: "+tt.why) {
				t.Errorf("warnings %q", p.Warnings)
			}
			if !strings.Contains(ch.Note, "example.com/One@v1.0.0") {
				t.Errorf("note %q", ch.Note)
			}
			if got := c.files("example.com/!one@v1.0.0"); !slices.Equal(got, files) {
				t.Errorf("its files %q, were %q", got, files)
			}
			undo, err := c.changer.PlanUndo(t.Context(), "", false)
			must(t, err)
			if len(undo.Actions) != 1 || undo.Actions[0].Target != "example.com/One@v1.1.0-RC1" {
				t.Errorf("undo takes back %+v, want only what was taken", undo.Actions)
			}
		})
	}
}

func TestNothingCouldBeTaken(t *testing.T) {
	c := newCache(t)
	c.version(one)
	p := c.plan(TrashVersion, c.removal(one, false))
	c.write("cache/download/example.com/!one/@v/v1.0.0.zip", "another")
	before := c.listing()
	_, err := c.changer.Apply(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), "it has changed since the plan was made") || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("error %v", err)
	}
	if got := c.listing(); got != before {
		t.Errorf("the cache is\n%s\nwas\n%s", got, before)
	}
	if got := c.inTrash(); len(got) > 0 {
		t.Errorf("in the trash: %q", got)
	}
}

// Undo never overwrites what was fetched since.
func TestUndoLeavesWhatIsThereAgain(t *testing.T) {
	c := newCache(t)
	c.version(one)
	c.version(two)
	ch := c.apply(c.plan(TrashVersion, c.removal(one, false), c.removal(two, false)))
	undo, err := c.changer.PlanUndo(t.Context(), "", false)
	must(t, err)
	c.version(one)
	c.write("cache/download/example.com/!one/@v/v1.0.0.zip", "fetched since")
	fetched := c.listing()

	again, err := c.changer.PlanUndo(t.Context(), "", false)
	must(t, err)
	if len(again.Actions) != 1 || len(again.Warnings) != 1 || !strings.Contains(again.Warnings[0], "example.com/One@v1.0.0 is in the cache again") {
		t.Errorf("a later plan: actions %+v, warnings %q", again.Actions, again.Warnings)
	}
	c.apply(undo)
	if len(undo.Warnings) != 1 || !strings.Contains(undo.Warnings[0], "it was fetched again meanwhile") {
		t.Errorf("warnings %q", undo.Warnings)
	}
	if got := c.listing(); !strings.HasPrefix(got, strings.Split(fetched, "\n")[0]) || !strings.Contains(got, "fetched since") || !strings.Contains(got, "v1.1.0-!r!c1.zip") {
		t.Errorf("the cache is\n%s", got)
	}
	if got := c.files("cache/gpx-trash/" + ch.ID); !slices.Contains(got, "cache/download/example.com/!one/@v/v1.0.0.zip") {
		t.Errorf("what was not put back is not in the trash: %q", got)
	}
}

func TestUndoOfAnEmptiedTrash(t *testing.T) {
	c := newCache(t)
	c.version(one)
	ch := c.apply(c.plan(TrashVersion, c.removal(one, false)))
	unlockTree(Dir(c.root))
	must(t, os.RemoveAll(Dir(c.root)))
	_, err := c.changer.PlanUndo(t.Context(), ch.ID, true)
	if !errors.Is(err, change.ErrForGood) || !strings.Contains(err.Error(), "the trash was emptied") {
		t.Errorf("error %v", err)
	}
}

// A change that is cancelled half way puts everything back.
func TestCancelHalfWay(t *testing.T) {
	for _, kind := range []string{TrashVersion, RemoveVersion, RestoreVersion} {
		t.Run(kind, func(t *testing.T) {
			c := newCache(t)
			for _, m := range []string{"v1.0.0", "v1.1.0", "v1.2.0"} {
				v := one
				v.Version = m
				c.version(v)
			}
			var rs []*Removal
			for _, m := range []string{"v1.0.0", "v1.1.0", "v1.2.0"} {
				v := one
				v.Version = m
				rs = append(rs, c.removal(v, true))
			}
			p := c.plan(kind, rs...)
			if kind == RestoreVersion {
				c.apply(c.plan(TrashVersion, rs...))
				var err error
				p, err = c.changer.PlanUndo(t.Context(), "", false)
				must(t, err)
			}
			before, trash := c.listing(), c.inTrash()
			ctx, cancel := context.WithCancel(t.Context())
			ctx = change.WithProgress(ctx, func(p change.Progress) {
				if p.Done == 2 {
					cancel()
				}
			})
			if _, err := c.changer.Apply(ctx, p); !errors.Is(err, context.Canceled) {
				t.Fatalf("error %v", err)
			}
			if got := c.listing(); got != before {
				t.Errorf("the cache is\n%s\nwas\n%s", got, before)
			}
			if got := c.inTrash(); !slices.Equal(got, trash) {
				t.Errorf("in the trash %q, was %q", got, trash)
			}
		})
	}
}

// The trash is a folder of the cache and nothing else: through a link, versions
// would be moved to, and deleted from, anywhere.
func TestTrashIsNoLink(t *testing.T) {
	c := newCache(t)
	c.version(one)
	elsewhere := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(c.root, "cache"), 0o777))
	if err := os.Symlink(elsewhere, Dir(c.root)); err != nil {
		t.Skip(err)
	}
	if _, err := c.changer.Apply(t.Context(), c.plan(TrashVersion, c.removal(one, false))); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("error %v", err)
	}
	if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) > 0 {
		t.Errorf("elsewhere: %v %v", entries, err)
	}
}

func TestNamesThatLeaveTheCacheAreRefused(t *testing.T) {
	c := newCache(t)
	c.version(one)
	for _, rel := range []string{"../state", "/etc/passwd", "cache/../../x", ""} {
		r := c.removal(one, false)
		r.Parts[0].Rel = rel
		if _, err := c.changer.Apply(t.Context(), c.plan(TrashVersion, r)); err == nil || !strings.Contains(err.Error(), "no name in a module cache") {
			t.Errorf("%q: error %v", rel, err)
		}
	}
}
