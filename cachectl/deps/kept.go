package deps

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/sealed"
	"gpx/envctl/bounded"
	"gpx/envctl/project"
)

// A kept report is that of a project in which nothing is in the way, with a name
// for all that it stands on:
//
//	settings        of the go command, those that count here
//	go.mod …        and go.work, and their go.sum: every byte
//	folders         of the main modules, with the stamps of their Go files
//	module cache    the stamps of the versions that go.mod requires
//
// While these are the same, so is the report, and that takes a few milliseconds
// to see: 500 versions are looked at and none is thought about. What stands on
// anything else (directories as replacements, vendor, zips that are not
// extracted, versions that go.mod does not list, another toolchain) is not kept.
type kept struct {
	file  string
	basis string // name of what the report stands on; "" when it is not to be kept
}

const (
	keptKind = "deps-report"
	// maxKept bounds the projects whose reports are kept; one has some 100 kB.
	maxKept = 32
)

// keptFor is where the report of a project is kept in a folder; "" is nowhere.
func keptFor(dir, root string) *kept {
	if dir == "" {
		return &kept{}
	}
	sum := sha256.Sum256([]byte(root))
	return &kept{file: filepath.Join(dir, hex.EncodeToString(sum[:8]))}
}

// recall is the kept report, when it stands on what there is now; else nil.
func (k *kept) recall() *Report {
	if k.basis == "" {
		return nil
	}
	body, err := sealed.Read(k.file, keptKind)
	if err != nil {
		return nil
	}
	d := &decoder{rest: string(body)}
	if d.text() != k.basis {
		return nil
	}
	return d.report()
}

// keep keeps a report that stands on nothing else than its basis says.
func (k *kept) keep(l *loader, r *Report) {
	whole := r.Build.Ready && r.Test.Ready && r.Tools.Ready
	if k.basis == "" || !whole || l.wider.Load() || l.ctx.Err() != nil || !l.cache.onlyAhead() {
		return
	}
	// The project was read before its files were named, and again after it.
	again, err := project.Find(l.env.Dir, l.env)
	if err != nil || !reflect.DeepEqual(again, l.project) {
		return
	}
	if _, basis := l.basis(); basis != k.basis {
		return
	}
	var w encoder
	w.text(k.basis)
	w.report(r)
	forgetOldest(filepath.Dir(k.file))
	_ = sealed.Write(k.file, sealed.Bytes(keptKind, w.b)) // else the next time takes longer, and that is all
}

// forgetOldest makes room for one more report.
func forgetOldest(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < maxKept {
		return
	}
	written := func(d fs.DirEntry) time.Time {
		if fi, err := d.Info(); err == nil {
			return fi.ModTime()
		}
		return time.Time{}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return written(a).Compare(written(b)) })
	for _, d := range entries[:len(entries)-maxKept+1] {
		os.Remove(filepath.Join(dir, d.Name()))
	}
}

// basis names what a report stands on, "" where it stands on more, and gives the
// stamps of the versions in it.
func (l *loader) basis() (ahead map[module.Version][4]stamp, name string) {
	var looking sync.WaitGroup
	looking.Go(func() { ahead = l.lookAhead() })
	var w encoder
	ok := w.ownFiles(l)
	looking.Wait()
	if !ok || ahead == nil {
		return ahead, ""
	}
	for _, m := range slices.SortedFunc(maps.Keys(ahead), func(a, b module.Version) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Version, b.Version))
	}) {
		w.text(m.Path)
		w.text(m.Version)
		for _, s := range ahead[m] {
			w.stamp(s)
		}
	}
	sum := sha256.Sum256(w.b)
	return ahead, string(sum[:])
}

// ownFiles adds settings, and the files and folders of the project; false where a
// report stands on more.
func (w *encoder) ownFiles(l *loader) bool {
	p, e := l.project, l.env
	if p.Problem != nil || e.GoVersion == "" || slices.ContainsFunc(p.Replaces, func(r project.Replace) bool { return r.New.Version == "" }) {
		return false
	}
	for _, name := range []string{
		"CGO_ENABLED", "GOARCH", "GOEXPERIMENT", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOOS", "GOPRIVATE", "GOTOOLCHAIN", "GO" + strings.ToUpper(e.Get("GOARCH")),
	} {
		w.text(e.Get(name))
	}
	w.texts([]string{e.GOROOT, e.GoVersion, e.Flag("mod"), e.Flag("tags"), e.Flag("modfile"), e.Dir, p.Root, p.GoMod, p.GoWork})
	w.texts(p.Members)
	if _, err := os.Lstat(filepath.Join(p.Root, "vendor")); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return w.files(p) && !slices.ContainsFunc(p.Members, func(dir string) bool { return !w.folders(dir) })
}

// files adds what stands in the files that the project is read from.
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
		w.text(string(data))
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

// beyond reports whether a folder of a main module is none that folders adds,
// whatever comes to be in it.
func beyond(rel string) bool {
	return rel != "." && slices.ContainsFunc(strings.Split(rel, "/"), hidden)
}

// onlyAhead reports whether no version was looked at but those that were ahead.
func (c *cache) onlyAhead() bool {
	c.facts.mu.Lock()
	defer c.facts.mu.Unlock()
	for m := range c.facts.by {
		if _, ok := c.ahead[m]; !ok {
			return false
		}
	}
	return true
}

func (w *encoder) report(r *Report) {
	w.text(r.Mode)
	w.text(r.Toolchain.Want)
	w.flag(r.Toolchain.Cached)
	w.number(r.Packages)
	w.number(len(r.Modules))
	for i := range r.Modules {
		w.module(&r.Modules[i])
	}
}

func (w *encoder) module(m *Module) {
	for _, s := range []string{m.Path, m.Version.Version, m.Replacement.Path, m.Replacement.Version, string(m.Sum), string(m.Verdict), m.Why, m.Fix} {
		w.text(s)
	}
	for _, is := range []bool{m.Direct, m.Private, m.Needed, m.Unknown, m.Cache.Info, m.Cache.Mod, m.Cache.Zip, m.Cache.Dir} {
		w.flag(is)
	}
	w.texts(m.By)
}

// report is what was encoded; nil when it is damaged, which its seal says it is not.
func (r *decoder) report() *Report {
	ready := Answer{Ready: true}
	out := &Report{Build: ready, Test: ready, Tools: ready, Mode: r.text(), Toolchain: Toolchain{r.text(), r.flag()}, Packages: int(r.number())}
	out.Modules = make([]Module, r.count())
	for i := range out.Modules {
		r.module(&out.Modules[i])
	}
	if r.err != nil {
		return nil
	}
	return out
}

func (r *decoder) module(m *Module) {
	m.Path, m.Version.Version, m.Replacement.Path, m.Replacement.Version = r.text(), r.text(), r.text(), r.text()
	m.Sum, m.Verdict, m.Why, m.Fix = Sum(r.text()), Verdict(r.text()), r.text(), r.text()
	for _, is := range []*bool{&m.Direct, &m.Private, &m.Needed, &m.Unknown, &m.Cache.Info, &m.Cache.Mod, &m.Cache.Zip, &m.Cache.Dir} {
		*is = r.flag()
	}
	m.By = r.texts()
}
