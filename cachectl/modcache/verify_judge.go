package modcache

import (
	"slices"
	"strings"

	"gpx/envctl/redact"
)

// A proof is a hash that somebody vouches for.
type proof struct {
	sum string
	by  string // "the checksum database" or "go.sum"
}

// proofs are the hashes of one version that are known from elsewhere.
type proofs struct {
	sums  []string // go.sum's, of the zip; several are alternatives
	mods  []string // go.sum's, of go.mod
	db    string   // the checksum database's, of the zip
	dbMod string   // the checksum database's, of go.mod
}

// zip is what the zip should be: the checksum database knows best, then go.sum.
func (p *proofs) zip(got string) (proof, bool) { return choose(p.db, p.sums, got) }

// mod is what the .mod file should be.
func (p *proofs) mod(got string) (proof, bool) { return choose(p.dbMod, p.mods, got) }

// choose takes the alternative of go.sum that was got, if there is one, as the
// go command does (modfetch.haveModSumLocked). Hashes of other kinds than h1 say
// nothing to it.
func choose(db string, sums []string, got string) (proof, bool) {
	if db != "" {
		return proof{db, "the checksum database"}, true
	}
	h1 := slices.DeleteFunc(slices.Clone(sums), func(s string) bool { return !strings.HasPrefix(s, "h1:") })
	switch {
	case slices.Contains(h1, got):
		return proof{got, "go.sum"}, true
	case len(h1) > 0:
		return proof{h1[0], "go.sum"}, true
	}
	return proof{}, false
}

// A judgement collects the damages of one version.
type judgement struct {
	f   *facts
	p   *proofs
	bad []Bad

	want    proof // of the content; its sum is "" where nobody vouches for any
	zipGood bool  // the zip is there, and nothing speaks against it
	dirGood bool  // the tree is there, and nothing speaks against it
}

// judge makes damages of facts. Where two things contradict each other it says
// which of them is wrong: what the checksum database or go.sum vouches for is
// right, and without them two of zip, tree and .ziphash outvote the third.
func judge(f *facts, p *proofs) []Bad {
	j := &judgement{f: f, p: p}
	j.weigh()
	j.content()
	j.hash()
	j.zip()
	j.tree()
	j.mod()
	j.info()
	for i := range j.bad {
		j.mend(&j.bad[i])
	}
	slices.SortStableFunc(j.bad, func(a, b Bad) int { return a.What.rank() - b.What.rank() })
	return j.bad
}

func (j *judgement) add(d Damage, want, got, detail string) {
	m := j.f.m
	j.bad = append(j.bad, Bad{
		Path: redact.Clean(m.Path), Version: redact.Clean(m.Version), module: m,
		What: d, Want: redact.Clean(want), Got: redact.Clean(cut(got)), Detail: redact.Text(detail),
	})
}

