package dialog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/dustin/go-humanize"

	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Plan shows a plan and asks whether to apply it.
type Plan struct {
	plan    *change.Plan
	why     []string
	notes   []string
	word    string
	input   *widget.Input
	onApply bool // the focused button
	scroll  widget.Scroll
	apply   func() tea.Cmd
	cancel  func() tea.Cmd
}

// NewPlan makes the dialog. When an action cannot be undone, or word is not
// empty, word ("apply" by default) must be typed first.
func NewPlan(p *change.Plan, why, notes []string, word string, apply, cancel func() tea.Cmd) *Plan {
	d := &Plan{plan: p, why: why, notes: notes, word: word, apply: apply, cancel: cancel}
	for _, a := range p.Actions {
		if !a.Undoable && d.word == "" {
			d.word = "apply"
		}
	}
	if d.word != "" {
		d.input = widget.NewInput("")
	}
	return d
}

// Title implements view.Dialog.
func (d *Plan) Title() string { return redact.Text(d.plan.Title) }

// armed reports whether the plan may be applied.
func (d *Plan) armed() bool { return d.word == "" || strings.TrimSpace(d.input.Value()) == d.word }

// Key implements view.Dialog.
func (d *Plan) Key(k tea.KeyMsg) (bool, tea.Cmd) {
	switch {
	case key.Matches(k, keyPress):
		if d.onApply && d.armed() {
			return true, d.apply()
		}
		return true, d.cancel()
	case d.input != nil && !key.Matches(k, keyClose):
		if _, moves := listKey(k, 1); moves {
			d.scroll.Key(k)
		} else if d.input.Key(k) {
			d.onApply = d.armed() // the typed word is the answer; enter then applies
		}
	case key.Matches(k, keyYes):
		return true, d.apply()
	case key.Matches(k, keyNo):
		return true, d.cancel()
	case key.Matches(k, keyOther):
		d.onApply = !d.onApply
	default:
		d.scroll.Key(k)
	}
	return false, nil
}

// Hints implements view.Dialog.
func (d *Plan) Hints() []key.Binding {
	if d.word != "" {
		return []key.Binding{hint(d.word, "type to apply"), called(keyClose, "cancel")}
	}
	return []key.Binding{called(keyYes, "apply"), called(keyNo, "cancel"), keyPress, keyOther}
}

// Lines implements view.Dialog.
func (d *Plan) Lines(th *theme.Theme, w, h int) []widget.Line {
	body := d.body(th, w)
	foot := []widget.Line{nil}
	role := theme.BadgeGood
	if d.word != "" {
		role = theme.BadgeBad
		ask := widget.L(widget.S(theme.Warn, "type "), widget.S(theme.Strong, d.word), widget.S(theme.Warn, " to apply: "))
		foot = append(foot, append(ask, d.input.Line(th, widget.Width(d.word)+6)...), nil)
	}
	name := "Apply"
	if d.word == "" {
		name = "Apply (y)"
	}
	foot = append(foot, buttons(th, "Cancel", name, d.onApply, role))
	room := max(h-len(foot), 1)
	if len(body) > room { // rather read it whole than in groups
		body = slices.DeleteFunc(body, func(l widget.Line) bool { return len(l) == 0 })
	}
	return append(scrolled(&d.scroll, body, room), foot...)
}

func (d *Plan) body(th *theme.Theme, w int) []widget.Line {
	var out []widget.Line
	section := func(title string, lines []widget.Line) {
		if len(lines) == 0 {
			return
		}
		if len(out) > 0 {
			out = append(out, nil)
		}
		if title != "" {
			out = append(out, widget.L(widget.S(theme.Dim, title)))
		}
		out = append(out, lines...)
	}
	list := func(role theme.Role, mark string, texts ...string) (lines []widget.Line) {
		for _, s := range texts {
			lines = append(lines, paragraph(role, mark, redact.Text(s), w)...)
		}
		return lines
	}
	// What a small terminal cuts comes last.
	for i := range d.plan.Changes {
		section("", variable(th, &d.plan.Changes[i], w))
	}
	const few = 6 // lines; more are a list to scroll in, and what they come to goes before it
	actions := d.others(th, w)
	if len(actions) <= few {
		section("Actions", actions)
	}
	section("", list(theme.Warn, th.Glyphs.Warn+" ", slices.Concat(d.notes, d.plan.Warnings)...))
	section("", list(theme.Text, "", d.why...))
	if len(actions) > few {
		section(fmt.Sprintf("Actions: %d", len(d.plan.Actions)), actions)
	}
	section("The same by hand", list(theme.Accent, "  $ ", d.plan.Commands...))
	return out
}

// variable is what happens to one variable, as a diff.
func variable(th *theme.Theme, c *change.VarChange, w int) []widget.Line {
	head := widget.L(widget.S(theme.Strong, c.Var))
	was, now, from := value(c.EffectiveOld), value(c.EffectiveNew), ""
	if c.OriginOld != "" {
		from = "  (" + view.OriginWord(env.Origin(c.OriginOld)) + ")"
	}
	if c.Hidden() {
		note := "the environment hides it: no effect in this shell"
		if !c.Shadowed {
			note = "the environment has this value already"
		}
		head = append(head, widget.S(theme.Warn, "  "+th.Glyphs.Shadow+" "+note))
		was, now, from = value(c.Old), value(c.New), "  (user file)"
	}
	out := append([]widget.Line{head}, paragraph(theme.Bad, "  - ", was+from, w)...)
	return append(out, paragraph(theme.Good, "  + ", now, w)...)
}

// mostActions is how many actions are listed. A plan for a cache can have
// thousands: those that weigh most are named, and what the others come to.
const mostActions = 100

// others are the actions that the diffs do not show.
func (d *Plan) others(th *theme.Theme, w int) []widget.Line {
	actions := slices.DeleteFunc(slices.Clone(d.plan.Actions), func(a change.Action) bool {
		return a.Kind == change.SetVariable && named(d.plan.Changes, a.Target) && a.Undoable
	})
	slices.SortStableFunc(actions, func(a, b change.Action) int { return cmp.Compare(b.Bytes, a.Bytes) })
	var out []widget.Line
	for _, a := range actions[:min(len(actions), mostActions)] {
		line, role := strings.ReplaceAll(redact.Text(a.Kind), "_", " ")+"  "+redact.Text(a.Target), theme.Text
		if a.New != "" || a.Old != "" {
			line += "  " + value(a.Old) + " " + th.Glyphs.Arrow + " " + value(a.New)
		}
		if a.Bytes > 0 {
			line += "  " + size(a.Bytes)
		}
		if !a.Undoable {
			role, line = theme.Bad, line+"  (cannot be undone)"
		}
		out = append(out, paragraph(role, "  ", line, w)...)
	}
	if more := len(actions) - mostActions; more > 0 {
		rest := int64(0)
		for _, a := range actions[mostActions:] {
			rest += a.Bytes
		}
		out = append(out, paragraph(theme.Dim, "  ", fmt.Sprintf("and %d more, %s", more, size(rest)), w)...)
	}
	if n := d.plan.FreedBytes; n > 0 {
		out = append(out, paragraph(theme.Text, "  ", "frees "+size(n), w)...)
	}
	return out
}

// size is a number of bytes as people read it.
func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// value is a value with a word for the empty one.
func value(s string) string {
	if s == "" {
		return "(empty)"
	}
	return redact.Text(s)
}

// named reports whether changes tell about the variable target.
func named(changes []change.VarChange, target string) bool {
	for _, c := range changes {
		if c.Var == target {
			return true
		}
	}
	return false
}
