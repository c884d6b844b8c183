// Package cache is the view of the module cache and the build cache: what is
// there, who needs it, who else has it, and what would be lost.
//
//	GOMODCACHE  11.4 GiB ━━━━━━━━━━━━━━━━━━━  2,314 versions of 412 modules
//	GOCACHE      6.2 GiB ━━━━━━━━━━─────────  2.1 GiB unused for 5 d · next trim in 3h takes 2.1 GiB
//	    MODULE                    VERSIONS     SIZE        FETCHED  NEEDED BY  ELSEWHERE   RISK
//	› ■ github.com/aws/aws-sdk-go       14  1.9 GiB ━━━━━  41d ago  –          a.example   safe
//	    corp.example/billing             9  0.2 GiB ━       1d ago  ~/src/app  NONE      ! ONLY
//	├ the selected row in words ───────────────────────────────────────────────────────────┤
//
// It has three levels: modules, the versions of one of them, the build cache.
// Everything is read in the background; what is known by now is shown. Other
// hosts are asked about the rows in sight alone, and only those of the chain.
package cache

import (
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/mod/module"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/modcache"
	"gpx/envctl/redact"
	"gpx/probe/monitor"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Name is what the actions of this view carry.
const Name = "cache"

// A level is what the table lists.
type level int

// The levels.
const (
	modules  level = iota
	versions       // of one module
	building       // the build cache
	levels
)

// View is the view. It is used from the update loop only.
type View struct {
	c      *view.Common
	level  level
	module string // whose versions are listed; raw
	lists  [levels]list
	all    []*row // of the level, sorted
	rows   []*row // of them those that pass the filter
	most   int64  // the size of the largest of them
	parts  []part // of the build cache, when that is the level

	open       bool // the detail has the whole body
	scroll     widget.Scroll
	paneHeight int // lines of the detail at the last Render
	top        int // lines above the table at the last Render

	mod     reading[modcache.Progress]
	inv     *modcache.Inventory // nil until something is known
	build   reading[buildcache.Progress]
	kinds   bool // what is in the build cache was looked into
	place   buildcache.Location
	cache   *buildcache.Inventory
	home    view.Household
	answers map[module.Version]*answer
	asking  map[module.Version]bool
	bad     map[module.Version][]modcache.Bad
	checked map[module.Version]bool
	marks   *marks
	chosen  []modcache.Version // those that are marked
	broken  int                // versions that the scan found partial or damaged
	paths   int                // modules
	dirs    string             // GOMODCACHE and GOCACHE as they were when they were read
}

// A list is the table of one level.
type list struct {
	table  widget.Table
	sel    string // identity of the selected row
	order  order
	filter string
}

// A reading is a scan: whether it was done, runs, or failed, and how far it is.
type reading[P any] struct {
	done, running bool
	at            P
	err           error
}

// New makes the view.
func New(c *view.Common) *View {
	v := &View{c: c, marks: newMarks()}
	v.lists[modules].table.Columns = moduleColumns()
	v.lists[versions].table.Columns = versionColumns()
	v.lists[versions].order = byName
	v.lists[building].table.Columns = partColumns()
	v.forget()
	return v
}

// forget drops all that was found out.
func (v *View) forget() {
	v.inv, v.cache, v.home = nil, nil, view.Household{}
	v.mod, v.build = reading[modcache.Progress]{}, reading[buildcache.Progress]{}
	v.answers, v.asking = map[module.Version]*answer{}, map[module.Version]bool{}
	v.bad, v.checked = map[module.Version][]modcache.Bad{}, map[module.Version]bool{}
}

// Name implements view.View.
func (v *View) Name() string { return Name }

// Title implements view.View.
func (v *View) Title() string { return "Cache" }

// Pending implements view.View: nothing here waits to be written.
func (v *View) Pending() int { return 0 }

// Discard implements view.View.
func (v *View) Discard() {}

func (v *View) list() *list { return &v.lists[v.level] }

// Filter implements view.View.
func (v *View) Filter() *string { return &v.list().filter }

// Filtered implements view.View.
func (v *View) Filtered() { v.narrow() }

// Page implements view.View: of the detail, while that is open.
func (v *View) Page() int {
	if v.open {
		return max(v.paneHeight-1, 1) // one line is to be seen on both pages
	}
	return v.list().table.Page()
}

// NextOrder implements view.View.
func (v *View) NextOrder() string {
	l := v.list()
	l.order = (l.order + 1) % orders
	v.rebuild()
	return l.order.String()
}

// Open implements view.View: a module's versions, and of anything else the
// detail pane whole.
func (v *View) Open() tea.Cmd {
	if v.level == modules && !v.open {
		r := v.selected()
		if r == nil {
			return nil
		}
		if r.path != v.module {
			v.lists[versions].sel, v.lists[versions].filter = "", ""
		}
		v.level, v.module = versions, r.path
		v.rebuild()
		return v.ask()
	}
	v.open, v.scroll = true, widget.Scroll{}
	return nil
}

// Back implements view.View.
func (v *View) Back() bool {
	switch {
	case v.open:
		v.open = false
	case *v.Filter() != "":
		return false // the router clears it
	case v.level != modules:
		v.level = modules
		v.rebuild()
	default:
		return false
	}
	return true
}

// Move implements view.View.
func (v *View) Move(n int) {
	if v.open {
		v.scroll.By(n)
		return
	}
	v.list().table.Move(n)
	v.remember()
}

// Select implements view.View.
func (v *View) Select(y int) bool {
	l := v.list()
	i, ok := l.table.At(y - v.top)
	if ok && !v.open {
		l.table.Select(i)
		v.remember()
	}
	return ok
}

// selected is the row under the cursor, nil when there is none.
func (v *View) selected() *row {
	if i := v.list().table.Cursor(); v.level != building && i >= 0 && i < len(v.rows) {
		return v.rows[i]
	}
	return nil
}

func (v *View) remember() {
	if r := v.selected(); r != nil {
		v.list().sel = r.path + "@" + r.version
	}
}

// Update implements view.View.
func (v *View) Update(e view.Event) tea.Cmd {
	switch e {
	case view.Shown:
		if !v.mod.done && !v.mod.running {
			return v.scan()
		}
		return v.ask()
	case view.Applied:
		if v.mod.done {
			return v.scan()
		}
	case view.EnvChanged:
		if d := v.dirsNow(); v.dirs != "" && d != v.dirs {
			v.forget()
			v.rebuild()
			return v.scan()
		}
	case view.Moved, view.SnapshotChanged:
		if v.mod.done {
			return v.ask()
		}
	}
	return nil
}

// dirsNow is where the caches are, "" while that is not known.
func (v *View) dirsNow() string {
	if e := v.c.Env; e != nil {
		return e.Get("GOMODCACHE") + "\x00" + e.Get("GOCACHE")
	}
	return ""
}

// facts are what rows are made of now.
func (v *View) facts() *facts {
	return &facts{
		inv: v.inv, needs: v.home.Needs, running: v.home.Running, answers: v.answers, asking: v.asking,
		bad: v.bad, checked: v.checked, marks: v.marks,
		short: func(root string) string { return redact.Clean(view.Tilde(v.c.Env, root)) },
	}
}

// rebuild makes the rows again.
func (v *View) rebuild() {
	l := v.list()
	if v.level == building {
		v.parts = partsOf(v.cache, v.kinds)
		l.table.SetRows(len(v.parts))
		return
	}
	f := v.facts()
	if v.level == modules {
		v.all = moduleRows(f)
	} else {
		v.all = versionRows(f, v.module)
		slices.Reverse(v.all) // the newest first
	}
	v.chosen = v.marks.of(v.inv)
	sortRows(v.all, l.order)
	l.table.Sorted, l.table.Arrow = l.order.column(&v.c.Theme.Glyphs)
	if v.level == versions && l.order == byName {
		l.table.Arrow = v.c.Theme.Glyphs.Down
	}
	v.narrow()
}

// narrow takes over the filter, and keeps the selection on its row.
func (v *View) narrow() {
	l := v.list()
	if v.level == building {
		return
	}
	v.rows = filterRows(v.all, l.filter)
	v.most = 0
	for i := range v.rows {
		v.most = max(v.most, v.rows[i].bytes)
	}
	l.table.SetRows(len(v.rows))
	for i := range v.rows {
		if v.rows[i].path+"@"+v.rows[i].version == l.sel {
			l.table.Select(i)
			return
		}
	}
	if l.sel == "" {
		l.table.Select(0)
	}
	v.remember() // what the cursor stands on is what the next key is about
}

// health says which hops of the chain answer: when that changes, what was asked
// has to be asked again.
func (v *View) health() string {
	var b strings.Builder
	for _, h := range v.c.Snapshot.Chain.Hops {
		b.WriteString(h.URL)
		if h.Health == monitor.Down {
			b.WriteByte('!')
		}
		b.WriteByte(' ')
	}
	return b.String()
}

var _ view.View = (*View)(nil)
