package modcache

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"gpx/cachectl/internal/flock"
	"gpx/cachectl/internal/trash"
	"gpx/envctl/sumdb"
	"gpx/probe/lab"
)

// ticking is a clock that is a second later each time.
func ticking() func() time.Time {
	var mu sync.Mutex
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Second)
		return at
	}
}

// plant writes a module version into a cache as a download leaves it, and
// returns it.
func plant(t *testing.T, root string, m module.Version, files map[string]string) Version {
	t.Helper()
	made, err := lab.NewModule(m.Path, m.Version, time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), files)
	check(t, err)
	n, err := trash.NamesOf(m)
	check(t, err)
	for rel, text := range map[string]string{
		n.File("zip"): string(made.Zip), n.File("ziphash"): made.ZipHash, n.File("mod"): files["go.mod"], n.File("info"): string(made.Info),
	} {
		plantFile(t, filepath.Join(root, filepath.FromSlash(rel)), text)
	}
	for name, text := range files {
		plantFile(t, filepath.Join(root, filepath.FromSlash(n.Tree), filepath.FromSlash(name)), text)
	}
	return Version{Version: m, ZipBytes: int64(len(made.Zip))}
}

func plantFile(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o777))
	check(t, os.WriteFile(path, []byte(text), 0o666))
}

// garden is a cache of n small versions.
func garden(t *testing.T, n int) (*Cache, []Version) {
	t.Helper()
	root := t.TempDir()
	var list []Version
	for i := range n {
		m := module.Version{Path: fmt.Sprintf("example.com/m%02d", i), Version: "v1.0.0"}
		list = append(list, plant(t, root, m, map[string]string{
			"go.mod": "module " + m.Path + "\n", "x.go": strings.Repeat("x", i*100),
		}))
	}
	c, err := Open(root)
	check(t, err)
	return c, list
}

// A tree, a zip and a hash are the same for gpx as for the go command's own
// dirhash, whatever is in them.
func TestHashesAreDirhash(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 12 {
		root := t.TempDir()
		m := module.Version{Path: "example.com/Random", Version: fmt.Sprintf("v1.0.%d", round)}
		files := map[string]string{"go.mod": "module example.com/Random\n"}
		for range rng.IntN(40) {
			name := ""
			for range 1 + rng.IntN(4) {
				name += "/" + string(rune('a'+rng.IntN(3))) + []string{"", "-", ".x", "!", "_", "~1"}[rng.IntN(6)]
			}
			files[name[1:]+".go"] = strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(100_000)*rng.IntN(2))
		}
		plant(t, root, m, files)
		n, _ := trash.NamesOf(m)
		zip, tree := filepath.Join(root, filepath.FromSlash(n.File("zip"))), filepath.Join(root, filepath.FromSlash(n.Tree))
		if rng.IntN(2) == 0 { // another tree
			plantFile(t, filepath.Join(tree, "a", "more"), "x")
		}
		meter := (&meter{now: time.Now}).begin(0)
		f, err := observe(t.Context(), root, m, meter)
		check(t, err)
		wantZip, err := dirhash.HashZip(zip, dirhash.Hash1)
		check(t, err)
		wantTree, err := dirhash.HashDir(tree, m.Path+"@"+m.Version, dirhash.Hash1)
		check(t, err)
		if f.zip.sum != wantZip || f.tree.sum != wantTree || f.tree.diff.none() != (wantZip == wantTree) {
			t.Fatalf("round %d: zip %s tree %s differ %v, want %s %s", round, f.zip.sum, f.tree.sum, !f.tree.diff.none(), wantZip, wantTree)
		}
	}
}

