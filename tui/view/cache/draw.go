package cache

import (
	"fmt"

	"gpx/envctl/redact"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Render implements view.View.
func (v *View) Render(w, h int) view.Body {
	e := v.c.Theme.Glyphs.Ellipsis
	b := view.Body{Splits: map[int]widget.Line{}}
	if h <= 0 {
		return b
	}
	b.Lines = v.band(w)
	if h >= 24 {
		b.Lines = append(b.Lines, widget.Blank(w))
	}
	v.top = len(b.Lines)
	title, pane := v.detail(w)
	b.Lines = append(b.Lines, v.table(w, v.tableHeight(h-v.top, len(pane)))...)
	b.Lines = b.Lines[:min(len(b.Lines), h)]
	b.Status = v.status()
	if rest := h - len(b.Lines); rest > 1 {
		b.Splits[len(b.Lines)] = title
		v.paneHeight = rest - 1
		lines, below := v.scroll.Window(pane, w, rest-1, v.open, e)
		b.Lines = append(append(b.Lines, nil), lines...)
		b.Foot = unseen(below, v.open)
	}
	for i := range b.Lines {
		b.Lines[i] = b.Lines[i].Fit(w, e)
	}
	return b
}

// tableHeight is how many of h lines the table gets: what the detail pane does
// not need, and more than half of them in any case.
func (v *View) tableHeight(h, pane int) int {
	n := v.rowCount()
	if v.open {
		return min(2, h)
	}
	rows := max(h-1-pane, h*55/100)
	rows = min(rows, max(n+1, 3))
	if h-rows < 4 { // too little of the pane to be worth a rule
		rows = h
	}
	return max(rows, 0)
}

func (v *View) rowCount() int {
	if v.level == building {
		return len(v.parts)
	}
	return len(v.rows)
}

// table draws the list in h lines.
func (v *View) table(w, h int) []widget.Line {
	l, th := v.list(), v.c.Theme
	n := v.rowCount()
	if n == 0 {
		out := []widget.Line{widget.L(widget.S(theme.Dim, "  "+v.empty())).Fit(w, th.Glyphs.Ellipsis)}
		for len(out) < h {
			out = append(out, widget.Blank(w))
		}
		return out[:max(min(len(out), h), 0)]
	}
	if v.level == building {
		return l.table.Render(th, w, h, n, func(i int, widths []int) []widget.Line {
			return partCells(th, &v.parts[i], v.cache.Bytes, widths)
		})
	}
	now := v.c.Now()
	return l.table.Render(th, w, h, n, func(i int, widths []int) []widget.Line {
		return cells(th, v.rows[i], now, v.most, widths)
	})
}

// empty says why there are no rows.
func (v *View) empty() string {
	scanned, err := v.mod.done, v.mod.err
	if v.level == building {
		scanned, err = v.build.done, v.build.err
	}
	switch {
	case v.c.Services.Scan == nil:
		return "the caches cannot be read here"
	case *v.Filter() != "" && v.level != building:
		return "nothing matches the filter; esc clears it"
	case err != nil:
		return redact.Text(err.Error())
	case scanned && v.level == versions:
		return "nothing of it is in the module cache any more; esc goes back"
	case scanned && v.level == building:
		return "there is no build cache"
	case scanned:
		return "the module cache is empty"
	}
	return "reading" + v.c.Theme.Glyphs.Ellipsis
}

// status is the right end of the tab line, once the table was drawn.
func (v *View) status() widget.Line {
	g := &v.c.Theme.Glyphs
	l := v.list()
	var out widget.Line
	say := func(role theme.Role, text string) {
		if len(out) > 0 {
			out = append(out, widget.S(theme.Faint, " "+g.Dot+" "))
		}
		out = append(out, widget.S(role, text))
	}
	if v.level == building {
		return widget.L(widget.S(theme.Dim, "b: modules"))
	}
	say(theme.Dim, "order "+l.order.String())
	if l.filter != "" {
		say(theme.Dim, "filter "+l.filter)
	}
	if n := len(v.chosen); n > 0 {
		say(theme.Accent, fmt.Sprintf("%s %d marked, %s", g.Mark, n, size(bytesOf(v.chosen))))
	}
	what := "module"
	if v.level == versions {
		what = "version"
	}
	say(theme.Dim, plural(len(v.rows), what))
	if unseen := l.table.Unseen(); unseen != "" && len(v.rows) > 0 {
		say(theme.Dim, unseen)
	}
	return out
}

// unseen says that n lines of the detail pane are below its end, and how to see
// them.
func unseen(n int, open bool) widget.Line {
	switch {
	case n <= 0:
		return nil
	case open:
		return widget.L(widget.S(theme.Dim, widget.Count(n, "more line")+": "), widget.S(theme.Key, "down"))
	}
	return widget.L(widget.S(theme.Dim, widget.Count(n, "more line")+" below"))
}
