package modcache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStatesAreWhatTheGoCommandMakesOfThem takes parts of a version out of a
// real cache, and asks the real go command what is left of it: whether it takes
// the tree as it is, and whether it can do without the network.
func TestStatesAreWhatTheGoCommandMakesOfThem(t *testing.T) {
	from := newPlayground(t)
	remove := func(suffixes ...string) func(*playground) {
		return func(p *playground) {
			for _, suffix := range suffixes {
				if suffix == "tree" {
					p.remove(p.tree(""))
				} else {
					p.remove(p.file(suffix))
				}
			}
		}
	}
	tests := []struct {
		name   string
		damage func(*playground)
		want   State
		tree   bool // go list -m takes the tree
		works  bool // go mod download works with GOPROXY=off
	}{
		{"as it came", func(*playground) {}, Whole, true, true},
		{"no tree", remove("tree"), Unextracted, false, true},
		{"no tree, no .ziphash", remove("tree", "ziphash"), Unextracted, false, true},
		{"no zip", remove("zip"), TreeOnly, true, false},
		{"no .ziphash", remove("ziphash"), Partial, false, true},
		{"no zip, no .ziphash", remove("zip", "ziphash"), Partial, false, false},
		{"no zip, no tree", remove("zip", "tree"), Partial, false, false},
		{"no zip, no .ziphash, no tree", remove("zip", "ziphash", "tree"), ModOnly, false, false},
		{"a .partial", func(p *playground) { p.write(p.file("partial"), "") }, Partial, false, true},
		{"a zip that was cut", func(p *playground) {
			p.edit(p.file("zip"), func(zip []byte) []byte { return zip[:len(zip)-1] })
		}, Damaged, true, true},
		{"a file instead of the tree", func(p *playground) {
			p.remove(p.tree(""))
			p.write(p.tree(""), "")
		}, Damaged, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := from.play(t)
			test.damage(p)
			inv := scanOf(t, p.root, ScanOptions{})
			checkSums(t, inv)
			i := slices.IndexFunc(inv.Versions, func(v Version) bool { return v.Version == victim })
			if i < 0 || inv.Versions[i].State != test.want {
				t.Errorf("it is %+v, want %s", inv.Versions[max(i, 0)], test.want)
			}
			var listed struct{ Dir string }
			out, err := p.run(t.Context(), []string{"GOPROXY=off"}, "go", "list", "-m", "-json", victim.Path)
			if err != nil {
				t.Fatalf("go list: %v\n%s", err, out)
			}
			if err := json.Unmarshal([]byte(out), &listed); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if took := listed.Dir != ""; took != test.tree {
				t.Errorf("go list -m takes the tree: %v, want %v", took, test.tree)
			}
			out, err = p.run(t.Context(), []string{"GOPROXY=off"}, "go", "mod", "download", victim.String())
			if (err == nil) != test.works {
				t.Errorf("go mod download without a proxy works: %v, want %v\n%s", err == nil, test.works, out)
			}
		})
	}
}

// TestTheRealCacheIsAllThere compares a scan with what the go command says that
// it downloaded.
func TestTheRealCacheIsAllThere(t *testing.T) {
	p := newPlayground(t)
	inv := scanOf(t, p.root, ScanOptions{Report: func(progress Progress) {
		// What stands in the zips is what was extracted.
		if progress.Phase == Estimating && progress.Inventory != nil {
			bytes, files := findSum(t, p.root)
			if inv := progress.Inventory; inv.Bytes != bytes || inv.Files != files || inv.Exact {
				t.Errorf("by central directories %d bytes in %d files, exact %v; find counts %d in %d", inv.Bytes, inv.Files, inv.Exact, bytes, files)
			}
		}
	}})
	checkSums(t, inv)
	cmd := exec.Command("go", "mod", "download", "-json", "all")
	cmd.Dir, cmd.Env = p.project, append(p.environ, "GOPROXY=off")
	out, err := cmd.Output()
	check(t, err)
	want, got := map[string]string{}, map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version, Dir, Zip string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(m.Zip)
		check(t, err)
		size, files := findSum(t, m.Dir)
		want[m.Path+"@"+m.Version] = fmt.Sprintf("whole, zip of %d, tree of %d in %d files", info.Size(), size, files)
	}
	for _, v := range inv.Versions {
		if v.Zip {
			got[v.Path+"@"+v.Version.Version] = fmt.Sprintf("%s, zip of %d, tree of %d in %d files", v.State, v.ZipBytes, v.DirBytes, v.Files)
		}
	}
	if d := cmp.Diff(want, got); d != "" || len(want) < 3 {
		t.Error(d)
	}
	if real, err := filepath.EvalSymlinks(p.root); err != nil || inv.Dir != real {
		t.Errorf("%s, %v, want %s", inv.Dir, err, real)
	}
}
