package modcache

import (
	"errors"
	"io/fs"
	"runtime"
	"strings"

	"gpx/envctl/redact"
)

// mend names the one command that mends a damage, and what it does. It prefers
// what needs no network: during an outage the good half of a damaged version is
// all that there is of it.
//
//   - Without .ziphash the go command hashes the zip again, and compares with
//     go.sum (modfetch.DownloadZip). So a good zip mends its hash.
//   - With .partial it takes the tree for half unpacked, removes it and unpacks
//     the zip again (modfetch.unzip). So a good zip mends the tree.
//   - A good tree is enough to build, so a bad zip is all that has to go.
//   - Where neither is good the version has to come again.
func (j *judgement) mend(b *Bad) {
	f := j.f
	fetch := func() {
		b.Mend = "gpx cache prune " + target(f.m)
		b.Effect = "the next go command that needs it downloads it again, if one of your proxies has it: gpx asks them before it removes anything"
	}
	remove := func(rel, effect string) { b.Mend, b.Effect = shellRemove(f.path(rel)), effect }
	unpack := func() {
		b.Mend = shellTouch(f.path(f.at.File("partial")))
		b.Effect = "the next build takes the tree for half unpacked, and unpacks the zip again, which is sound; that needs no network"
	}
	download := func(effect string) { b.Mend, b.Effect = "go mod download "+target(f.m), effect }

	switch b.What {
	case ZipTruncated, ZipInvalid, ZipChanged:
		if j.dirGood {
			remove(f.at.File("zip"), "the tree is sound, so builds go on; the zip comes again when go mod download asks for it")
			return
		}
		fetch()
	case ZipHashInvalid, ZipHashChanged:
		if j.zipGood {
			remove(f.at.File("ziphash"), "the next build hashes the zip again, which is sound; that needs no network where go.sum knows the version")
			return
		}
		fetch()
	case TreeChanged, TreeMissing, TreeExtra:
		if j.zipGood && f.zip.refused == "" {
			unpack()
			return
		}
		fetch()
	case TreeInvalid:
		remove(f.at.Tree, "the next build unpacks the zip, or downloads it where it is missing")
	case ZipHashMissing, TreePartial:
		if f.zip.there && !j.zipGood && j.want.sum != "" {
			fetch()
			return
		}
		download("any go command that needs it does the same by itself")
	case ZipMissing:
		download("the go command does it by itself when it needs it; it takes a proxy that has it")
	case ModChanged, ModMissing:
		if want, ok := j.p.mod(f.zip.modSum); j.dirGood && f.zip.modSum != "" && (!ok || want.sum == f.zip.modSum) && b.Want == f.zip.modSum {
			b.Mend = shellCopy(f.path(f.at.Tree+"/go.mod"), f.path(f.at.File("mod")))
			b.Effect = "the tree's own go.mod is the right one, so no network is needed"
			return
		}
		if b.What == ModMissing {
			download("it takes a proxy that has it")
			return
		}
		remove(f.at.File("mod"), "the next go command that needs it downloads it again; it takes a proxy that has it")
	case InfoInvalid:
		remove(f.at.File("info"), "the next go command that needs it downloads it again; builds do not")
	case SumMismatch:
		if j.p.db != "" && b.Want == j.p.db && b.Got != f.zip.sum && b.Got != f.tree.sum {
			b.Mend = ""
			b.Effect = "go.sum is what is wrong: find out who wrote its lines for this version, and take them out; the go command then asks the database"
			return
		}
		fetch()
		b.Effect += "; when the same comes back, it is the proxy's, or go.sum is wrong"
	case SumDBMismatch:
		fetch()
		b.Effect += "; do not run what was built with it, and tell whoever runs the proxy that it came from"
	case Unreadable:
		j.mendUnreadable(b)
	}
}

// mendUnreadable gives the permission back where that is what is missing.
func (j *judgement) mendUnreadable(b *Bad) {
	for _, err := range []error{j.f.zip.err, j.f.hash.err, j.f.tree.err, j.f.mod.err, j.f.info.err} {
		var pe *fs.PathError
		if errors.Is(err, fs.ErrPermission) && errors.As(err, &pe) && redact.Text(err.Error()) == b.Detail && runtime.GOOS != "windows" {
			b.Mend, b.Effect = "chmod u+rX "+shellWord(pe.Path), "it is yours to read again, if you own it"
			return
		}
	}
	b.Mend = "gpx cache prune " + target(j.f.m)
	b.Effect = "the next go command that needs it downloads it again; when more files are like this, look after the disk first"
}

func shellRemove(path string) string {
	if runtime.GOOS == "windows" {
		return "del " + shellWord(path)
	}
	return "rm " + shellWord(path)
}

func shellTouch(path string) string {
	if runtime.GOOS == "windows" {
		return "type nul > " + shellWord(path)
	}
	return "touch " + shellWord(path)
}

func shellCopy(from, to string) string {
	if runtime.GOOS == "windows" {
		return "copy /y " + shellWord(from) + " " + shellWord(to)
	}
	return "cp " + shellWord(from) + " " + shellWord(to)
}

// shellWord makes a path one word of a shell. It is clean: a command that is
// copied from a screen has to be what the screen shows.
func shellWord(path string) string {
	path = redact.Clean(path)
	if runtime.GOOS == "windows" {
		return `"` + path + `"`
	}
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%") == "" { // a "!" is the shell's
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
