package actions

import (
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
)

func table() Table {
	do := func() tea.Cmd { return nil }
	return Table{
		{ID: "open", Key: On("detail", "enter"), Help: "open the row", Footer: 5, Do: do},
		{ID: "quit", Key: On("quit", "q"), Help: "quit", Footer: 9, Do: do},
		{ID: "a.switch", View: "a", Key: On("switch", "s", "|"), Help: "switch the chain", Footer: 1, Do: do},
		{ID: "b.edit", View: "b", Key: On("edit", "enter"), Help: "edit the row", Footer: 1, Do: do,
			Disabled: func() string { return "nothing is selected" }},
	}
}

func TestFind(t *testing.T) {
	for _, tc := range []struct{ view, key, want string }{
		{"a", "enter", "open"},
		{"b", "enter", "b.edit"}, // a view's own keys win
		{"a", "|", "a.switch"},
		{"b", "s", ""}, // another view's key does nothing
		{"b", "q", "quit"},
	} {
		a, ok := table().Find(tc.view, named(tc.key))
		if ok != (tc.want != "") || a.ID != tc.want {
			t.Errorf("%s in %s: %q, want %q", tc.key, tc.view, a.ID, tc.want)
		}
	}
}

func TestFooterHasOnlyWhatWorks(t *testing.T) {
	var got []string
	for _, a := range table().Footer("b") {
		got = append(got, a.ID)
	}
	if strings.Join(got, " ") != "quit" { // enter is edit's here, and edit is disabled
		t.Errorf("%v", got)
	}
}

func TestSearch(t *testing.T) {
	got := table().Search("a", "sw")
	if len(got) == 0 || got[0].ID != "a.switch" {
		t.Errorf("%v", got)
	}
	if got := table().Search("a", ""); len(got) != 4 || got[0].ID != "a.switch" {
		t.Errorf("everything, the view's own first: %v", got)
	}
	if got := table().Search("a", "chain"); len(got) != 1 {
		t.Errorf("by description: %v", got)
	}
}

func TestCheck(t *testing.T) {
	if bad := table().Check(); len(bad) > 0 {
		t.Error(bad)
	}
	bad := append(table(), Action{ID: "quit", Key: On("", "q")})
	if got := bad.Check(); len(got) != 3 { // lacks a part, twice, same key
		t.Errorf("%v", got)
	}
}

func TestReadOnly(t *testing.T) {
	tab := table()
	tab[2].Changes = true
	tab[3].Changes = true
	why := ""
	tab.ReadOnly(func() string { return why })
	for _, tc := range []struct {
		why  string
		want [4]string
	}{
		{"", [4]string{"", "", "", "nothing is selected"}},
		{"a recording", [4]string{"", "", "a recording", "a recording"}},
		{"", [4]string{"", "", "", "nothing is selected"}}, // and back again
	} {
		why = tc.why
		for i, want := range tc.want {
			if got := tab[i].Reason(); got != want {
				t.Errorf("%s: %q, want %q", tab[i].ID, got, want)
			}
		}
	}
}

func TestMarkdown(t *testing.T) {
	md := table().Markdown()
	for _, want := range []string{"| everywhere | `enter` | open the row |", "| a | `s` `\\|` | switch the chain |"} {
		if !strings.Contains(md, want) {
			t.Errorf("lacks %s:\n%s", want, md)
		}
	}
}
