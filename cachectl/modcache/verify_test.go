package modcache

import (
	"archive/zip"
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"
)

// A damageTest does one thing to a cache that the go command filled.
type damageTest struct {
	name   string
	do     func(p *playground)
	want   []Damage
	by     proofBy // who vouches
	mend   string  // how the command begins that mends the first one
	net    bool    // mending takes a proxy
	detail string  // part of the first one's detail
	hangs  bool    // the go command reads a pipe, for ever
}

type proofBy int

const (
	nobody proofBy = iota
	goSum
	database
)

const otherHash = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func damageTests() []damageTest {
	changed := func() map[string]string {
		files := victimFiles()
		files["victim.go"] = "package victim // not what the author published\n"
		return files
	}
	// foreign makes the whole version another one, as if it had come so.
	foreign := func(p *playground) {
		zip, hash := p.other(changed())
		p.write(p.file("zip"), zip)
		p.write(p.file("ziphash"), hash)
		p.write(p.tree("victim.go"), changed()["victim.go"])
	}
	unextracted := func(p *playground) { p.remove(p.tree("")) }
	evil := func(name string) func(p *playground) {
		return func(p *playground) {
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			for _, n := range []string{victim.Path + "@" + victim.Version + "/go.mod", name} {
				f, err := w.Create(n)
				check(p.t, err)
				f.Write([]byte("module lab.example.com/Victim\n\ngo 1.21\n"))
			}
			check(p.t, w.Close())
			p.write(p.file("zip"), b.String())
			hash, err := dirhash.HashZip(p.file("zip"), dirhash.Hash1)
			check(p.t, err)
			p.write(p.file("ziphash"), hash)
			unextracted(p)
		}
	}
	inner := victim.Path + "@" + victim.Version + "/"
	swap := func(suffix, text string) func(p *playground) {
		return func(p *playground) { p.write(p.file(suffix), text) }
	}
	list := []damageTest{
		{name: "nothing"},
		{name: "nothing, by go.sum", by: goSum},
		{name: "nothing, by the database", by: database},
		{name: "not unpacked yet", do: unextracted},
		{name: "a tree without its zip", do: func(p *playground) { p.remove(p.file("zip")) }},
		{name: "no .info", do: func(p *playground) { p.remove(p.file("info")) }},
		{name: "an empty folder more", do: func(p *playground) { check(p.t, os.Mkdir(p.tree("empty"), 0o777)) }},

		{name: "zip cut in the middle", do: func(p *playground) {
			p.edit(p.file("zip"), func(b []byte) []byte { return b[:len(b)/2] })
		}, want: []Damage{ZipTruncated}, mend: "rm "},
		{name: "zip cut at its last byte", do: func(p *playground) {
			p.edit(p.file("zip"), func(b []byte) []byte { return b[:len(b)-1] })
		}, want: []Damage{ZipTruncated}, mend: "rm "},
		{name: "zip emptied", do: swap("zip", ""), want: []Damage{ZipTruncated}, mend: "rm "},
		{name: "zip cut, and there is no tree", do: func(p *playground) {
			p.edit(p.file("zip"), func(b []byte) []byte { return b[:len(b)/2] })
			unextracted(p)
		}, want: []Damage{ZipTruncated}, mend: "gpx cache prune ", net: true},
		{name: "a byte of the zip's content", do: func(p *playground) { p.edit(p.file("zip"), flipMiddle) }, want: []Damage{ZipChanged}, mend: "rm "},
		{name: "a sound zip with other content", do: func(p *playground) {
			zip, _ := p.other(changed())
			p.write(p.file("zip"), zip)
		}, want: []Damage{ZipChanged}, mend: "rm "},
		{name: "the same, by go.sum", by: goSum, do: func(p *playground) {
			zip, _ := p.other(changed())
			p.write(p.file("zip"), zip)
		}, want: []Damage{ZipChanged}, mend: "rm "},
		{name: "text in the place of the zip", do: swap("zip", "<html>"), want: []Damage{ZipInvalid}, mend: "rm "},
		{name: "a folder in the place of the zip", do: func(p *playground) {
			p.remove(p.file("zip"))
			check(p.t, os.Mkdir(p.file("zip"), 0o777))
		}, want: []Damage{ZipInvalid}, mend: "rm -r "},
		{name: "a zip that leads out of its module", do: evil(inner + "../../evil"), want: []Damage{ZipInvalid}, mend: "gpx cache prune ", net: true, detail: "evil"},
		{name: "a zip with an absolute name", do: evil("/etc/passwd"), want: []Damage{ZipInvalid}, mend: "gpx cache prune ", net: true},
		{name: "a zip of another module", do: evil("example.com/other@v1.0.0/x.go"), want: []Damage{ZipInvalid}, mend: "gpx cache prune ", net: true},
		{name: "a zip whose names lack their module", do: func(p *playground) {
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			for _, name := range slices.Sorted(maps.Keys(victimFiles())) {
				f, err := w.Create(name)
				check(p.t, err)
				f.Write([]byte(victimFiles()[name]))
			}
			check(p.t, w.Close())
			p.write(p.file("zip"), b.String())
		}, want: []Damage{ZipInvalid}, mend: "rm "},
		{name: "a zip with a name twice", do: evil(inner + "go.mod"), want: []Damage{ZipInvalid}, mend: "gpx cache prune ", net: true},
		{name: "a zip with terminal escapes in a name", do: evil(inner + "a\x1b]0;x\x07b"), want: []Damage{ZipInvalid}, mend: "gpx cache prune ", net: true},

		{name: "the hash of something else", do: swap("ziphash", otherHash), want: []Damage{ZipHashChanged}, mend: "rm "},
		{name: "the same, by go.sum, not unpacked", by: goSum, do: func(p *playground) {
			p.write(p.file("ziphash"), otherHash)
			unextracted(p)
		}, want: []Damage{ZipHashChanged}, mend: "rm "},
		{name: "zip or hash, and nobody can tell", do: func(p *playground) {
			p.write(p.file("ziphash"), otherHash)
			unextracted(p)
		}, want: []Damage{ZipChanged}, mend: "gpx cache prune ", net: true, detail: "nothing else here can tell"},
		{name: "no hash in .ziphash", do: swap("ziphash", "hello\n"), want: []Damage{ZipHashInvalid}, mend: "rm "},
		{name: "an empty .ziphash", do: swap("ziphash", ""), want: []Damage{ZipHashInvalid}, mend: "rm "},
		{name: "another kind of hash", do: swap("ziphash", "h2:x"), want: []Damage{ZipHashInvalid}, mend: "rm "},
		{name: "no .ziphash", do: func(p *playground) { p.remove(p.file("ziphash")) }, want: []Damage{ZipHashMissing}, mend: "go mod download "},
		{name: "a .ziphash alone", do: func(p *playground) { p.remove(p.file("zip"), p.tree("")) }, want: []Damage{ZipMissing}, mend: "go mod download ", net: true},

		{name: "a changed file", do: func(p *playground) { p.edit(p.tree("victim.go"), flip(3)) }, want: []Damage{TreeChanged}, mend: "touch ", detail: "victim.go"},
		{name: "a changed file, by the database", by: database, do: func(p *playground) { p.edit(p.tree("victim.go"), flip(3)) }, want: []Damage{TreeChanged}, mend: "touch "},
		{name: "the last byte of a large file", do: func(p *playground) {
			p.edit(p.tree("data/blob"), func(b []byte) []byte { return flip(len(b) - 1)(b) })
		}, want: []Damage{TreeChanged}, mend: "touch "},
		{name: "a longer file", do: func(p *playground) { p.edit(p.tree("victim.go"), func(b []byte) []byte { return append(b, '\n') }) }, want: []Damage{TreeChanged}, mend: "touch "},
		{name: "a longer file, that was empty", do: swapTree("sub/empty", "x"), want: []Damage{TreeChanged}, mend: "touch ", detail: "sub/empty"},
		{name: "an emptied file", do: swapTree("victim.go", ""), want: []Damage{TreeChanged}, mend: "touch "},
		{name: "a changed go.mod", do: swapTree("go.mod", "module x\n"), want: []Damage{TreeChanged}, mend: "touch "},
		{name: "a file more", do: swapTree("zzz.go", "package victim\n"), want: []Damage{TreeExtra}, mend: "touch ", detail: "zzz.go"},
		{name: "a file more, in a folder more", do: swapTree("new/.hidden", ""), want: []Damage{TreeExtra}, mend: "touch ", detail: "new/.hidden"},
		{name: "a file less", do: func(p *playground) { p.remove(p.tree("LICENSE")) }, want: []Damage{TreeMissing}, mend: "touch ", detail: "LICENSE"},
		{name: "a folder less", do: func(p *playground) { p.remove(p.tree("sub")) }, want: []Damage{TreeMissing}, mend: "touch ", detail: "sub/empty, sub/sub.go"},
		{name: "an empty tree", do: func(p *playground) {
			p.remove(p.tree(""))
			check(p.t, os.MkdirAll(p.tree(""), 0o777))
		}, want: []Damage{TreeMissing}, mend: "touch ", detail: "and 2 more"},
		{name: "a renamed file", do: func(p *playground) { check(p.t, os.Rename(p.tree("LICENSE"), p.tree("COPYING"))) }, want: []Damage{TreeMissing, TreeExtra}, mend: "touch "},
		{name: "a changed file, and no zip", do: func(p *playground) {
			p.edit(p.tree("victim.go"), flip(3))
			p.remove(p.file("zip"))
		}, want: []Damage{TreeChanged}, mend: "gpx cache prune ", net: true, detail: "no sound zip"},
		{name: "zip and tree changed, by go.sum", by: goSum, do: func(p *playground) {
			p.edit(p.file("zip"), flipMiddle)
			p.edit(p.tree("LICENSE"), flip(3))
		}, want: []Damage{ZipChanged, TreeChanged}, mend: "gpx cache prune ", net: true},
		{name: "not unpacked to its end", do: func(p *playground) {
			p.write(p.file("partial"), "")
			p.remove(p.tree("LICENSE"))
		}, want: []Damage{TreePartial}, mend: "go mod download "},
		{name: "a file in the place of the tree", do: func(p *playground) {
			p.remove(p.tree(""))
			p.write(strings.TrimSuffix(p.tree(""), string(filepath.Separator)), "x")
		}, want: []Damage{TreeInvalid}, mend: "rm "},

		{name: "a changed .mod", do: swap("mod", "module lab.example.com/Victim\n"), want: []Damage{ModChanged}, mend: "cp "},
		{name: "a changed .mod, by go.sum", by: goSum, do: swap("mod", "module lab.example.com/Victim\n"), want: []Damage{ModChanged}, mend: "cp "},
		{name: "a changed .mod, by the database", by: database, do: swap("mod", ""), want: []Damage{ModChanged}, mend: "cp "},
		{name: "a changed .mod, and no zip", by: goSum, do: func(p *playground) {
			p.write(p.file("mod"), "module lab.example.com/Victim\n")
			p.remove(p.file("zip"))
		}, want: []Damage{ModChanged}, mend: "rm ", net: true},
		{name: "no .mod", do: func(p *playground) { p.remove(p.file("mod")) }, want: []Damage{ModMissing}, mend: "cp "},
		{name: "no .mod, and none was asked for", do: func(p *playground) {
			p.remove(p.file("mod"), filepath.Join(filepath.Dir(p.file("mod")), "list"))
		}},
		{name: "an .info that is no JSON", do: swap("info", "<html>"), want: []Damage{InfoInvalid}, mend: "rm "},
		{name: "an .info of another version", do: swap("info", `{"Version":"v1.0.0"}`), want: []Damage{InfoInvalid}, mend: "rm "},
		{name: "an empty .info", do: swap("info", ""), want: []Damage{InfoInvalid}, mend: "rm "},

		{name: "another version came, and nobody knows", do: foreign},
		{name: "another version came, by go.sum", by: goSum, do: foreign, want: []Damage{SumMismatch}, mend: "gpx cache prune ", net: true},
		{name: "another version came, by the database", by: database, do: foreign, want: []Damage{SumDBMismatch}, mend: "gpx cache prune ", net: true},
		{name: "another version came, not unpacked", by: goSum, do: func(p *playground) { foreign(p); unextracted(p) }, want: []Damage{SumMismatch}, mend: "gpx cache prune ", net: true},
		{name: "another version came, without its zip", by: database, do: func(p *playground) { foreign(p); p.remove(p.file("zip")) }, want: []Damage{SumDBMismatch}, mend: "gpx cache prune ", net: true},
	}
	if runtime.GOOS == "windows" {
		return list
	}
	return append(list,
		damageTest{name: "a link to the same content", do: func(p *playground) {
			copied := filepath.Join(p.dir, "copied")
			p.write(copied, p.read(p.tree("LICENSE")))
			p.remove(p.tree("LICENSE"))
			check(p.t, os.Symlink(copied, p.tree("LICENSE")))
		}, want: []Damage{TreeChanged}, mend: "touch ", detail: "LICENSE"},
		damageTest{name: "the tree is a link", do: func(p *playground) {
			tree, moved := strings.TrimSuffix(p.tree(""), "/"), filepath.Join(p.dir, "moved")
			check(p.t, os.Rename(tree, moved))
			check(p.t, os.Symlink(moved, tree))
		}, want: []Damage{TreeInvalid}, mend: "rm "},
		damageTest{name: "a zip that cannot be opened", do: func(p *playground) {
			p.remove(p.file("zip"))
			check(p.t, os.Symlink(p.file("zip"), p.file("zip")))
		}, want: []Damage{Unreadable}, mend: "rm "},
		damageTest{name: "a pipe in the tree", do: func(p *playground) { makePipe(p.t, p.tree("pipe")) }, hangs: true, want: []Damage{TreeExtra}, mend: "touch ", detail: "pipe"},
		damageTest{name: "a pipe in the place of a file", do: func(p *playground) {
			p.remove(p.tree("LICENSE"))
			makePipe(p.t, p.tree("LICENSE"))
		}, hangs: true, want: []Damage{TreeChanged}, mend: "touch "},
		damageTest{name: "a pipe in the place of .mod", do: func(p *playground) {
			p.remove(p.file("mod"))
			makePipe(p.t, p.file("mod"))
		}, hangs: true, want: []Damage{Unreadable}, mend: "rm ", net: true},
		damageTest{name: "a folder in the place of .info", do: func(p *playground) {
			p.remove(p.file("info"))
			check(p.t, os.Mkdir(p.file("info"), 0o777))
		}, want: []Damage{Unreadable}, mend: "rm -r "},
	)
}

