package modcache

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gpx/cachectl/internal/sealed"
)

// later is a clock by which all that is on disk has settled.
func later() time.Time { return time.Now().Add(time.Hour) }

// tick returns once the file system's clock has moved on, so that what changes
// from now on has another stamp.
func tick(t testing.TB, dir string) {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "tick")
	stamp := func() time.Time {
		if err := os.WriteFile(probe, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(probe)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	for first := stamp(); stamp().Sub(first) < 20*time.Millisecond; { // two ticks of 100 Hz
	}
}

// rescan scans with an index, and without: both must say the same. It returns
// how many folders and trees were read.
func rescan(t testing.TB, dir, index string, now func() time.Time) (inv *Inventory, folders, trees int64) {
	t.Helper()
	inv = scanOf(t, dir, ScanOptions{IndexFile: index, Now: now, Report: func(p Progress) {
		switch p.Phase {
		case Listing:
			folders = p.Done
		case Counting:
			trees = p.Done
		}
	}})
	fresh := scanOf(t, dir, ScanOptions{})
	if d := cmp.Diff(fresh, inv, cmpopts.IgnoreFields(Inventory{}, "At")); d != "" {
		t.Errorf("without the index (-) and with it (+):\n%s", d)
	}
	checkSums(t, inv)
	return inv, folders, trees
}

// sampleCache has two whole versions of one module, another that is not
// extracted, and a bit of everything else.
func sampleCache(t testing.TB, dir string) {
	zip := string(archive(t, 5, ""))
	put(t, dir, map[string]string{
		"cache/download/example.com/m/@v/v1.0.0.zip": zip, "cache/download/example.com/m/@v/v1.0.0.ziphash": "h1:",
		"cache/download/example.com/m/@v/v1.0.0.mod": "m", "cache/download/example.com/m/@v/v1.0.0.info": "{}",
		"cache/download/example.com/m/@v/v1.1.0.zip": zip, "cache/download/example.com/m/@v/v1.1.0.ziphash": "h1:",
		"cache/download/example.com/n/@v/v1.0.0.zip": zip, "cache/download/example.com/n/@v/v1.0.0.ziphash": "h1:",
		"cache/download/sumdb/sum.example.com/tile/8/0/000": "tile", "cache/download/example.com/m/@v/list": "v1.0.0\n",
		"example.com/m@v1.0.0/a": "a", "example.com/m@v1.0.0/b/c": "c", "example.com/m@v1.1.0/a": "a",
		"example.com/sub/dir/o@v1.0.0/a": "a",
	})
}

func TestASecondScanReadsNothingThatDidNotChange(t *testing.T) {
	dir, index := t.TempDir(), filepath.Join(t.TempDir(), "state", "index")
	sampleCache(t, dir)
	if _, folders, trees := rescan(t, dir, index, later); folders != 16 || trees != 3 {
		t.Errorf("the first scan read %d folders and %d trees, want 16 and 3", folders, trees)
	}
	if _, folders, trees := rescan(t, dir, index, later); folders != 0 || trees != 0 {
		t.Errorf("the second scan read %d folders and %d trees, want none", folders, trees)
	}
	if info, err := os.Stat(index); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the index: %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(index))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the index: %v, %v", left, err)
	}
}

