// Package env is the view of the go environment: every variable with its
// value, where it comes from, what it hides and what it does.
//
//	VARIABLE    VALUE                        ORIGIN     INSTEAD OF
//	› GOPROXY ~ https://b.example|direct      pending    https://a.example,direct  user
//	  GOFLAGS ! -mod=mod                      shell      (empty)  user
//	├ the selected variable in words ─────────────────────────────────────┤
//
// Edits are collected and written together, through a plan.
package env

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	goenv "gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/tui/actions"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Name is what the actions of this view carry.
const Name = "env"

// View is the view. It is used from the update loop only.
type View struct {
	c       *view.Common
	table   widget.Table
	rows    []row
	sel     string
	order   order
	filter  string
	open    bool
	pending map[string]change.Assignment
}

// New makes the view.
func New(c *view.Common) *View {
	return &View{c: c, table: widget.Table{Columns: columns}, pending: map[string]change.Assignment{}}
}

// Name implements view.View.
func (v *View) Name() string { return Name }

// Title implements view.View.
func (v *View) Title() string { return "Env" }

// Pending implements view.View.
func (v *View) Pending() int { return len(v.pending) }

// Discard implements view.View.
func (v *View) Discard() { clear(v.pending); v.build() }

// Filter implements view.View.
func (v *View) Filter() *string { return &v.filter }

// Filtered implements view.View.
func (v *View) Filtered() { v.build() }

// Page implements view.View.
func (v *View) Page() int { return v.table.Page() }

// Back implements view.View.
func (v *View) Back() bool {
	was := v.open
	v.open = false
	return was
}

// Move implements view.View.
func (v *View) Move(n int) {
	v.table.Move(n)
	v.remember()
}

// Select implements view.View.
func (v *View) Select(y int) bool {
	i, ok := v.table.At(y)
	if ok {
		v.table.Select(i)
		v.remember()
	}
	return ok
}

// NextOrder implements view.View.
func (v *View) NextOrder() string {
	v.order = (v.order + 1) % orders
	v.build()
	return v.order.String()
}

func (v *View) remember() {
	if r := v.selected(); r != nil {
		v.sel = r.name
	}
}

func (v *View) selected() *row {
	if i := v.table.Cursor(); i >= 0 && i < len(v.rows) {
		return &v.rows[i]
	}
	return nil
}

// Copy implements view.View: the equal command.
func (v *View) Copy() string {
	if r := v.selected(); r != nil {
		return command(r)
	}
	return ""
}

// Update implements view.View.
func (v *View) Update(e view.Event) tea.Cmd {
	if e == view.EnvChanged {
		v.build()
	}
	return nil
}

func (v *View) build() {
	v.rows = buildRows(v.c.Env, v.pending)
	sortRows(v.rows, v.order)
	v.table.Sorted, v.table.Arrow = v.order.column(&v.c.Theme.Glyphs)
	v.rows = filterRows(v.rows, v.filter)
	v.table.SetRows(len(v.rows))
	for i := range v.rows {
		if v.rows[i].name == v.sel {
			v.table.Select(i)
			return
		}
	}
	if v.sel == "" {
		v.table.Select(0)
	}
	v.remember() // what the cursor stands on is what the next key is about
}

// Actions implements view.View.
func (v *View) Actions() []actions.Action {
	s := &v.c.Services
	onRow := func() string {
		r := v.selected()
		if r == nil {
			return "no variable is selected"
		}
		if why := view.Lacking(s.PlanEnv != nil); why != "" {
			return why
		}
		return cannotSet(r.name)
	}
	unset := func() string {
		r := v.selected()
		if why := onRow(); why != "" {
			return why
		}
		if _, ok := v.c.Env.UserFileValues[r.name]; !ok && r.origin != goenv.User {
			if r.origin == goenv.OS {
				return r.name + " comes from the shell: unset it there"
			}
			return r.name + " is not set in the user file"
		}
		return ""
	}
	noEdits := func() string {
		if len(v.pending) == 0 {
			return "no edits yet"
		}
		return view.Lacking(s.PlanEnv != nil)
	}
	return []actions.Action{
		{ID: "env.edit", View: Name, Key: actions.On("edit", "enter"), Footer: 3, Changes: true,
			Help: "edit: give the variable a value", Disabled: onRow, Do: v.edit},
		{ID: "env.unset", View: Name, Key: actions.On("unset", "x", "delete"), Footer: 4, Changes: true,
			Help: "edit: take the variable out of the user file", Disabled: unset, Do: v.unset},
		{ID: "env.profiles", View: Name, Key: actions.On("profiles", "t"), Footer: 3, Changes: true,
			Help:     "switch a profile: offline, vendor, checksums off and on",
			Disabled: func() string { return view.Lacking(s.Profiles != nil && s.PlanProfile != nil) }, Do: v.profiles},
		{ID: "env.write", View: Name, Key: actions.On("write", "w"), Footer: 1, Changes: true,
			Help: "write the pending edits: shows the plan first", Disabled: noEdits, Do: v.write},
		{ID: "env.diff", View: Name, Key: actions.On("diff", "d"), Footer: 2,
			Help: "show the pending edits", Disabled: noEdits, Do: v.diff},
		{ID: "env.discard", View: Name, Key: actions.On("discard", "Z"), Footer: 2,
			Help: "discard the pending edits", Disabled: noEdits, Do: func() tea.Cmd { v.Discard(); return nil }},
	}
}

// Open implements view.View. Enter edits here; the detail pane is always there.
func (v *View) Open() tea.Cmd { return nil }

