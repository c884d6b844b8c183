package story

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeps plays the job of the Deps view on the real program: see what is missing
// and who has it, fetch, prove, salvage from another module cache, vendor.
func TestDeps(t *testing.T) {
	needs(t, "tmux", "git")
	for _, size := range []struct{ w, h int }{{120, 36}, {80, 24}} {
		t.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(t *testing.T) {
			t.Parallel()
			tellOfDeps(t, size.w, size.h)
		})
	}
}

func tellOfDeps(t *testing.T, w, h int) {
	b := newBox(t, "|")
	b.goes("mod", "download", "all")
	cache := filepath.Join(b.Getenv("HOME"), "go", "pkg", "mod")
	term := b.open(w, h, looks[0])
	term.says("OK")
	term.press("4")
	term.shows("[4 Deps]", "OFFLINE BUILD: ✓ YES", "lab.example.com/gamma", "✓ ready")

	// A version goes: the view says so, why, and who has it.
	lose(t, cache, "lab.example.com/gamma", "v0.3.0")
	term.press("r")
	term.shows("OFFLINE BUILD: ✗ NO", "go build ./... stops: lab.example.com/gamma@v0.3.0", "✗ MISSING", "127.0.0.1")
	if ok, _ := b.offline(); ok {
		t.Error("the go command builds without gamma")
	}
	term.press("Enter")
	term.shows("primary  has it", ".zip ✗", "go.sum ✓", "fetches all that is missing")
	term.press("Escape")
	term.shows("lab.example.com/delta/v2")
	term.press("w")
	term.shows("Why lab.example.com/gamma@v0.3.0")
	term.press("Escape")
	term.gone("Why lab.example.com/gamma@v0.3.0")

	// Fetch: from whom first, nothing before y.
	tree := filepath.Join(cache, "lab.example.com", "gamma@v0.3.0")
	term.press("F")
	term.shows("Fetch 1 module version?", "lab.example.com/gamma@v0.3.0")
	if exists(tree) {
		t.Fatal("it was fetched before anybody agreed")
	}
	term.press("y")
	term.shows("fetched 1 module version", "OFFLINE BUILD: ✓ YES")
	term.press("u")
	term.shows("undo: fetch 1 module version", "type apply") // the undo keeps nothing
	term.types("apply")
	term.press("Enter")
	term.shows("taken back", "OFFLINE BUILD: ✗ NO")
	term.press("F")
	term.shows("Fetch 1 module version?")
	term.press("y")
	term.shows("fetched 1 module version", "OFFLINE BUILD: ✓ YES")
	if ok, said := b.offline(); !ok {
		t.Errorf("the go command does not build after the fetch: %s", said)
	}

	// Prove: the go command itself.
	term.press("O")
	term.shows("go build and go test work without a network", "go build", "✓ works")
	term.press("Escape")
	term.gone("✓ works")

	// Salvage: another module cache has what is gone.
	old := filepath.Join(b.Dir, "old", "pkg", "mod", "cache", "download")
	must(t, os.CopyFS(filepath.Join(old, "lab.example.com"), os.DirFS(filepath.Join(cache, "cache", "download", "lab.example.com"))))
	lose(t, cache, "lab.example.com/beta", "v1.0.0")
	term.press("r")
	term.shows("OFFLINE BUILD: ✗ NO", "lab.example.com/beta@v1.0.0")
	term.press("S")
	term.shows("Salvage", "other module caches")
	term.types(filepath.Join(b.Dir, "old"))
	term.press("Enter")
	term.shows("salvage 1 module version", "Apply (y)")
	term.press("y")
	term.shows("u takes it back", "OFFLINE BUILD: ✓ YES")
	if ok, said := b.offline(); !ok {
		t.Errorf("the go command does not build after the salvage: %s", said)
	}
	if said := b.goes("mod", "verify"); !strings.Contains(said, "all modules verified") {
		t.Errorf("go mod verify after the salvage: %s", said)
	}

	// Vendor.
	term.press("v")
	term.shows("Vendor the project?")
	term.press("y")
	term.shows("vendored: go mod vendor", "✓ vendored")
	if !exists(filepath.Join(b.Project, "vendor", "modules.txt")) {
		t.Error("there is no vendor folder")
	}

	// Broken: the view stands, with file and line.
	gomod := filepath.Join(b.Project, "go.mod")
	data, err := os.ReadFile(gomod)
	must(t, err)
	must(t, os.WriteFile(gomod, append(data, "\nreqire x\n"...), 0o644))
	term.press("r")
	term.shows("OFFLINE BUILD: ✗ NO", "go.mod:", "unknown directive")
	term.press("q")
	if status := term.exited(); status != "0" {
		t.Errorf("status %s after q", status)
	}
	term.checkRaw()
}

// offline says whether go build works without a network, and what it said.
func (b *box) offline() (ok bool, said string) {
	b.t.Helper()
	_, stderr, status := run(b.t, b.Project, append(b.environ[:len(b.environ):len(b.environ)], "GOPROXY=off"), "go", "build", "-o", os.DevNull, "./...")
	return status == 0, stderr
}

// lose removes all that a module cache has of a version.
func lose(t *testing.T, cache, path, version string) {
	t.Helper()
	tree := filepath.Join(cache, filepath.FromSlash(path)+"@"+version)
	must(t, filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		return err
	}))
	must(t, os.RemoveAll(tree))
	files, err := filepath.Glob(filepath.Join(cache, "cache", "download", filepath.FromSlash(path), "@v", version+".*"))
	must(t, err)
	for _, file := range files {
		must(t, os.Remove(file))
	}
}
