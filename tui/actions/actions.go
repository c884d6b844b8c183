// Package actions is the one table of everything a key can do.
//
// An [Action] is one value: keys, name, description, what it does, and why it
// cannot be done now. The footer, the help, the palette and the key table of
// the README are all printed from the same table, so none of them can say
// something else than what the key does.
package actions

import (
	"fmt"
	"sort"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/sahilm/fuzzy"
)

// An Action is one thing that the user can do.
type Action struct {
	ID   string // stable name: "proxies.switch"
	View string // the view that it belongs to; "" works everywhere
	// Key holds its keys, and the key and name that the footer shows; [On]
	// makes it.
	Key  key.Binding
	Help string // one sentence for help, palette and README
	// Footer is its place in the footer, 1 first; 0 leaves it out.
	Footer int
	// Changes marks what changes the machine or prepares it: [Table.ReadOnly]
	// switches it off.
	Changes bool
	// Disabled says why it cannot be done now; nil or "" means that it can.
	Disabled func() string
	Do       func() tea.Cmd
}

// Reason says why a cannot be done now, "" when it can.
func (a Action) Reason() string {
	if a.Disabled == nil {
		return ""
	}
	return a.Disabled()
}

// Name is one or two words for the footer and the palette.
func (a Action) Name() string { return a.Key.Help().Desc }

// On binds name to keys, as Bubble Tea names them. The footer shows the first
// one.
func On(name string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(Label(keys[0]), name))
}

// OnPair is On where the footer names a second key, which another action has:
// K J move.
func OnPair(name, second string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(Label(keys[0])+" "+Label(second), name))
}

// A Table holds every action, in the order in which help lists them.
type Table []Action

// Find returns what k, a [tea.KeyMsg], does in view. A view's own keys win over
// those that work everywhere.
func (t Table) Find(view string, k fmt.Stringer) (found Action, ok bool) {
	for _, a := range t {
		if (a.View == view || a.View == "") && key.Matches(k, a.Key) && (!ok || found.View == "" && a.View != "") {
			found, ok = a, true
		}
	}
	return found, ok
}

// ReadOnly has why asked before what changes anything is done: while it says a
// reason, none of that can be done.
func (t Table) ReadOnly(why func() string) {
	for i := range t {
		if own := t[i]; own.Changes {
			t[i].Disabled = func() string {
				if w := why(); w != "" {
					return w
				}
				return own.Reason()
			}
		}
	}
}

// named is a key by its name.
type named string

func (n named) String() string { return string(n) }

// In returns the actions that work in view: its own first, then those that
// work everywhere and whose keys the view does not take.
func (t Table) In(view string) (own, everywhere []Action) {
	for _, a := range t {
		switch {
		case a.View == view && view != "":
			own = append(own, a)
		case a.View == "":
			for _, k := range a.Key.Keys() {
				if b, ok := t.Find(view, named(k)); ok && b.ID == a.ID {
					everywhere = append(everywhere, a)
					break
				}
			}
		}
	}
	return own, everywhere
}

// Footer returns the actions of view's footer that can be done now, most
// important first.
func (t Table) Footer(view string) []Action {
	own, everywhere := t.In(view)
	var out []Action
	for _, a := range append(own, everywhere...) {
		if a.Footer > 0 && a.Reason() == "" {
			out = append(out, a)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Footer < out[j].Footer })
	return out
}

// Search returns the actions that match query, best first; all of them in
// table order for an empty query. Actions of view come before others of the
// same match.
func (t Table) Search(view, query string) []Action {
	var pool []Action
	for _, a := range t {
		if a.View == view && view != "" {
			pool = append(pool, a)
		}
	}
	for _, a := range t {
		if a.View == "" {
			pool = append(pool, a)
		}
	}
	for _, a := range t {
		if a.View != "" && a.View != view {
			pool = append(pool, a)
		}
	}
	if strings.TrimSpace(query) == "" {
		return pool
	}
	names := make([]string, len(pool))
	for i, a := range pool {
		names[i] = a.Name()
	}
	var out []Action
	seen := map[string]bool{}
	for _, m := range fuzzy.Find(query, names) {
		out = append(out, pool[m.Index])
		seen[pool[m.Index].ID] = true
	}
	for _, a := range pool { // then what has the words in its description
		if !seen[a.ID] && strings.Contains(strings.ToLower(a.Help+" "+a.ID), strings.ToLower(query)) {
			out = append(out, a)
		}
	}
	return out
}

// Check reports what is wrong with the table: an action without a key, a name
// or a handler, a key that two actions of one view claim, an ID used twice.
func (t Table) Check() []string {
	var out []string
	ids := map[string]bool{}
	keys := map[string]string{}
	for _, a := range t {
		if a.ID == "" || len(a.Key.Keys()) == 0 || a.Name() == "" || a.Help == "" || a.Do == nil {
			out = append(out, fmt.Sprintf("%q lacks a part", a.ID))
		}
		if ids[a.ID] {
			out = append(out, fmt.Sprintf("%q is there twice", a.ID))
		}
		ids[a.ID] = true
		for _, k := range a.Key.Keys() {
			if other := keys[a.View+"\x00"+k]; other != "" {
				out = append(out, fmt.Sprintf("%q and %q both want %s", other, a.ID, k))
			}
			keys[a.View+"\x00"+k] = a.ID
		}
	}
	return out
}

// labels are the keys whose name is not what stands on the keyboard.
var labels = map[string]string{" ": "space", "pgdown": "pgdn"}

// Label is how a key is written for people.
func Label(key string) string {
	if l, ok := labels[key]; ok {
		return l
	}
	return key
}

// Labels writes all keys of a.
func (a Action) Labels() string {
	out := make([]string, len(a.Key.Keys()))
	for i, k := range a.Key.Keys() {
		out[i] = Label(k)
	}
	return strings.Join(out, " ")
}

// Markdown prints the table for the README: one section for what works
// everywhere and one for each view.
func (t Table) Markdown() string {
	var order []string
	by := map[string][]Action{}
	for _, a := range t {
		if _, ok := by[a.View]; !ok {
			order = append(order, a.View)
		}
		by[a.View] = append(by[a.View], a)
	}
	var b strings.Builder
	b.WriteString("| where | key | does |\n|---|---|---|\n")
	for _, v := range order {
		where := v
		if where == "" {
			where = "everywhere"
		}
		for _, a := range by[v] {
			var keys []string
			for _, k := range a.Key.Keys() {
				keys = append(keys, "`"+strings.ReplaceAll(Label(k), "|", `\|`)+"`")
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", where, strings.Join(keys, " "), strings.ReplaceAll(a.Help, "|", `\|`))
			where = ""
		}
	}
	return b.String()
}