// edit asks for a new value. A value that hides credentials is not shown, so it
// cannot be changed in part.
func (v *View) edit() tea.Cmd {
	r := v.selected()
	name := r.name
	text := r.v.Value
	if r.pending != nil && !r.pending.Unset {
		text = r.pending.Value
	}
	about := []string{effect(name, r.after())}
	if r.origin == goenv.OS {
		about = append(about, "The shell sets this variable and hides what the user file says: the new value has no effect there until it is unset in the shell.")
	}
	if redact.Value(name, text) != text {
		about = append(about, "The present value holds credentials and is not shown: type the whole new value.")
		text = ""
	}
	v.c.Dialogs.Push(dialog.NewPrompt("Edit "+name, about, text, func(s string) string { return refuse(name, s) }, func(s string) tea.Cmd {
		if s == r.v.Value && (r.pending == nil || r.v.Origin == goenv.User) {
			delete(v.pending, name)
		} else {
			v.pending[name] = change.Assignment{Name: name, Value: s}
		}
		v.build()
		return nil
	}))
	return nil
}

// refuse says why a value cannot be taken; the toolchain itself has the last
// word when the plan is made.
func refuse(name, value string) string {
	if strings.Contains(value, redact.Mark) {
		return "the value holds " + redact.Mark + ", which stands for hidden credentials: type them"
	}
	switch name {
	case "GOPROXY":
		if _, err := chain.Parse(value); err != nil && value != "" {
			return err.Error()
		}
	case "GOSUMDB":
		if _, err := chain.ParseSumDB(value); err != nil && value != "" {
			return err.Error()
		}
	}
	return ""
}

func (v *View) unset() tea.Cmd {
	r := v.selected()
	v.pending[r.name] = change.Assignment{Name: r.name, Unset: true}
	v.build()
	return nil
}

func (v *View) assignments() []change.Assignment {
	var out []change.Assignment
	for _, name := range slices.Sorted(maps.Keys(v.pending)) {
		out = append(out, v.pending[name])
	}
	return out
}

func (v *View) write() tea.Cmd {
	as := v.assignments()
	title := "Set " + as[0].Name
	if len(as) > 1 {
		title = fmt.Sprintf("Set %d variables", len(as))
	} else if as[0].Unset {
		title = "Unset " + as[0].Name
	}
	return view.Start(v.c, "plan", "making the plan", func(ctx context.Context) (*change.Plan, error) {
		return v.c.Services.PlanEnv(ctx, title, as)
	}, func(p *change.Plan, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		return v.c.Propose(view.Proposal{Plan: p, Applied: func(change.Change) tea.Cmd { v.Discard(); return nil }})
	})
}

func (v *View) diff() tea.Cmd {
	v.c.Dialogs.Push(dialog.NewPager("Pending", false, func(_ *theme.Theme, w int) []widget.Line {
		var out []widget.Line
		for _, r := range buildRows(v.c.Env, v.pending) {
			if r.pending == nil {
				continue
			}
			if len(out) > 0 {
				out = append(out, nil)
			}
			out = append(out, widget.L(widget.S(theme.Strong, r.name)))
			for _, s := range widget.Wrap(r.value, w-4) {
				out = append(out, widget.L(widget.S(theme.Bad, "  - "+s)))
			}
			for _, s := range widget.Wrap(r.after(), w-4) {
				out = append(out, widget.L(widget.S(theme.Good, "  + "+s)))
			}
			out = append(out, widget.L(widget.S(theme.Accent, "  $ "+command(&r))))
		}
		return out
	}))
	return nil
}

// profiles lists the profiles with their state.
func (v *View) profiles() tea.Cmd {
	return view.Start(v.c, "profiles", "reading the profiles", func(ctx context.Context) ([]view.Profile, error) {
		return v.c.Services.Profiles(ctx)
	}, func(ps []view.Profile, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		g := &v.c.Theme.Glyphs
		var items []dialog.Item
		for _, p := range ps {
			it := dialog.Item{Title: redact.Text(p.Title), Detail: redact.Text(p.Detail), Disabled: redact.Text(p.Disabled), Value: p,
				Mark: widget.S(theme.Faint, g.Idle)}
			if p.On { // the title is what choosing it does
				it.Mark, it.Right = widget.S(theme.Warn, g.Warn), "ends what is in force"
			}
			if p.Loud {
				it.Mark.Role, it.Note = theme.Bad, "weakens security"
			}
			items = append(items, it)
		}
		v.c.Dialogs.Push(dialog.NewChoose("Profiles", items, func(it dialog.Item) tea.Cmd {
			p := it.Value.(view.Profile)
			if len(p.Choices) == 0 {
				return v.plan(p, "")
			}
			var choices []dialog.Item
			for _, c := range p.Choices {
				choices = append(choices, dialog.Item{Title: redact.Text(c.Title), Value: c.Arg})
			}
			v.c.Dialogs.Push(dialog.NewChoose(redact.Text(p.Title), choices, func(it dialog.Item) tea.Cmd {
				return v.plan(p, it.Value.(string))
			}))
			return nil
		}))
		return nil
	})
}

func (v *View) plan(p view.Profile, choice string) tea.Cmd {
	return view.Start(v.c, "plan", "making the plan", func(ctx context.Context) (*change.Plan, error) {
		return v.c.Services.PlanProfile(ctx, p.ID, choice)
	}, func(plan *change.Plan, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		return v.c.Propose(view.Proposal{Plan: plan})
	})
}

var _ view.View = (*View)(nil)
