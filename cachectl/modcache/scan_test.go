package modcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/module"

	"gpx/envctl/redact"
)

// findSum is the sum over `find dir -type f -printf '%s\n'`.
func findSum(t testing.TB, dir string) (bytes, files int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes, files = bytes+info.Size(), files+1
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes, files
}

// checkSums compares an inventory with what find counts, and its parts with
// their sum.
func checkSums(t testing.TB, inv *Inventory) {
	t.Helper()
	bytes, files := findSum(t, inv.Dir)
	if inv.Bytes != bytes || inv.Files != files {
		t.Errorf("got %d bytes in %d files, find counts %d in %d", inv.Bytes, inv.Files, bytes, files)
	}
	var sum int64
	for i := range inv.Versions {
		sum += inv.Versions[i].Bytes()
	}
	for _, p := range inv.Parts {
		sum += p.Bytes
	}
	if sum != inv.Bytes {
		t.Errorf("versions and parts have %d bytes, the inventory says %d", sum, inv.Bytes)
	}
	if !inv.Exact {
		t.Error("a finished scan is not exact")
	}
}

func scanOf(t testing.TB, dir string, opt ScanOptions) *Inventory {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := c.Scan(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// put writes files below dir by their paths; one that ends with a slash is a
// folder, one that holds "->" is a link.
func put(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(at), 0o777)
		to, isLink := strings.CutPrefix(text, "->")
		switch {
		case err != nil:
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(at, 0o777)
		case isLink:
			err = os.Symlink(to, at)
		default:
			err = os.WriteFile(at, []byte(text), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAVersionIsWhatItsPartsMakeIt(t *testing.T) {
	const (
		at   = "cache/download/example.com/m/@v/v1.0.0"
		tree = "example.com/m@v1.0.0"
	)
	whole := string(archive(t, 3, ""))
	cut := whole[:len(whole)-1]
	tests := []struct {
		name  string
		files map[string]string
		want  State
	}{
		{"everything", map[string]string{at + ".info": "{}", at + ".mod": "m", at + ".zip": whole, at + ".ziphash": "h1:", tree + "/a": "a"}, Whole},
		{"everything, .info and .mod gone", map[string]string{at + ".zip": whole, at + ".ziphash": "h1:", tree + "/a": "a"}, Whole},
		{"an empty tree", map[string]string{at + ".zip": whole, at + ".ziphash": "h1:", tree + "/": ""}, Whole},
		{"no tree", map[string]string{at + ".zip": whole, at + ".ziphash": "h1:"}, Unextracted},
		{"no tree, .ziphash lost", map[string]string{at + ".zip": whole}, Unextracted},
		{"no zip", map[string]string{at + ".ziphash": "h1:", tree + "/a": "a"}, TreeOnly},
		{"neither zip nor .ziphash", map[string]string{at + ".mod": "m", tree + "/a": "a"}, Partial},
		{"the tree alone", map[string]string{tree + "/a": "a"}, Partial},
		{".ziphash lost beside a tree", map[string]string{at + ".zip": whole, tree + "/a": "a"}, Partial},
		{".info alone", map[string]string{at + ".info": "{}"}, ModOnly},
		{".mod alone, locked", map[string]string{at + ".mod": "m", at + ".lock": ""}, ModOnly},
		{".ziphash alone", map[string]string{at + ".ziphash": "h1:"}, Partial},
		{"a download was cut short", map[string]string{at + ".mod": "m", at + ".zip123.tmp": "PK"}, Partial},
		{"an extraction was cut short", map[string]string{at + ".zip": whole, at + ".ziphash": "h1:", at + ".partial": "", tree + "/a": "a"}, Partial},
		{"an extraction was cut short before the first file", map[string]string{at + ".zip": whole, at + ".ziphash": "h1:", at + ".partial": ""}, Partial},
		{"an extraction by an old go command was cut short", map[string]string{at + ".mod": "m", tree + ".tmp-123/a": "a"}, Partial},
		{"whole, and a temporary file beside it", map[string]string{at + ".zip": whole, at + ".zip9.tmp": "PK", at + ".ziphash": "h1:", tree + "/a": "a"}, Whole},
		{"the zip was cut", map[string]string{at + ".zip": cut, at + ".ziphash": "h1:", tree + "/a": "a"}, Damaged},
		{"the zip is a page", map[string]string{at + ".zip": "<html>", at + ".ziphash": "h1:"}, Damaged},
		{"the zip is empty", map[string]string{at + ".zip": "", at + ".ziphash": "h1:"}, Damaged},
		{"the zip is a folder", map[string]string{at + ".zip/x": "x", at + ".ziphash": "h1:"}, Damaged},
		{"the zip is a link", map[string]string{at + ".zip": "->/dev/null", at + ".ziphash": "h1:"}, Damaged},
		{"the .mod is a folder", map[string]string{at + ".mod/": ""}, Damaged},
		{"the tree is a file", map[string]string{at + ".zip": whole, at + ".ziphash": "h1:", tree: "text"}, Damaged},
		{"the tree is a link", map[string]string{at + ".zip": whole, at + ".ziphash": "h1:", tree: "->."}, Damaged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, test.files)
			inv := scanOf(t, dir, ScanOptions{})
			checkSums(t, inv)
			if len(inv.Versions) != 1 {
				t.Fatalf("%d versions: %+v", len(inv.Versions), inv.Versions)
			}
			if v := inv.Versions[0]; v.State != test.want || v.Version != (module.Version{Path: "example.com/m", Version: "v1.0.0"}) {
				t.Errorf("%v is %s, want %s", v.Version, v.State, test.want)
			}
		})
	}
	t.Run("extracted from GOROOT", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, map[string]string{"golang.org/fips140@v1.0.0/a": "a", "cache/download/golang.org/fips140/@v/v1.0.0.lock": ""})
		if inv := scanOf(t, dir, ScanOptions{}); len(inv.Versions) != 1 || inv.Versions[0].State != TreeOnly {
			t.Errorf("%+v", inv.Versions)
		}
	})
}

