package cache

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/redact"
	"gpx/tui/actions"
	"gpx/tui/view"
)

// Actions implements view.View.
func (v *View) Actions() []actions.Action {
	s := &v.c.Services
	onModules := func(service bool) func() string {
		return func() string {
			switch {
			case !service:
				return view.Lacking(false)
			case v.level == building:
				return "for modules: b goes back to them"
			case v.inv == nil:
				return "the module cache was not read yet"
			}
			return ""
		}
	}
	onRow := func() string {
		if why := onModules(true)(); why != "" {
			return why
		}
		if v.selected() == nil {
			return "nothing is selected"
		}
		return ""
	}
	prunable := func() string {
		switch {
		case v.level == building && s.PlanPruneBuild == nil, v.level != building && s.PlanPrune == nil:
			return view.Lacking(false)
		case v.level == building && v.cache == nil:
			return "there is no build cache"
		case v.level != building && !v.mod.done:
			return "the module cache is still being read"
		}
		return ""
	}
	return []actions.Action{
		{ID: "cache.open", View: Name, Key: actions.On("open", "enter"), Footer: 3, Help: "a module: its versions; anything else: what the pane says of it, whole", Do: v.Open},
		{ID: "cache.mark", View: Name, Key: actions.On("mark", " "), Footer: 5, Help: "mark the row; again takes the mark off", Disabled: onRow, Do: v.toggleMark},
		{ID: "cache.invert", View: Name, Key: actions.On("invert", "*"), Footer: 9, Help: "mark what is listed and not marked, and the other way round", Disabled: onRow, Do: v.invert},
		{ID: "cache.prune", View: Name, Key: actions.On("prune", "P"), Footer: 4, Changes: true,
			Help: "take what is marked, or the row, out of the cache: asks how, then shows the plan", Disabled: prunable, Do: v.prune},
		{ID: "cache.verify", View: Name, Key: actions.On("verify", "v"), Footer: 6,
			Help: "check zips and trees against their hashes, go.sum and the checksum database", Disabled: onModules(s.Verify != nil), Do: v.verify},
		{ID: "cache.export", View: Name, Key: actions.On("export", "e"), Footer: 7, Changes: true,
			Help: "write a bundle that any go command can build from", Disabled: func() string { return view.Lacking(s.Export != nil) }, Do: v.export},
		{ID: "cache.import", View: Name, Key: actions.On("import", "i"), Footer: 8, Changes: true,
			Help: "take a bundle in: checks it, then shows the plan", Disabled: func() string { return view.Lacking(s.PlanImport != nil) }, Do: v.importBundle},
		{ID: "cache.build", View: Name, Key: actions.On("build cache", "b"), Footer: 9, Help: "go between the modules and the build cache", Do: v.turn},
		{ID: "cache.rescan", View: Name, Key: actions.On("rescan", "r"), Footer: 10, Help: "read both caches again, and ask again who else has what is in sight",
			Disabled: func() string { return view.Lacking(s.Scan != nil) }, Do: v.rescan},
	}
}

func (v *View) toggleMark() tea.Cmd {
	r := v.selected()
	v.marks.toggle(r, versionsOf(v.inv, r.path))
	v.rebuild()
	v.Move(1)
	return nil
}

func (v *View) invert() tea.Cmd {
	for _, r := range v.rows {
		v.marks.toggle(r, versionsOf(v.inv, r.path))
	}
	v.rebuild()
	return nil
}

// turn goes between the modules and the build cache, which is looked into when
// it is seen for the first time.
func (v *View) turn() tea.Cmd {
	v.open = false
	if v.level == building {
		v.level = modules
		v.rebuild()
		return v.ask()
	}
	v.level = building
	v.rebuild()
	if !v.kinds {
		return v.scanBuild(true)
	}
	return nil
}

func (v *View) rescan() tea.Cmd {
	clear(v.answers)
	return v.scan()
}

// Copy implements view.View: what mends the row, the command that is equal to P
// where something is marked, or the row's name.
func (v *View) Copy() string {
	r := v.selected()
	switch {
	case v.level == building:
		if i := v.list().table.Cursor(); i < len(v.parts) && v.parts[i].olderThan > 0 {
			return "gpx cache prune --build --older-than " + v.parts[i].olderThan.String()
		}
		return "gpx cache prune --build"
	case !v.marks.empty():
		modules, versions := v.marks.chosen()
		for _, m := range versions {
			modules = append(modules, m.Path+"@"+m.Version)
		}
		return redact.Text("gpx cache prune --trash " + strings.Join(modules, " "))
	case r == nil:
		return ""
	case len(r.bad) > 0 && r.bad[0].Mend != "":
		return r.bad[0].Mend
	case r.version != "":
		return redact.Text(r.path + "@" + r.version)
	}
	return r.name
}
