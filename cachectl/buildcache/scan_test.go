package buildcache

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

// elf begins a program for amd64.
var elf = "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00" + strings.Repeat("\x00", 64)

func TestKinds(t *testing.T) {
	object := strings.Replace(elf, "\x02\x00\x00", "\x01\x00\x00", 1)
	for name, c := range map[string]struct {
		content string
		want    Kind
	}{
		"a compiled package":        {"!<arch>\n__.PKGDEF       0           0     0     644     1234      `\ngo object", Archive},
		"a C archive":               {"!<arch>\n/               0           0     0     0       1234      `\n" + strings.Repeat("x", 60), Other},
		"a program for Linux":       {elf, Executable},
		"a program, big-endian":     {"\x7fELF\x02\x02\x01" + strings.Repeat("\x00", 9) + "\x00\x03" + strings.Repeat("\x00", 64), Executable},
		"an object file":            {object, Other},
		"a program for macOS":       {"\xcf\xfa\xed\xfe\x0c\x00\x00\x01\x00\x00\x00\x00\x02\x00\x00\x00" + strings.Repeat("\x00", 64), Executable},
		"a library for macOS":       {"\xcf\xfa\xed\xfe\x0c\x00\x00\x01\x00\x00\x00\x00\x06\x00\x00\x00" + strings.Repeat("\x00", 64), Other},
		"a program for Windows":     {"MZ\x90\x00" + strings.Repeat("\x00", 80), Executable},
		"two letters":               {"MZ", Other},
		"what a test looked at":     {"# test log\ngetenv HOME\n", TestResult},
		"a test's output":           {"ok  \texample.com/m\t0.005s\n", TestResult},
		"a test's long output":      {"=== RUN   TestA\n" + strings.Repeat("x\n", 2000) + "PASS\nok  \texample.com/m\t0.005s\tcoverage: 12.0% of statements\n", TestResult},
		"a test's output, cut":      {"ok  \texample.com/m\t0.005s", Other},
		"a failed test":             {"FAIL\texample.com/m\t0.005s\n", Other},
		"ok in the middle":          {"ok  \ta\t1s\npackage m\n", Other},
		"a list of source files":    {"./x.go\n", Other},
		"nothing":                   {"", Other},
		"a line break":              {"\n", Other},
		"an archive that ends soon": {"!<arch>\n", Other},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			id := f.output(c.content, 0)
			root, err := os.OpenRoot(f.dir)
			must(t, err)
			defer root.Close()
			got, err := readKind(root, outputPath(id), int64(len(c.content)))
			if err != nil || got != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestScan(t *testing.T) {
	f := newFake(t)
	archive := "!<arch>\n__.PKGDEF       " + strings.Repeat("x", 100)
	f.pair("archive", archive, 3*time.Hour)
	f.entry(named("run"), f.program(elf, 50*time.Hour), len(elf), 50*time.Hour)
	f.pair("test", "ok  \tm\t1s\n", 6*day)
	f.pair("list", "./x.go\n", 10*time.Minute)
	f.write("00/README-d", "not ours", 40*day) // a trim takes it all the same
	f.write("00/notes", "stays", 40*day)
	f.write("fuzz/m/FuzzX/1", "corpus", 90*day)
	f.write("README", "readme", 0)
	f.write("trim.txt", "1000", 0)

	inv := f.scan(ScanOptions{Kinds: true})
	for name, c := range map[string]struct{ got, want any }{
		"bytes":   {inv.Bytes, sum(t, f.dir)},
		"files":   {inv.Files, int64(len(names(t, f.dir)))},
		"entries": {inv.Entries, int64(4)},
		"kinds": {inv.ByKind, map[Kind]int64{
			Archive: int64(len(archive)), Executable: int64(len(elf)), TestResult: 10, Action: 4 * EntrySize, Fuzz: 6,
			Other: int64(len("./x.go\n") + len("not ours") + len("stays") + len("readme") + len("1000")),
		}},
		"ages": {inv.ByAge, []Age{
			{time.Hour, int64(len(archive)+len(elf)) + 10 + 3*EntrySize + 8},
			{day, int64(len(elf)) + 10 + 2*EntrySize + 8},
			{2 * day, int64(len(elf)) + 10 + 2*EntrySize + 8},
			{5 * day, 10 + EntrySize + 8},
			{30 * day, 8},
		}},
		"last trim":       {inv.LastTrim.Unix(), int64(1000)},
		"next trim":       {inv.NextTrim, f.now},
		"what that takes": {inv.TrimTake, int64(10 + EntrySize + 8)},
		"problems":        {len(inv.Problems), 0},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if quick := f.scan(ScanOptions{}); quick.ByKind[Unread] != int64(len(archive)+10+len("./x.go\n")) || quick.ByKind[Executable] == 0 || quick.Bytes != inv.Bytes {
		t.Errorf("without looking into outputs: %v, %d bytes", quick.ByKind, quick.Bytes)
	}
}

func sum(t testing.TB, dir string) (bytes int64) {
	for _, info := range stats(t, dir) {
		bytes += info.Size()
	}
	return bytes
}

// Whatever stands in the folder, the sizes are those of find -type f.
func TestScanCountsAsFindDoes(t *testing.T) {
	for seed := range uint64(scale(10, 20, 500)) {
		f := newFake(t)
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 200 {
			content := strings.Repeat("x", rng.IntN(5000))
			id := named(content)
			shard := shardName(rng.IntN(shards))
			name := []string{
				actionPath(id), outputPath(id), outputPath(id) + "/prog", outputPath(id) + "/deep/er", outputPath(id) + "/deep/" + id.OutputFile(),
				shard + "/" + id.ActionFile(), shard + "/x-a/y", shard + "/tmp", shard + "/-d", "fuzz/a/b/c", "log.txt", "gone/x/y", "xx/" + id.OutputFile(),
			}[rng.IntN(13)]
			path := filepath.Join(f.dir, name)
			if os.MkdirAll(filepath.Dir(path), 0o777) == nil {
				os.WriteFile(path, []byte(content), 0o666) // fails where a folder stands already: as good
			}
		}
		inv := f.scan(ScanOptions{Kinds: seed%2 == 0, Workers: 1 + int(seed%8)})
		var kinds int64
		for _, bytes := range inv.ByKind {
			kinds += bytes
		}
		if want, files := sum(t, f.dir), len(names(t, f.dir)); inv.Bytes != want || inv.Files != int64(files) || kinds != want {
			t.Errorf("seed %d: %d bytes, by kind %d, in %d files; want %d in %d", seed, inv.Bytes, kinds, inv.Files, want, files)
		}
	}
}

func TestScanOfOddCaches(t *testing.T) {
	t.Run("absent", func(t *testing.T) {
		f := newFake(t)
		must(t, os.RemoveAll(f.dir))
		if inv := f.scan(ScanOptions{Kinds: true}); inv.Bytes != 0 || len(inv.Problems) > 0 || !inv.LastTrim.IsZero() {
			t.Errorf("%+v", inv)
		}
	})
	t.Run("a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "x")
		must(t, os.WriteFile(file, nil, 0o666))
		if _, err := Open(file); err == nil || !strings.Contains(err.Error(), "not a folder") {
			t.Errorf("%v", err)
		}
	})
	t.Run("relative", func(t *testing.T) {
		if _, err := Open("x\x1b[31m"); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a link to the cache", func(t *testing.T) {
		f := newFake(t)
		f.pair("x", "content", 0)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(f.dir, link); err != nil {
			t.Skipf("no symbolic links can be made here: %v", err)
		}
		f.dir = link
		if inv := f.scan(ScanOptions{}); inv.Entries != 1 {
			t.Errorf("%d entries", inv.Entries)
		}
	})
	t.Run("links in the cache", func(t *testing.T) {
		f := newFake(t)
		outside := filepath.Join(t.TempDir(), "outside")
		must(t, os.WriteFile(outside, []byte("outside"), 0o666))
		id := named("link")
		must(t, os.Mkdir(filepath.Join(f.dir, id.Shard()), 0o777))
		if err := os.Symlink(outside, filepath.Join(f.dir, outputPath(id))); err != nil {
			t.Skipf("no symbolic links can be made here: %v", err)
		}
		must(t, os.Symlink(filepath.Dir(outside), filepath.Join(f.dir, "aa")))
		if inv := f.scan(ScanOptions{Kinds: true}); inv.Bytes != 0 || len(inv.Problems) != 2 {
			t.Errorf("%d bytes, problems %q", inv.Bytes, inv.Problems)
		}
	})
	t.Run("names that drive a terminal", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("no such names on Windows")
		}
		f := newFake(t)
		must(t, os.Mkdir(filepath.Join(f.dir, "00"), 0o777))
		for range 2 * maxProblems {
			name := "00/\x1b[2J\u202e" + named(t.Name()+time.Now().String()).String()
			if err := os.Symlink("x", filepath.Join(f.dir, name)); err != nil {
				t.Skipf("no symbolic links can be made here: %v", err)
			}
		}
		inv := f.scan(ScanOptions{})
		if len(inv.Problems) != maxProblems+1 || inv.Problems[maxProblems] != "and 20 more" {
			t.Errorf("%d problems, the last %q", len(inv.Problems), inv.Problems[len(inv.Problems)-1])
		}
		for _, p := range inv.Problems {
			if strings.ContainsAny(p, "\x1b\u202e") {
				t.Errorf("%q", p)
			}
		}
	})
}

