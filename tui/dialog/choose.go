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
	g := &th.Glyphs
	detail := 0
	for _, it := range d.all() {
		if it.Detail != "" || it.Disabled != "" {
			detail = 4 // a blank and three lines: the dialog does not jump
		}
	}
	if h < 12 {
		detail = min(detail, 2)
	}
	d.page = max(min(len(d.all()), h-3-detail), 1)
	d.top = max(min(d.top, d.cursor), d.cursor-d.page+1)
	out := []widget.Line{append(widget.L(widget.S(theme.Accent, g.Cursor+" ")), d.input.Line(th, w-2)...), nil}
	for i := d.top; i < d.top+d.page; i++ {
		if i >= len(d.shown) {
			if i == 0 {
				out = append(out, widget.L(widget.S(theme.Dim, "  nothing matches")))
			} else {
				out = append(out, nil)
			}
			continue
		}
		out = append(out, d.line(th, d.shown[i], i == d.cursor, w))
	}
	if rest := len(d.shown) - d.top - d.page; rest > 0 {
		out = append(out, widget.L(widget.S(theme.Dim, fmt.Sprintf("  %d more", rest))))
	}
	if detail > 0 {
		var lines []widget.Line
		if d.cursor < len(d.shown) {
			it := d.shown[d.cursor]
			if it.Disabled != "" {
				lines = append(lines, paragraph(theme.Warn, g.Warn+" ", it.Disabled, w)...)
			}
			lines = append(lines, paragraph(theme.Dim, "", it.Detail, w)...)
		}
		out = append(out, nil)
		for i := 0; i < detail-1; i++ {
			if i < len(lines) {
				out = append(out, lines[i])
			} else {
				out = append(out, nil)
			}
		}
	}
	return out
}

func (d *Choose) all() []Item {
	if d.search != nil {
		return d.shown
	}
	return d.items
}

func (d *Choose) line(th *theme.Theme, it Item, selected bool, w int) widget.Line {
	lead, role := "  ", theme.Text
	if selected {
		lead, role = th.Glyphs.Cursor+" ", theme.Strong
	}
	if it.Disabled != "" {
		role = theme.Dim
	}
	left := widget.L(widget.S(theme.Accent, lead))
	if it.Mark.Text != "" {
		left = append(left, it.Mark, widget.S(theme.Text, " "))
	}
	left = append(left, widget.S(role, it.Title))
	if it.Note != "" {
		left = append(left, widget.S(theme.Dim, "  "+it.Note))
	}
	line := widget.Spread(left, widget.L(widget.S(theme.Accent, it.Right)), w, th.Glyphs.Ellipsis)
	if selected {
		line = line.Selected()
	}
	return line
}
