package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gpx/envctl/change"
)

const otherSum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

// A killed go command leaves a .ziphash without its zip. An import writes the
// right one in its place; an undo, and a cancelled import, put it back.
func TestImportReplacesLonelyZiphash(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	tree := filepath.Join(from.dir, "tree")
	must(t, w.lab.WriteTree(tree, true))
	packed := filepath.Join(from.dir, "b.tar")
	from.mustExport(to(packed))
	for name, c := range map[string]struct {
		in, hash string
		leave    bool
	}{
		"of another zip":               {packed, otherSum, false},
		"of another zip, no manifest":  {tree, otherSum, false},
		"of another zip, sums left":    {packed, otherSum, true},
		"right":                        {packed, from.sum(alpha), false},
		"right, sums left":             {packed, from.sum(alpha), true},
		"empty":                        {packed, "", false},
		"torn, of no text":             {packed, "h1:\xff\x00\x00", false},
		"of another zip, with a space": {tree, otherSum + "\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			user := w.home()
			hash := filepath.Join(user.cache(), "cache", "download", alpha+".ziphash")
			write(t, hash, c.hash)
			before := withoutLocks(listing(t, user.cache()))
			leave := func(o *ImportOptions) { o.LeaveSums = c.leave }
			p, err := user.plan(c.in, leave)
			must(t, err)
			if len(p.Conflicts) > 0 || !slices.ContainsFunc(p.Plan.Actions, func(a change.Action) bool {
				return a.Target == "lab.example.com/alpha@v1.1.0" && strings.Contains(a.New, ".ziphash")
			}) {
				t.Fatalf("conflicts %v, and the plan does not name it: %+v", p.Conflicts, p.Plan.Actions)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctx = change.WithProgress(ctx, func(p change.Progress) {
				if p.What == "placing" && p.Done == p.Total-1 {
					cancel()
				}
			})
			if _, err = user.changer().Apply(ctx, p.Plan); !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled before the last file: %v", err)
			}
			if after := withoutLocks(listing(t, user.cache())); after != before {
				t.Fatalf("cancelled: the cache is\n%s\nwant\n%s", after, before)
			}
			user.mustImport(c.in, leave)
			if got, want := read(t, hash), from.sum(alpha); got != want {
				t.Errorf("the .ziphash is %q, want %q", got, want)
			}
			user.undo()
			if after := withoutLocks(listing(t, user.cache())); after != before {
				t.Errorf("undo left\n%s\nwant\n%s", after, before)
			}
			user.mustImport(c.in, leave)
			user.mustRun(".", "off", append([]string{"mod", "download"}, labMods...)...)
			valid(t, user.cache())
		})
	}
}

// The go command believes a .ziphash, so nothing that was not compared with it
// may come to stand beside it.
func TestImportComparesWithZiphash(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	in := filepath.Join(from.dir, "b.tar")
	from.mustExport(to(in))
	forged := takeApart(t, in)
	forged.find(alpha + ".zip").data = w.tampered("lab.example.com/alpha@v1.1.0")
	evilTree := filepath.Join(from.dir, "evil")
	must(t, w.lab.WriteTree(evilTree, false))
	must(t, os.WriteFile(filepath.Join(evilTree, filepath.FromSlash(alpha+".zip")), w.tampered("lab.example.com/alpha@v1.1.0"), 0o666))
	claimed := forged.relabel().withManifest(func(m *Manifest) {
		for i := range m.Files {
			if m.Files[i].Path == alpha+".zip" {
				m.Files[i].Sum = from.sum(alpha)
			}
		}
	})
	liar := filepath.Join(from.dir, "liar.tar")
	must(t, os.WriteFile(liar, claimed.tar(), 0o666))

	leave := func(o *ImportOptions) { o.LeaveSums = true }
	hashIn := func(user *home) string {
		return filepath.Join(user.cache(), "cache", "download", alpha+".ziphash")
	}
	t.Run("a claim of the manifest", func(t *testing.T) {
		user := w.home()
		write(t, hashIn(user), from.sum(alpha))
		refused(t, user, liar, "has another h1 than the manifest says", leave)
	})
	t.Run("one that comes after the plan", func(t *testing.T) {
		for _, hash := range []string{otherSum, from.sum(alpha)} {
			user := w.home()
			p, err := user.plan(in, leave)
			must(t, err)
			write(t, hashIn(user), hash)
			if _, err := user.changer().Apply(t.Context(), p.Plan); !errors.Is(err, change.ErrStale) {
				t.Errorf("beside %s: %v", hash, err)
			}
		}
	})
	t.Run("of the extracted tree", func(t *testing.T) {
		user := w.home()
		user.download("lab.example.com/alpha@v1.1.0")
		must(t, os.Remove(strings.TrimSuffix(hashIn(user), "hash")))
		before := withoutLocks(listing(t, user.cache()))
		refused(t, user, evilTree, "the cache has lab.example.com/alpha@v1.1.0 extracted from another zip",
			func(o *ImportOptions) { o.SumDB.Key = "" })
		if after := withoutLocks(listing(t, user.cache())); after != before {
			t.Errorf("the cache is\n%s\nwant\n%s", after, before)
		}
	})
}
