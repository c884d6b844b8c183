//go:build unix

package modcache_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
	"gpx/envctl/change"
)

// TestPruneRatios is what `make bench` prints of pruning: gpx takes versions
// out of a cache and deletes them, beside rm -rf and go clean -modcache of a copy of the
// same files, in turns. GPX_BENCH_MODCACHE names a real cache, of which some 15,000 files are
// copied; otherwise one is made up. It does nothing unless GPX_BENCH is set,
// because a loaded machine would make it lie.
func TestPruneRatios(t *testing.T) {
	if os.Getenv("GPX_BENCH") == "" {
		t.Log("GPX_BENCH is not set; make bench sets it")
		return
	}
	const most = 15_000 // files of one copy: some seconds to make
	dir := writable(t)
	source, from := os.Getenv("GPX_BENCH_MODCACHE"), "a real cache"
	if source == "" {
		source, from = filepath.Join(dir, "source"), "a made-up cache"
		makeCache(t, source, most)
	}
	chosen, files := some(t, source, most)
	var ours, moved, theirs, clean []float64
	const rounds = 7
	for round := range rounds {
		took := map[string]time.Duration{}
		for _, name := range turns(round, "rm", "clean", "gpx") {
			copied := filepath.Join(dir, "copy")
			copyVersions(t, source, copied, chosen)
			if peer := map[string]*exec.Cmd{"rm": exec.Command("rm", "-rf", copied), "clean": exec.Command("go", "clean", "-modcache")}[name]; peer != nil {
				peer.Env = append(os.Environ(), "GOMODCACHE="+copied)
				took[name] = timeOf(func() { must(t, peer.Run()) })
				continue
			}
			h := &house{t: t, dir: dir, cache: copied, now: time.Now()}
			h.changer = h.newChanger(change.NewMemoryJournal())
			p, _ := h.plan(modcache.PruneOptions{Unreferenced: true, AllFiles: true, Reach: everybody})
			var start time.Time
			ctx := change.WithProgress(t.Context(), func(p change.Progress) {
				if p.What == "taking out of the cache" {
					took["moved"] = time.Since(start)
				}
			})
			took[name] = timeOf(func() {
				start = time.Now()
				ch, err := h.changer.Apply(ctx, p)
				must(t, err)
				if ch.Note != "" {
					t.Fatal(ch.Note)
				}
			})
			must(t, os.RemoveAll(copied)) // empty folders
		}
		if round == 0 {
			continue // it warms the kernel's caches
		}
		rm := float64(took["rm"])
		theirs = append(theirs, rm/1e6)
		clean = append(clean, float64(took["clean"])/rm)
		ours = append(ours, float64(took["gpx"])/rm)
		moved = append(moved, float64(took["moved"])/rm)
	}
	t.Logf("\n| removal of %d files, %d versions of %s | median of ratios |\n|---|---|\n| `rm -rf` | 1 (%.0f ms) |\n| `go clean -modcache` | %.2f |\n| gpx: out of the cache and deleted (promised: 0.50) | %.2f |\n| of that: out of the cache, with locks and journal | %.2f |\n",
		files, len(chosen), from, middle(theirs), middle(clean), middle(ours), middle(moved))
	if middle(ours) > 0.5 {
		t.Errorf("removal takes %.2f of rm -rf, promised is 0.50", middle(ours))
	}
}

// turns puts names into another order every time.
func turns(round int, names ...string) []string {
	if round%2 == 1 {
		slices.Reverse(names)
	}
	return names
}

func timeOf(f func()) time.Duration {
	syscall.Sync() // what was copied is not to be written in somebody's time
	start := time.Now()
	f()
	return time.Since(start)
}

func middle(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// some chooses versions that have together about most files.
func some(t *testing.T, source string, most int64) (chosen []module.Version, files int64) {
	h := &house{t: t, cache: source}
	for _, v := range h.scan().Versions {
		if v.State == modcache.Whole && files+v.Files <= most && v.Files > 20 {
			chosen = append(chosen, v.Version)
			files += v.Files
		}
	}
	return chosen, files
}

func copyVersions(t *testing.T, source, to string, chosen []module.Version) {
	must(t, os.MkdirAll(to, 0o777))
	var args []string
	for _, m := range chosen {
		path, err := module.EscapePath(m.Path)
		must(t, err)
		version, err := module.EscapeVersion(m.Version)
		must(t, err)
		args = append(args, path+"@"+version)
		for _, suffix := range []string{".zip", ".ziphash", ".info", ".mod"} {
			args = append(args, "cache/download/"+path+"/@v/"+version+suffix)
		}
	}
	for part := range slices.Chunk(args, 500) {
		cmd := exec.Command("cp", append([]string{"-a", "--parents", "-t", to}, part...)...)
		cmd.Dir = source
		if out, err := cmd.CombinedOutput(); err != nil && !strings.Contains(string(out), "No such file") {
			t.Fatalf("cp: %v\n%s", err, out)
		}
	}
}

// makeCache makes up versions like those of real modules: a few hundred files in
// folders of ten, some kilobytes each.
func makeCache(t *testing.T, root string, files int) {
	text := strings.Repeat("package x // some kilobytes of code\n", 100)
	for i := 0; i*300 < files; i++ {
		path, version := fmt.Sprintf("example.com/group%d/m%d", i%9, i), "v1.0.0"
		download := filepath.Join(root, "cache", "download", path, "@v")
		must(t, os.MkdirAll(download, 0o777))
		for _, suffix := range []string{".zip", ".ziphash", ".info", ".mod"} {
			must(t, os.WriteFile(filepath.Join(download, version+suffix), []byte("PK\x05\x06"+strings.Repeat("\x00", 18)), 0o644))
		}
		for j := range 300 {
			file := filepath.Join(root, path+"@"+version, fmt.Sprintf("d%d", j/60), fmt.Sprintf("e%d", j/10), fmt.Sprintf("f%d.go", j))
			must(t, os.MkdirAll(filepath.Dir(file), 0o777))
			must(t, os.WriteFile(file, []byte(text), 0o444))
		}
		must(t, filepath.WalkDir(filepath.Join(root, path+"@"+version), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(path, 0o555)
			}
			return err
		}))
	}
}
