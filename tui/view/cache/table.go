package cache

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"gpx/cachectl/modcache"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// The columns by place. Modules and versions have the same, under other names.
const (
	colMark = iota
	colName
	colCount // how many versions; of a version its state
	colSize
	colBar
	colFetched
	colNeeded
	colElsewhere
	colRisk
)

// moduleColumns are those of the modules. At 80 cells bars, FETCHED and ELSEWHERE
// are left out, so that names can be read: the detail pane says all three, and
// RISK what they come to.
func moduleColumns() []widget.Column {
	return []widget.Column{
		colMark:      {Title: "", Min: 2},
		colName:      {Title: "MODULE", Min: 26, Grow: 6, Max: 60, Tight: true, Middle: true},
		colCount:     {Title: "VERSIONS", Short: "VERS.", Min: 7, Max: 8, Grow: 1, Tight: true, Drop: 1},
		colSize:      {Title: "SIZE", Min: 8, Max: 9, Grow: 1, Right: true, Tight: true},
		colBar:       {Title: "", Min: 6, Grow: 1, Max: 20, Tight: true, Drop: 5},
		colFetched:   {Title: "FETCHED", Min: 8, Right: true, Drop: 4},
		colNeeded:    {Title: "NEEDED BY", Min: 10, Grow: 2, Max: 28, Middle: true, Drop: 2},
		colElsewhere: {Title: "ELSEWHERE", Min: 11, Grow: 2, Max: 32, Middle: true, Drop: 3},
		colRisk:      {Title: "RISK", Min: 7},
	}
}

// versionColumns are those of the versions of one module.
func versionColumns() []widget.Column {
	cols := moduleColumns()
	cols[colName].Title = "VERSION"
	cols[colCount] = widget.Column{Title: "STATE", Min: 8, Max: 11, Grow: 1, Tight: true, Drop: 1}
	return cols
}

// cells draws one row; most is the size of the largest one.
func cells(th *theme.Theme, r *row, now time.Time, most int64, widths []int) []widget.Line {
	g := &th.Glyphs
	one := func(role theme.Role, s string) widget.Line { return widget.L(widget.S(role, s)) }
	out := make([]widget.Line, colRisk+1)

	out[colMark] = append(widget.L(markSpan(g, r.mark)), healthSpan(g, r))
	name := theme.Text
	if r.mark != unmarked {
		name = theme.Strong
	}
	out[colName] = one(name, r.name)
	out[colCount] = count(th, r)
	out[colSize] = one(theme.Text, approximately(r.bytes, r.exact))
	if w := widths[colBar]; w > 0 {
		out[colBar] = widget.Bar(th, theme.Accent, r.bytes, most, w)
	}
	out[colFetched] = one(theme.Dim, orDash(g, widget.Ago(now, r.fetched)))
	out[colNeeded] = neededBy(th, r)
	out[colElsewhere] = elsewhere(th, &r.where)
	out[colRisk] = riskCell(th, r.risk)
	return out
}

func markSpan(g *theme.Glyphs, m mark) widget.Span {
	switch m {
	case marked:
		return widget.S(theme.Accent, g.Mark)
	case partly:
		return widget.S(theme.Accent, g.Part)
	}
	return widget.S(theme.Text, " ")
}

// healthSpan is the sign of what verify, or else the scan, has found.
func healthSpan(g *theme.Glyphs, r *row) widget.Span {
	switch {
	case len(r.bad) > 0 || worst(r) == modcache.Damaged:
		return widget.S(theme.Bad, g.Bad)
	case worst(r) == modcache.Partial:
		return widget.S(theme.Warn, g.Warn)
	case r.checked:
		return widget.S(theme.Good, g.Good)
	}
	return widget.S(theme.Text, " ")
}

// worst is the state of a row that asks for attention, or else that of its first
// version.
func worst(r *row) modcache.State {
	state := r.vs[0].State
	for i := range r.vs {
		switch s := r.vs[i].State; {
		case s == modcache.Damaged:
			return s
		case s == modcache.Partial:
			state = s
		}
	}
	return state
}

// count is how many versions a module has: those with sources, and behind a plus
// those of which only the .mod is there. A version has its state there.
func count(th *theme.Theme, r *row) widget.Line {
	if r.version != "" {
		role := theme.Dim
		switch s := r.vs[0].State; s {
		case modcache.Damaged:
			role = theme.Bad
		case modcache.Partial:
			role = theme.Warn
		}
		return widget.L(widget.S(role, stateWords(r.vs[0].State)))
	}
	l := widget.L(widget.S(theme.Text, fmt.Sprintf("%2d", r.sources)))
	if mods := len(r.vs) - r.sources; mods > 0 {
		l = append(l, widget.S(theme.Dim, fmt.Sprintf(" +%d", mods)))
	}
	return l
}

func neededBy(th *theme.Theme, r *row) widget.Line {
	if len(r.by) == 0 {
		return widget.L(widget.S(theme.Faint, th.Glyphs.Dash))
	}
	name, role, more := r.by[0], theme.Text, ""
	if r.running {
		name, role = "running go", theme.Warn
	}
	if n := len(r.by) - 1; n > 0 {
		more = fmt.Sprintf(" +%d", n)
	}
	return widget.L(widget.S(role, name+more)) // one span: it is cut in its middle
}

// elsewhere is who can give the row back, as short as a column is.
func elsewhere(th *theme.Theme, w *where) widget.Line {
	g := &th.Glyphs
	switch {
	case w.total == 0:
		return widget.L(widget.S(theme.Faint, g.Dash))
	case w.none > 0 && w.none == w.total:
		return widget.L(widget.S(theme.Bad, "NONE"))
	case w.none > 0:
		return widget.L(widget.S(theme.Bad, fmt.Sprintf("NONE for %d", w.none)))
	case w.asking:
		return widget.L(widget.S(theme.Dim, "asking"+g.Ellipsis))
	case w.asked == 0:
		return widget.L(widget.S(theme.Faint, g.Dash))
	}
	var names []string
	for _, h := range w.hops {
		names = append(names, view.HopName(h))
	}
	l := widget.L(widget.S(theme.Text, strings.Join(names, " ")))
	if w.asked < w.total {
		l = append(l, widget.S(theme.Dim, fmt.Sprintf(" %d/%d", w.asked, w.total)))
	}
	return l
}

func riskCell(th *theme.Theme, r risk) widget.Line {
	g := &th.Glyphs
	switch r {
	case damaged:
		return widget.L(widget.S(theme.Bad, r.String()))
	case only:
		return widget.L(widget.S(theme.Bad, g.Shadow+" "+r.String()))
	case keep:
		return widget.L(widget.S(theme.Text, r.String()))
	case safe:
		return widget.L(widget.S(theme.Good, r.String()))
	case nothing:
		return widget.L(widget.S(theme.Faint, g.Dash))
	}
	return widget.L(widget.S(theme.Dim, r.String()))
}

// size is a number of bytes as people read it.
func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// approximately is a size that may come from central directories alone.
func approximately(n int64, exact bool) string {
	if exact {
		return size(n)
	}
	return "~" + size(n)
}

func orDash(g *theme.Glyphs, s string) string {
	if s == "" {
		return g.Dash
	}
	return s
}
