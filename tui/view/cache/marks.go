package cache

import (
	"cmp"
	"slices"

	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
)

// marks are what the user has chosen: whole modules, and single versions of
// others. The two are kept apart, because a version that is named goes even
// where it is the only copy, and one of a module that is marked does not.
type marks struct {
	modules  map[string]bool
	versions map[module.Version]bool
}

func newMarks() *marks {
	return &marks{map[string]bool{}, map[module.Version]bool{}}
}

func (m *marks) has(v module.Version) bool { return m.modules[v.Path] || m.versions[v] }

func (m *marks) empty() bool { return len(m.modules) == 0 && len(m.versions) == 0 }

// toggle marks a row, or unmarks it when all of it is marked.
func (m *marks) toggle(r *row, all []modcache.Version) {
	on := r.mark != marked
	if r.version == "" {
		m.forget(all)
		if on {
			m.modules[r.path] = true
		}
		return
	}
	if m.modules[r.path] { // one version less: the others are marked one by one
		delete(m.modules, r.path)
		for i := range all {
			m.versions[all[i].Version] = true
		}
	}
	v := module.Version{Path: r.path, Version: r.version}
	if on {
		m.versions[v] = true
	} else {
		delete(m.versions, v)
	}
}

// forget takes the marks off the versions of one module.
func (m *marks) forget(all []modcache.Version) {
	for i := range all {
		delete(m.modules, all[i].Path)
		delete(m.versions, all[i].Version)
	}
}

// prune drops marks of what is no longer there.
func (m *marks) prune(inv *modcache.Inventory) {
	paths, there := map[string]bool{}, map[module.Version]bool{}
	for i := range inv.Versions {
		paths[inv.Versions[i].Path], there[inv.Versions[i].Version] = true, true
	}
	for path := range m.modules {
		if !paths[path] {
			delete(m.modules, path)
		}
	}
	for v := range m.versions {
		if !there[v] {
			delete(m.versions, v)
		}
	}
}

// of are the versions of an inventory that are marked.
func (m *marks) of(inv *modcache.Inventory) []modcache.Version {
	if inv == nil || m.empty() {
		return nil
	}
	var out []modcache.Version
	for i := range inv.Versions {
		if m.has(inv.Versions[i].Version) {
			out = append(out, inv.Versions[i])
		}
	}
	return out
}

// chosen are the modules and the versions that are marked, in order.
func (m *marks) chosen() (modules []string, versions []module.Version) {
	for path := range m.modules {
		modules = append(modules, path)
	}
	for v := range m.versions {
		versions = append(versions, v)
	}
	slices.Sort(modules)
	slices.SortFunc(versions, func(a, b module.Version) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Version, b.Version))
	})
	return modules, versions
}
