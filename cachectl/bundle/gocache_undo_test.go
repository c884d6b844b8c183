package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpx/cachectl/buildcache"
	"gpx/envctl/change"
)

// An import that is taken back: builds compile again, as if it had never been.
func TestUndoBuildImport(t *testing.T) {
	w := newBuildWorld(t)
	b := w.builder("p", "mod", "gocache")
	all := b.compiled()
	in := filepath.Join(w.dir, "b.tar.zst")
	b.export(in)
	must(t, os.RemoveAll(b.bin))
	p, err := b.plan(in)
	must(t, err)
	c := (&home{dir: t.TempDir(), journal: change.NewMemoryJournal()}).changer()
	_, err = c.Apply(t.Context(), p.Plan)
	must(t, err)
	undo, err := c.PlanUndo(t.Context(), "", false)
	must(t, err)
	_, err = c.Apply(t.Context(), undo)
	must(t, err)
	for _, n := range names(t, b.bin) {
		if strings.HasSuffix(n, "-a") {
			t.Errorf("%s is still there", n)
		}
	}
	if got := b.compiled(); len(got) != len(all) {
		t.Errorf("then it compiles %v, want %v", got, all)
	}
	if _, err := c.PlanUndo(t.Context(), undo.ID, false); !errors.Is(err, change.ErrForGood) || !strings.Contains(err.Error(), "gpx cache import") {
		t.Errorf("the undo of an undo: %v", err)
	}
}

// What a build has made anew since stays.
func TestUndoBuildImportSparesWhatIsNew(t *testing.T) {
	in := goodBundle(t)
	user := newForgedCache(t)
	user.output("mine", "mine")
	p, err := user.plan(in)
	must(t, err)
	c := (&home{dir: t.TempDir(), journal: change.NewMemoryJournal()}).changer()
	_, err = c.Apply(t.Context(), p)
	must(t, err)
	anew := entryOf("one", "first")
	anew.Time = time.Unix(0, 2)
	write(t, filepath.Join(user.dir, entryPath(anew.Action)), string(anew.Text()))
	undo, err := c.PlanUndo(t.Context(), "", false)
	must(t, err)
	_, err = c.Apply(t.Context(), undo)
	must(t, err)
	var left []string
	for _, n := range names(t, user.dir) {
		if strings.HasSuffix(n, "-a") {
			left = append(left, n)
		}
	}
	if len(left) != 2 {
		t.Errorf("entries left: %v", left)
	}
}

// many is the number of entries of [manyOutputs].
const many = 80

// manyOutputs is a bundle that takes a while to import.
func manyOutputs(t *testing.T) string {
	c := newForgedCache(t)
	for i := range many / 2 {
		c.output(fmt.Sprint("action ", i), strings.Repeat(fmt.Sprint(i), 2000))
		c.program(fmt.Sprint("run ", i), "prog", fmt.Sprint("ELF ", i))
	}
	in := filepath.Join(t.TempDir(), "many.tar")
	_, err := ExportBuildCache(t.Context(), BuildExportOptions{Cache: c.dir, Out: in})
	must(t, err)
	return in
}

// A stopped import leaves the cache as it was.
func TestStoppedBuildImport(t *testing.T) {
	in := manyOutputs(t)
	for _, at := range []struct {
		what string
		done int64
	}{{"unpacking", 0}, {"unpacking", 50_000}, {"placing", 1}, {"placing", many / 2}} {
		t.Run(fmt.Sprintf("%s %d", at.what, at.done), func(t *testing.T) {
			user := newForgedCache(t)
			user.output("mine", "mine")
			before := filesOnly(listing(t, user.dir))
			p, err := user.plan(in)
			must(t, err)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ctx = change.WithProgress(ctx, func(p change.Progress) {
				if p.What == at.what && p.Done >= at.done {
					stop()
				}
			})
			_, err = (&home{dir: t.TempDir()}).changer().Apply(ctx, p)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%v", err)
			}
			if after := filesOnly(listing(t, user.dir)); after != before {
				t.Errorf("the cache is\n%s\nwant\n%s", after, before)
			}
		})
	}
}

// filesOnly takes the folders out of a listing: shards that are empty are as
// good as none.
func filesOnly(listing string) string {
	var b strings.Builder
	for line := range strings.Lines(listing) {
		if !strings.Contains(line, " d") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func (j *job) importBuild(ctx context.Context, c *change.Changer) error {
	p, err := PlanBuildImport(ctx, BuildImportOptions{In: j.In, Cache: j.Cache})
	if err != nil {
		return err
	}
	_, err = c.Apply(ctx, p.Plan)
	return err
}

func (j *job) importBuildAndUndo(int) error {
	ctx, c := context.Background(), j.changer()
	if err := os.RemoveAll(j.Cache); err != nil {
		return err
	}
	if err := j.importBuild(ctx, c); err != nil {
		return err
	}
	p, err := c.PlanUndo(ctx, "", false)
	if err != nil {
		return err
	}
	_, err = c.Apply(ctx, p)
	return err
}

// A killed import: at every instant each entry that is visible leads to its
// output, whole; after the next start the import is there, or not at all.
func TestKilledBuildImport(t *testing.T) {
	in := manyOutputs(t)
	j := &job{What: "import build", Dir: t.TempDir(), Cache: filepath.Join(t.TempDir(), "gocache"), In: in}
	cycle := measured(t, j.importBuildAndUndo)
	inFlight := 0
	for i := range rounds(4, 8, 300) {
		j.killed(t, cycle)
		everyEntryLeads(t, j.Cache)
		found, err := j.changer().Recover(t.Context())
		must(t, err)
		inFlight += len(found)
		entries, left := everyEntryLeads(t, j.Cache), ""
		if matches, _ := filepath.Glob(filepath.Join(j.Cache, "gpx-*")); len(matches) > 0 {
			left = matches[0]
		}
		if entries != 0 && entries != many || left != "" {
			t.Fatalf("kill %d (%q): %d entries, left behind %q", i, notes(found), entries, left)
		}
	}
	t.Logf("%d kills met a change in flight", inFlight)
}

// A kill may leave nothing but the folder around a stage that is gone.
func TestDoneBuildImportLeavesNoFolder(t *testing.T) {
	st := (&buildImport{Cache: t.TempDir()}).stage("one")
	around := filepath.Dir(st.dir)
	must(t, os.Mkdir(around, 0o777))
	if done, err := st.isDone(t.Context()); !done || err != nil {
		t.Errorf("done: %v, %v", done, err)
	}
	if exists(around) {
		t.Errorf("%s is left behind", around)
	}
}

// everyEntryLeads counts the entries of a cache, and checks that each leads to
// an output with the bytes of its name.
func everyEntryLeads(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	if !exists(dir) {
		return 0
	}
	for _, name := range names(t, dir) {
		if !strings.HasSuffix(name, "-a") || strings.HasPrefix(name, "gpx-") {
			continue
		}
		n++
		e, err := buildcache.ParseEntry([]byte(read(t, filepath.Join(dir, name))))
		must(t, err)
		file := filepath.Join(dir, outputPath(e.Output))
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			file = filepath.Join(file, "prog")
		}
		if content, err := os.ReadFile(file); err != nil || outputID(string(content)) != e.Output {
			t.Fatalf("%s leads to no whole output: %v", name, err)
		}
	}
	return n
}
