package deps

import (
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/envctl/bounded"
)

// maxFile bounds go.mod, go.work and modules.txt, in bytes.
const maxFile = 64 << 20

// A mainModule is one that is worked on.
type mainModule struct {
	path, dir string
	file      *modfile.File
	exclude   map[module.Version]bool
	replace   map[module.Version]module.Version // a New without Version is an absolute directory
}

// goVersion is the go line, or what the go command takes a missing one for
// (cmd/go/internal/gover, DefaultGoModVersion).
func goVersion(line *modfile.Go) string {
	if line == nil || line.Version == "" {
		return "1.16"
	}
	return line.Version
}

// newer reports whether go version a is higher than b; both are like "1.26.8".
func newer(a, b string) bool { return version.Compare("go"+a, "go"+b) > 0 }

// isPruned reports whether modules of a go line list all that is needed to build
// their packages, so that the go command reads no further (modload,
// pruningForGoVersion).
func isPruned(goLine string) bool { return !newer("1.17", goLine) }

// openMains reads go.mod of every main module, and go.work. What is wrong in them
// beyond their syntax, the project tells.
func (l *loader) openMains() (bad []Trouble) {
	p := l.project
	fail := func(format string, args ...any) {
		bad = append(bad, *trouble(BadFile, module.Version{}, "", format, args...))
	}
	if p.Problem != nil {
		fail("%v", p.Problem)
		return bad
	}
	if p.Untidy != nil {
		fail("%v", p.Untidy)
		return bad
	}
	if p.GoWork != "" {
		data, err := bounded.ReadFile(p.GoWork, maxFile)
		if err == nil {
			l.work, err = modfile.ParseWork(p.GoWork, data, fixVersion)
		}
		if err != nil {
			fail("%v", err)
			return bad
		}
		l.workReplace = replaces(l.work.Replace, p.Root)
	}
	for i, dir := range p.Members {
		name := filepath.Join(dir, "go.mod")
		if i == 0 {
			name = p.GoMod // -modfile may name another
		}
		m, err := openMain(name, dir)
		if err != nil {
			fail("%v", err)
			continue
		}
		l.mains = append(l.mains, m)
	}
	if len(bad) == 0 && len(l.mains) == 0 {
		fail("%s: lists no module; add one with: go work use DIR", p.GoWork)
	}
	return bad
}

func openMain(name, dir string) (*mainModule, error) {
	data, err := bounded.ReadFile(name, maxFile)
	if err != nil {
		return nil, err
	}
	f, err := modfile.Parse(name, data, fixVersion)
	if err != nil {
		return nil, err
	}
	if f.Module == nil {
		return nil, fmt.Errorf("%s: no module line", name)
	}
	m := &mainModule{path: f.Module.Mod.Path, dir: dir, file: f, exclude: map[module.Version]bool{}}
	for _, x := range f.Exclude {
		m.exclude[x.Mod] = true
	}
	m.replace = replaces(f.Replace, dir)
	return m, nil
}

// fixVersion accepts what needs no lookup: the go command would ask for any
// other version (modload, fixVersion).
func fixVersion(path, vers string) (string, error) {
	if _, pathMajor, ok := module.SplitPathVersion(path); !ok {
		return "", fmt.Errorf("malformed module path %q", path)
	} else if module.CanonicalVersion(vers) == vers && vers != "" {
		return vers, module.CheckPathMajor(vers, pathMajor)
	}
	return "", fmt.Errorf("%s %s is no full version, and looking it up takes a network", path, vers)
}

// replaces are the replace lines of a file in dir.
func replaces(lines []*modfile.Replace, dir string) map[module.Version]module.Version {
	out := map[module.Version]module.Version{}
	for _, r := range lines {
		to := r.New
		if to.Version == "" {
			if to.Path = filepath.FromSlash(to.Path); !filepath.IsAbs(to.Path) {
				to.Path = filepath.Join(dir, to.Path)
			}
		}
		out[r.Old] = to
	}
	return out
}

// mainOf is the main module of a path, nil when it is none.
func (l *loader) mainOf(path string) *mainModule {
	for _, m := range l.mains {
		if m.path == path {
			return m
		}
	}
	return nil
}

// replacement is what m is replaced by (modload, Replacement).
func (l *loader) replacement(m module.Version) (module.Version, bool) {
	if m.Version == "" && l.mainOf(m.Path) != nil {
		return module.Version{}, false
	}
	find := func(by map[module.Version]module.Version) (module.Version, bool) {
		if to, ok := by[m]; ok {
			return to, true
		}
		to, ok := by[module.Version{Path: m.Path}]
		return to, ok
	}
	if to, ok := find(l.workReplace); ok {
		return to, true
	}
	for _, main := range l.mains {
		if to, ok := find(main.replace); ok {
			return to, true
		}
	}
	return module.Version{}, false
}

// actual is the module whose files stand for m.
func (l *loader) actual(m module.Version) module.Version {
	if to, ok := l.replacement(m); ok {
		return to
	}
	return m
}

func (l *loader) excluded(m module.Version) bool {
	return slices.ContainsFunc(l.mains, func(main *mainModule) bool { return main.exclude[m] })
}

// setMode says which -mod is in force (modload, setDefaultBuildMod).
func (l *loader) setMode() (bad []Trouble) {
	fail := func(format string, args ...any) {
		bad = append(bad, *trouble(BadFile, module.Version{}, "", format, args...))
	}
	l.vendorDir = filepath.Join(l.project.Root, "vendor")
	switch flag := l.env.Flag("mod"); flag {
	case "readonly", "vendor":
		l.mode = flag
	case "mod":
		if l.mode = flag; l.work != nil {
			fail("GOFLAGS=-mod=mod: a workspace takes only readonly and vendor")
		}
	case "":
		vendored, err := l.vendors()
		if err != nil {
			fail("%v", err)
		}
		if l.mode = "readonly"; vendored {
			l.mode = "vendor"
		}
	default:
		fail("GOFLAGS=-mod=%s: there are mod, readonly and vendor", flag)
	}
	return bad
}

// vendors reports whether the vendor directory is used without being asked for.
func (l *loader) vendors() (bool, error) {
	var line *modfile.Go
	if l.work != nil {
		line = l.work.Go
	} else {
		line = l.mains[0].file.Go
	}
	if fi, err := os.Stat(l.vendorDir); err != nil || !fi.IsDir() || line == nil || newer("1.14", line.Version) {
		return false, nil
	}
	data, err := bounded.ReadFile(filepath.Join(l.vendorDir, "modules.txt"), maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	forWork := false
	if notes, ok := strings.CutPrefix(first, "## "); ok {
		forWork = slices.Contains(strings.FieldsFunc(notes, func(r rune) bool { return r == ';' || r == ' ' }), "workspace")
	}
	return forWork == (l.work != nil), nil
}

// compareVersions orders versions of one module, go versions too.
func compareVersions(path, a, b string) int {
	if path == "go" {
		return version.Compare("go"+a, "go"+b)
	}
	return semver.Compare(a, b)
}
