package dialog

import (
	"fmt"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/sahilm/fuzzy"

	"gpx/tui/theme"
	"gpx/tui/widget"
)

// An Item is one line of a list.
type Item struct {
	Mark     widget.Span // state before the title: glyph and colour
	Title    string
	Note     string // beside the title
	Right    string // at the right end: a key, a state
	Detail   string // below the list while the item is selected
	Disabled string // why it cannot be chosen
	Value    any
}

// Choose is a list that is narrowed while typing.
type Choose struct {
	title  string
	search func(query string) []Item // nil: fuzzy over items
	typed  func(string) (Item, bool) // what the query itself stands for; may be nil
	items  []Item
	shown  []Item
	input  *widget.Input
	cursor int
	top    int
	page   int
	pick   func(Item) tea.Cmd
	note   string // why the last pick was refused
}

// NewChoose makes a list of items.
func NewChoose(title string, items []Item, pick func(Item) tea.Cmd) *Choose {
	d := &Choose{title: title, items: items, input: widget.NewInput(""), pick: pick}
	d.narrow()
	return d
}

// NewSearch makes a list whose items are found by search.
func NewSearch(title string, search func(string) []Item, pick func(Item) tea.Cmd) *Choose {
	d := &Choose{title: title, search: search, input: widget.NewInput(""), pick: pick}
	d.narrow()
	return d
}

// OrTyped also offers what was typed itself, when typed makes an item of it.
func (d *Choose) OrTyped(typed func(query string) (Item, bool)) *Choose {
	d.typed = typed
	return d
}

// Title implements view.Dialog.
func (d *Choose) Title() string { return d.title }

func (d *Choose) narrow() {
	q := d.input.Value()
	d.cursor, d.top, d.note = 0, 0, ""
	switch {
	case d.search != nil:
		d.shown = d.search(q)
	case q == "":
		d.shown = d.items
	default:
		words := make([]string, len(d.items))
		for i, it := range d.items {
			words[i] = it.Title + " " + it.Note
		}
		d.shown = nil
		for _, m := range fuzzy.Find(q, words) {
			d.shown = append(d.shown, d.items[m.Index])
		}
	}
	if d.typed != nil {
		if it, ok := d.typed(q); ok {
			d.shown = append([]Item{it}, d.shown...)
		}
	}
}

// Key implements view.Dialog.
func (d *Choose) Key(k tea.KeyMsg) (bool, tea.Cmd) {
	switch {
	case key.Matches(k, keyClose):
		return true, nil
	case key.Matches(k, keyChoose):
		if d.cursor >= len(d.shown) {
			return false, nil
		}
		it := d.shown[d.cursor]
		if it.Disabled != "" {
			d.note = it.Disabled
			return false, nil
		}
		return true, d.pick(it)
	}
	if by, ok := listKey(k, max(d.page, 1)); ok {
		d.cursor = max(min(d.cursor+by, len(d.shown)-1), 0)
		d.note = ""
		return false, nil
	}
	if d.input.Key(k) {
		d.narrow()
	}
	return false, nil
}

// Hints implements view.Dialog.
func (d *Choose) Hints() []key.Binding {
	return []key.Binding{keyChoose, hint("up down", "move"), hint("type", "to narrow"), keyClose}
}

// Lines implements view.Dialog.
func (d *Choose) Lines(th *theme.Theme, w, h int) []widget.Line {
	detail := 0
	for _, it := range d.all() {
		if it.Detail != "" {
			detail = 4 // a blank and three lines: the dialog does not jump
		}
	}
	if h < 12 {
		detail = min(detail, 2)
	}
	d.page = max(min(len(d.all()), h-3-detail), 1)
	d.top = max(min(d.top, d.cursor), d.cursor-d.page+1)
	out := []widget.Line{append(widget.L(widget.S(theme.Accent, th.Glyphs.Cursor+" ")), d.input.Line(th, w-2)...), nil}
	column := 0 // of what stands beside the titles
	for _, it := range d.shown {
		column = max(column, min(widget.Width(it.Title), w*3/5))
	}
	for i := d.top; i < min(d.top+d.page, len(d.shown)); i++ {
		out = append(out, d.line(th, i, column, w))
	}
	if len(d.shown) == 0 {
		out = append(out, widget.L(widget.S(theme.Dim, "  nothing matches")))
	}
	for len(out) < d.page+2 {
		out = append(out, nil)
	}
	if rest := len(d.shown) - d.top - d.page; rest > 0 {
		out = append(out, widget.L(widget.S(theme.Dim, fmt.Sprintf("  %d more", rest))))
	}
	if detail == 0 {
		return out
	}
	lines := make([]widget.Line, 1, detail)
	if d.cursor < len(d.shown) {
		about := paragraph(theme.Dim, "", d.shown[d.cursor].Detail, w)
		if n := detail - 1; len(about) > n {
			about = about[:n]
			about[n-1] = append(about[n-1].Fit(w-1, ""), widget.S(theme.Dim, th.Glyphs.Ellipsis))
		}
		lines = append(lines, about...)
	}
	return append(out, append(lines, make([]widget.Line, detail)...)[:detail]...)
}

func (d *Choose) all() []Item {
	if d.search != nil {
		return d.shown
	}
	return d.items
}

// line draws item i. What cannot be chosen says why.
func (d *Choose) line(th *theme.Theme, i, column, w int) widget.Line {
	it, selected := d.shown[i], i == d.cursor
	lead, role := "  ", theme.Text
	if selected {
		lead, role = th.Glyphs.Cursor+" ", theme.Strong
	}
	note := widget.S(theme.Dim, it.Note)
	if it.Disabled != "" {
		role, note.Text = theme.Dim, "("+it.Disabled+")"
		if selected && d.note != "" { // it was tried
			note.Role = theme.Warn
		}
	}
	left := widget.L(widget.S(theme.Accent, lead))
	if it.Mark.Text != "" {
		left = append(left, it.Mark, widget.S(theme.Text, " "))
	}
	left = append(left, widget.S(role, it.Title))
	if note.Text != "" {
		pad := max(column-widget.Width(it.Title), 0)
		left = append(left, widget.S(theme.Text, widget.Pad("", pad+2, false)), note)
	}
	right := widget.L(widget.S(theme.Accent, it.Right))
	line := append(left.Fit(max(w-right.Width()-1, 0), th.Glyphs.Ellipsis), widget.S(theme.Text, " "))
	line = append(line, right...)
	if selected {
		line = line.Selected()
	}
	return line
}