// cut bounds what is shown of a file that holds something else than it should.
func cut(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// weigh finds out what the content should be, and whether zip and tree are.
func (j *judgement) weigh() {
	f := j.f
	zip, tree, hash := f.zip.sum, f.tree.sum, f.hash.sum
	seen := zip
	if seen == "" {
		seen = tree
	}
	if want, ok := j.p.zip(seen); ok {
		j.want = want
	} else if zip != "" && zip == tree {
		j.want = proof{zip, "zip and tree"}
	} else if hash != "" {
		j.want = proof{hash, ".ziphash"}
	} else if zip != "" {
		j.want = proof{zip, "the zip"}
	}
	j.zipGood = zip != "" && zip == j.want.sum
	j.dirGood = tree != "" && tree == j.want.sum && !f.tree.partial
}

// vouched reports whether somebody outside of this cache says what is right.
func (j *judgement) vouched() bool {
	return j.want.by == "go.sum" || j.want.by == "the checksum database"
}

// content finds what arrived wrong: all that is here agrees, and is not what
// the author published.
func (j *judgement) content() {
	f := j.f
	if db, sums := j.p.db, j.p.sums; db != "" && len(sums) > 0 {
		if p, ok := choose("", sums, db); ok && p.sum != db {
			j.add(SumMismatch, db, p.sum, "go.sum contradicts the checksum database")
		}
	}
	if !j.vouched() || j.zipGood || j.dirGood || f.hash.sum == j.want.sum {
		return
	}
	got := f.zip.sum
	if got == "" {
		got = f.tree.sum
	}
	if got == "" || f.hash.sum != "" && f.hash.sum != got {
		return // then something was changed here
	}
	d := SumMismatch
	if j.want.by == "the checksum database" {
		d = SumDBMismatch
	}
	j.add(d, j.want.sum, got, "it came like this: .ziphash has no other hash")
}

// foreign reports whether the content arrived wrong, so that nothing more is
// to be said of the parts that agree with it.
func (j *judgement) foreign(sum string) bool {
	return slices.ContainsFunc(j.bad, func(b Bad) bool {
		return (b.What == SumMismatch || b.What == SumDBMismatch) && b.Want == j.want.sum && b.Got == sum
	})
}

func (j *judgement) hash() {
	f := j.f
	switch {
	case f.hash.err != nil:
		j.unreadable(f.hash.err)
	case f.hash.there && f.hash.sum == "":
		want := ""
		if j.zipGood || j.dirGood {
			want = j.want.sum
		}
		j.add(ZipHashInvalid, want, f.hash.text, "")
	case f.hash.there && !f.zip.there && !f.tree.there:
		j.add(ZipMissing, f.hash.sum, "", "")
	case f.hash.there && (j.zipGood || j.dirGood) && f.hash.sum != j.want.sum:
		j.add(ZipHashChanged, j.want.sum, f.hash.sum, "by "+j.want.by)
	case !f.hash.there && (f.zip.there || f.tree.there) && f.m.Path != fips140:
		j.add(ZipHashMissing, "", "", "")
	}
}

func (j *judgement) zip() {
	f := j.f
	switch {
	case !f.zip.there:
	case f.zip.err != nil:
		j.unreadable(f.zip.err)
	case f.zip.damage != "":
		j.add(f.zip.damage, j.wanted(), "", f.zip.reason)
	case f.zip.refused != "":
		j.add(ZipInvalid, "", "", f.zip.refused)
	case !j.zipGood && j.want.sum != "" && !j.foreign(f.zip.sum):
		detail := "by " + j.want.by
		if j.want.by == ".ziphash" && !f.tree.there {
			detail = "or .ziphash was: nothing else here can tell"
		}
		j.add(ZipChanged, j.want.sum, f.zip.sum, detail)
	}
}

// wanted is the hash that somebody knows, and "" where it is only guessed.
func (j *judgement) wanted() string {
	if j.vouched() || j.want.by == ".ziphash" {
		return j.want.sum
	}
	return ""
}

func (j *judgement) tree() {
	f := j.f
	switch {
	case f.tree.partial:
		// Whatever is there, the go command unpacks it again.
		j.add(TreePartial, "", "", "")
		return
	case !f.tree.there:
		return
	case f.tree.other != "":
		j.add(TreeInvalid, "a folder", f.tree.other, "")
		return
	case f.tree.err != nil:
		j.unreadable(f.tree.err)
		return
	case j.dirGood || j.want.sum == "" || f.tree.sum != "" && j.foreign(f.tree.sum):
		return
	}
	if d := &f.tree.diff; j.zipGood && f.tree.compared {
		for _, l := range []struct {
			damage Damage
			list   *nameList
		}{{TreeChanged, &d.changed}, {TreeMissing, &d.missing}, {TreeExtra, &d.extra}} {
			if l.list.n > 0 {
				j.add(l.damage, j.want.sum, f.tree.sum, someNames(l.list.names, l.list.n))
			}
		}
		return
	}
	j.add(TreeChanged, j.want.sum, f.tree.sum, "there is no sound zip to say which files")
}

func (j *judgement) mod() {
	f := j.f
	want, ok := j.p.mod(f.mod.sum)
	if !ok && j.zipGood && f.zip.modSum != "" && !strings.HasSuffix(f.m.Version, "+incompatible") {
		// The zip holds the same file, but for modules that had it before
		// they could (modfetch.legacyGoMod).
		want, ok = proof{f.zip.modSum, "the zip"}, true
	}
	switch {
	case f.mod.err != nil:
		j.unreadable(f.mod.err)
	case f.mod.there && ok && f.mod.sum != want.sum:
		j.add(ModChanged, want.sum, f.mod.sum, "by "+want.by)
	case !f.mod.there && f.mod.listed && (f.zip.there || f.tree.there || f.info.there):
		j.add(ModMissing, want.sum, "", "the module's list of versions names it")
	case !f.mod.there && f.tree.there && len(j.p.mods) > 0:
		j.add(ModMissing, want.sum, "", "go.sum has its hash")
	}
}

func (j *judgement) info() {
	f := j.f
	switch {
	case !f.info.there:
	case f.info.err != nil:
		j.unreadable(f.info.err)
	case f.info.invalid != "":
		j.add(InfoInvalid, f.m.Version, "", f.info.invalid)
	case f.info.version != f.m.Version:
		j.add(InfoInvalid, f.m.Version, f.info.version, "")
	}
}

func (j *judgement) unreadable(err error) { j.add(Unreadable, "", "", err.Error()) }
