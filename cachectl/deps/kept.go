package deps

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"

	"gpx/cachectl/internal/sealed"
	"gpx/cachectl/internal/walk"
	"gpx/envctl/bounded"
	"gpx/envctl/project"
)

// A kept report is that of a project in which nothing is in the way, with a name
// for all that it stands on:
//
//	gpx             the file of this program: another one may answer otherwise
//	settings        of the go command, those that count here
//	go.mod …        and go.work, and their go.sum: every byte
//	folders         of the main modules, with the stamps of their Go files, and links
//	module cache    the stamps of the versions that go.mod requires
//
// While these are the same, so is the report, and that takes a few milliseconds
// to see: 500 versions are looked at and none is thought about. The project is
// kept with it, because to read one anew takes as long again. What stands on
// anything else (directories as replacements, vendor, zips that are not
// extracted, versions that go.mod does not list, another toolchain, what links
// lead to) is not kept.
type kept struct {
	file  string // "" is nowhere
	basis string // name of what the report stands on; "" when it is not to be kept
	ahead sightings

	had     string // the basis of the report that is in file; "" when there is none
	cache   string // the module cache that it was of
	seen    bool   // ahead is of project in cache, and of a moment ago
	project *project.Project
	rest    *decoder // at the report
}

const (
	keptKind = "deps-report-3"
	textKind = "deps-text"
	// maxKept bounds the files: a report and a text of it for each project, of some
	// 150 kB each.
	maxKept = 64
)

// keptFor is what is kept for the project of a root in a folder; "" is nowhere.
func keptFor(dir, root string) *kept {
	if dir == "" {
		return &kept{}
	}
	k := &kept{file: nameFor(dir, root)}
	body, err := sealed.Read(k.file, keptKind)
	if err != nil {
		return k
	}
	d := &decoder{rest: string(body)}
	had, cache, p := d.text(), d.text(), d.project()
	if d.err == nil {
		k.had, k.cache, k.project, k.rest = had, cache, p, d
	}
	return k
}

// An Early reads what is kept of a project, and looks at the versions that it
// required, while the environment is not known yet.
type Early struct {
	k    *kept
	done chan struct{}
}

// ReadEarly begins for the project that a directory is in, when nothing in the
// environment says that it is another one; [Options.Early] says how it ends.
func ReadEarly(ctx context.Context, folder, dir string) *Early {
	x := &Early{k: &kept{}, done: make(chan struct{})}
	go func() {
		defer close(x.done)
		at, ok := project.Locate(dir, nil)
		if !ok {
			return
		}
		k := keptFor(folder, at.Root)
		if k.project != nil {
			l := &loader{ctx: ctx, project: k.project, cache: &cache{dir: k.cache}}
			k.ahead = l.lookAhead()
			k.seen = !k.ahead.cut
		}
		x.k = k
	}()
	return x
}

// Wait waits until nothing is read any more.
func (x *Early) Wait() { <-x.done }

// kept is what was read early, when it is of the root, or else is read now.
func (x *Early) kept(folder, root string) *kept {
	if x != nil {
		if x.Wait(); folder != "" && x.k.file == nameFor(folder, root) {
			return x.k
		}
	}
	return keptFor(folder, root)
}

// look names what a report of l's project stands on.
func (k *kept) look(l *loader) {
	switch {
	case k.file == "":
	case k.seen && l.project == k.project && l.cache.dir == k.cache:
		k.basis = l.basisOf(func() sightings { return k.ahead })
	default:
		k.basis = l.basisOf(func() sightings { k.ahead = l.lookAhead(); return k.ahead })
	}
}

// report is the kept one, when it stands on what there is now; else nil.
func (k *kept) report(p *project.Project) *Report {
	if k.basis == "" || k.had != k.basis {
		return nil
	}
	r := k.rest.report()
	if r != nil {
		r.Project, r.Basis = p, k.basis
	}
	return r
}

// recall finds the project, where it is not known, and the report of it that was
// kept, nil when there is none that holds.
//
// A kept project is taken for the one that is here when its files are where the
// go command finds them now: the basis has every byte of them, and nothing else
// is read.
func (l *loader) recall(folder string, early *Early) (*kept, *Report, error) {
	k := &kept{}
	if l.project == nil {
		if at, ok := project.Locate(l.env.Dir, l.env); ok {
			k = early.kept(folder, at.Root)
			if p := k.project; p != nil && at == (project.Place{Root: p.Root, GoMod: p.GoMod, GoWork: p.GoWork}) {
				l.project = p
				k.look(l)
				if r := k.report(p); r != nil {
					return k, r, nil
				}
			}
		}
		p, err := project.Find(l.env.Dir, l.env)
		if err != nil {
			return nil, nil, err
		}
		if l.project != nil && reflect.DeepEqual(p, l.project) {
			return k, nil, nil // it was looked at
		}
		l.project = p
	}
	if k.file == "" || k.basis != "" {
		k = keptFor(folder, l.project.Root)
	}
	k.look(l)
	return k, k.report(l.project), nil
}

