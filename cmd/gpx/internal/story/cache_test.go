package story

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCaches goes through what the screen does with the caches, with the real go
// command beside it: look, prune to the trash, undo, verify, mend, export,
// import.
func TestCaches(t *testing.T) {
	needs(t, "tmux", "git")
	for _, size := range []struct{ w, h int }{{120, 36}, {80, 24}} {
		t.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(t *testing.T) {
			t.Parallel()
			tellOfCaches(t, size.w, size.h)
		})
	}
}

const spare = "lab.example.com/big" // what the box's project does not need

func tellOfCaches(t *testing.T, w, h int) {
	b := newBox(t, ",")
	// The screen looks into the build cache: this box has its own.
	b.environ = append(b.environ, "GOCACHE="+filepath.Join(b.Dir, "gocache"))
	b.goes("mod", "download", "all")
	b.goes("mod", "download", spare+"@v1.0.0")
	cache := filepath.Join(b.Getenv("HOME"), "go", "pkg", "mod")
	tree := filepath.Join(cache, filepath.FromSlash(spare)+"@v1.0.0")
	before := listing(t, cache)
	term := b.open(w, h, looks[0])
	term.says("OK")

	// Look: what is there, who needs it, who else has it.
	term.press("3")
	frame := term.shows("[3 Cache]", "lab.example.com/gamma", spare, "safe", "keep")
	wants(t, frame, "GOMODCACHE", "GOCACHE", "versions of")
	term.types("/lab.example.com/big")
	term.shows("1 module")
	term.press("Enter")
	term.shows("primary has it")
	term.press("Enter")
	term.shows("VERSION", "v1.0.0", "whole")
	term.press("Escape")
	term.shows("MODULE")

	// Prune to the trash: the plan first, nothing before y.
	term.press("Space")
	term.shows("1 marked")
	term.press("P")
	term.shows("Prune the module cache", "marked: 1 version", "to the trash")
	term.press("Enter")
	term.shows("prune "+spare+"@v1.0.0", "Apply (y)")
	if !exists(tree) {
		t.Fatal("the version went before anybody agreed")
	}
	term.press("y")
	term.shows("u takes it back")
	if exists(tree) {
		t.Error("the version is still there")
	}
	if said := b.goes("mod", "verify"); !strings.Contains(said, "all modules verified") {
		t.Errorf("go mod verify beside the trash: %s", said)
	}

	// Undo: file by file what was there.
	term.press("u")
	term.shows("undo: prune", "Apply (y)")
	term.press("y")
	term.shows("taken back")
	if after := listing(t, cache); !slices.Equal(after, before) {
		t.Errorf("after undo the cache holds\n%s\nand held\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	term.press("Escape") // the filter
	term.shows("lab.example.com/gamma")

	// Verify: a changed file is found, with the command that mends it.
	damage(t, filepath.Join(cache, "lab.example.com", "gamma@v0.3.0"))
	verify := func() {
		term.press("v")
		term.shows("Verify the module cache")
		term.press("Right") // everything
		term.shows("[everything]")
		term.press("Enter")
	}
	verify()
	term.shows("1 damaged", "DAMAGED", "files of the tree were changed: gamma.go", "Mend       touch ")
	b.mends()
	verify()
	term.shows("all whole")
	term.gone("DAMAGED")

	// Export, lose everything, import: the go command builds on with no network.
	bundle := filepath.Join(b.Dir, "bundle.tar.zst")
	term.press("e")
	term.shows("Export", "everything")
	term.types("whole module cache")
	term.press("Enter")
	term.shows("Export everything", "gpx-bundle.tar.zst")
	term.press("C-u")
	term.types(bundle)
	term.press("Enter")
	term.shows("exported")
	term.press("Escape") // what there is to know about it
	b.goes("clean", "-modcache")
	term.press("r")
	term.shows("the module cache is empty")
	term.press("i")
	term.shows("Import")
	term.types(bundle)
	term.press("Enter")
	term.shows("are new", "Apply (y)")
	term.press("y")
	term.shows("u takes it back", "lab.example.com/gamma")
	b.environ = append(b.environ, "GOPROXY=off")
	b.goes("mod", "download", "all")
	if said := b.goes("mod", "verify"); !strings.Contains(said, "all modules verified") {
		t.Errorf("go mod verify after the import: %s", said)
	}

	term.press("b")
	term.shows("BUILD CACHE", "b: modules")
	term.press("q")
	if status := term.exited(); status != "0" {
		t.Errorf("status %s after q", status)
	}
	term.checkRaw()
}

// goes runs the go command, which has to go well, and returns what it said.
func (b *box) goes(args ...string) string {
	b.t.Helper()
	stdout, stderr, status := b.run("go", args...)
	if status != 0 {
		b.t.Fatalf("go %s: status %d\n%s%s", strings.Join(args, " "), status, stdout, stderr)
	}
	return stdout + stderr
}

// mends does what gpx says mends the only damage in the cache.
func (b *box) mends() {
	b.t.Helper()
	stdout, stderr, _ := b.run(gpx, "cache", "verify", "--json")
	var found struct{ Bad []struct{ Mend string } }
	must(b.t, json.Unmarshal([]byte(stdout), &found))
	if len(found.Bad) != 1 {
		b.t.Fatalf("gpx cache verify found %d damages:\n%s%s", len(found.Bad), stdout, stderr)
	}
	if _, stderr, status := b.run("sh", "-c", found.Bad[0].Mend); status != 0 {
		b.t.Fatalf("%s: %s", found.Bad[0].Mend, stderr)
	}
	b.goes("mod", "download", "all")
}

// listing is every file and folder of a cache with mode and size, but for locks
// and the trash.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == "gpx-trash" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil || strings.HasSuffix(path, ".lock") || d.Name() == "lock" {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if info.IsDir() {
			out = append(out, fmt.Sprint(info.Mode(), " ", rel))
		} else {
			out = append(out, fmt.Sprint(info.Mode(), " ", info.Size(), " ", rel))
		}
		return err
	}))
	return out
}

// damage changes a file of an extracted tree.
func damage(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	must(t, err)
	if len(files) == 0 {
		t.Fatalf("no files in %s", dir)
	}
	must(t, os.Chmod(files[0], 0o644))
	data, err := os.ReadFile(files[0])
	must(t, err)
	must(t, os.WriteFile(files[0], append(data, "// changed\n"...), 0o644))
}
