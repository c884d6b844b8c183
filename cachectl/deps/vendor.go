package deps

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"gpx/envctl/bounded"
)

// A vendorList is what vendor/modules.txt says (modload, readVendorList).
type vendorList struct {
	list     []module.Version // that packages come from
	replaced []module.Version
	version  map[string]string
	module   map[string]module.Version // by package
	meta     map[module.Version]vendorMeta
}

type vendorMeta struct {
	explicit    bool
	replacement module.Version
}

// openVendor reads modules.txt and compares it with go.mod (modload,
// checkVendorConsistency). What it returns stops every go command.
func (l *loader) openVendor() (bad []Trouble) {
	v := &vendorList{version: map[string]string{}, module: map[string]module.Version{}, meta: map[module.Version]vendorMeta{}}
	l.vendor = v
	data, err := bounded.ReadFile(filepath.Join(l.vendorDir, "modules.txt"), maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []Trouble{*trouble(BadVendor, module.Version{}, l.vendorCommand(), "%v", err)}
	}
	if t := v.read(string(data), l.running); t != nil {
		return []Trouble{*t}
	}
	for _, text := range l.contradictions() {
		bad = append(bad, *trouble(BadVendor, module.Version{}, l.vendorCommand(), "vendor/modules.txt: %s", text))
	}
	if len(bad) == 0 && l.rs.pruning == pruned {
		for _, m := range v.list {
			if got, ok := l.rootSelected(m.Path); !ok || got != m.Version {
				bad = append(bad, *trouble(BadVendor, m, l.vendorCommand(), "vendor/modules.txt: %s is vendored, and go.mod does not require it", m))
			}
		}
	}
	return bad
}

func (l *loader) vendorCommand() string {
	if l.work != nil {
		return "go work vendor"
	}
	return "go mod vendor"
}

func (v *vendorList) read(text, running string) *Trouble {
	var mod module.Version
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "# ") {
			mod = v.moduleLine(strings.Fields(line))
			continue
		}
		if mod.Path == "" {
			continue
		}
		if notes, ok := strings.CutPrefix(line, "## "); ok {
			for _, note := range strings.Split(notes, ";") {
				note = strings.TrimSpace(note)
				if note == "explicit" {
					meta := v.meta[mod]
					meta.explicit = true
					v.meta[mod] = meta
				}
				if line, ok := strings.CutPrefix(note, "go "); ok && newer(line, running) {
					return trouble(TooNew, mod, "", "%s requires go >= %s, and go%s would build it", mod, line, running)
				}
			}
			continue
		}
		if f := strings.Fields(line); len(f) == 1 && module.CheckImportPath(f[0]) == nil {
			v.module[f[0]] = mod
			if had, ok := v.version[mod.Path]; !ok || semver.Compare(had, mod.Version) < 0 {
				v.list = append(v.list, mod)
				v.version[mod.Path] = mod.Version
			}
		}
	}
	return nil
}

// moduleLine reads "# path version", "# path version => …" and "# path => …".
func (v *vendorList) moduleLine(f []string) module.Version {
	var mod module.Version
	switch {
	case len(f) < 3:
		return mod
	case semver.IsValid(f[2]):
		mod = module.Version{Path: f[1], Version: f[2]}
		f = f[3:]
	case f[2] == "=>":
		mod = module.Version{Path: f[1]}
		f = f[2:]
	default:
		return mod
	}
	if len(f) < 2 || f[0] != "=>" {
		return mod
	}
	to := module.Version{Path: f[1]}
	if len(f) == 3 && semver.IsValid(f[2]) {
		to.Version = f[2]
	} else if len(f) != 2 {
		return mod
	}
	meta := v.meta[mod]
	meta.replacement = to
	v.meta[mod] = meta
	v.replaced = append(v.replaced, mod)
	return mod
}