func TestAChangeIsSeenThroughTheIndex(t *testing.T) {
	const at, tree = "cache/download/example.com/m/@v/", "example.com/m@"
	tests := []struct {
		name           string
		change         func(t *testing.T, dir string) (moved string)
		folders, trees int64 // that have to be read again
		ever           int64 // folders that have to be read each time
	}{
		{name: "nothing", change: func(*testing.T, string) string { return "" }},
		{name: "a version was added", change: func(t *testing.T, dir string) string {
			put(t, dir, map[string]string{at + "v1.2.0.zip": "PK", at + "v1.2.0.ziphash": "h1:", tree + "v1.2.0/a": "a"})
			return ""
		}, folders: 2, trees: 1},
		{name: "a module was added", change: func(t *testing.T, dir string) string {
			put(t, dir, map[string]string{"cache/download/example.com/new/@v/v1.0.0.mod": "m", "example.com/new@v1.0.0/a": "a"})
			return ""
		}, folders: 4, trees: 1},
		{name: "a version was removed", change: func(t *testing.T, dir string) string {
			return remove(t, dir, at+"v1.0.0.zip", at+"v1.0.0.ziphash", tree+"v1.0.0")
		}, folders: 2},
		{name: "everything was removed", change: func(t *testing.T, dir string) string {
			return remove(t, dir, "example.com", "cache")
		}, folders: 1},
		{name: "a tree was extracted again", change: func(t *testing.T, dir string) string {
			remove(t, dir, tree+"v1.0.0")
			put(t, dir, map[string]string{tree + "v1.0.0/other": "longer than before"})
			return ""
		}, folders: 1, trees: 1},
		{name: "an extraction begins", change: func(t *testing.T, dir string) string {
			put(t, dir, map[string]string{at + "v1.1.0.partial": ""})
			return ""
		}, folders: 1},
		{name: "a file was added at the top of a tree", change: func(t *testing.T, dir string) string {
			put(t, dir, map[string]string{tree + "v1.0.0/more": "more"})
			return ""
		}, folders: 1, trees: 1},
		{name: "a zip was replaced", change: func(t *testing.T, dir string) string {
			put(t, dir, map[string]string{"new": string(archive(t, 9, ""))})
			rename(t, dir, "new", at+"v1.0.0.zip")
			return ""
		}, folders: 2},
		{name: "a zip was cut where it stands", change: func(t *testing.T, dir string) string {
			if err := os.Truncate(filepath.Join(dir, at+"v1.0.0.zip"), 10); err != nil {
				t.Fatal(err)
			}
			return ""
		}, folders: 1},
		{name: "a tree became a link to where it went", change: func(t *testing.T, dir string) string {
			rename(t, dir, tree+"v1.0.0", "moved")
			put(t, dir, map[string]string{tree + "v1.0.0": "->../moved"})
			return ""
		}, folders: 4, ever: 1},
		{name: "a folder became a link to where it went", change: func(t *testing.T, dir string) string {
			elsewhere := t.TempDir()
			if err := os.Rename(filepath.Join(dir, "example.com"), filepath.Join(elsewhere, "gone")); err != nil {
				t.Fatal(err)
			}
			put(t, dir, map[string]string{"example.com": "->" + filepath.Join(elsewhere, "gone")})
			return ""
		}, folders: 1},
		{name: "a folder was renamed", change: func(t *testing.T, dir string) string {
			rename(t, dir, "example.com/sub", "example.com/bus")
			return ""
		}, folders: 3, trees: 1},
		{name: "the cache was moved", change: func(t *testing.T, dir string) string {
			return t.TempDir() + "/moved"
		}, folders: 1},
		{name: "a clone grew where it stands", change: func(t *testing.T, dir string) string {
			put(t, dir, map[string]string{"cache/vcs/1/logs/HEAD": "a line"})
			rescan(t, dir, filepath.Join(t.TempDir(), "index"), later)
			put(t, dir, map[string]string{"cache/vcs/1/logs/HEAD": "a line, and another"})
			return ""
		}, folders: 1, trees: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, index := filepath.Join(t.TempDir(), "mod"), filepath.Join(t.TempDir(), "index")
			sampleCache(t, dir)
			tick(t, dir)
			rescan(t, dir, index, later)
			if moved := test.change(t, dir); moved != "" {
				if err := os.Rename(dir, moved); err != nil {
					t.Fatal(err)
				}
				dir = moved
			}
			tick(t, dir)
			if _, folders, trees := rescan(t, dir, index, later); folders != test.folders || trees != test.trees {
				t.Errorf("%d folders and %d trees were read again, want %d and %d", folders, trees, test.folders, test.trees)
			}
			if _, folders, _ := rescan(t, dir, index, later); folders != test.ever {
				t.Errorf("%d folders were read a third time, want %d", folders, test.ever)
			}
		})
	}
}

