package dialog

import (
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"gpx/tui/theme"
	"gpx/tui/widget"
)

// A Field is one choice of a form.
type Field struct {
	Label   string
	Options []string
	At      int    // the option that is chosen
	Help    string // what the field decides; shown while it is selected
	// Off says why the field does not count with what the others say, "" when it
	// does; nil: it always does.
	Off func(at []int) string
}

// Form asks for a few choices before a plan is made. It changes nothing, so
// enter goes on.
type Form struct {
	title  string
	fields []Field
	about  func(at []int) []string // what the choices mean, anew after each key; may be nil
	refuse func(at []int) string   // why they cannot be taken, "" when they can; may be nil
	note   string
	cursor int
	take   func(at []int) tea.Cmd
}

// NewForm asks for fields. take gets the option chosen of each.
func NewForm(title string, fields []Field, about func(at []int) []string, refuse func(at []int) string, take func(at []int) tea.Cmd) *Form {
	return &Form{title: title, fields: fields, about: about, refuse: refuse, take: take}
}

// Title implements view.Dialog.
func (d *Form) Title() string { return d.title }

// Hints implements view.Dialog.
func (d *Form) Hints() []key.Binding {
	return []key.Binding{called(keyTake, "go on"), hint("up down", "field"), hint("left right", "option"), called(keyClose, "cancel")}
}

func (d *Form) chosen() []int {
	at := make([]int, len(d.fields))
	for i, f := range d.fields {
		at[i] = f.At
	}
	return at
}

// Key implements view.Dialog.
func (d *Form) Key(k tea.KeyMsg) (bool, tea.Cmd) {
	switch {
	case key.Matches(k, keyClose):
		return true, nil
	case key.Matches(k, keyTake):
		if d.refuse != nil {
			if d.note = d.refuse(d.chosen()); d.note != "" {
				return false, nil
			}
		}
		return true, d.take(d.chosen())
	}
	d.note = ""
	switch k.String() {
	case "up", "k", "shift+tab":
		d.cursor = max(d.cursor-1, 0)
	case "down", "j", "tab":
		d.cursor = min(d.cursor+1, len(d.fields)-1)
	case "left", "h":
		d.step(-1)
	case "right", "l", " ":
		d.step(1)
	}
	return false, nil
}

// step chooses another option of the selected field; behind the last comes the
// first.
func (d *Form) step(by int) {
	f := &d.fields[d.cursor]
	f.At = (f.At + by + len(f.Options)) % len(f.Options)
}

func (d *Form) off(f *Field) string {
	if f.Off == nil {
		return ""
	}
	return f.Off(d.chosen())
}

// Lines implements view.Dialog. A field shows all its options where there is
// room, else the chosen one between arrows.
func (d *Form) Lines(th *theme.Theme, w, h int) []widget.Line {
	column := 0
	for _, f := range d.fields {
		column = max(column, widget.Width(f.Label))
	}
	var out []widget.Line
	for i := range d.fields {
		out = append(out, d.field(th, i, column, w))
	}
	var about []widget.Line
	if f := &d.fields[d.cursor]; d.off(f) != "" {
		about = append(about, paragraph(theme.Warn, "", f.Label+": "+d.off(f)+".", w)...)
	} else if f.Help != "" {
		about = append(about, paragraph(theme.Dim, "", f.Help, w)...)
	}
	if d.about != nil {
		about = append(about, nil)
		for _, s := range d.about(d.chosen()) {
			about = append(about, paragraph(theme.Text, "", s, w)...)
		}
	}
	if d.note != "" {
		about = append(about, nil)
		about = append(about, paragraph(theme.Bad, th.Glyphs.Bad+" ", d.note, w)...)
	}
	if room := h - len(out) - 1; len(about) > room {
		about = about[max(len(about)-max(room, 0), 0):] // what the choices mean is last
	}
	return append(append(out, nil), about...)
}

func (d *Form) field(th *theme.Theme, i, column, w int) widget.Line {
	f, selected := &d.fields[i], i == d.cursor
	lead, role := "  ", theme.Dim
	if selected {
		lead, role = th.Glyphs.Cursor+" ", theme.Strong
	}
	line := widget.L(widget.S(theme.Accent, lead), widget.S(role, widget.Pad(f.Label, column, false)), widget.S(theme.Text, "  "))
	if d.off(f) != "" {
		line = append(line, widget.S(theme.Faint, th.Glyphs.Dash)).Fit(w, th.Glyphs.Ellipsis)
		if selected {
			line = line.Selected()
		}
		return line
	}
	all := line[:len(line):len(line)]
	for at, o := range f.Options {
		if at == f.At {
			all = append(all, widget.S(theme.Accent, "["+o+"]"))
		} else {
			all = append(all, widget.S(theme.Dim, " "+o+" "))
		}
	}
	if all.Width() > w {
		all = append(line[:len(line):len(line)], widget.S(theme.Dim, "< "), widget.S(theme.Accent, "["+f.Options[f.At]+"]"), widget.S(theme.Dim, " >"))
	}
	all = all.Fit(w, th.Glyphs.Ellipsis)
	if selected {
		all = all.Selected()
	}
	return all
}
