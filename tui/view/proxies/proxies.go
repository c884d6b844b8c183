// Package proxies is the view of the chain and of everything else that is
// probed: which hop works, what the go command does at it, and how to change
// the chain.
//
//	ORD SEP PROXY                 STATE    p50   p95 LOSS AGE  LAST 2 MIN  NOTE
//	› 1  ,  https://a.example     ✗ DOWN     –     –  100%  3s  ▂▃▂!!!!!!  refused · go stops
//	  2     direct                ✓ OK    1.9s  4.1s    0%  4s  ▅▅▆▅▆▅▅▆▅  version control
//	├ the selected row in words ─────────────────────────────────────────────┤
//
// Changes of the chain are collected as pending edits and written together.
package proxies

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/failover"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Name is what the actions of this view carry.
const Name = "proxies"

// View is the view. It is used from the update loop only.
type View struct {
	c          *view.Common
	table      widget.Table
	rows       []row
	now        []row  // the hops in force, in order
	would      []row  // the hops of the pending chain, in order
	sel        string // id of the selected row
	order      order
	filter     string
	moved      bool // the user has chosen a row
	open       bool // the detail has the whole body
	scroll     widget.Scroll
	paneHeight int // lines of the detail at the last Render

	base    *chain.Chain // the chain in force, raw; nil while unknown
	baseErr error
	pending *chain.Chain // the edited chain; nil without edits
	from    string       // the chain that the edits were made from
	edits   int

	rec    *failover.Recommendation
	recFor string // what rec was asked for
	deep   map[string]probe.Result
}

// New makes the view.
func New(c *view.Common) *View {
	return &View{c: c, table: widget.Table{Columns: slices.Clone(columns)}, deep: map[string]probe.Result{}}
}

// Name implements view.View.
func (v *View) Name() string { return Name }

// Title implements view.View.
func (v *View) Title() string { return "Proxies" }

// Pending implements view.View.
func (v *View) Pending() int { return v.edits }

// Discard implements view.View.
func (v *View) Discard() {
	v.pending, v.edits = nil, 0
	v.build()
}

// Filter implements view.View.
func (v *View) Filter() *string { return &v.filter }

// Page implements view.View: of the detail, while that is open.
func (v *View) Page() int {
	if v.open {
		return max(v.paneHeight-1, 1) // one line is to be seen on both pages
	}
	return v.table.Page()
}

// Open implements view.View.
func (v *View) Open() tea.Cmd {
	v.open, v.scroll = true, widget.Scroll{}
	v.choose()
	return nil
}

// Back implements view.View.
func (v *View) Back() bool {
	was := v.open
	v.open = false
	return was
}

// Move implements view.View.
func (v *View) Move(n int) {
	if v.open {
		v.scroll.By(n)
		return
	}
	v.table.Move(n)
	v.choose()
}

// Select implements view.View.
func (v *View) Select(y int) bool {
	i, ok := v.table.At(y)
	if ok && !v.open {
		v.table.Select(i)
		v.choose()
	}
	return ok
}

// choose keeps the cursor on the endpoint that the user is busy with.
func (v *View) choose() {
	v.moved = true
	v.remember()
}

func (v *View) remember() {
	if r := v.selected(); r != nil {
		v.sel = r.id
	}
}

// selected is the row under the cursor, nil when there is none.
func (v *View) selected() *row {
	if i := v.table.Cursor(); i >= 0 && i < len(v.rows) {
		return &v.rows[i]
	}
	return nil
}

// Copy implements view.View: the pending command, or the row's URL.
func (v *View) Copy() string {
	if v.pending != nil {
		return "go env -w GOPROXY='" + v.pending.Redacted() + "'"
	}
	if r := v.selected(); r != nil {
		return r.url
	}
	return ""
}

// Update implements view.View.
func (v *View) Update(e view.Event) tea.Cmd {
	if e == view.EnvChanged && v.c.Env != nil {
		c, err := v.c.Env.Chain()
		v.base, v.baseErr = &c, err
		if err != nil {
			v.base = nil
		}
		v.outdated()
	}
	v.build()
	return v.ask()
}

// outdated drops the pending edits when the chain that they were made from is
// no longer in force: written, they would bring it back.
func (v *View) outdated() {
	if v.pending == nil || v.base != nil && v.base.String() == v.from {
		return
	}
	n := v.edits
	v.Discard()
	v.c.Say(theme.Warn, "GOPROXY is another chain now: %s of the old one dropped", widget.Count(n, "pending edit"))
}

// build makes the rows again and keeps the selection on its row.
func (v *View) build() {
	v.now = hops(buildRows(&v.c.Snapshot, nil))
	v.rows = buildRows(&v.c.Snapshot, v.pending)
	v.would = nil
	if v.pending != nil {
		v.would = hops(v.rows)
	}
	sortRows(v.rows, v.order)
	v.table.Sorted, v.table.Arrow = v.order.column(&v.c.Theme.Glyphs)
	v.rows = filterRows(v.rows, v.filter)
	v.table.SetRows(len(v.rows))
	if !v.moved && v.pending == nil { // until a row is chosen, show the one that decides
		db := v.c.Snapshot.Verdict.Scope == monitor.ScopeSumDB
		for i := range v.rows {
			if r := &v.rows[i]; db && r.kind == probe.KindSumDB || !db && r.n > 0 && decides(r.goWill) {
				v.table.Select(i)
				v.remember()
				return
			}
		}
	}
	for i := range v.rows {
		if v.rows[i].id == v.sel {
			v.table.Select(i)
			return
		}
	}
	if v.sel == "" && len(v.rows) > 0 {
		v.table.Select(0)
	}
	v.remember() // what the cursor stands on is what the next key is about
}

// hops are the rows of the chain alone.
func hops(rows []row) []row {
	n := 0
	for n < len(rows) && rows[n].n > 0 {
		n++
	}
	return append([]row(nil), rows[:n]...)
}

// Filtered rebuilds the rows after the filter was changed.
func (v *View) Filtered() { v.build() }

// ask asks for the chain to switch to while something is broken. The answer is
// for one verdict and one set of states; it is asked again when they change.
func (v *View) ask() tea.Cmd {
	s := &v.c.Snapshot
	// With DEGRADED, scope config, the chain works and something else is wrong: a
	// go.mod that cannot be read, a setting that another chain does not mend.
	state, config := s.Verdict.State, s.Verdict.Scope == monitor.ScopeConfig
	if state != monitor.StateOutage && state != monitor.StateDegraded || state == monitor.StateDegraded && config || v.c.Player != nil {
		v.rec, v.recFor = nil, ""
		return nil
	}
	if v.c.Services.Recommend == nil {
		return nil
	}
	var b strings.Builder
	b.WriteString(s.Chain.Value + s.Verdict.Headline)
	for i := range s.Endpoints {
		fmt.Fprint(&b, s.Endpoints[i].URL, s.Endpoints[i].Health)
	}
	if b.String() == v.recFor {
		return nil
	}
	v.recFor = b.String()
	snap := *s
	return view.Start(v.c, "recommend", "", func(ctx context.Context) (failover.Recommendation, error) {
		return v.c.Services.Recommend(ctx, snap)
	}, func(r failover.Recommendation, err error) tea.Cmd {
		if err == nil {
			v.rec = &r
		}
		return nil
	})
}
