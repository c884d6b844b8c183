package bundle

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/flock"
	"gpx/envctl/chain"
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

// Without .ziphash the go command hashes a zip when it first uses it, and holds
// it to the database: an import that leaves that to it is no less safe.
func TestImportThatLeavesSums(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	in := filepath.Join(from.dir, "b.tar")
	from.mustExport(to(in))
	leave := func(o *ImportOptions) { o.LeaveSums = true }
	user := w.home()
	user.mustImport(in, leave)
	for _, n := range names(t, user.cache()) {
		if strings.HasSuffix(n, ".ziphash") {
			t.Errorf("it wrote %s", n)
		}
	}
	user.project("p", labMods[1:]...)
	user.mustRun("p", "file://"+filepath.Join(user.cache(), "cache", "download"), "mod", "tidy")
	user.mustRun("p", "off", "build", "./...")
	user.mustRun("p", "off", "mod", "verify")
	user.mustRun(".", "off", append([]string{"mod", "download"}, labMods...)...)
	valid(t, user.cache())

	// A bundle that lies about a zip gets in, and no further.
	forged := takeApart(t, in)
	forged.find(alpha + ".zip").data = w.tampered("lab.example.com/alpha@v1.1.0")
	forged.relabel().withManifest(func(m *Manifest) {
		for i := range m.Files {
			if m.Files[i].Path == alpha+".zip" {
				m.Files[i].Sum = user.sum(alpha)
			}
		}
	})
	must(t, os.WriteFile(in, forged.tar(), 0o666))
	victim := w.home()
	victim.mustImport(in, leave)
	for _, proxy := range []string{"off", "file://" + filepath.Join(victim.cache(), "cache", "download"), w.proxy} {
		out, err := victim.run(".", proxy, "mod", "download", "lab.example.com/alpha@v1.1.0")
		if err == nil || !strings.Contains(out, "checksum mismatch") {
			t.Errorf("GOPROXY=%s: the go command takes the zip: %v %s", proxy, err, out)
		}
	}
	refused(t, w.home(), in, "has another h1 than the manifest says")
}

// sum is the h1 of a zip that the go command has hashed.
func (h *home) sum(base string) string {
	return read(h.w.t, filepath.Join(h.cache(), "cache", "download", base+".ziphash"))
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

// A GOPROXY file tree of another make has no manifest, and other files in it: it
// is imported as far as go.sum and the database vouch for it.
func TestImportOfATreeWithoutManifest(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	tree := filepath.Join(from.dir, "tree")
	must(t, w.lab.WriteTree(tree, true))
	write(t, filepath.Join(tree, "README"), "how this was made\n")
	packed := filepath.Join(from.dir, "packed.tar")
	if out, err := exec.Command("tar", "cf", packed, "-C", tree, ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v %s", err, out)
	}
	for name, in := range map[string]string{
		"a tree": tree, "packed by tar": packed, "the download folder of another cache": filepath.Join(from.cache(), "cache", "download"),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Inspect(t.Context(), in)
			must(t, err)
			if c.Manifest || c.Database != dbName || len(c.Versions) < len(labMods) {
				t.Errorf("contents: %+v", c)
			}
			user := w.home()
			p, err := user.plan(in)
			must(t, err)
			if len(p.Plan.Warnings) != 1 || !strings.Contains(p.Plan.Warnings[0], "no manifest") {
				t.Errorf("warnings %q", p.Plan.Warnings)
			}
			ch, err := user.changer().Apply(t.Context(), p.Plan)
			must(t, err)
			if ch.Note != "" {
				t.Errorf("note %q", ch.Note)
			}
			valid(t, user.cache())
			user.mustRun(".", "off", append([]string{"mod", "download"}, labMods...)...)
		})
	}
}

// What the database does not vouch for is said.
func TestImportCountsWhatNobodyProves(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	in := filepath.Join(from.dir, "b.tar")
	from.mustExport(func(o *ExportOptions) { o.Out, o.SumDB = in, chain.SumDB{Off: true} })
	user := w.home()
	p, err := user.plan(in)
	must(t, err)
	if len(p.Plan.Warnings) != 1 || !strings.Contains(p.Plan.Warnings[0], "no proofs of the checksum database") {
		t.Errorf("warnings %q", p.Plan.Warnings)
	}
	ch, err := user.changer().Apply(t.Context(), p.Plan)
	must(t, err)
	if ch.Note != "7 versions without a proof of the checksum database: go.sum has to know them" {
		t.Errorf("note %q", ch.Note)
	}
}

