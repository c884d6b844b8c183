package modcache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

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
	r := j.remedy(b)
	b.Mend, b.Effect = r.command, r.effect
}

// A remedy is a command for a shell, and what it does and needs.
type remedy struct{ command, effect string }

func (j *judgement) remedy(b *Bad) remedy {
	f := j.f
	switch b.What {
	case ZipTruncated, ZipInvalid, ZipChanged:
		return j.withoutZip()
	case ZipHashInvalid, ZipHashChanged:
		if j.zipGood {
			return j.remove("ziphash", "the next build hashes the zip again, which is sound; that needs no network where go.sum knows the version")
		}
	case TreeChanged, TreeMissing, TreeExtra:
		if j.zipGood && f.zip.refused == "" {
			return remedy{shellTouch(f.path(f.at.File("partial"))),
				"the next build takes the tree for half unpacked, and unpacks the zip again, which is sound; that needs no network"}
		}
	case TreeInvalid:
		return remedy{shellRemove(f.path(f.at.Tree), false), "the next build unpacks the zip, or downloads it where it is missing"}
	case ZipHashMissing, TreePartial:
		if !f.zip.there || j.zipGood || j.want.sum == "" {
			return j.download("any go command that needs it does the same by itself")
		}
	case ZipMissing:
		return j.download("the go command does it by itself when it needs it; it takes a proxy that has it")
	case ModChanged, ModMissing:
		return j.newMod(b)
	case InfoInvalid:
		return j.remove("info", "the next go command that needs it downloads it again; builds do not")
	case SumMismatch:
		if b.Want == j.p.db && b.Got != f.zip.sum && b.Got != f.tree.sum {
			return remedy{"", "go.sum is what is wrong: find out who wrote its lines for this version, and take them out; the go command then asks the database"}
		}
		r := j.again()
		r.effect += "; when the same comes back, it is the proxy's, or go.sum is wrong"
		return r
	case SumDBMismatch:
		r := j.again()
		r.effect += "; do not run what was built with it, and tell whoever runs the proxy that it came from"
		return r
	case Unreadable:
		return j.readable(b)
	}
	return j.again()
}

// again has the whole version come again.
func (j *judgement) again() remedy {
	return remedy{"gpx cache prune " + target(j.f.m),
		"the next go command that needs it downloads it again, if one of your proxies has it: gpx asks them before it removes anything"}
}

// download has the go command make whole what it can.
func (j *judgement) download(effect string) remedy {
	return remedy{"go mod download " + target(j.f.m), effect}
}

// remove takes one file away, so that the go command makes it anew.
func (j *judgement) remove(suffix, effect string) remedy {
	f := j.f
	err := map[string]error{"ziphash": f.hash.err, "mod": f.mod.err, "info": f.info.err}[suffix]
	folder := errors.Is(err, syscall.EISDIR) || suffix == "zip" && f.zip.folder
	return remedy{shellRemove(f.path(f.at.File(suffix)), folder), effect}
}

// withoutZip leaves a sound tree alone.
func (j *judgement) withoutZip() remedy {
	if j.dirGood {
		return j.remove("zip", "the tree is sound, so builds go on; the zip comes again when go mod download asks for it")
	}
	return j.again()
}

// newMod takes the .mod from the tree, where that has the right one.
func (j *judgement) newMod(b *Bad) remedy {
	f := j.f
	switch {
	case j.dirGood && f.zip.modSum != "" && b.Want == f.zip.modSum:
		return remedy{shellCopy(f.path(f.at.Tree+"/go.mod"), f.path(f.at.File("mod"))), "the tree's own go.mod is the right one, so no network is needed"}
	case b.What == ModMissing:
		return j.download("it takes a proxy that has it")
	}
	return j.remove("mod", "the next go command that needs it downloads it again; it takes a proxy that has it")
}

// readable gives the permission back where that is what is missing. What cannot
// be read otherwise is taken away.
func (j *judgement) readable(b *Bad) remedy {
	f := j.f
	const disk = "the next go command that needs it makes it again; when more files are like this, look after the disk first"
	for _, part := range []struct {
		suffix string
		err    error
	}{{"ziphash", f.hash.err}, {"mod", f.mod.err}, {"info", f.info.err}, {"zip", f.zip.err}, {"", f.tree.err}} {
		var pe *fs.PathError
		switch {
		case part.err == nil || redact.Text(part.err.Error()) != b.Detail:
		case errors.Is(part.err, fs.ErrPermission) && errors.As(part.err, &pe) && runtime.GOOS != "windows":
			return remedy{"chmod u+rX " + shellWord(closed(pe.Path, os.Lstat)), "it is yours to read again, if you own it"}
		case part.suffix == "zip":
			return j.withoutZip()
		case part.suffix != "":
			return j.remove(part.suffix, disk)
		}
	}
	r := j.again()
	r.effect += "; when more files are like this, look after the disk first"
	return r
}

// closed is what keeps path from being read: itself, or the folder on the way to it
// that lets nobody in.
func closed(path string, lstat func(string) (fs.FileInfo, error)) string {
	for dir := filepath.Dir(path); dir != path; path, dir = dir, filepath.Dir(dir) {
		if _, err := lstat(path); !errors.Is(err, fs.ErrPermission) {
			break
		}
	}
	return path
}

// shellRemove removes a file, or a folder that stands in a file's place.
func shellRemove(path string, folder bool) string {
	command := "rm "
	switch {
	case runtime.GOOS == "windows" && folder:
		command = "rmdir /s /q "
	case runtime.GOOS == "windows":
		command = "del "
	case folder:
		command = "rm -r "
	}
	return command + shellWord(path)
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
