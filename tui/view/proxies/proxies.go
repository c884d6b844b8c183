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
	c      *view.Common
	table  widget.Table
	rows   []row
	now    []row  // the hops in force, in order
	would  []row  // the hops of the pending chain, in order
	sel    string // id of the selected row
	order  order
	filter string
	moved  bool // the user has chosen a row
	open   bool // the detail has the whole body
	scroll widget.Scroll

	base    *chain.Chain // the chain in force, raw; nil while unknown
	baseErr error
	pending *chain.Chain // the edited chain; nil without edits
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

// Page implements view.View.
func (v *View) Page() int { return v.table.Page() }

// Open implements view.View.
func (v *View) Open() tea.Cmd {
	v.open, v.scroll = true, widget.Scroll{}
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
	v.moved = true
	v.remember()
}

// Select implements view.View.
func (v *View) Select(y int) bool {
	i, ok := v.table.At(y)
	if ok && !v.open {
		v.table.Select(i)
		v.moved = true
		v.remember()
	}
	return ok
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
	}
	v.build()
	return v.ask()
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
	if state != monitor.StateOutage && state != monitor.StateDegraded || state == monitor.StateDegraded && config {
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

// Render implements view.View.
func (v *View) Render(w, h int) view.Body {
	th := v.c.Theme
	b := view.Body{Splits: map[int]widget.Line{}}
	status := fmt.Sprintf("order %s", v.order)
	if v.filter != "" {
		status += " " + th.Glyphs.Dot + " filter " + v.filter
	}
	b.Status = widget.L(widget.S(theme.Dim, fmt.Sprintf("%s %s %s", status, th.Glyphs.Dot, count(len(v.rows), "endpoint"))))
	if v.edits > 0 {
		b.Status = append(widget.L(widget.S(theme.Warn, fmt.Sprintf("%s %s pending ", th.Glyphs.Pending, count(v.edits, "edit"))), widget.S(theme.Faint, th.Glyphs.Dot+" ")), b.Status...)
	}
	if h <= 0 {
		return b
	}
	now := v.c.Now()
	span := spanOf(v.now, now)
	v.table.Columns[colSpark].Title = spanTitle(span)
	band := v.band(w, h)
	rows := 0
	if h > 0 {
		rows = min(len(v.rows)+1, max(h*45/100-len(band), 3))
		if v.open { // the detail takes what it can get
			rows = min(2, h)
		}
		if len(v.rows) == 0 {
			rows = min(3, h)
		}
		if h-rows-len(band) < 4 { // no room for a detail pane
			rows = max(h-len(band), 0)
		}
		b.Lines = v.table.Render(th, w, rows, len(v.rows), func(i int, widths []int) []widget.Line {
			return cells(th, &v.rows[i], now, span, widths)
		})
		if len(v.rows) == 0 {
			b.Lines = v.empty(w, rows)
		}
		if _, below := v.table.More(); below > 0 && rows > 0 {
			b.Status = append(b.Status, widget.S(theme.Dim, fmt.Sprintf(" %s %d more", th.Glyphs.Dot, below)))
		}
	}
	b.Hint = v.hint()
	b.Lines = append(b.Lines, band...)
	if len(b.Lines) > h {
		b.Lines = b.Lines[:h]
	}
	if rest := h - len(b.Lines); rest > 1 {
		r := v.selected()
		title := widget.L(widget.S(theme.Dim, "no endpoint"))
		if r != nil {
			title = detailTitle(r)
		}
		b.Splits[len(b.Lines)] = title
		b.Lines = append(b.Lines, nil)
		b.Lines = append(b.Lines, v.detail(r, w, rest-1)...)
	}
	for len(b.Lines) < h {
		b.Lines = append(b.Lines, widget.Blank(w))
	}
	return b
}

// hint is the next step while something is broken.
func (v *View) hint() widget.Line {
	fixes := v.c.Snapshot.Verdict.Fixes
	switch {
	case v.edits > 0:
	case v.rec != nil && v.rec.Found:
		return append(widget.L(widget.S(theme.Key, "s"), widget.S(theme.Dim, " switches to ")), chainLine(v.rec.Chain)...)
	case len(fixes) > 0:
		l := widget.L(widget.S(theme.Dim, fixes[0].Title))
		if fixes[0].Command != "" {
			l = append(l, widget.S(theme.Dim, ":  "), widget.S(theme.Strong, fixes[0].Command))
		}
		return l
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (v *View) empty(w, h int) []widget.Line {
	text := "probing" + v.c.Theme.Glyphs.Ellipsis
	switch {
	case v.filter != "":
		text = "nothing matches the filter; esc clears it"
	case v.c.Snapshot.Chain.Error != "":
		text = "the chain cannot be used: " + v.c.Snapshot.Chain.Error
	}
	out := []widget.Line{widget.L(widget.S(theme.Dim, "  "+text)).Fit(w, v.c.Theme.Glyphs.Ellipsis)}
	for len(out) < h {
		out = append(out, widget.Blank(w))
	}
	return out[:max(h, 0)]
}

func detailTitle(r *row) widget.Line {
	l := widget.L(widget.S(theme.Title, r.url))
	where := r.outside
	if r.n > 0 {
		where = fmt.Sprintf("hop %d", r.n)
	}
	return append(l, widget.S(theme.Dim, "  "+where))
}

// band shows the pending chain and what the go command would do with it.
func (v *View) band(w, h int) []widget.Line {
	if v.pending == nil {
		return nil
	}
	th := v.c.Theme
	e := th.Glyphs.Ellipsis
	chain := append(widget.L(widget.S(theme.Warn, th.Glyphs.Pending+" pending "), widget.S(theme.Text, " ")), chainLine(*v.pending)...)
	keys := widget.L(widget.S(theme.Key, "w"), widget.S(theme.Hint, " write  "), widget.S(theme.Key, "d"), widget.S(theme.Hint, " diff  "),
		widget.S(theme.Key, "Z"), widget.S(theme.Hint, " discard"))
	would := append(widget.L(widget.S(theme.Dim, "  go would "), widget.S(theme.Text, "")), walk(th, v.would)...)
	out := []widget.Line{widget.Spread(chain, keys, w, e), would.Fit(w, e)}
	if h >= 24 {
		out = append([]widget.Line{widget.Blank(w)}, out...)
	}
	return out
}

// detail draws the pane of the selected row in h lines: what it means and what
// to do at the left, figures and the chart at the right, one below the other
// where the terminal is narrow.
func (v *View) detail(r *row, w, h int) []widget.Line {
	th := v.c.Theme
	now := v.c.Now()
	if r == nil {
		return v.window(outlook(th, &v.c.Snapshot, v.now, v.rec, w), w, h)
	}
	var deep *probe.Result
	if d, ok := v.deep[r.key]; ok {
		deep = &d
	}
	if w < 96 {
		lines := words(th, r, now, w)
		lines = append(lines[:1:1], lines[2:]...) // no blank line where lines are dear
		if deep != nil {                          // what was asked for last comes first
			lines = append(append(lines, checks(th, r, deep, now)[1:]...), nil)
		}
		lines = append(lines, outlook(th, &v.c.Snapshot, v.now, v.rec, w)...)
		return v.window(append(append(lines, nil), figures(th, r, deep, now, w)...), w, h)
	}
	lw, span := w*56/100, spanOf(v.now, now)
	left := append(append(words(th, r, now, lw-3), nil), outlook(th, &v.c.Snapshot, v.now, v.rec, lw-3)...)
	right := figures(th, r, deep, now, w-lw)
	if room := h - len(right) - 2; room >= 3 && len(samples(r)) > 1 && !v.open {
		right = append(right, nil, widget.L(widget.S(theme.Dim, spanTitle(span)), widget.S(theme.Faint, "  logarithmic, "+th.Glyphs.Lost+" is lost")))
		right = append(right, widget.Columns(th, widget.Over(samples(r), now, span, w-lw-6), w-lw, min(room, 12))...)
	}
	return v.window(beside(left, right, lw, w), w, h)
}

// window cuts lines to h, scrolled when the detail is open.
func (v *View) window(lines []widget.Line, w, h int) []widget.Line {
	if v.open {
		lines = v.scroll.Show(lines, h)
	}
	out := make([]widget.Line, h)
	for i := range out {
		if i < len(lines) {
			out[i] = lines[i].Fit(w, v.c.Theme.Glyphs.Ellipsis)
		} else {
			out[i] = widget.Blank(w)
		}
	}
	return out
}

// beside puts two blocks beside each other; the left one is lw wide.
func beside(left, right []widget.Line, lw, w int) []widget.Line {
	out := make([]widget.Line, max(len(left), len(right)))
	for i := range out {
		var l widget.Line
		if i < len(left) {
			l = left[i]
		}
		l = l.Fit(lw, "")
		if i < len(right) {
			l = append(l, right[i]...)
		}
		out[i] = l.Fit(w, "")
	}
	return out
}