// What the cache has stays as it is, and the difference is named.
func TestImportReplacesNothing(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	in := filepath.Join(from.dir, "b.tar")
	from.mustExport(to(in))
	user := w.home()
	user.download("lab.example.com/alpha@v1.0.0", "lab.example.com/beta@v1.0.0", "lab.example.com/delta/v2@v2.0.1")
	download := filepath.Join(user.cache(), "cache", "download", "lab.example.com")
	write(t, filepath.Join(download, "alpha/@v/v1.0.0.ziphash"), "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
	write(t, filepath.Join(download, "beta/@v/v1.0.0.mod"), "module lab.example.com/beta // mine\n")
	must(t, os.Remove(filepath.Join(download, "delta/v2/@v/v2.0.1.zip"))) // the tree is there, and needs its .ziphash
	before := listing(t, filepath.Join(user.cache(), "lab.example.com"))
	p, err := user.plan(in)
	must(t, err)
	var conflicts []string
	for _, c := range p.Conflicts {
		conflicts = append(conflicts, c.Path+": "+c.Why)
	}
	equalLists(t, "conflicts", conflicts, []string{
		"lab.example.com/alpha: the cache has another zip of it (h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=, in the bundle " + p.Versions[1].Sum + ")",
		"lab.example.com/beta: the cache has another .mod of it",
	})
	_, err = user.changer().Apply(t.Context(), p.Plan)
	must(t, err)
	if got := read(t, filepath.Join(download, "beta/@v/v1.0.0.mod")); !strings.Contains(got, "mine") {
		t.Errorf("the .mod was replaced: %s", got)
	}
	if !exists(filepath.Join(download, "delta/v2/@v/v2.0.1.zip")) {
		t.Error("the missing zip did not come")
	}
	if after := listing(t, filepath.Join(user.cache(), "lab.example.com")); after != before {
		t.Errorf("the extracted trees changed:\n%s", after)
	}
	// Undo takes the others out again, and leaves what was extracted here.
	plan := user.undo()
	if len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0], "1 version was extracted since and stays") {
		t.Errorf("warnings of the undo: %q", plan.Warnings)
	}
	if exists(filepath.Join(download, "gamma/@v/v0.3.0.zip")) || !exists(filepath.Join(download, "delta/v2/@v/v2.0.1.ziphash")) {
		t.Error("undo took the wrong files")
	}
	if _, err := user.changer().PlanUndo(t.Context(), "", false); !errors.Is(err, change.ErrNothing) {
		t.Errorf("after the undo: %v", err)
	}
}

// A version that a go command is downloading is not touched.
func TestImportWaitsForNobodyForEver(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(labMods...)
	in := filepath.Join(from.dir, "b.tar")
	from.mustExport(to(in))
	user := w.home()
	lock := filepath.Join(user.cache(), "cache/download", alpha+".lock")
	must(t, os.MkdirAll(filepath.Dir(lock), 0o777))
	held, err := flock.Try(lock)
	must(t, err)
	defer held.Close()
	before := listing(t, user.cache())
	p, err := user.plan(in)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	// The wait ends with the caller's patience, or after ten seconds of its own.
	ctx = change.WithProgress(ctx, func(p change.Progress) {
		if p.What == "placing" {
			cancel()
		}
	})
	_, err = user.changer().Apply(ctx, p.Plan)
	cancel()
	if err == nil {
		t.Fatal("it was imported")
	}
	if after := listing(t, user.cache()); withoutLocks(after) != withoutLocks(before) {
		t.Errorf("the cache changed:\n%s", after)
	}
}

// Cancelled at any time, an import leaves the cache as it was.
func TestImportCanBeCancelled(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(withBig...)
	in := filepath.Join(from.dir, "b.tar.zst")
	from.mustExport(to(in))
	user := w.home()
	user.download(labMods[0])
	before := withoutLocks(listing(t, user.cache()))
	for at := 1; ; at += rounds(13, 7, 1) {
		p, err := user.plan(in)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		ctx = change.WithProgress(ctx, func(change.Progress) {
			if n++; n == at {
				cancel()
			}
		})
		_, err = user.changer().Apply(ctx, p.Plan)
		cancel()
		if err == nil {
			t.Logf("%d reports", n)
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at report %d: %v", at, err)
		}
		if after := withoutLocks(listing(t, user.cache())); after != before {
			t.Fatalf("cancelled at report %d: the cache is\n%s\nwant\n%s", at, after, before)
		}
	}
}

// The go command takes nothing of a toolchain but its zip.
func TestToolchainsTravel(t *testing.T) {
	const path, version = "golang.org/toolchain", "v0.0.1-go1.99.0.linux-amd64"
	dir := t.TempDir()
	m := module.Version{Path: path, Version: version}
	file, err := versionFile(m, partZip)
	must(t, err)
	zip := filepath.Join(dir, "mod", "cache", "download", file)
	must(t, os.MkdirAll(filepath.Dir(zip), 0o777))
	must(t, os.WriteFile(zip, moduleZip(t, path+"@"+version+"/bin/go", path+"@"+version+"/src/_go.mod"), 0o666))
	in := filepath.Join(dir, "b.tar")
	r, err := Export(t.Context(), ExportOptions{Cache: filepath.Join(dir, "mod"), Out: in})
	must(t, err)
	if r.Modules != 1 || len(r.LeftOut) != 0 {
		t.Errorf("exported %+v", r)
	}
	to := filepath.Join(dir, "to")
	p, err := PlanImport(t.Context(), ImportOptions{In: in, Cache: to})
	must(t, err)
	_, err = change.New(change.Options{StateDir: filepath.Join(dir, "state")}).Apply(t.Context(), p.Plan)
	must(t, err)
	base := "cache/download/golang.org/toolchain/@v/" + version
	equalLists(t, "imported", names(t, to), []string{base + ".info", base + ".lock", base + ".zip", base + ".ziphash"})
}

// Folders of imports that nobody comes back to go with the next import.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{"fresh": time.Hour, "old": 8 * 24 * time.Hour, "old.done": 0} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o777))
		write(t, filepath.Join(dir, name, "0"), "x")
		must(t, os.Chtimes(filepath.Join(dir, name), now, now.Add(-age)))
	}
	sweep(dir, now)
	equalLists(t, "left", names(t, dir), []string{"fresh/0"})
}