// A scan can be stopped, and tells how far it is.
func TestScanReports(t *testing.T) {
	f := newFake(t)
	for i := range 300 {
		f.pair(t.Name()+string(rune(i)), strings.Repeat("x", i), day)
	}
	var seen []Progress
	clock := f.now
	inv, err := f.open().Scan(context.Background(), ScanOptions{
		Report: func(p Progress) { seen = append(seen, p) },
		Now:    func() time.Time { clock = clock.Add(reportEvery / 50); return clock },
	})
	must(t, err)
	if len(seen) < 3 || len(seen) > 20 {
		t.Errorf("%d reports", len(seen))
	}
	for i, p := range seen {
		if p.Total != shards || p.Done < 0 || i > 0 && (p.Done < seen[i-1].Done || p.Inventory.Bytes < seen[i-1].Inventory.Bytes || p.Inventory == seen[i-1].Inventory) {
			t.Errorf("report %d: %d of %d", i, p.Done, p.Total)
		}
	}
	if last := seen[len(seen)-1]; last.Done != shards || last.Inventory.Bytes != inv.Bytes {
		t.Errorf("the last report has %d shards, %d bytes", last.Done, last.Inventory.Bytes)
	}

	ctx, stop := context.WithCancel(context.Background())
	_, err = f.open().Scan(ctx, ScanOptions{Report: func(Progress) { stop() }, Workers: 1, Now: func() time.Time { clock = clock.Add(time.Hour); return clock }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
