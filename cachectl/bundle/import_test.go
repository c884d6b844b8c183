package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpx/envctl/change"
)

// What one user exports another imports into nothing, and builds from with no
// network, no go.sum and the checksum database on.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	for _, out := range []string{"bundle.tar.zst", "bundle.tar", "bundle"} {
		t.Run(out, func(t *testing.T) {
			in := filepath.Join(from.dir, out)
			from.mustExport(to(in))
			user := w.home()
			p, err := user.plan(in)
			must(t, err)
			if len(p.New) != len(labMods) || p.Present != 0 || len(p.Conflicts) != 0 || len(p.Plan.Warnings) != 0 {
				t.Fatalf("plan: %d new, %d present, conflicts %v, warnings %q", len(p.New), p.Present, p.Conflicts, p.Plan.Warnings)
			}
			ch, err := user.changer().Apply(t.Context(), p.Plan)
			must(t, err)
			if ch.Note != "" {
				t.Errorf("note %q", ch.Note)
			}
			user.project("p", labMods[1:]...)
			user.mustRun("p", "file://"+filepath.Join(user.cache(), "cache", "download"), "mod", "tidy")
			user.mustRun("p", "off", "build", "./...")
			user.mustRun("p", "off", "mod", "verify")
			for _, n := range names(t, filepath.Join(user.cache(), "cache")) {
				if strings.Contains(n, "gpx-import") {
					t.Errorf("left behind %s", n)
				}
			}
		})
	}
}

// Every file of the cache is as the go command would have downloaded it.
func TestImportIsLikeADownload(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	in := filepath.Join(from.dir, "b.tar")
	from.mustExport(to(in))
	user := w.home()
	user.mustImport(in)
	for _, n := range names(t, filepath.Join(from.cache(), "cache", "download")) {
		if strings.HasPrefix(n, "sumdb/") {
			continue // the records stand under one head there
		}
		a, b := filepath.Join(from.cache(), "cache", "download", n), filepath.Join(user.cache(), "cache", "download", n)
		if got, want := read(t, b), read(t, a); got != want {
			t.Errorf("%s: got %q, want %q", n, clip(got), clip(want))
		}
	}
	// The go command finds nothing to download, also when everybody is down.
	user.mustRun(".", "off", append([]string{"mod", "download"}, labMods...)...)
}

func TestImportAddsOnlyWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	in := filepath.Join(from.dir, "b.tar.zst")
	from.mustExport(to(in))
	user := w.home()
	user.download(labMods[:3]...)
	before := listing(t, user.cache())
	p, err := user.plan(in)
	must(t, err)
	if len(p.New) != len(labMods)-3 || p.Present != 3 {
		t.Fatalf("%d new, %d present", len(p.New), p.Present)
	}
	_, err = user.changer().Apply(t.Context(), p.Plan)
	must(t, err)
	p, err = user.plan(in)
	must(t, err)
	if !p.Plan.Empty() || p.Present != len(labMods) {
		t.Errorf("a second import would add %+v", p.New)
	}
	user.undo()
	if after := withoutLocks(listing(t, user.cache())); after != withoutLocks(before) {
		t.Errorf("undo left\n%s\nwant\n%s", after, withoutLocks(before))
	}
}

// withoutLocks takes out the .lock files, which nobody ever removes, and the
// folders, which they keep.
func withoutLocks(listing string) string {
	var b strings.Builder
	for line := range strings.Lines(listing) {
		if !strings.Contains(line, ".lock ") && !strings.Contains(line, " dr") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// A plan for one bundle does not import another one that came in its place.
func TestImportRefusesAnotherBundle(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	in := filepath.Join(from.dir, "b.tar")
	from.mustExport(to(in))
	user := w.home()
	p, err := user.plan(in)
	must(t, err)
	must(t, os.Remove(in))
	from.mustExport(func(o *ExportOptions) { o.Out, o.Versions = in, versionsOf(labMods[0]) })
	if _, err := user.changer().Apply(t.Context(), p.Plan); err == nil || !strings.Contains(err.Error(), change.ErrStale.Error()) {
		t.Errorf("got %v", err)
	}
}