func TestResume(t *testing.T) {
	const n = 12
	c, list := garden(t, n)
	file := filepath.Join(t.TempDir(), "state", "verified")
	// interrupted stops a run after some versions.
	interrupted := func(after int) VerifyResult {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := c.Verify(ctx, VerifyOptions{Versions: list, Workers: 1, ResumeFile: file, Now: ticking(), Report: func(p VerifyProgress) {
			if p.Done == after {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		return r
	}
	run := func(o VerifyOptions) VerifyResult {
		t.Helper()
		o.Versions, o.ResumeFile = list, file
		if o.Now == nil {
			o.Now = ticking()
		}
		r, err := c.Verify(t.Context(), o)
		check(t, err)
		return r
	}
	expect := func(r VerifyResult, resumed int) {
		t.Helper()
		if r.Checked != n || r.OK != n || r.Resumed != resumed {
			t.Errorf("%d checked, %d ok, %d resumed; want %d resumed", r.Checked, r.OK, r.Resumed, resumed)
		}
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Error("the run came to its end, and left its file")
		}
	}

	if r := interrupted(5); r.Checked != 5 || r.OK != 5 {
		t.Errorf("%d checked, %d ok", r.Checked, r.OK)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has %v, %v", info.Mode(), err)
	}
	expect(run(VerifyOptions{}), 5)
	expect(run(VerifyOptions{}), 0) // a run that is complete leaves nothing

	interrupted(5)
	expect(run(VerifyOptions{All: true}), 0)
	interrupted(3)
	interrupted(8) // goes on, and is interrupted again
	expect(run(VerifyOptions{}), 8)

	interrupted(5)
	later := ticking()
	expect(run(VerifyOptions{Now: func() time.Time { return later().Add(25 * time.Hour) }}), 0)

	interrupted(5)
	data, err := os.ReadFile(file)
	check(t, err)
	data[len(data)/2] ^= 1
	check(t, os.WriteFile(file, data, 0o600))
	expect(run(VerifyOptions{}), 0)

	// The largest come first, so that is the last in the list.
	interrupted(5)
	name := filepath.Join(c.Dir(), "cache", "download", "example.com", "m11", "@v", "v1.0.0.zip")
	check(t, os.WriteFile(name, []byte("changed"), 0o666))
	if r := run(VerifyOptions{}); r.Resumed != 4 || !slices.Equal(whats(r.Bad), []Damage{ZipInvalid}) {
		t.Errorf("%d resumed, bad %v", r.Resumed, lines(r.Bad))
	}
}

// What was seen is judged again by another go.sum.
func TestResumeJudgesAnew(t *testing.T) {
	c, list := garden(t, 1)
	file := filepath.Join(t.TempDir(), "verified")
	m := list[0].Version
	f, err := observe(t.Context(), c.Dir(), m, (&meter{now: time.Now}).begin(0))
	check(t, err)
	id, err := identify(t.Context(), c.Dir(), m)
	check(t, err)
	r := openResume(file, c.Dir(), false, noon)
	check(t, r.add(m, id, f, 1))
	check(t, r.save())
	o := VerifyOptions{Versions: list, ResumeFile: file, Now: func() time.Time { return noon.Add(time.Hour) }, Lookup: func(_ context.Context, m module.Version) ([]string, error) {
		return []string{m.Path + " " + m.Version + " " + otherHash}, nil
	}}
	res, err := c.Verify(t.Context(), o)
	check(t, err)
	if res.Resumed != 1 || !slices.Equal(whats(res.Bad), []Damage{SumDBMismatch}) {
		t.Errorf("%d resumed, bad %v", res.Resumed, lines(res.Bad))
	}
}

func TestProgress(t *testing.T) {
	c, list := garden(t, 9)
	var all []VerifyProgress
	_, err := c.Verify(t.Context(), VerifyOptions{Versions: list, Now: ticking(), Report: func(p VerifyProgress) { all = append(all, p) }})
	check(t, err)
	for i, p := range all {
		if p.Total != 9 || p.Bytes > p.TotalBytes || i > 0 && (p.Done < all[i-1].Done || p.Bytes < all[i-1].Bytes) {
			t.Fatalf("report %d is %+v after %+v", i, p, all[max(i-1, 0)])
		}
	}
	if last := all[len(all)-1]; last.Done != 9 || last.Bytes != last.TotalBytes || last.Bytes == 0 {
		t.Errorf("the last report is %+v", last)
	}
	// A clock that stands still reports the end, and nothing before but the first.
	all = nil
	_, err = c.Verify(t.Context(), VerifyOptions{Versions: list, Now: func() time.Time { return noon }, Report: func(p VerifyProgress) { all = append(all, p) }})
	check(t, err)
	if len(all) > 2 {
		t.Errorf("%d reports within an instant", len(all))
	}
}

// Every kind of answer is counted, and none but a proven one proves.
func TestDatabaseAnswers(t *testing.T) {
	c, list := garden(t, 6)
	kinds := []error{nil, sumdb.ErrUnknown, sumdb.ErrSkipped, sumdb.ErrUnavailable, sumdb.ErrUntrusted, errors.New("something else")}
	r, err := c.Verify(t.Context(), VerifyOptions{Versions: list, Lookup: func(_ context.Context, m module.Version) ([]string, error) {
		i := int(m.Path[len(m.Path)-1] - '0')
		if kinds[i] != nil {
			return nil, fmt.Errorf("%s: %w", m, kinds[i])
		}
		n, _ := trash.NamesOf(m)
		sum, err := os.ReadFile(filepath.Join(c.Dir(), filepath.FromSlash(n.File("ziphash"))))
		return []string{m.Path + " " + m.Version + " " + string(sum), m.Path + " " + m.Version + "/go.mod " + goModSum([]byte("module "+m.Path+"\n"))}, err
	}})
	check(t, err)
	want := DatabaseResult{Answered: 1, Unknown: 1, Skipped: 1, Unavailable: 2, Untrusted: 1}
	got := r.Database
	got.Problem = ""
	if got != want || r.Database.Problem == "" || r.BySumDB != 1 || r.Unproven != 5 || r.OK != 6 {
		t.Errorf("%+v", r)
	}
	data, err := json.Marshal(r)
	check(t, err)
	if !strings.HasPrefix(string(data), `{"checked":6,"ok":6,"bad":[],`) {
		t.Errorf("%s", data)
	}
}

// A lookup that never comes back holds nothing up once the run is cancelled.
func TestVerifyCanBeCancelled(t *testing.T) {
	c, list := garden(t, 5)
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{}, 100)
	done := make(chan error, 1)
	go func() {
		_, err := c.Verify(ctx, VerifyOptions{Versions: list, Lookup: func(ctx context.Context, _ module.Version) ([]string, error) {
			asked <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		done <- err
	}()
	<-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// What a go command is downloading or unpacking is not called damaged.
func TestBusy(t *testing.T) {
	c, list := garden(t, 2)
	base := filepath.Join(c.Dir(), "cache", "download", "example.com", "m01", "@v", "v1.0.0")
	check(t, os.WriteFile(base+".partial", nil, 0o666))
	verify := func() VerifyResult {
		r, err := c.Verify(t.Context(), VerifyOptions{Versions: list})
		check(t, err)
		return r
	}
	if r := verify(); r.Busy != 0 || !slices.Equal(whats(r.Bad), []Damage{TreePartial}) {
		t.Errorf("without a lock: %+v", r)
	}
	if _, err := os.Stat(base + ".lock"); err == nil {
		t.Error("it created a lock")
	}
	unlock, err := lockedfile.MutexAt(base + ".lock").Lock()
	check(t, err)
	if r := verify(); r.Busy != 1 || len(r.Bad) != 0 || r.Checked != 1 {
		t.Errorf("under the lock: %+v", r)
	}
	unlock()
	if r := verify(); r.Busy != 0 || !slices.Equal(whats(r.Bad), []Damage{TreePartial}) {
		t.Errorf("after the lock: %+v", r)
	}
	asking, err := flock.TryShared(base + ".lock")
	check(t, err)
	defer asking.Close()
	if r := verify(); r.Busy != 0 || !slices.Equal(whats(r.Bad), []Damage{TreePartial}) {
		t.Errorf("while another verify asks: %+v", r)
	}
}

// Beside a go command that downloads and unpacks, nothing is ever called
// damaged.
func TestVerifyBesideTheGoCommand(t *testing.T) {
	t.Parallel()
	p := newPlayground(t)
	rounds := 3
	if system() {
		rounds = 40
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var verifying sync.WaitGroup
	verifying.Go(func() {
		for ctx.Err() == nil {
			r, err := p.cache().Verify(ctx, VerifyOptions{Versions: []Version{{Version: victim}}})
			if err == nil && len(r.Bad) > 0 {
				t.Errorf("found %v", lines(r.Bad))
				return
			}
		}
	})
	for range rounds {
		unlock, err := lockedfile.MutexAt(p.file("lock")).Lock()
		check(t, err)
		p.prune()
		unlock()
		p.goes("mod", "download")
	}
	cancel()
	verifying.Wait()
}

// In a toolchain's tree the go command copies _go.mod files, which is no damage,
// unless the copy is none.
func TestToolchain(t *testing.T) {
	root := t.TempDir()
	m := module.Version{Path: "golang.org/toolchain", Version: "v0.0.1-go1.99.0.linux-amd64"}
	n, err := trash.NamesOf(m)
	check(t, err)
	files := map[string]string{"bin/go": "the go command", "src/_go.mod": "module std\n", "src/cmd/_go.mod": "module cmd\n", "VERSION": "go1.99.0\n"}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	tree := func(name string) string {
		return filepath.Join(root, filepath.FromSlash(n.Tree), filepath.FromSlash(name))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(m.Path + "@" + m.Version + "/" + name)
		check(t, err)
		f.Write([]byte(files[name]))
		plantFile(t, tree(name), files[name])
	}
	check(t, w.Close())
	zipFile := filepath.Join(root, filepath.FromSlash(n.File("zip")))
	plantFile(t, zipFile, b.String())
	sum, err := dirhash.HashZip(zipFile, dirhash.Hash1)
	check(t, err)
	plantFile(t, zipFile+"hash", sum)
	verify := func(want ...string) {
		t.Helper()
		r, err := (&Cache{dir: root}).Verify(t.Context(), VerifyOptions{Versions: []Version{{Version: m}}})
		check(t, err)
		var got []string
		for _, b := range r.Bad {
			got = append(got, string(b.What)+" "+b.Detail)
		}
		if !slices.Equal(got, want) {
			t.Errorf("found %v, want %v", got, want)
		}
	}
	verify()
	plantFile(t, tree("src/go.mod"), files["src/_go.mod"])
	plantFile(t, tree("src/cmd/go.mod"), files["src/cmd/_go.mod"])
	verify()
	check(t, os.Rename(zipFile, zipFile+".away"))
	verify()
	check(t, os.Rename(zipFile+".away", zipFile))
	plantFile(t, tree("src/go.mod"), "module evil\n")
	plantFile(t, tree("bin/go.mod"), "module more\n")
	verify("tree_extra bin/go.mod, src/go.mod")
}

// A file that may not be read is told apart from one that cannot be.
func TestMendUnreadable(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fs.ErrPermission, "chmod u+rX '/cache/it''s'"},
		{errors.New("input/output error"), "gpx cache prune lab.example.com/Victim@v1.2.0"},
	} {
		needsShell(t)
		f := &facts{m: victim, zip: zipFacts{there: true, err: &fs.PathError{Op: "open", Path: "/cache/it's", Err: tt.err}}}
		bad := judge(f, &proofs{})
		i := slices.IndexFunc(bad, func(b Bad) bool { return b.What == Unreadable })
		if want := strings.ReplaceAll(tt.want, "''", `'\''`); i < 0 || bad[i].Mend != want {
			t.Errorf("%v: %v, want %s", tt.err, lines(bad), want)
		}
	}
}

// Permission is given back where it is missing.
func TestMendFindsTheClosedFolder(t *testing.T) {
	in := func(dir string) func(string) (fs.FileInfo, error) {
		return func(path string) (fs.FileInfo, error) {
			if rel, err := filepath.Rel(dir, path); err == nil && rel != "." && filepath.IsLocal(rel) {
				return nil, &fs.PathError{Op: "lstat", Path: path, Err: fs.ErrPermission}
			}
			return nil, nil
		}
	}
	file := filepath.FromSlash("/cache/a/b/c")
	for _, dir := range []string{"/cache/a/b/c", "/cache/a/b", "/cache/a", "/cache", "/"} {
		if got := closed(file, in(filepath.FromSlash(dir))); got != filepath.FromSlash(dir) {
			t.Errorf("%s is closed: got %s", dir, got)
		}
	}
}

// A version that cannot be one is refused, not looked for.
func TestVerifyRefusesNames(t *testing.T) {
	c, _ := garden(t, 1)
	_, err := c.Verify(t.Context(), VerifyOptions{Versions: []Version{{Version: module.Version{Path: "../../etc", Version: "v1.0.0"}}}})
	if err == nil {
		t.Error("it was looked at")
	}
}

// Where go.sum contradicts the database, the cache can be right.
func TestGoSumIsWrong(t *testing.T) {
	t.Parallel()
	p := newPlayground(t)
	sums := p.sums()
	sums[victim] = []string{otherHash}
	r := p.verify(VerifyOptions{Sums: sums, Lookup: p.lookup()})
	if !slices.Equal(whats(r.Bad), []Damage{SumMismatch}) {
		t.Fatalf("found %v", lines(r.Bad))
	}
	if b := r.Bad[0]; b.Mend != "" || b.Want != p.module().ZipHash || b.Got != otherHash || !strings.Contains(b.String(), "go.sum is what is wrong") {
		t.Errorf("%+v", b)
	}
	// Alternatives are no contradiction, nor are hashes that nobody knows yet.
	sums[victim] = []string{"h9:x", otherHash, p.module().ZipHash}
	if r := p.verify(VerifyOptions{Sums: sums, Lookup: p.lookup()}); len(r.Bad) > 0 {
		t.Errorf("found %v", lines(r.Bad))
	}
}

// What went away while it was looked at is looked at again; a link to nowhere has
// not gone away.
func TestVanished(t *testing.T) {
	name := filepath.Join(t.TempDir(), "v1.0.0.zip")
	_, err := os.Open(name)
	if f := (&facts{zip: zipFacts{err: err}}); !f.vanished() {
		t.Errorf("%v: not vanished", err)
	}
	if os.Symlink("nowhere", name) != nil {
		t.Skip("no links here")
	}
	_, err = os.Open(name)
	if f := (&facts{tree: treeFacts{err: err}}); err == nil || f.vanished() {
		t.Errorf("%v: vanished", err)
	}
}
