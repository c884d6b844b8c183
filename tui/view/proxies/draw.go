package proxies

import (
	"fmt"
	"time"

	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Render implements view.View.
func (v *View) Render(w, h int) view.Body {
	now := v.c.Instant()
	b := view.Body{Splits: map[int]widget.Line{}, Hint: v.Hint()}
	if h <= 0 {
		return b
	}
	band := append(append(v.autoBand(w), v.relayBand(w)...), v.band(w, h)...)
	b.Lines = append(v.list(w, v.listHeight(h, len(band)), now), band...)
	b.Lines = b.Lines[:min(len(b.Lines), h)]
	b.Status = v.status()
	if rest := h - len(b.Lines); rest > 1 {
		r := v.selected()
		title := widget.L(widget.S(theme.Dim, "no endpoint"))
		if r != nil {
			title = detailTitle(r)
		}
		b.Splits[len(b.Lines)] = title
		lines, below := v.detail(r, w, rest-1)
		b.Lines = append(append(b.Lines, nil), lines...)
		b.Foot = unseen(below, v.open)
	}
	for len(b.Lines) < h {
		b.Lines = append(b.Lines, widget.Blank(w))
	}
	return b
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
	return widget.L(widget.S(theme.Dim, widget.Count(n, "more line")+": "), widget.S(theme.Key, "enter"))
}

// listHeight is how many of h lines the table gets: up to nearly half, and all
// that the band leaves where a detail pane would have less than four.
func (v *View) listHeight(h, band int) int {
	rows := min(len(v.rows)+1, max(h*45/100-band, 3))
	switch {
	case len(v.rows) == 0:
		rows = min(3, h)
	case v.open:
		rows = min(2, h)
	}
	if h-rows-band < 4 {
		rows = max(h-band, 0)
	}
	return rows
}

// list draws the table in h lines.
func (v *View) list(w, h int, now time.Time) []widget.Line {
	if len(v.rows) == 0 {
		return v.empty(w, h)
	}
	span := spanOf(v.now, now)
	v.table.Columns[colSpark].Title = spanTitle(span)
	return v.table.Render(v.c.Theme, w, h, len(v.rows), func(i int, widths []int) []widget.Line {
		return cells(v.c.Theme, &v.rows[i], now, span, widths)
	})
}

// status is the right end of the tab line, once the list was drawn.
func (v *View) status() widget.Line {
	dot := " " + v.c.Theme.Glyphs.Dot + " "
	text := "order " + v.order.String()
	if v.filter != "" {
		text += dot + "filter " + v.filter
	}
	text += dot + widget.Count(len(v.rows), "endpoint")
	if unseen := v.table.Unseen(); unseen != "" && len(v.rows) > 0 {
		text += dot + unseen
	}
	line := widget.L(widget.S(theme.Dim, text))
	if v.edits > 0 {
		edits := widget.S(theme.Warn, v.c.Theme.Glyphs.Pending+" "+widget.Count(v.edits, "edit")+" pending")
		line = append(widget.L(edits, widget.S(theme.Faint, dot)), line...)
	}
	return line
}

// Hint is the next step while something is broken.
func (v *View) Hint() widget.Line {
	fixes := v.c.Snapshot.Verdict.Fixes
	switch {
	case v.edits > 0:
	case v.rec != nil && v.rec.Found && v.press(better) != "":
		return append(widget.L(widget.S(theme.Key, v.press(better)), widget.S(theme.Dim, " switches to ")), chainLine(v.rec.Chain)...)
	case len(fixes) > 0:
		return v.fix(fixes[0], theme.Strong)
	}
	return nil
}

// better is the command that s stands for.
const better = "gpx use --best"

// twins are the actions that do on the screen what a fix names as a command.
var twins = map[string]string{
	better:             "proxies.switch",
	"gpx probe --all":  "proxies.add",
	"gpx probe --deep": "proxies.deep",
	"gpx offline on":   "env.profiles",
	"gpx offline off":  "env.profiles",
	"gpx sumdb on":     "env.profiles",
}

// press is the key that does what command does, "" when there is none.
func (v *View) press(command string) string {
	if id := twins[command]; id != "" && v.c.Press != nil {
		return v.c.Press(id)
	}
	return ""
}

// fix says what mends something, with the key to press before the command.
func (v *View) fix(f monitor.Fix, role theme.Role) widget.Line {
	l := widget.L(widget.S(theme.Dim, f.Title))
	if f.Command == "" {
		return l
	}
	return append(append(l, widget.S(theme.Dim, ":  ")), v.how(f, role)...)
}

// how is the key and the command of a fix, nothing where it has neither.
func (v *View) how(f monitor.Fix, role theme.Role) widget.Line {
	if f.Command == "" {
		return nil
	}
	command := widget.S(role, f.Command)
	if key := v.press(f.Command); key != "" {
		return widget.L(widget.S(theme.Key, key), widget.S(theme.Dim, " or "), command)
	}
	return widget.L(command)
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
// where the terminal is narrow; below is how many lines had no room.
func (v *View) detail(r *row, w, h int) (out []widget.Line, below int) {
	th := v.c.Theme
	now := v.c.Instant()
	if r == nil {
		return v.window(v.outlook(w), w, h)
	}
	var deep *probe.Result
	if d, ok := v.deep[r.key]; ok && v.c.Player == nil {
		deep = &d
	}
	if w < 96 {
		lines := words(th, r, now, w)
		lines = append(lines[:1:1], lines[2:]...) // no blank line where lines are dear
		if deep != nil && len(deep.Checks) > 0 {  // what was asked for last comes first
			lines = append(append(lines, checks(th, r, deep, now)[1:]...), nil)
		}
		lines = append(lines, v.outlook(w)...)
		return v.window(append(append(lines, nil), figures(th, r, deep, now, w)...), w, h)
	}
	lw, span := w*56/100, spanOf(v.now, now)
	left := append(append(words(th, r, now, lw-3), nil), v.outlook(lw-3)...)
	right := figures(th, r, deep, now, w-lw)
	if room := h - len(right) - 2; room >= 3 && len(samples(r)) > 1 && !v.open {
		right = append(right, nil, widget.L(widget.S(theme.Dim, spanTitle(span)), widget.S(theme.Faint, "  logarithmic, "+th.Glyphs.Lost+" is lost")))
		right = append(right, widget.Columns(th, widget.Over(samples(r), now, span, w-lw-6), w-lw, min(room, 12))...)
	}
	return v.window(widget.Beside(left, right, lw, w), w, h)
}

// window cuts lines to h, scrolled when the detail is open; below is how many
// come after them.
func (v *View) window(lines []widget.Line, w, h int) (out []widget.Line, below int) {
	v.paneHeight = h
	return v.scroll.Window(lines, w, h, v.open, v.c.Theme.Glyphs.Ellipsis)
}
