// Package deps is the view of the project's modules: whether it builds with no
// network, what is missing, and who still has it.
//
//	~/src/app/go.mod  go 1.26   OFFLINE BUILD: ✗ NO   82 ready · 2 at risk · 3 missing  ━━━━━━── 94%
//	  go build ./... stops: github.com/mattn/go-sqlite3@v1.14.53: it is not in the module cache
//	  MODULE                       VERSION   KIND      CACHE  SUM  REACHABLE AT  VERDICT
//	› github.com/mattn/go-sqlite3  v1.14.53  direct    mod    yes  a.example     ✗ MISSING
//	  golang.org/x/mod             v0.42.0   direct    all    yes  –             ✓ ready
//	├ the selected row in words ───────────────────────────────────────────────────────────┤
//
// What is here is read from files. Who has what is missing is asked for the rows in
// sight alone, and only the hops of the chain.
package deps

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/mod/module"

	"gpx/cachectl/deps"
	"gpx/probe/reach"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Name is what the actions of this view carry.
const Name = "deps"

// View is the view. It is used from the update loop only.
type View struct {
	c      *view.Common
	table  widget.Table
	order  order
	filter string
	sel    module.Version // the selected row
	all    []*row
	rows   []*row // of them those that pass the filter

	report  *deps.Report // nil until it was read
	read    bool
	reading bool
	err     error

	answers map[module.Version]answer
	asking  map[module.Version]bool
	proof   *deps.Proof

	open       bool // the detail has the whole body
	scroll     widget.Scroll
	paneHeight int
	top        int
}

// An answer is who can give a version, and when that was.
type answer struct {
	reach.Answer
	at time.Time
}

// New makes the view.
func New(c *view.Common) *View {
	v := &View{c: c, answers: map[module.Version]answer{}, asking: map[module.Version]bool{}}
	v.table.Columns = columns()
	return v
}

// Name implements view.View.
func (v *View) Name() string { return Name }

// Title implements view.View.
func (v *View) Title() string { return "Deps" }

// Pending implements view.View: nothing here waits to be written.
func (v *View) Pending() int { return 0 }

// Discard implements view.View.
func (v *View) Discard() {}

// Filter implements view.View.
func (v *View) Filter() *string { return &v.filter }

// Filtered implements view.View.
func (v *View) Filtered() { v.narrow() }

// NextOrder implements view.View.
func (v *View) NextOrder() string {
	v.order = (v.order + 1) % orders
	v.rebuild()
	return v.order.String()
}

// Page implements view.View: of the detail, while that is open.
func (v *View) Page() int {
	if v.open {
		return max(v.paneHeight-1, 1)
	}
	return v.table.Page()
}

// Open implements view.View.
func (v *View) Open() tea.Cmd {
	v.open, v.scroll = true, widget.Scroll{}
	return nil
}

// Back implements view.View.
func (v *View) Back() bool {
	was := v.open || v.proof != nil
	v.open, v.proof = false, nil
	return was
}

// Move implements view.View.
func (v *View) Move(n int) {
	if v.open {
		v.scroll.By(n)
		return
	}
	v.table.Move(n)
	v.remember()
}

// Select implements view.View.
func (v *View) Select(y int) bool {
	i, ok := v.table.At(y - v.top)
	if ok && !v.open {
		v.table.Select(i)
		v.remember()
	}
	return ok
}

// selected is the row under the cursor, nil when there is none.
func (v *View) selected() *row {
	if i := v.table.Cursor(); i >= 0 && i < len(v.rows) {
		return v.rows[i]
	}
	return nil
}

func (v *View) remember() {
	if r := v.selected(); r != nil {
		v.sel = r.m.Version
	}
}

// Update implements view.View.
func (v *View) Update(e view.Event) tea.Cmd {
	switch e {
	case view.Shown:
		v.follow()
		if !v.read && !v.reading {
			return v.look()
		}
		return v.ask()
	case view.Applied:
		if v.read {
			return v.look()
		}
	case view.SnapshotChanged:
		if v.read {
			v.follow()
			return v.ask()
		}
	case view.EnvChanged:
		if v.read {
			return v.look()
		}
	case view.Moved:
		return v.ask()
	}
	return nil
}

// follow takes over what somebody else has read since.
func (v *View) follow() {
	if v.c.Services.LastDeps == nil || v.reading {
		return
	}
	if r := v.c.Services.LastDeps(); r != nil && r != v.report {
		v.read, v.report, v.err = true, r, nil
		v.rebuild()
	}
}

// look reads what the project needs.
func (v *View) look() tea.Cmd {
	read := v.c.Services.ReadDeps
	if read == nil {
		return nil
	}
	v.reading = true
	return view.Start(v.c, "deps", "reading what the project needs", read, func(r *deps.Report, err error) tea.Cmd {
		v.reading, v.err = false, err
		if err != nil {
			return v.c.Fail(err)
		}
		v.read, v.report = true, r
		v.rebuild()
		return v.ask()
	})
}

// Bounds of asking who has what is in sight.
const (
	askAtOnce = 24
	fresh     = 2 * time.Minute
)

// ask asks who has what is missing, for the rows in sight.
func (v *View) ask() tea.Cmd {
	where := v.c.Services.Where
	if where == nil || v.c.ReadOnly != "" || len(v.asking) > 0 {
		return nil
	}
	var ms []module.Version
	from, to := v.table.Seen()
	for i := from; i < min(to, len(v.rows)) && len(ms) < askAtOnce; i++ {
		m := v.rows[i].m
		a, known := v.answers[m.Actual()]
		if m.Actual().Version == "" || m.Verdict != deps.Missing && m.Verdict != deps.AtRisk || known && v.c.Now().Sub(a.at) < fresh {
			continue
		}
		ms = append(ms, m.Actual())
	}
	if len(ms) == 0 {
		return nil
	}
	for _, m := range ms {
		v.asking[m] = true
	}
	return view.Stream(v.c, "deps where", "", func(ctx context.Context, send func(reach.Answer)) (struct{}, error) {
		return struct{}{}, where(ctx, ms, send)
	}, func(as []reach.Answer) {
		for _, a := range as {
			v.answers[a.Version] = answer{a, v.c.Now()}
			delete(v.asking, a.Version)
		}
	}, func(_ struct{}, err error) tea.Cmd {
		for _, m := range ms { // what got no answer is not asked again at once
			if v.asking[m] {
				v.answers[m] = answer{reach.Answer{Version: m}, v.c.Now()}
				delete(v.asking, m)
			}
		}
		if err != nil {
			return v.c.Fail(err)
		}
		return v.ask()
	})
}

var _ view.View = (*View)(nil)
