package bundle

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/change/changetest"
	"gpx/envctl/env"
)

// The child of the SIGKILL tests is this test binary, started again with the
// file that says what it does in this variable.
const childVar = "GPX_BUNDLE_KILL_CHILD"

// A job is what a child does again and again until it is killed.
type job struct {
	What  string // "export", "sync", "import", "import build"
	Dir   string
	Cache string // of the export; where the import goes
	In    string // the bundle of an import; the tree that a sync begins with
	Key   string
}

func child(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	cycle := map[string]func(int) error{"export": j.export, "sync": j.sync, "import": j.importAndUndo, "import build": j.importBuildAndUndo}[j.What]
	for i := 0; ; i++ {
		if err := cycle(i); err != nil {
			return err
		}
		if i == 0 {
			fmt.Println("ready")
		}
	}
}

func (j *job) options(out string) ExportOptions {
	db, _ := chain.ParseSumDB(j.Key)
	return ExportOptions{Cache: j.Cache, Out: out, SumDB: db}
}

func (j *job) export(i int) error {
	for _, name := range []string{"b.tar.zst", "b.tar", "b"} {
		out := filepath.Join(j.Dir, name)
		if err := os.RemoveAll(out + ".old"); err != nil {
			return err
		}
		if err := os.Rename(out, out+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if _, err := Export(context.Background(), j.options(out)); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) sync(int) error {
	copied, tree := filepath.Join(j.Dir, "copied"), filepath.Join(j.Dir, "tree")
	for _, dir := range []string{copied, tree + ".old"} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.CopyFS(copied, os.DirFS(j.In)); err != nil {
		return err
	}
	if err := os.Rename(tree, tree+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(copied, tree); err != nil {
		return err
	}
	o := j.options(tree)
	o.Sync = true
	_, err := Export(context.Background(), o)
	return err
}

func (j *job) changer() *change.Changer {
	return change.New(change.Options{
		StateDir: filepath.Join(j.Dir, "state"), Journal: changetest.FileJournal(filepath.Join(j.Dir, "journal")),
		Env: func(context.Context) (*env.Env, error) { return &env.Env{}, nil },
	})
}

func (j *job) importAndUndo(int) error {
	ctx, c := context.Background(), j.changer()
	if err := j.importOnce(ctx, c); err != nil {
		return err
	}
	p, err := c.PlanUndo(ctx, "", false)
	if err != nil {
		return err
	}
	_, err = c.Apply(ctx, p)
	return err
}

func (j *job) importOnce(ctx context.Context, c *change.Changer) error {
	db, _ := chain.ParseSumDB(j.Key)
	p, err := PlanImport(ctx, ImportOptions{In: j.In, Cache: j.Cache, SumDB: db, Config: filepath.Join(j.Dir, "sumdb")})
	if err != nil {
		return err
	}
	_, err = c.Apply(ctx, p.Plan)
	return err
}

// killed starts a child, waits until it works, and kills it at a random instant
// of one cycle.
func (j *job) killed(t *testing.T, cycle time.Duration) {
	t.Helper()
	file := filepath.Join(j.Dir, "job")
	data, err := json.Marshal(j)
	must(t, err)
	must(t, os.WriteFile(file, data, 0o666))
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVar+"="+file)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		cmd.Wait()
		t.Fatalf("the child says %q: %s", line, errs.String())
	}
	<-time.NewTimer(time.Duration(rand.Int64N(int64(cycle)))).C
	must(t, cmd.Process.Kill())
	cmd.Wait()
	if errs.Len() > 0 {
		t.Fatalf("the child failed: %s", errs.String())
	}
}

// measured is how long one cycle takes.
func measured(t *testing.T, cycle func(int) error) time.Duration {
	t.Helper()
	start := time.Now()
	must(t, cycle(0))
	return time.Since(start) + time.Millisecond
}

var withBig = append(slices.Clone(labMods), "lab.example.com/big@v1.0.0")

// A killed export leaves no bundle or a whole one, and nothing that the next one
// does not clear away.
func TestKilledExport(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(withBig...)
	j := &job{What: "export", Dir: t.TempDir(), Cache: from.cache(), Key: w.key}
	cycle := measured(t, j.export)
	whole := 0
	for range rounds(3, 6, 200) {
		j.killed(t, cycle)
		for _, name := range []string{"b.tar.zst", "b.tar", "b"} {
			out := filepath.Join(j.Dir, name)
			if _, err := os.Stat(out); err != nil {
				continue
			}
			whole++
			must(t, readBundle(t.Context(), out, visitor{
				manifest: func(*Manifest, []byte) (bool, error) { return false, nil },
				file: func(m member) error {
					f, err := hashMember(sha256.New(), m)
					if err == nil && m.want != nil && f.SHA256 != m.want.SHA256 {
						err = fmt.Errorf("%s is torn", m.name.path)
					}
					return err
				},
			}))
		}
		must(t, j.export(0))
		for _, n := range names(t, j.Dir) {
			if strings.Contains(n, "gpx-part") || strings.Contains(n, "gpx-lock") {
				t.Fatalf("left behind %s", n)
			}
		}
	}
	t.Logf("%d bundles were there, whole", whole)
}

// A killed sync leaves a tree that is sound, and the next run finishes it.
func TestKilledSync(t *testing.T) {
	w := newGrowingWorld(t)
	from := w.home()
	from.download(labMods[:3]...)
	first := filepath.Join(from.dir, "first")
	from.mustExport(func(o *ExportOptions) { o.Out, o.Sync = first, true })
	from.download(withBig[3:]...)
	j := &job{What: "sync", Dir: t.TempDir(), Cache: from.cache(), In: first, Key: w.key}
	cycle := measured(t, j.sync)
	tree := filepath.Join(j.Dir, "tree")
	want := listing(t, tree)
	between := 0
	for range rounds(3, 6, 200) {
		j.killed(t, cycle)
		if _, err := os.Stat(tree); err != nil {
			continue // while it was being copied
		}
		sound(t, w.db(), tree)
		if got := listing(t, tree); got != want && got != listing(t, first) {
			between++
		}
		from.mustExport(func(o *ExportOptions) { o.Out, o.Sync = tree, true })
		if got := listing(t, tree); got != want {
			t.Fatalf("the next run made\n%s\nwant\n%s", got, want)
		}
	}
	t.Logf("%d kills met a run half way", between)
}

// A killed import leaves a cache that the go command reads; the next start takes
// the import back or finishes it, and says which.
func TestKilledImport(t *testing.T) {
	w := newWorld(t)
	from := w.home()
	from.download(withBig...)
	in := filepath.Join(from.dir, "b.tar.zst")
	from.mustExport(to(in))
	user := w.home()
	user.download(labMods[0])
	write(t, filepath.Join(user.cache(), "cache", "download", alpha+".ziphash"), otherSum) // a killed go command's
	j := &job{What: "import", Dir: t.TempDir(), Cache: user.cache(), In: in, Key: w.key}
	empty := withoutLocks(listing(t, user.cache()))
	must(t, j.importOnce(t.Context(), j.changer()))
	full := withoutLocks(listing(t, user.cache()))
	p, err := j.changer().PlanUndo(t.Context(), "", false)
	must(t, err)
	_, err = j.changer().Apply(t.Context(), p)
	must(t, err)
	cycle := measured(t, j.importAndUndo)
	inFlight := 0
	for i := range rounds(4, 8, 200) {
		j.killed(t, cycle)
		valid(t, user.cache())
		found, err := j.changer().Recover(t.Context())
		must(t, err)
		for _, ch := range found {
			inFlight++
			if !strings.Contains(ch.Note, "interrupted") {
				t.Errorf("kill %d: the note is %q", i, ch.Note)
			}
		}
		got := withoutLocks(listing(t, user.cache()))
		if got != empty && got != full {
			t.Fatalf("kill %d (%q): the cache is\n%s\nneither\n%s\nnor\n%s", i, notes(found), got, empty, full)
		}
		if got == full {
			user.mustRun(".", "off", append([]string{"mod", "download"}, withBig...)...)
			makeWritable(filepath.Join(user.cache(), "lab.example.com"))
			must(t, os.RemoveAll(filepath.Join(user.cache(), "lab.example.com")))
			user.mustRun(".", "off", "mod", "download", labMods[0])
			p, err := j.changer().PlanUndo(t.Context(), "", false)
			must(t, err)
			_, err = j.changer().Apply(t.Context(), p)
			must(t, err)
		}
	}
	t.Logf("%d kills met a change in flight", inFlight)
}

// valid says that every zip in a cache is whole and has its .ziphash.
func valid(t *testing.T, cache string) {
	t.Helper()
	download := filepath.Join(cache, "cache", "download")
	for _, p := range names(t, download) {
		n, ok, err := parseName(p)
		must(t, err)
		if !ok || n.part != partZip {
			continue
		}
		s, err := hashZip(t.Context(), filepath.Join(download, p), n.version)
		must(t, err)
		if got := read(t, filepath.Join(download, p+"hash")); got != s.h1 {
			t.Errorf("%s has the hash %s in its .ziphash, and is %s", p, got, s.h1)
		}
		for _, part := range []part{partInfo, partMod} {
			file, err := versionFile(module.Version{Path: n.version.Path, Version: n.version.Version}, part)
			must(t, err)
			if _, err := os.Stat(filepath.Join(download, file)); err != nil {
				t.Errorf("%s is visible without its .%s", p, part)
			}
		}
	}
}

func notes(found []change.Change) (list []string) {
	for _, ch := range found {
		list = append(list, ch.Note)
	}
	return list
}
