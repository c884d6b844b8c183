package dialog

import (
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/change"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

var th = theme.New(theme.Options{NoColor: true})

func keyMsg(s string) tea.KeyMsg {
	switch s {
	case "enter":
		return tea.KeyMsg{Type: tea.KeyEnter}
	case "esc":
		return tea.KeyMsg{Type: tea.KeyEsc}
	case "tab":
		return tea.KeyMsg{Type: tea.KeyTab}
	case "down":
		return tea.KeyMsg{Type: tea.KeyDown}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(s)}
}

func plan(undoable bool) *change.Plan {
	return &change.Plan{Title: "Plan", Actions: []change.Action{{Kind: "remove_tree", Target: "/x", Undoable: undoable}}}
}

// TestPlanAnswers plays keys on a plan and says what came of it.
func TestPlanAnswers(t *testing.T) {
	for _, tc := range []struct {
		name, keys string
		undoable   bool
		word       string
		want       string // "" is still open
	}{
		{"y applies", "y", true, "", "applied"},
		{"n cancels", "n", true, "", "cancelled"},
		{"esc cancels", "esc", true, "", "cancelled"},
		{"enter is Cancel", "enter", true, "", "cancelled"},
		{"tab and enter apply", "tab enter", true, "", "applied"},
		{"tab twice is Cancel again", "tab tab enter", true, "", "cancelled"},
		{"other keys do nothing", "a b z", true, "", ""},
		{"y is no answer where a word is asked for", "y", false, "", ""},
		{"tab does not reach Apply before the word", "tab enter", false, "", "cancelled"},
		{"the word and enter apply", "a p p l y enter", false, "", "applied"},
		{"half a word is Cancel", "a p p enter", false, "", "cancelled"},
		{"a word of its own", "o f f enter", true, "off", "applied"},
		{"the wrong word", "o n enter", true, "off", "cancelled"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ""
			d := NewPlan(plan(tc.undoable), nil, nil, tc.word, func() tea.Cmd { got = "applied"; return nil }, func() tea.Cmd { got = "cancelled"; return nil })
			for _, k := range strings.Fields(tc.keys) {
				if done, _ := d.Key(keyMsg(k)); done != (got != "") {
					t.Fatalf("after %s: closed %v, %q", k, done, got)
				}
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestALongPlanKeepsItsButtons(t *testing.T) {
	p := plan(true)
	for range 100 {
		p.Commands = append(p.Commands, "go env -w GOPROXY=x")
	}
	d := NewPlan(p, nil, nil, "", nil, nil)
	for _, h := range []int{3, 5, 12} {
		lines := d.Lines(th, 60, h)
		if len(lines) > h {
			t.Errorf("%d lines of %d", len(lines), h)
		}
		if last := lines[len(lines)-1].Plain(); !strings.Contains(last, "Cancel") {
			t.Errorf("no buttons in %d lines: %q", h, last)
		}
	}
}

func TestAPagerSaysHowMuchFollows(t *testing.T) {
	d := NewPager("Text", false, func(*theme.Theme, int) (out []widget.Line) {
		for range 20 {
			out = append(out, widget.T("line"))
		}
		return out
	})
	for _, tc := range []struct{ key, last string }{{"", "16 more lines: down"}, {"down", "15 more lines: down"}, {"G", "line"}} {
		if tc.key != "" {
			d.Key(keyMsg(tc.key))
		}
		if lines := d.Lines(th, 60, 5); len(lines) != 5 || lines[4].Plain() != tc.last {
			t.Errorf("after %q: %d lines, the last %q, want %q", tc.key, len(lines), lines[len(lines)-1].Plain(), tc.last)
		}
	}
}

func TestChooseCutsWithAMark(t *testing.T) {
	d := NewChoose("Pick", []Item{{Title: "one", Detail: strings.Repeat("many words ", 20)}}, nil)
	lines := d.Lines(th, 40, 8)
	if last := lines[len(lines)-1].Plain(); !strings.HasSuffix(last, th.Glyphs.Ellipsis) {
		t.Errorf("cut without a mark: %q", last)
	}
}

func TestConfirmIsNoByDefault(t *testing.T) {
	for keys, want := range map[string]string{"enter": "no", "esc": "nothing", "n": "no", "y": "yes", "tab enter": "yes", "tab esc": "nothing"} {
		got, closed := "nothing", false
		d := NewConfirm("Sure?", []string{"text"}, "No", "Yes", func(yes bool) tea.Cmd {
			got = map[bool]string{true: "yes", false: "no"}[yes]
			return nil
		})
		for _, k := range strings.Fields(keys) {
			closed, _ = d.Key(keyMsg(k))
		}
		if got != want || !closed {
			t.Errorf("%s: answered %s, closed %v; want %s", keys, got, closed, want)
		}
	}
}

func TestChoose(t *testing.T) {
	var got string
	items := []Item{{Title: "alpha"}, {Title: "beta", Disabled: "not here"}, {Title: "gamma"}}
	d := NewChoose("Pick", items, func(it Item) tea.Cmd { got = it.Title; return nil })
	d.Key(keyMsg("down"))
	if done, _ := d.Key(keyMsg("enter")); done || d.note != "not here" {
		t.Error("a disabled item was taken")
	}
	for _, k := range []string{"g", "m", "enter"} {
		d.Key(keyMsg(k))
	}
	if got != "gamma" {
		t.Errorf("typed gm: %q", got)
	}
	if d := NewChoose("None", nil, nil); d.Lines(th, 40, 10) == nil {
		t.Error("an empty list draws nothing")
	} else if done, _ := d.Key(keyMsg("enter")); done {
		t.Error("nothing was chosen from an empty list")
	}
}

func TestPromptChecks(t *testing.T) {
	var got string
	d := NewPrompt("Name", nil, "a", func(s string) string {
		if s != "ab" {
			return "no"
		}
		return ""
	}, func(s string) tea.Cmd { got = s; return nil })
	if done, _ := d.Key(keyMsg("enter")); done {
		t.Error("a refused line was taken")
	}
	d.Key(keyMsg("b"))
	if done, _ := d.Key(keyMsg("enter")); !done || got != "ab" {
		t.Errorf("done %v, %q", done, got)
	}
}
