package dialog

import (
	"fmt"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/tui/theme"
)

func formFrame(d *Form, w, h int) string {
	var b strings.Builder
	for _, l := range d.Lines(theme.New(theme.Options{NoColor: true}), w, h) {
		b.WriteString(l.Plain() + "\n")
	}
	return b.String()
}

func pressForm(d *Form, keys ...string) (done bool) {
	for _, k := range keys {
		msg := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
		switch k {
		case "enter":
			msg = tea.KeyMsg{Type: tea.KeyEnter}
		case "esc":
			msg = tea.KeyMsg{Type: tea.KeyEsc}
		}
		done, _ = d.Key(msg)
	}
	return done
}

func TestForm(t *testing.T) {
	var taken []int
	form := func() *Form {
		taken = nil
		return NewForm("T", []Field{
			{Label: "What", Options: []string{"one", "all"}, Help: "what it is about"},
			{Label: "Age", Options: []string{"any", "7 d", "30 d"}, Off: func(at []int) string {
				if at[0] == 0 {
					return "does not count for one"
				}
				return ""
			}},
		}, func(at []int) []string { return []string{fmt.Sprint("means ", at)} },
			func(at []int) string {
				if at[1] == 2 {
					return "not so old"
				}
				return ""
			}, func(at []int) tea.Cmd { taken = at; return nil })
	}
	for _, tc := range []struct {
		name  string
		keys  []string
		done  bool
		taken string
		wants []string
	}{
		{"as it opens", nil, false, "[]", []string{"› What  [one] all", "  Age   –", "what it is about", "means [0 0]"}},
		{"enter takes what stands there", []string{"enter"}, true, "[0 0]", nil},
		{"esc takes nothing", []string{"l", "esc"}, true, "[]", nil},
		{"a choice opens another field", []string{"l"}, false, "[]", []string{"one [all]", "[any] 7 d  30 d", "means [1 0]"}},
		{"behind the last option comes the first", []string{"l", "l", "l", "j", "h"}, false, "[]", []string{"› Age    any  7 d [30 d]"}},
		{"what does not count says why", []string{"j"}, false, "[]", []string{"Age: does not count for one."}},
		{"what cannot be is refused, and said", []string{"l", "j", "h", "enter"}, false, "[]", []string{"✗ not so old"}},
		{"and another choice takes the word back", []string{"l", "j", "h", "enter", "h", "enter"}, true, "[1 1]", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := form()
			if done := pressForm(d, tc.keys...); done != tc.done || fmt.Sprint(taken) != tc.taken {
				t.Errorf("done %v, taken %v", done, taken)
			}
			frame := formFrame(d, 60, 12)
			for _, w := range tc.wants {
				if !strings.Contains(frame, w) {
					t.Errorf("lacks %q:\n%s", w, frame)
				}
			}
		})
	}
	if frame := formFrame(form(), 17, 4); !strings.Contains(frame, "< [one] >") { // no room for all options
		t.Errorf("narrow:\n%s", frame)
	}
}