func flipMiddle(b []byte) []byte { return flip(len(b) / 3)(b) }

func swapTree(name, text string) func(p *playground) {
	return func(p *playground) { p.write(p.tree(name), text) }
}

// options are what the test's prover knows.
func (d *damageTest) options(p *playground) VerifyOptions {
	switch d.by {
	case goSum:
		return VerifyOptions{Sums: p.sums()}
	case database:
		return VerifyOptions{Lookup: p.lookup()}
	}
	return VerifyOptions{}
}

// Every damage is found, has its name, and is mended by the command that is
// given for it; where that says so, without a network. The real go command is
// the judge of all three: what it refuses is damaged, and what was mended is
// whole for it.
func TestDamages(t *testing.T) {
	whole := newPlayground(t)
	for i, d := range damageTests() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			p := whole.play(t)
			if d.do != nil {
				d.do(p)
			}
			r := p.verify(d.options(p))
			if got := whats(r.Bad); !slices.Equal(got, d.want) {
				t.Fatalf("found %v, want %v\n%v", got, d.want, lines(r.Bad))
			}
			if r.Checked != r.OK+min(len(d.want), 1) {
				t.Errorf("%d were checked, %d are ok", r.Checked, r.OK)
			}
			for _, b := range r.Bad {
				if b.Module() != victim || b.Mend == "" || b.Effect == "" {
					t.Errorf("%+v", b)
				}
				if s := b.String(); strings.ContainsAny(s, "\x1b\x07\n") {
					t.Errorf("not one clean line: %q", s)
				}
			}
			if len(r.Bad) > 0 && (!strings.HasPrefix(r.Bad[0].Mend, d.mend) || !strings.Contains(r.Bad[0].Detail, d.detail)) {
				t.Errorf("got %q, mended by %q", r.Bad[0].Detail, r.Bad[0].Mend)
			}
			// Each takes three go commands; a part of them is enough every day.
			if d.do == nil || !system() && i%5 != 0 {
				return
			}
			if !d.hangs {
				p.compare(d, r)
			}
			p.mend(d, r)
		})
	}
}