// remove removes what is named below dir, and names no other place.
func remove(t *testing.T, dir string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return ""
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsChangingIsReadAgain(t *testing.T) {
	tests := map[string]struct {
		now func() time.Time
	}{
		"it changed just now":                 {time.Now},
		"the clock was set back since":        {func() time.Time { return time.Now().Add(-time.Hour) }},
		"the clock was set back by 100 years": {func() time.Time { return time.Now().AddDate(-100, 0, 0) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir, index := t.TempDir(), filepath.Join(t.TempDir(), "index")
			sampleCache(t, dir)
			for i := range 20 { // without a tick in between
				rescan(t, dir, index, test.now)
				put(t, dir, map[string]string{
					fmt.Sprintf("cache/download/example.com/m/@v/v1.2.%d.mod", i): "m",
					fmt.Sprintf("example.com/m@v1.0.0/b/%d", i):                   "deep in a tree that is being written",
				})
			}
			rescan(t, dir, index, test.now)
		})
	}
}

func TestATreeThatIsBeingExtractedIsCountedEachTime(t *testing.T) {
	dir, index := t.TempDir(), filepath.Join(t.TempDir(), "index")
	sampleCache(t, dir)
	put(t, dir, map[string]string{"cache/download/example.com/m/@v/v1.0.0.partial": ""})
	for i := range 3 {
		rescan(t, dir, index, later)
		put(t, dir, map[string]string{fmt.Sprintf("example.com/m@v1.0.0/b/%d", i): "deep"})
	}
	rescan(t, dir, index, later)
}

func TestRandomChangesAreSeenThroughTheIndex(t *testing.T) {
	for seed := range seeds() {
		r := rand.New(rand.NewPCG(seed, 3))
		dir, index := t.TempDir(), filepath.Join(t.TempDir(), "index")
		for range 12 {
			mutate(t, r, dir, r.IntN(8), true)
			tick(t, dir)
			rescan(t, dir, index, later)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

func TestACancelledScanLeavesAnIndexThatIsRight(t *testing.T) {
	dir, index := t.TempDir(), filepath.Join(t.TempDir(), "index")
	sampleCache(t, dir)
	for _, phase := range []Phase{Listing, Estimating, Counting} {
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, _ = c.Scan(ctx, ScanOptions{IndexFile: index, Now: later, Report: func(p Progress) {
			if p.Phase == phase {
				cancel()
			}
		}})
		cancel()
	}
	if _, folders, trees := rescan(t, dir, index, later); folders != 0 || trees != 0 {
		t.Errorf("%d folders and %d trees were read again", folders, trees)
	}
}

func TestAnIndexThatIsNotWholeIsNotRead(t *testing.T) {
	dir, index := t.TempDir(), filepath.Join(t.TempDir(), "index")
	sampleCache(t, dir)
	rescan(t, dir, index, later)
	good, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, data []byte) {
		t.Helper()
		if _, err := decodeIndex(data); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	for n := range good {
		try(fmt.Sprintf("cut to %d bytes", n), good[:n])
		changed := bytes.Clone(good)
		changed[n] ^= 0x20
		try(fmt.Sprintf("byte %d changed", n), changed)
	}
	try("longer", append(bytes.Clone(good), 0))
	newer := bytes.Replace(good, []byte(" 1 "), []byte(" 2 "), 1)
	try("newer", newer)
	for name, data := range map[string][]byte{"damaged": good[:len(good)/2], "foreign": []byte("SQLite format 3\x00"), "newer": newer, "empty": {}} {
		if err := os.WriteFile(index, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, folders, _ := rescan(t, dir, index, later); folders == 0 {
			t.Errorf("%s: no folder was read", name)
		}
		if again, err := os.ReadFile(index); err != nil || !bytes.Equal(again, good) {
			t.Errorf("%s: was not written again, %v", name, err)
		}
	}
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(index, 0o777); err != nil { // cannot be written
		t.Fatal(err)
	}
	rescan(t, dir, index, later)
}

func TestQuickAnswersOnlyWhereNothingChanged(t *testing.T) {
	dir, index := t.TempDir(), filepath.Join(t.TempDir(), "index")
	sampleCache(t, dir)
	put(t, dir, map[string]string{"cache/vcs/1/config": "git"})
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if inv, ok := c.Quick(t.Context(), index); ok {
		t.Errorf("without an index: %+v", inv)
	}
	tick(t, dir)
	full, _, _ := rescan(t, dir, index, later)
	inv, ok := c.Quick(t.Context(), index)
	if d := cmp.Diff(full, inv, cmpopts.IgnoreFields(Inventory{}, "At")); !ok || d != "" {
		t.Errorf("ok %v:\n%s", ok, d)
	}
	put(t, dir, map[string]string{"example.com/new@v1.0.0/a": "a"})
	if inv, ok := c.Quick(t.Context(), index); ok {
		t.Errorf("after a change: %+v", inv)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := c.Quick(cancelled, index); ok {
		t.Error("cancelled, and ok")
	}
}

func FuzzIndex(f *testing.F) {
	dir := f.TempDir()
	sampleCache(f, dir)
	index := filepath.Join(f.TempDir(), "index")
	scanOf(f, dir, ScanOptions{IndexFile: index, Now: later})
	good, err := os.ReadFile(index)
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := bytes.Cut(good, []byte("\n"))
	f.Add(good)
	f.Add(body)
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, data []byte) {
		// As it is, and where the hash is right, which no chance would find.
		for _, data := range [][]byte{data, sealed.Bytes(indexKind, data)} {
			if l, err := decodeIndex(data); err == nil {
				checkDecoded(t, l, data)
			}
		}
	})
}

// checkDecoded checks what must hold for whatever was decoded.
func checkDecoded(t *testing.T, l *listing, data []byte) {
	t.Helper()
	for _, look := range l.looks() {
		if !filepath.IsLocal(filepath.FromSlash(look.path)) || strings.Contains(look.path, "\x00") {
			t.Errorf("%q is outside of the cache", look.path)
		}
	}
	inv := l.inventory("/", l.rows(), time.Time{})
	for _, v := range inv.Versions {
		if text := v.Path + "@" + v.Version.Version; strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q is shown", text)
		}
	}
	if len(l.folders) > len(data) {
		t.Errorf("%d folders in %d bytes", len(l.folders), len(data))
	}
}
