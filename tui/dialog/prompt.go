package dialog

import (
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"gpx/tui/theme"
	"gpx/tui/widget"
)

// Prompt asks for one line of text.
type Prompt struct {
	title string
	about []string
	input *widget.Input
	check func(string) string // why the text cannot be taken, "" when it can
	note  string
	take  func(string) tea.Cmd
}

// NewPrompt asks for a line that starts as text. check may be nil.
func NewPrompt(title string, about []string, text string, check func(string) string, take func(string) tea.Cmd) *Prompt {
	return &Prompt{title: title, about: about, input: widget.NewInput(text), check: check, take: take}
}

// Title implements view.Dialog.
func (d *Prompt) Title() string { return d.title }

// Hints implements view.Dialog.
func (d *Prompt) Hints() []key.Binding {
	return []key.Binding{keyTake, hint("ctrl+u", "empty the line"), called(keyClose, "cancel")}
}

// Key implements view.Dialog.
func (d *Prompt) Key(k tea.KeyMsg) (bool, tea.Cmd) {
	switch {
	case key.Matches(k, keyClose):
		return true, nil
	case key.Matches(k, keyTake):
		if d.check != nil {
			if d.note = d.check(d.input.Value()); d.note != "" {
				return false, nil
			}
		}
		return true, d.take(d.input.Value())
	}
	if d.input.Key(k) {
		d.note = ""
	}
	return false, nil
}

// Lines implements view.Dialog.
func (d *Prompt) Lines(th *theme.Theme, w, h int) []widget.Line {
	var out []widget.Line
	for _, s := range d.about {
		out = append(out, paragraph(theme.Dim, "", s, w)...)
	}
	if room := max(h-4, 0); len(out) > room {
		out = out[:room]
	}
	if len(out) > 0 {
		out = append(out, nil)
	}
	out = append(out, append(widget.L(widget.S(theme.Accent, th.Glyphs.Cursor+" ")), d.input.Line(th, w-2)...))
	out = append(out, nil)
	if d.note != "" {
		out = append(out, widget.L(widget.S(theme.Bad, th.Glyphs.Bad+" "+d.note)))
	} else {
		out = append(out, nil)
	}
	return out
}

// Confirm asks a question that is answered with yes or no; no is the default.
type Confirm struct {
	title   string
	text    []string
	yes, no string
	onYes   bool
	answer  func(bool) tea.Cmd
}

// NewConfirm asks title. answer is called with false for n and for enter on the
// first button; esc leaves the question unanswered, and nothing happens.
func NewConfirm(title string, text []string, no, yes string, answer func(bool) tea.Cmd) *Confirm {
	return &Confirm{title: title, text: text, yes: yes, no: no, answer: answer}
}

// Title implements view.Dialog.
func (d *Confirm) Title() string { return d.title }

// Hints implements view.Dialog.
func (d *Confirm) Hints() []key.Binding {
	return []key.Binding{keyYes, keyNo, keyPress, keyOther}
}

// Key implements view.Dialog.
func (d *Confirm) Key(k tea.KeyMsg) (bool, tea.Cmd) {
	switch {
	case key.Matches(k, keyClose):
		return true, nil
	case key.Matches(k, keyYes):
		return true, d.answer(true)
	case key.Matches(k, keyNo):
		return true, d.answer(false)
	case key.Matches(k, keyPress):
		return true, d.answer(d.onYes)
	case key.Matches(k, keyOther):
		d.onYes = !d.onYes
	}
	return false, nil
}

// Lines implements view.Dialog.
func (d *Confirm) Lines(th *theme.Theme, w, _ int) []widget.Line {
	var out []widget.Line
	for _, s := range d.text {
		out = append(out, paragraph(theme.Text, "", s, w)...)
	}
	return append(out, nil, buttons(th, d.no, d.yes, d.onYes, theme.BadgeWarn))
}

// Pager shows text that is longer than the screen.
type Pager struct {
	title  string
	lines  func(th *theme.Theme, w int) []widget.Line
	scroll widget.Scroll
}

// NewPager shows lines; fromEnd starts with the newest.
func NewPager(title string, fromEnd bool, lines func(th *theme.Theme, w int) []widget.Line) *Pager {
	d := &Pager{title: title, lines: lines}
	if fromEnd {
		d.scroll.ToEnd()
	}
	return d
}

// Title implements view.Dialog.
func (d *Pager) Title() string { return d.title }

// Hints implements view.Dialog.
func (d *Pager) Hints() []key.Binding {
	return []key.Binding{hint("j k", "scroll"), hint("pgup pgdn", "page"), hint("g G", "ends"), keyLeave}
}

// Key implements view.Dialog.
func (d *Pager) Key(k tea.KeyMsg) (bool, tea.Cmd) {
	if key.Matches(k, keyLeave) {
		return true, nil
	}
	d.scroll.Key(k)
	return false, nil
}

// Lines implements view.Dialog.
func (d *Pager) Lines(th *theme.Theme, w, h int) []widget.Line {
	return scrolled(&d.scroll, d.lines(th, w), max(h, 1))
}