// compare asks go mod verify.
func (p *playground) compare(d damageTest, r VerifyResult) {
	p.t.Helper()
	out, err := p.run(p.t.Context(), []string{"GOPROXY=off"}, "go", "mod", "verify")
	if err != nil && len(r.Bad) == 0 && !strings.Contains(out, "module lookup disabled") {
		p.t.Errorf("nothing was found, but go mod verify says: %s", out)
	}
}

// mend does what is advised, and has the go command use the version.
func (p *playground) mend(d damageTest, r VerifyResult) {
	t := p.t
	t.Helper()
	if len(r.Bad) == 0 || d.mend == "" {
		return
	}
	needsShell(t)
	done := map[string]bool{}
	for _, b := range r.Bad {
		if done[b.Mend] {
			continue
		}
		done[b.Mend] = true
		if b.Mend == "gpx cache prune "+target(victim) {
			p.prune()
			continue
		}
		if out, err := p.run(t.Context(), nil, "sh", "-c", b.Mend); err != nil {
			t.Fatalf("%s: %v\n%s", b.Mend, err, out)
		}
	}
	proxy := []string{"GOPROXY=off"}
	if d.net {
		proxy = nil
	}
	if out, err := p.run(t.Context(), proxy, "go", "list", "-deps", "./..."); err != nil {
		t.Fatalf("after %q the go command fails: %v\n%s", r.Bad[0].Mend, err, out)
	}
	if again := p.verify(VerifyOptions{Sums: p.sums(), Lookup: p.lookup()}); len(again.Bad) > 0 {
		t.Errorf("after %q there is still %v", r.Bad[0].Mend, lines(again.Bad))
	}
}

func whats(bad []Bad) []Damage {
	var list []Damage
	for _, b := range bad {
		list = append(list, b.What)
	}
	return list
}

func lines(bad []Bad) []string {
	var list []string
	for _, b := range bad {
		list = append(list, b.String())
	}
	return list
}

// Every damage of the table of words is one that a test has produced.
func TestDamageWords(t *testing.T) {
	met := map[Damage]bool{}
	for _, d := range damageTests() {
		for _, w := range d.want {
			met[w] = true
		}
	}
	for _, row := range damages {
		if !met[row.damage] {
			t.Errorf("no test produces %s", row.damage)
		}
	}
	if len(met) != len(damages) {
		t.Errorf("%d damages have words, %d are produced: %v", len(damages), len(met), slices.Sorted(maps.Keys(met)))
	}
}