func TestAnInventoryListsVersionsInOrderAndTheRestAsParts(t *testing.T) {
	dir := t.TempDir()
	zip := string(archive(t, 3, ""))
	put(t, dir, map[string]string{
		"cache/download/github.com/!azure/sdk/@v/v1.10.0.mod":                      "four",
		"cache/download/github.com/!azure/sdk/@v/v1.9.0.mod":                       "two",
		"cache/download/github.com/!azure/sdk/@v/v1.9.0-!r!c1.zip":                 zip,
		"cache/download/github.com/!azure/sdk/@v/v1.9.0-!r!c1.ziphash":             "h1:",
		"cache/download/github.com/!azure/sdk/@v/v2.0.0+incompatible.info":         "{}",
		"cache/download/github.com/!azure/sdk/@v/list":                             "v1.9.0\n",
		"cache/download/github.com/!azure/sdk/@v/v1.8.0.lock":                      "", // no version
		"cache/download/github.com/!azure/sdk/az/@v/v1.0.0.mod":                    "m",
		"cache/download/github.com/!azure/sdk-x/@v/v1.0.0.mod":                     "m",
		"cache/download/golang.org/toolchain/@v/v0.0.1-go1.26.8.linux-amd64.mod":   "m",
		"cache/download/sumdb/sum.example.com/lookup/github.com/!azure/sdk@v1.9.0": "12345",
		"cache/download/sumdb/sum.example.com/tile/8/0/000":                        "tile",
		"cache/vcs/0123/objects/pack/x.pack":                                       "pack",
		"cache/vcs/0123.lock":                                                      "",
		"cache/gpx-trash/7/github.com/!azure/sdk@v1.0.0/a":                         "trash",
		"cache/lock":                                             "",
		"github.com/!azure/sdk@v1.9.0-!r!c1/a":                   "aaa",
		"github.com/!azure/sdk@v1.9.0-!r!c1/b/c":                 "c",
		"github.com/!azure/sdk/az@v1.0.0/deep":                   "deep",
		"cache/download/github.com/Azure/sdk/@v/v1.0.0.mod":      "not escaped",
		"cache/download/github.com/!azure/sdk/@v/master.info":    "no version",
		"cache/download/github.com/!azure/sdk/@v/v1.info":        "not canonical",
		"cache/download/exa\x1b[31mmple.com/evil/@v/v1.0.0.mod":  "escape",
		"github.com/evil\x1b]0;title\x07@v1.0.0/a":               "escape",
		"github.com/m@latest/a":                                  "no version",
		"stray":                                                  "stray",
		"cache/download/github.com/!azure/sdk/@v/v1.9.0.zip.d/x": "x",
	})
	inv := scanOf(t, dir, ScanOptions{})
	checkSums(t, inv)
	var got []string
	for _, v := range inv.Versions {
		got = append(got, fmt.Sprintf("%s@%s %s %d+%d+%d", v.Path, v.Version.Version, v.State, v.ZipBytes, v.MetaBytes, v.DirBytes))
	}
	want := []string{
		fmt.Sprintf("github.com/Azure/sdk@v1.9.0-RC1 whole %d+3+4", len(zip)),
		"github.com/Azure/sdk@v1.9.0 mod_only 0+3+0",
		"github.com/Azure/sdk@v1.10.0 mod_only 0+4+0",
		"github.com/Azure/sdk@v2.0.0+incompatible mod_only 0+2+0",
		"github.com/Azure/sdk-x@v1.0.0 mod_only 0+1+0",
		"github.com/Azure/sdk/az@v1.0.0 partial 0+1+4",
		"golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64 mod_only 0+1+0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if inv.Modules() != 4 {
		t.Errorf("%d modules, want 4", inv.Modules())
	}
	wantParts := []Part{{"checksum database", 9, 2}, {"clones", 4, 2}, {"trash", 5, 1}}
	if d := cmp.Diff(wantParts, inv.Parts[:3]); d != "" {
		t.Error(d)
	}
	for _, text := range append(inv.Problems, fmt.Sprint(inv.Versions)) {
		if text != redact.Clean(text) {
			t.Errorf("%q could drive a terminal", text)
		}
	}
}

