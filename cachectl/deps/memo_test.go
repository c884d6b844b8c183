package deps

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/sealed"
	"gpx/cachectl/internal/walk"
)

// filled is a Memo with something of every kind in it.
func filled() *Memo {
	m := &Memo{}
	m.use("/cache")
	m.folders = map[localFolder]string{{"/src", "linux"}: "packed"}
	m.goroot, m.stdlib, m.changed = "/go", map[string]bool{"fmt": true, "none": false}, true
	for _, path := range []string{"lab.example.com/a", "lab.example.com/b"} {
		r := m.record(module.Version{Path: path, Version: "v1.0.0"})
		r.known = true
		r.stamps = [4]stamp{{true, 1 << 40, walk.Stamp{Inode: 1<<64 - 1, MTime: -1, CTime: 1}}, {}, {there: true}, {size: 3}}
		r.found = facts{Parts: Parts{Info: true, Zip: true}, hasHash: true, hash: "h1:x", partial: true}
		r.gomod = modFile{"h1:y", path, "1.22", []module.Version{{Path: "p", Version: "v2.0.0"}}}
		r.packages = map[string]bool{".": true, "docs": false}
		r.imported = map[string]map[string]imports{"linux": {".": {Code: []string{"fmt", path + "/x"}, Tests: []string{"testing"}}, "win": {None: true}}, "plan9": {}}
	}
	return m
}

// What was saved is what is opened, whether a version was asked for in between
// or not.
func TestMemoFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memo")
	m := filled()
	must(t, m.Save(file))
	for range 2 {
		got := OpenMemo(file)
		if len(got.packed) != 2 || len(got.by) != 0 {
			t.Fatalf("%d versions were taken apart, and %d not", len(got.by), len(got.packed))
		}
		a := module.Version{Path: "lab.example.com/a", Version: "v1.0.0"}
		r := got.record(a)
		r.memo = m.by[a].memo
		if !reflect.DeepEqual(r, m.by[a]) || got.cache != m.cache || got.goroot != m.goroot || !reflect.DeepEqual(got.stdlib, m.stdlib) || !reflect.DeepEqual(got.folders, m.folders) {
			t.Errorf("%+v was %+v", r, m.by[a])
		}
		got.changed = true
		must(t, got.Save(file)) // b is still packed
	}
	must(t, os.Remove(file))
	must(t, OpenMemo(file).Save(file))
	if _, err := os.Lstat(file); err == nil {
		t.Error("nothing was remembered, and it was written down")
	}
}

// What a folder of the project imports is remembered until one of its files is
// another one, and not while a file is so new that nobody could tell.
func TestMemoOfFolders(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "memo")
	name := filepath.Join(dir, "a.go")
	old := time.Now().Add(-time.Hour)
	reads := 0
	m := &Memo{}
	m.use("/cache")
	ask := func(target, want string, anew bool) {
		t.Helper()
		before := reads
		got := m.inFolder(localFolder{dir, target}, func() imports { reads++; return imports{Code: []string{want}} })
		if !reflect.DeepEqual(got, imports{Code: []string{want}}) || (reads > before) != anew {
			t.Errorf("%+v, read %v; want %s, read %v", got, reads > before, want, anew)
		}
	}
	writeAll(t, map[string]string{name: "package a\n"})
	ask("linux", "fmt", true)
	ask("linux", "os", true) // the file is too new
	must(t, os.Chtimes(name, old, old))
	ask("linux", "fmt", true)
	ask("linux", "fmt", false)
	ask("plan9", "log", true)
	must(t, m.Save(file))
	m = OpenMemo(file)
	ask("linux", "fmt", false)
	ask("plan9", "log", false)
	other := filepath.Join(t.TempDir(), "b.go") // as long, and as old
	writeAll(t, map[string]string{other: "package b\n"})
	must(t, os.Chtimes(other, old, old))
	must(t, os.Rename(other, name))
	ask("linux", "os", true)
	ask("linux", "os", false)
	writeAll(t, map[string]string{filepath.Join(dir, "b.txt"): "x"})
	ask("linux", "os", false)
	must(t, os.Rename(name, filepath.Join(dir, "a_test.go")))
	ask("linux", "io", true)
	must(t, os.Symlink(name, filepath.Join(dir, "c.go")))
	ask("linux", "fmt", true) // nobody looks behind a link
	ask("linux", "fmt", true)
}

// Folders of projects that nobody looks at any more are forgotten when there are
// too many.
func TestMemoForgetsFolders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memo")
	m := filled()
	for i := range maxFolders + 1 {
		set(&m.folders, localFolder{dir: fmt.Sprint(i)}, "x")
	}
	set(&m.seen, localFolder{dir: "7"}, true)
	must(t, m.Save(file))
	if got := OpenMemo(file).folders; len(got) != 1 || got[localFolder{dir: "7"}] != "x" {
		t.Errorf("%d are left", len(got))
	}
}

// A newer toolchain in the place of an older one has other packages.
func TestMemoOfAnotherToolchain(t *testing.T) {
	m, goroot := &Memo{}, t.TempDir()
	if m.std(goroot, "1.22.1", "iter") {
		t.Error("there is no iter, and it was found")
	}
	writeAll(t, map[string]string{filepath.Join(goroot, "src", "iter", "iter.go"): "package iter\n"})
	if m.std(goroot, "1.22.1", "iter") {
		t.Error("what was remembered was looked at again")
	}
	if !m.std(goroot, "1.23.0", "iter") {
		t.Error("the packages of the toolchain before count")
	}
}

// A file that ends too early, or is no Memo at all, is one in which nothing is
// remembered.
func TestMemoFileIsCut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memo")
	must(t, filled().Save(file))
	body, err := sealed.Read(file, memoKind)
	must(t, err)
	for n := range len(body) {
		must(t, sealed.Write(file, sealed.Bytes(memoKind, body[:n])))
		if m := OpenMemo(file); m.cache != "" || len(m.packed) > 0 {
			t.Fatalf("of %d bytes %d were enough: %+v", len(body), n, m)
		}
	}
	packed := filled().record(module.Version{Path: "lab.example.com/a", Version: "v1.0.0"}).pack()
	for n := range len(packed) {
		if r := unpack(packed[:n]); r.known {
			t.Fatalf("of %d bytes %d were enough: %+v", len(packed), n, r)
		}
	}
}

func FuzzMemoRecord(f *testing.F) {
	f.Add(filled().record(module.Version{Path: "lab.example.com/a", Version: "v1.0.0"}).pack())
	f.Fuzz(func(t *testing.T, packed string) { // it must come back, and take no memory that is not there
		r := unpack(packed)
		if again := unpack(r.pack()); !reflect.DeepEqual(again, r) {
			t.Errorf("%+v was %+v", again, r)
		}
	})
}
