package deps

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gpx/cachectl/internal/walk"
	"gpx/envctl/bounded"
	"gpx/envctl/project"
)

// basisOf names all that a report of l's project stands on:
//
//	gpx             the file of this program: another one may answer otherwise
//	settings        of the go command, those that count here
//	go.mod …        and go.work, and their go.sum: every byte
//	folders         of the main modules, with the stamps of their Go files, and links
//	module cache    the stamps of the versions that go.mod requires
//
// To see that it is the same takes a few milliseconds: 500 versions are looked at,
// by look, and none is thought about. What stands on anything else has no basis, or
// its report is not kept: directories as replacements, vendor, zips that are not
// extracted, versions that go.mod does not list, another toolchain, what links lead
// to.
func (l *loader) basisOf(look func() sightings) (name string) {
	var ahead sightings
	var looking sync.WaitGroup
	looking.Go(func() { ahead = look() })
	var w encoder
	ok := w.ownFiles(l)
	looking.Wait()
	if !ok || ahead.cut {
		return ""
	}
	for i, m := range ahead.of { // in the order of go.mod's lines, which is in the basis
		w.text(m.Path)
		w.text(m.Version)
		for _, s := range ahead.stamps[i] {
			w.stamp(s)
		}
	}
	sum := sha256.Sum256(w.b)
	return string(sum[:])
}

// ownFiles adds settings, and the files and folders of the project; false where a
// report stands on more.
func (w *encoder) ownFiles(l *loader) bool {
	p, e := l.project, l.env
	if p.Problem != nil || e.GoVersion == "" || slices.ContainsFunc(p.Replaces, func(r project.Replace) bool { return r.New.Version == "" }) {
		return false
	}
	program, ok := thisProgram()
	if !ok {
		return false
	}
	w.text(program)
	for _, name := range []string{
		"CGO_ENABLED", "GOARCH", "GOEXPERIMENT", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOOS", "GOPRIVATE", "GOTOOLCHAIN", "GO" + strings.ToUpper(e.Get("GOARCH")),
	} {
		w.text(e.Get(name))
	}
	w.texts([]string{e.GOROOT, e.GoVersion, e.Flag("mod"), e.Flag("tags"), e.Flag("modfile"), p.Root, p.GoMod, p.GoWork})
	w.texts(p.Members)
	if _, err := os.Lstat(filepath.Join(p.Root, "vendor")); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return w.files(p) && !slices.ContainsFunc(p.Members, func(dir string) bool { return !w.folders(dir) })
}

// thisProgram tells the running program from another version of it.
func thisProgram() (string, bool) {
	file, err := os.Executable()
	if err == nil {
		file, err = filepath.EvalSymlinks(file)
	}
	if err != nil {
		return "", false
	}
	return programOf(file)
}

// programOf tells a program by more than size and time: some systems give all that
// they install one time, and two versions may well have one size.
func programOf(file string) (string, bool) {
	var at walk.Entry
	var gone error
	err := walk.Stat(context.Background(), filepath.Dir(file), []string{filepath.Base(file)}, walk.Options{}, func(_ int, e walk.Entry, err error) { at, gone = e, err })
	if err != nil || gone != nil {
		return "", false // it was replaced since
	}
	return fmt.Sprint(file, at.Size, at.Stamp), true
}

// files adds the hashes of the files that the project is read from.
func (w *encoder) files(p *project.Project) bool {
	names := []string{p.GoMod, strings.TrimSuffix(p.GoMod, ".mod") + ".sum"}
	for _, dir := range p.Members {
		names = append(names, filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum"))
	}
	if p.GoWork != "" {
		names = append(names, p.GoWork, p.GoWork+".sum")
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		data, err := bounded.ReadFile(name, maxFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		w.flag(err == nil)
		sum := sha256.Sum256(data)
		w.b = append(w.b, sum[:]...)
	}
	return true
}

// folders adds the folders of a main module that may hold packages of ./...: more
// than ignore lines in go.mod leave.
func (w *encoder) folders(dir string) bool {
	root := dir + string(filepath.Separator)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Type()&fs.ModeSymlink != 0:
			w.text(p) // a package may be behind it
			return nil
		case !d.IsDir():
			return nil
		case p != root && (hidden(d.Name()) || isNested(p)):
			return fs.SkipDir
		}
		stamp, ok := stampOfFolder(p)
		if !ok {
			return errors.New("it may be another one with the same stamp")
		}
		w.text(p)
		w.text(stamp)
		return nil
	})
	return err == nil
}

// hidden reports whether the go command leaves folders of a name out of ./...
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "vendor"
}

// isNested reports whether a folder is another module's.
func isNested(dir string) bool {
	fi, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil && !fi.IsDir()
}

// beyond reports whether a folder of the main module in root is none that folders
// adds, whatever comes to be in it: by its name, or because a link leads there.
func (l *loader) beyond(root, rel string) bool {
	if rel == "." {
		return false
	}
	dir := filepath.Join(root, filepath.FromSlash(rel))
	return l.outside.do(dir, func() bool {
		if hidden(path.Base(rel)) || l.beyond(root, path.Dir(rel)) {
			return true
		}
		fi, err := os.Lstat(dir)
		return err == nil && fi.Mode()&fs.ModeSymlink != 0
	})
}

// onlyAhead reports whether no version was looked at but those that were ahead, and
// none through a link.
func (c *cache) onlyAhead() bool {
	c.facts.mu.Lock()
	defer c.facts.mu.Unlock()
	for m, e := range c.facts.by {
		if _, ok := c.ahead[m]; !ok || e.value.linked {
			return false
		}
	}
	return true
}