func TestACacheThatIsNotThereIsEmpty(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pkg", "mod")
	inv := scanOf(t, dir, ScanOptions{})
	if inv.Bytes != 0 || inv.Files != 0 || len(inv.Versions) != 0 || !inv.Exact || len(inv.Problems) != 0 {
		t.Errorf("got %+v", inv)
	}
}

func TestOpenRefusesWhatIsNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	put(t, filepath.Dir(file), map[string]string{"file": ""})
	for name, dir := range map[string]string{"relative": "pkg/mod", "empty": "", "a file": file, "below a file": filepath.Join(file, "mod")} {
		c, err := Open(dir)
		if err == nil {
			t.Errorf("%s: opened %s", name, c.Dir())
			continue
		}
		if !strings.Contains(err.Error(), "GOMODCACHE") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v does not say what to do", name, err)
		}
	}
}

func TestOpenResolvesLinks(t *testing.T) {
	base := t.TempDir()
	put(t, base, map[string]string{"real/example.com/m@v1.0.0/a": "a", "link": "->real"})
	inv := scanOf(t, filepath.Join(base, "link"), ScanOptions{})
	if real, _ := filepath.EvalSymlinks(filepath.Join(base, "real")); inv.Dir != real || inv.Files != 1 {
		t.Errorf("%s has %d files", inv.Dir, inv.Files)
	}
}

// seeds are how many random runs a test makes.
func seeds() uint64 {
	return map[string]uint64{"": 3, "system": 8, "soak": 300}[os.Getenv("GPX_TEST_SCALE")]
}