// contradictions between modules.txt and the go.mod files, in words.
func (l *loader) contradictions() (bad []string) {
	v := l.vendor
	old := l.work == nil && (l.mains[0].file.Go == nil || newer("1.14", l.mains[0].file.Go.Version))
	for _, m := range l.mains {
		for _, r := range m.file.Require {
			switch had, ok := v.version[r.Mod.Path]; {
			case v.meta[r.Mod].explicit:
			case old && ok && had != r.Mod.Version:
				bad = append(bad, fmt.Sprintf("it has %s %s, and go.mod requires %s", r.Mod.Path, had, r.Mod.Version))
			case !old:
				bad = append(bad, fmt.Sprintf("%s is required in go.mod and not marked as explicit", r.Mod))
			}
		}
	}
	bad = append(bad, l.replaceContradictions(old)...)
	for _, m := range v.list {
		if v.meta[m].explicit && !l.requires(m) {
			bad = append(bad, fmt.Sprintf("%s is marked as explicit and not required in go.mod", m))
		}
	}
	for _, m := range v.replaced {
		if _, ok := l.replacement(m); !ok {
			bad = append(bad, fmt.Sprintf("%s is marked as replaced and not replaced in go.mod", m.Path))
		}
	}
	return bad
}

func (l *loader) requires(m module.Version) bool {
	for _, main := range l.mains {
		for _, r := range main.file.Require {
			if r.Mod == m {
				return true
			}
		}
	}
	return false
}

func (l *loader) replaceContradictions(old bool) (bad []string) {
	v := l.vendor
	var lines []*modfile.Replace
	for _, m := range l.mains {
		lines = append(lines, m.file.Replace...)
	}
	if l.work != nil {
		lines = append(lines, l.work.Replace...)
	}
	seen := map[module.Version]bool{}
	for _, r := range lines {
		if seen[r.Old] {
			continue
		}
		seen[r.Old] = true
		want, ok := l.replacement(r.Old)
		had := v.meta[r.Old].replacement
		switch {
		case had == module.Version{}:
			if ok && !(old && (r.Old.Version == "" || v.version[r.Old.Path] != r.Old.Version)) {
				bad = append(bad, fmt.Sprintf("%s is replaced, and not marked so", r.Old.Path))
			}
		case ok && l.absolute(had) != want:
			bad = append(bad, fmt.Sprintf("%s is replaced by %s, and marked as replaced by %s", r.Old.Path, want.Path, had.Path))
		}
	}
	return bad
}

// absolute makes a replacement of modules.txt comparable: directories in it are
// relative to go.mod, or to go.work.
func (l *loader) absolute(m module.Version) module.Version {
	if m.Version == "" && !filepath.IsAbs(m.Path) {
		m.Path = filepath.Join(l.project.Root, filepath.FromSlash(m.Path))
	}
	return m
}

// resolveVendored finds a package in the main modules or the vendor directory.
func (l *loader) resolveVendored(pkg string) (*place, []Trouble) {
	var at []place
	for _, m := range l.mains {
		t := &tree{dir: m.dir, local: true}
		if rel, ok := folder(pkg, m.path); ok && t.has(rel) {
			at = append(at, place{module.Version{Path: m.path}, t, rel})
		}
	}
	t := &tree{dir: l.vendorDir}
	if t.has(pkg) {
		// From go 1.23 on, what modules.txt does not list does not exist.
		if mod, ok := l.vendor.module[pkg]; ok || newer("1.23", l.goLine()) {
			at = append(at, place{mod, t, pkg})
		}
	}
	switch len(at) {
	case 0:
		return nil, []Trouble{*trouble(NotVendored, module.Version{}, l.vendorCommand(), "%s: the vendor directory does not have it", pkg)}
	case 1:
		return &at[0], nil
	}
	return nil, []Trouble{*trouble(Ambiguous, module.Version{}, l.vendorCommand(), "%s: it is in the project and in its vendor directory", pkg)}
}

// goLine is the go line that counts for the whole.
func (l *loader) goLine() string {
	if l.work != nil {
		return goVersion(l.work.Go)
	}
	return goVersion(l.mains[0].file.Go)
}