// keep keeps a report that stands on nothing else than its basis says.
func (k *kept) keep(l *loader, r *Report) {
	whole := r.Build.Ready && r.Test.Ready && r.Tools.Ready
	if k.basis == "" || !whole || l.wider.Load() || l.ctx.Err() != nil || !l.cache.onlyAhead() {
		return
	}
	if slices.ContainsFunc(k.ahead.stamps, func(s [4]stamp) bool { return !tell(s, l.begun) }) {
		return
	}
	// The project was read before its files were named, and again after it.
	again, err := project.Find(l.env.Dir, l.env)
	if err != nil || !reflect.DeepEqual(again, l.project) {
		return
	}
	if l.basisOf(l.lookAhead) != k.basis {
		return
	}
	var w encoder
	w.text(k.basis)
	w.text(l.cache.dir)
	w.project(again)
	if had := (&decoder{rest: string(w.b)}); had.text() == "" || had.text() != l.cache.dir || !reflect.DeepEqual(had.project(), again) {
		return // it has something that is not written down
	}
	w.report(r)
	forgetOldest(filepath.Dir(k.file))
	if sealed.Write(k.file, sealed.Bytes(keptKind, w.b)) == nil { // else the next time takes longer, and that is all
		r.Basis = k.basis
	}
}

// KeptText is what KeepText has kept of a report, nil when there is nothing.
func KeptText(folder string, r *Report) []byte {
	if folder == "" || r.Basis == "" {
		return nil
	}
	body, err := sealed.Read(textFile(folder, r), textKind)
	if text, ok := bytes.CutPrefix(body, []byte(r.Basis)); err == nil && ok {
		return text
	}
	return nil
}

// KeepText keeps what a program makes of a report that is kept in the same folder,
// and of nothing else, until the next report.
func KeepText(folder string, r *Report, text []byte) {
	if folder == "" || r.Basis == "" {
		return
	}
	forgetOldest(folder)
	_ = sealed.Write(textFile(folder, r), sealed.Bytes(textKind, append([]byte(r.Basis), text...)))
}

func textFile(folder string, r *Report) string { return nameFor(folder, r.Project.Root) + ".text" }

// nameFor is the file of a project in the folder for reports.
func nameFor(folder, root string) string {
	sum := sha256.Sum256([]byte(root))
	return filepath.Join(folder, hex.EncodeToString(sum[:8]))
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

// basisOf names what a report stands on, "" where it stands on more; look gives the
// versions in it.
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

func (w *encoder) project(p *project.Project) {
	w.texts([]string{p.Root, p.GoMod, p.GoWork, p.Module, p.Go, p.Toolchain})
	w.texts(p.Members)
	w.texts(p.Modules)
	w.number(len(p.Requires))
	for _, q := range p.Requires {
		w.text(q.Path)
		w.text(q.Version.Version)
		w.flag(q.Indirect)
	}
	w.number(len(p.Replaces))
	for _, q := range p.Replaces {
		w.texts([]string{q.Old.Path, q.Old.Version, q.New.Path, q.New.Version})
	}
	w.number(len(p.Sums))
	for m, hashes := range p.Sums {
		w.text(m.Path)
		w.text(m.Version)
		w.texts(hashes)
	}
}

// project is what was encoded, of a project without a problem.
func (r *decoder) project() *project.Project {
	p := &project.Project{}
	for i, s := range r.texts() {
		if fields := []*string{&p.Root, &p.GoMod, &p.GoWork, &p.Module, &p.Go, &p.Toolchain}; i < len(fields) {
			*fields[i] = s
		}
	}
	p.Members, p.Modules = r.texts(), r.texts()
	if n := r.count(); n > 0 {
		p.Requires = make([]project.Require, n)
	}
	for i := range p.Requires {
		q := &p.Requires[i]
		q.Path, q.Version.Version, q.Indirect = r.text(), r.text(), r.flag()
	}
	if n := r.count(); n > 0 {
		p.Replaces = make([]project.Replace, n)
	}
	for i := range p.Replaces {
		if s := r.texts(); len(s) == 4 {
			p.Replaces[i] = project.Replace{Old: module.Version{Path: s[0], Version: s[1]}, New: module.Version{Path: s[2], Version: s[3]}}
		}
	}
	n := r.count()
	p.Sums = make(project.Sums, n)
	for range n {
		p.Sums[module.Version{Path: r.text(), Version: r.text()}] = r.texts()
	}
	return p
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
