package deps

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/sealed"
	"gpx/cachectl/internal/walk"
)

// filled is a Memo with something of every kind in it.
func filled() *Memo {
	m := &Memo{}
	m.use("/cache")
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
		if !reflect.DeepEqual(r, m.by[a]) || got.cache != m.cache || got.goroot != m.goroot || !reflect.DeepEqual(got.stdlib, m.stdlib) {
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
