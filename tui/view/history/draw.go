package history

import (
	"fmt"
	"strings"
	"time"

	"gpx/envctl/redact"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// The columns of the incidents by place.
const (
	colNumber = iota
	colStart
	colLength
	colWorst
	colRTO
	colDone
	colNote
)

func incidentColumns() []widget.Column {
	return []widget.Column{
		colNumber: {Title: "INCIDENT", Short: "#", Min: 6, Grow: 2, Max: 14},
		colStart:  {Title: "START", Min: 15, Grow: 1, Max: 19},
		colLength: {Title: "LENGTH", Min: 7},
		colWorst:  {Title: "WORST", Min: 18, Grow: 6, Max: 60},
		colRTO:    {Title: "RTO", Min: 6},
		colDone:   {Title: "DONE", Min: 12, Grow: 5, Max: 60},
		colNote:   {Title: "NOTE", Min: 14, Grow: 4, Drop: 1},
	}
}

// Render implements view.View.
func (v *View) Render(w, h int) view.Body {
	e := v.c.Theme.Glyphs.Ellipsis
	b := view.Body{Splits: map[int]widget.Line{}}
	if h <= 0 {
		return b
	}
	switch {
	case v.c.Player != nil:
		v.drawReplay(&b, w, h)
	case v.list == statistics:
		b.Lines = []widget.Line{v.band()}
		v.body(&b, w, h, len(v.figures), v.figureCells, v.figureDetail)
	default:
		v.body(&b, w, h, len(v.rows), v.cells, v.detail)
	}
	b.Lines = b.Lines[:min(len(b.Lines), h)]
	for len(b.Lines) < h {
		b.Lines = append(b.Lines, widget.Blank(w))
	}
	for i := range b.Lines {
		b.Lines[i] = b.Lines[i].Fit(w, e)
	}
	b.Status = v.status()
	return b
}

// body draws a table of n rows, and the selected one in words below it.
func (v *View) body(b *view.Body, w, h, n int, cells widget.Row, detail func(w int) (widget.Line, []widget.Line)) {
	v.top = len(b.Lines)
	h -= v.top
	var title widget.Line
	var pane []widget.Line
	if n > 0 {
		title, pane = detail(w)
	}
	rows := min(max(h-1-len(pane), h*40/100), max(n+1, 3))
	if v.open {
		rows = 2
	}
	if h-rows < 4 || n == 0 {
		rows = h
	}
	b.Lines = append(b.Lines, v.tableLines(w, rows, n, cells)...)
	if rest := h - rows; rest > 1 {
		b.Splits[len(b.Lines)] = title
		v.paneHeight = rest - 1
		lines, below := v.scroll.Window(pane, w, rest-1, v.open, v.c.Theme.Glyphs.Ellipsis)
		b.Lines = append(append(b.Lines, nil), lines...)
		if below > 0 {
			key := "d"
			if v.open {
				key = "down"
			}
			b.Foot = widget.L(widget.S(theme.Dim, widget.Count(below, "more line")+": "), widget.S(theme.Key, key))
		}
	}
}

func (v *View) tableLines(w, h, n int, cells widget.Row) []widget.Line {
	if n > 0 {
		return v.table[v.list].Render(v.c.Theme, w, h, n, cells)
	}
	var out []widget.Line
	for _, s := range widget.Wrap(v.empty(), max(w-4, 1)) {
		out = append(out, widget.L(widget.S(theme.Dim, "  "+s)))
	}
	return out
}

// empty says why there are no rows.
func (v *View) empty() string {
	service, err, read := v.c.Services.Incidents != nil, v.err, v.read
	if v.list == statistics {
		service, err, read = v.c.Services.Stats != nil, v.statErr, v.stats != nil
	}
	switch {
	case !service:
		return "nothing is recorded here"
	case v.filter[v.list] != "" && read:
		return "nothing matches the filter; esc clears it"
	case err != nil:
		return "the history cannot be read: " + redact.Text(err.Error())
	case !read:
		return "reading" + v.c.Theme.Glyphs.Ellipsis
	case v.list == statistics:
		return "nothing was probed in this time; p chooses another"
	}
	return "No incident yet. The next time the go command would fail or hang, gpx notes it here, while it runs; i takes in one that a colleague exported."
}

// status is the right end of the tab line, once the table was drawn.
func (v *View) status() widget.Line {
	g := &v.c.Theme.Glyphs
	n, what := len(v.rows), "incident"
	if v.list == statistics {
		n, what = len(v.figures), "endpoint"
	}
	parts := []string{"order " + orderNames[v.list][v.order[v.list]]}
	if f := v.filter[v.list]; f != "" {
		parts = append(parts, "filter "+f)
	}
	parts = append(parts, widget.Count(n, what))
	if unseen := v.table[v.list].Unseen(); unseen != "" && n > 0 {
		parts = append(parts, unseen)
	}
	return widget.L(widget.S(theme.Dim, strings.Join(parts, " "+g.Dot+" ")))
}

// cells draws one incident.
func (v *View) cells(n int, widths []int) []widget.Line {
	r := v.rows[n]
	out := make([]widget.Line, colNote+1)
	number := fmt.Sprintf("#%d", r.ID)
	for _, m := range marks(&r.Incident) {
		if long := number + " " + m; widget.Width(long) <= widths[colNumber] {
			number = long
		} else {
			number += " " + m[:1]
		}
	}
	role, length := theme.Text, lengthWord(&r.Incident, v.c.Now())
	if r.Open() {
		role = theme.Bad
	}
	out[colNumber], out[colStart], out[colLength] = v.one(theme.Strong, number), v.one(theme.Text, r.start), v.one(role, length)
	out[colWorst], out[colDone], out[colNote] = v.one(theme.Text, r.worst), v.one(theme.Text, r.done), v.one(theme.Dim, r.Note)
	word := ""
	if r.RTO != nil {
		word = widget.Age(time.Duration(*r.RTO))
	}
	out[colRTO] = v.one(theme.Text, word)
	return out
}

// one is a cell with one text; a dash where there is none.
func (v *View) one(role theme.Role, s string) widget.Line {
	if s == "" {
		return widget.L(widget.S(theme.Faint, v.c.Theme.Glyphs.Dash))
	}
	return widget.L(widget.S(role, s))
}