func TestRandomCachesAreCountedAsFindCounts(t *testing.T) {
	for seed := range seeds() {
		r := rand.New(rand.NewPCG(seed, 2))
		dir := t.TempDir()
		for range 5 {
			mutate(t, r, dir, 30, false)
			checkSums(t, scanOf(t, dir, ScanOptions{Workers: 1 + r.IntN(8)}))
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// mutate makes n random changes to a cache, as the go command, gpx and people
// make them. A decent one replaces files by others, and leaves a trace in the
// topmost folder of a tree that it changes.
func mutate(t testing.TB, r *rand.Rand, dir string, n int, decent bool) {
	t.Helper()
	zips := [][]byte{archive(t, 2, ""), archive(t, 9, "x"), []byte("no zip")}
	paths := []string{"example.com/a", "example.com/a/b", "example.com/a-b", "github.com/!azure/sdk", "gopkg.in/yaml.v3", "BAD/path", "golang.org/toolchain"}
	versions := []string{"v1.0.0", "v1.2.3-!r!c1", "v2.0.0+incompatible", "v0.0.0-20240102030405-0123456789ab", "v0.0.1-go1.26.8.linux-amd64", "master", "v1"}
	outside := t.TempDir()
	put(t, outside, map[string]string{"file": "outside", "dir/file": "outside"})
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	content := func() string { return strings.Repeat("x", r.IntN(300)) }
	for range n {
		p, v := pick(paths), pick(versions)
		at, tree := "cache/download/"+p+"/@v/"+v, p+"@"+v
		var name, text string
		switch r.IntN(14) {
		case 0, 1:
			name, text = at+".zip", string(zips[r.IntN(len(zips))])
		case 2:
			name, text = at+pick([]string{".ziphash", ".info", ".mod", ".lock", ".partial", ".zip77.tmp", ".mod1.tmp", ".odd", ""}), content()
		case 3, 4, 5:
			name, text = tree+"/"+pick([]string{"a", "b/c", "b/d/e", "x@v1.0.0/f"}), content()
			defer putOdd(t, dir, fmt.Sprintf("%s/trace%d", tree, r.Int64()), "", decent)
		case 6:
			name, text = tree+".tmp-"+fmt.Sprint(r.IntN(3))+"/"+fmt.Sprint(r.Int64()), content()
		case 7:
			name, text = "cache/download/sumdb/sum.example.com/"+pick([]string{"lookup/" + tree, "tile/8/0/" + v}), content()
		case 8:
			name, text = pick([]string{"cache/lock", "stray", "example.com/stray", "cache/vcs/0/config", "cache/vcs/0/logs/" + v, "cache/gpx-trash/1/" + tree + "/a", "cache/gpx-import/1/x", "cache/download/stray"}), content()
		case 9:
			name, text = pick([]string{tree, at + ".zip", tree + "/l", p}), "->"+pick([]string{outside, ".", "nowhere"})
		case 10:
			name, text = pick([]string{tree, at + ".zip", at + ".mod"}), content()
		case 11, 12:
			name = pick([]string{tree, at + ".zip", at + ".ziphash", at + ".partial", "cache/download/" + p, p, "cache/vcs", "cache/gpx-trash"})
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			continue
		default: // a rename
			from, to := filepath.Join(dir, pick([]string{tree, p, at + ".zip"})), filepath.Join(dir, pick(paths)+"@"+pick(versions))
			if err := os.Rename(from, to); err != nil && !isOddName(err) {
				t.Fatal(err)
			}
			continue
		}
		putOdd(t, dir, name, text, decent)
	}
}

// putOdd is put where names may be taken by something else.
func putOdd(t testing.TB, dir, name, text string, decent bool) {
	t.Helper()
	at := filepath.Join(dir, name)
	err := os.MkdirAll(filepath.Dir(at), 0o777)
	if err == nil {
		info, lerr := os.Lstat(at)
		to, isLink := strings.CutPrefix(text, "->")
		switch {
		case isLink:
			err = os.Symlink(to, at)
		case lerr == nil && info.Mode()&fs.ModeSymlink != 0: // to who knows where
		case lerr == nil && info.Mode().IsRegular() && decent:
			err = errors.Join(os.WriteFile(at+".new", []byte(text), 0o666), os.Rename(at+".new", at))
		default:
			err = os.WriteFile(at, []byte(text), 0o666)
		}
	}
	if err != nil && !isOddName(err) {
		t.Fatal(err)
	}
}

// isOddName reports whether something else has the name already.
func isOddName(err error) bool {
	for _, ok := range []error{fs.ErrExist, fs.ErrNotExist} {
		if errors.Is(err, ok) {
			return true
		}
	}
	for _, ok := range []string{"not a directory", "is a directory", "not empty", "invalid argument", "file exists", "too many levels"} {
		if strings.Contains(err.Error(), ok) {
			return true
		}
	}
	return false
}

func TestAScanReportsInOrder(t *testing.T) {
	dir := t.TempDir()
	zip := string(archive(t, 5, ""))
	for i := range 40 {
		m := fmt.Sprintf("example.com/m%d", i)
		put(t, dir, map[string]string{
			"cache/download/" + m + "/@v/v1.0.0.zip": zip, "cache/download/" + m + "/@v/v1.0.0.ziphash": "h1:",
			m + "@v1.0.0/dir/file": "not what the zip says",
		})
	}
	// While the clock stands still, nothing is due but the ends of the phases.
	still := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var got []string
	var last *Inventory
	scanOf(t, dir, ScanOptions{Now: func() time.Time { return still }, Report: func(p Progress) {
		got = append(got, fmt.Sprint(p.Phase, " ", p.Done, "/", p.Total, " ", p.Inventory != nil))
		if p.Inventory != nil {
			last = p.Inventory
		}
		if p.Phase == Estimating && p.Inventory != nil {
			for _, v := range p.Inventory.Versions {
				if v.DirBytes != 0+1+2+3+4 || v.Files != 5 || v.Exact {
					t.Errorf("by its central directory a tree has %d bytes in %d files, exact %v", v.DirBytes, v.Files, v.Exact)
				}
			}
		}
	}})
	checkSums(t, last)
	want := []string{"listing 85/0 true", "estimating 40/40 true", "counting 40/40 true", "done 0/0 true"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}

	// While it runs by an hour a look, everything is.
	hours := still
	var all []Phase
	scanOf(t, dir, ScanOptions{Now: func() time.Time { hours = hours.Add(time.Hour); return hours }, Report: func(p Progress) {
		if p.Done < p.Total && (p.Inventory != nil) != (p.Phase == Counting) {
			t.Errorf("%s %d of %d: inventory %v", p.Phase, p.Done, p.Total, p.Inventory != nil)
		}
		all = append(all, p.Phase)
	}})
	if len(all) <= len(want) {
		t.Errorf("%d reports: %v", len(all), all)
	}
}

func TestACancelledScanEnds(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{
		"cache/download/example.com/m/@v/v1.0.0.zip": string(archive(t, 5, "")), "example.com/m@v1.0.0/dir/file": "x",
	})
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, phase := range []Phase{Listing, Estimating} {
		ctx, cancel := context.WithCancel(t.Context())
		inv, err := c.Scan(ctx, ScanOptions{Report: func(p Progress) {
			if p.Phase == phase {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || inv != nil {
			t.Errorf("cancelled after %s: %v, %v", phase, inv, err)
		}
	}
}
