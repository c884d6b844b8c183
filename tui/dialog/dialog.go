// Package dialog holds what opens over the views: a plan to agree to, a
// question, a list to choose from, a line to type and text to read.
//
// What changes anything is never the default: enter presses the focused
// button, and the focused button is Cancel.
package dialog

import (
	"fmt"
	"slices"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"gpx/tui/theme"
	"gpx/tui/widget"
)

// The keys of the dialogs.
var (
	keyYes    = key.NewBinding(key.WithKeys("y", "Y"), key.WithHelp("y", "yes"))
	keyNo     = key.NewBinding(key.WithKeys("n", "N", "q", "esc"), key.WithHelp("n", "no"))
	keyClose  = key.NewBinding(key.WithKeys("esc"), key.WithHelp("esc", "close"))
	keyPress  = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "focused button"))
	keyOther  = key.NewBinding(key.WithKeys("tab", "shift+tab", "left", "right", "h", "l"), key.WithHelp("tab", "other button"))
	keyTake   = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "take"))
	keyChoose = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "choose"))
	keyLeave  = key.NewBinding(key.WithKeys("esc", "q", "enter", "?", "@"), key.WithHelp("esc", "close"))
)

// hint is what the footer says about keys that a component of Bubbles handles.
func hint(keys, does string) key.Binding {
	return key.NewBinding(key.WithKeys(keys), key.WithHelp(keys, does))
}

// called is b under another name.
func called(b key.Binding, does string) key.Binding {
	b.SetHelp(b.Help().Key, does)
	return b
}

// buttons draws two buttons; the focused one has brackets, not only a colour.
func buttons(th *theme.Theme, cancel, apply string, onApply bool, role theme.Role) widget.Line {
	face := func(name string, focused bool, r theme.Role) widget.Span {
		if focused {
			return widget.S(r, "["+th.Glyphs.Cursor+" "+name+" ]")
		}
		return widget.S(theme.Dim, "   "+name+"  ")
	}
	return widget.L(face(cancel, !onApply, theme.BadgeAccent), widget.S(theme.Text, "   "), face(apply, onApply, role))
}

// paragraph wraps text and puts mark before its first line.
func paragraph(role theme.Role, mark, text string, w int) []widget.Line {
	var out []widget.Line
	n := widget.Width(mark)
	for i, s := range widget.Wrap(text, max(w-n, 8)) {
		lead := mark
		if i > 0 {
			lead = widget.Pad("", n, false)
		}
		out = append(out, widget.L(widget.S(role, lead+s)))
	}
	return out
}

// scrolled is the visible part of lines, at most h of them; the last one says
// how many follow.
func scrolled(s *widget.Scroll, lines []widget.Line, h int) []widget.Line {
	shown := slices.Clone(s.Show(lines, h))
	if below := s.Below(); below > 0 {
		shown[len(shown)-1] = widget.L(widget.S(theme.Dim, fmt.Sprintf("%s: down", widget.Count(below+1, "more line"))))
	}
	return shown
}

// listKey moves a selection by the keys that lists share; ok is false for
// others.
func listKey(k tea.KeyMsg, page int) (by int, ok bool) {
	switch k.String() {
	case "up", "ctrl+p":
		return -1, true
	case "down", "ctrl+n":
		return 1, true
	case "pgup":
		return -page, true
	case "pgdown":
		return page, true
	case "home":
		return -1 << 20, true
	case "end":
		return 1 << 20, true
	}
	return 0, false
}
