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

	tea "github.com/charmbracelet/bubbletea"
	"github.com/sahilm/fuzzy"
)

// An Action is one thing that the user can do.
type Action struct {
	ID   string   // stable name: "proxies.switch"
	View string   // the view that it belongs to; "" works everywhere
	Keys []string // as Bubble Tea names them; the first one is shown
	Name string   // one or two words for the footer
	Help string   // one sentence for help, palette and README
	// Footer is its place in the footer, 1 first; 0 leaves it out.
	Footer int
	Pair   string // a key that the footer names together with this one: K J move
	// Changes marks what changes the machine: it is off while recorded
	// snapshots are shown.
	Changes bool
	// Dangerous marks what weakens security or cannot be undone.
	Dangerous bool
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

// Key is the key that is shown for a.
func (a Action) Key() string {
	if len(a.Keys) == 0 {
		return ""
	}
	return Label(a.Keys[0])
}

// A Table holds every action, in the order in which help lists them.
type Table []Action

// Find returns what key does in view. A view's own keys win over those that
// work everywhere.
func (t Table) Find(view, key string) (Action, bool) {
	var found Action
	ok := false
	for _, a := range t {
		if a.View != view && a.View != "" {
			continue
		}
		for _, k := range a.Keys {
			if k == key && (!ok || (found.View == "" && a.View != "")) {
				found, ok = a, true
			}
		}
	}
	return found, ok
}

// Get returns the action called id.
func (t Table) Get(id string) (Action, bool) {
	for _, a := range t {
		if a.ID == id {
			return a, true
		}
	}
	return Action{}, false
}

// In returns the actions that work in view: its own first, then those that
// work everywhere and whose keys the view does not take.
func (t Table) In(view string) (own, everywhere []Action) {
	for _, a := range t {
		switch {
		case a.View == view && view != "":
			own = append(own, a)
		case a.View == "":
			for _, k := range a.Keys {
				if b, ok := t.Find(view, k); ok && b.ID == a.ID {
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
		if a.View == "" && a.Name != "" {
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
		names[i] = a.Name
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
		if a.ID == "" || len(a.Keys) == 0 || a.Name == "" || a.Help == "" || a.Do == nil {
			out = append(out, fmt.Sprintf("%q lacks a part", a.ID))
		}
		if ids[a.ID] {
			out = append(out, fmt.Sprintf("%q is there twice", a.ID))
		}
		ids[a.ID] = true
		for _, k := range a.Keys {
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
	out := make([]string, len(a.Keys))
	for i, k := range a.Keys {
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
			for _, k := range a.Keys {
				keys = append(keys, "`"+strings.ReplaceAll(Label(k), "|", `\|`)+"`")
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", where, strings.Join(keys, " "), strings.ReplaceAll(a.Help, "|", `\|`))
			where = ""
		}
	}
	return b.String()
}
