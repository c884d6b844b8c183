package widget

import (
	"fmt"

	"gpx/tui/theme"
)

// A Column is one column of a table, as data.
type Column struct {
	Title string
	Short string // the title where Title does not fit
	Min   int    // never narrower, in cells
	Max   int    // never wider; 0: no limit
	Grow  int    // share of the room that is left
	Right bool   // aligned right
	Drop  int    // the column with the highest Drop goes first when there is no room; 0: never
	// Middle cuts long values in their middle instead of at their end.
	Middle bool
	Tight  bool // one blank before it instead of two
}

// gap is the room before column i.
func (c Column) gap(first bool) int {
	switch {
	case first:
		return 0
	case c.Tight:
		return 1
	}
	return 2
}

// A Table is a list of rows of which only the visible ones are ever made.
type Table struct {
	Columns []Column
	Sorted  int    // the column that the rows are sorted by
	Arrow   string // stands behind its title; "" when the order is no column's
	cursor  int
	top     int
	rows    int
	height  int // visible rows at the last Render
}

// Layout gives every column its width in w cells; 0 means that it is dropped.
func Layout(cols []Column, w int) []int {
	widths := make([]int, len(cols))
	total := 0
	for i, c := range cols {
		widths[i] = c.Min
		total += c.Min + c.gap(i == 0)
	}
	for total > w {
		worst := -1
		for i, c := range cols {
			if widths[i] > 0 && c.Drop > 0 && (worst < 0 || c.Drop > cols[worst].Drop) {
				worst = i
			}
		}
		if worst < 0 {
			break
		}
		total -= widths[worst] + cols[worst].gap(worst == 0)
		widths[worst] = 0
	}
	for room := w - total; room > 0; {
		shares := 0
		for i, c := range cols {
			if widths[i] > 0 && c.Grow > 0 && (c.Max == 0 || widths[i] < c.Max) {
				shares += c.Grow
			}
		}
		if shares == 0 {
			break
		}
		given := 0
		for i, c := range cols {
			if widths[i] == 0 || c.Grow == 0 || (c.Max > 0 && widths[i] >= c.Max) {
				continue
			}
			n := max(room*c.Grow/shares, 1)
			if c.Max > 0 {
				n = min(n, c.Max-widths[i])
			}
			n = min(n, room-given)
			widths[i] += n
			given += n
		}
		room -= given
	}
	return widths
}

// A Row makes the cells of row i; widths tells how much room each has.
type Row func(i int, widths []int) []Line

// SetRows says how many rows there are, so that the selection can be moved
// before they are drawn.
func (t *Table) SetRows(n int) {
	t.rows = n
	t.Move(0)
}

// Render draws the heading and the visible rows of n: exactly h lines of w
// cells.
func (t *Table) Render(th *theme.Theme, w, h, n int, row Row) []Line {
	t.rows = n
	t.height = max(h-1, 0)
	t.clamp()
	out := make([]Line, 0, h)
	if h <= 0 {
		return out
	}
	widths := Layout(t.Columns, w-2) // two cells for the cursor
	heads := make([]Line, len(t.Columns))
	for i, c := range t.Columns {
		title := c.Title
		if c.Short != "" && Width(title) > widths[i] {
			title = c.Short
		}
		heads[i] = L(S(theme.Dim, title))
		if i == t.Sorted && t.Arrow != "" {
			heads[i] = L(S(theme.Dim, title), S(theme.Accent, t.Arrow))
		}
	}
	out = append(out, append(L(S(theme.Dim, "  ")), t.join(th, widths, heads)...).Fit(w, ""))
	for i := t.top; i < n && len(out) < h; i++ {
		lead := L(S(theme.Accent, "  "))
		if i == t.cursor {
			lead = L(S(theme.Accent, th.Glyphs.Cursor+" "))
		}
		line := append(lead, t.join(th, widths, row(i, widths))...).Fit(w, "")
		if i == t.cursor {
			line = line.Selected()
		}
		out = append(out, line)
	}
	for len(out) < h {
		out = append(out, Blank(w))
	}
	return out
}

func (t *Table) join(th *theme.Theme, widths []int, cells []Line) Line {
	var out Line
	for i, w := range widths {
		if w == 0 || i >= len(cells) {
			continue
		}
		if len(out) > 0 {
			out = append(out, Span{theme.Text, blanks(t.Columns[i].gap(false))})
		}
		c := cells[i]
		n := c.Width()
		switch {
		case n > w && t.Columns[i].Middle && len(c) == 1:
			out = append(out, Span{c[0].Role, Middle(c[0].Text, w, th.Glyphs.Ellipsis)})
		case n > w:
			out = append(out, c.Fit(w, th.Glyphs.Ellipsis)...)
		case t.Columns[i].Right:
			out = append(out, Span{theme.Text, blanks(w - n)})
			out = append(out, c...)
		default:
			out = append(out, c...)
			out = append(out, Span{theme.Text, blanks(w - n)})
		}
	}
	return out
}

func (t *Table) clamp() {
	t.cursor = max(min(t.cursor, t.rows-1), 0)
	if t.cursor < t.top {
		t.top = t.cursor
	}
	if t.height > 0 && t.cursor >= t.top+t.height {
		t.top = t.cursor - t.height + 1
	}
	t.top = max(min(t.top, t.rows-t.height), 0)
}

// Cursor is the selected row.
func (t *Table) Cursor() int { return t.cursor }

// Select selects row i.
func (t *Table) Select(i int) { t.cursor = max(i, 0) }

// Move moves the selection by n rows.
func (t *Table) Move(n int) { t.cursor = max(min(t.cursor+n, t.rows-1), 0) }

// Page is the number of rows that are visible.
func (t *Table) Page() int { return max(t.height, 1) }

// At is the row that is drawn in line y of the table (the heading is line 0).
func (t *Table) At(y int) (int, bool) {
	i := t.top + y - 1
	return i, y >= 1 && y <= t.height && i < t.rows
}

// Seen are the rows from (inclusive) to to (exclusive) that are visible, as far
// as the last Render knows.
func (t *Table) Seen() (from, to int) {
	t.clamp()
	return t.top, min(t.top+t.Page(), t.rows)
}

// Unseen says how many rows are above and below the visible ones, "" when all
// are to be seen. It stands beside their number: "45 variables · 3 above, 18 below".
func (t *Table) Unseen() string {
	above, below := t.top, max(t.rows-t.top-t.height, 0)
	switch {
	case above > 0 && below > 0:
		return fmt.Sprintf("%d above, %d below", above, below)
	case above > 0:
		return fmt.Sprintf("%d above", above)
	case below > 0:
		return fmt.Sprintf("%d below", below)
	}
	return ""
}
