package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/change"
	"gpx/envctl/redact"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
)

// propose shows a plan and applies it when the user agrees.
func (m *model) propose(p view.Proposal) tea.Cmd {
	if p.Plan == nil {
		return nil
	}
	if m.c.ReadOnly != "" { // it was asked for before
		return m.c.Say(theme.Warn, "%s", m.c.ReadOnly)
	}
	if len(p.Plan.Actions) == 0 && len(p.Plan.Changes) == 0 {
		return m.c.Say(theme.Text, "there is nothing to do: it is as it should be")
	}
	typed, notes := word(p.Plan)
	cancelled := p.Cancelled
	if cancelled == nil {
		cancelled = func() tea.Cmd { return m.c.Say(theme.Dim, "cancelled: nothing was changed") }
	}
	m.c.Dialogs.Push(dialog.NewPlan(p.Plan, p.Why, append(notes, p.Notes...), typed, func() tea.Cmd { return m.apply(p) }, cancelled))
	return nil
}

// word is what has to be typed before p is applied, wherever p comes from: a
// profile, an edit, an undo. It is "" where y is enough. notes say why, where the
// plan itself does not.
func word(p *change.Plan) (word string, notes []string) {
	for i := range p.Changes {
		c := &p.Changes[i]
		was, now := c.EffectiveOld, c.EffectiveNew
		if c.Shadowed { // it takes effect in every shell but this one
			was, now = c.Old, c.New
		}
		switch c.Var {
		case "GOSUMDB":
			if now == "off" && was != "off" {
				word = "off"
			}
		case "GONOSUMDB":
			if more := added(was, now); len(more) > 0 {
				word = "off"
				notes = append(notes, "checksums off for "+strings.Join(more, ", ")+": what matches is looked up no more, only go.sum guards it")
			}
		}
	}
	return word, notes
}

// added are the patterns of the list now that are not in was.
func added(was, now string) (more []string) {
	known := strings.Split(was, ",")
	for _, pattern := range strings.Split(now, ",") {
		if pattern != "" && !slices.Contains(known, pattern) {
			more = append(more, pattern)
		}
	}
	return more
}

// apply applies a plan. What is quick is not cancelled with the screen: a change
// that has begun is finished. What moves files shows how far it is and can be
// stopped, which leaves everything as it was.
func (m *model) apply(p view.Proposal) tea.Cmd {
	s := m.c.Services
	if s.Apply == nil {
		return m.c.Say(theme.Warn, "not available here")
	}
	began, title := m.c.Now(), ""
	if long(p.Plan) {
		title = redact.Text(p.Plan.Title)
	}
	m.c.Say(theme.Text, "applying: %s", p.Plan.Title)
	return view.StartWhole(m.c, fmt.Sprintf("apply %p", p.Plan), title, func(ctx context.Context) (change.Change, error) {
		if title == "" {
			ctx = context.WithoutCancel(ctx)
		}
		return s.Apply(change.WithProgress(ctx, func(at change.Progress) {
			view.Report(ctx, view.Step{Text: at.What, Done: at.Done, Total: at.Total})
		}), p.Plan)
	}, func(ch change.Change, err error) tea.Cmd {
		m.log(p.Plan, ch.ID, began, err)
		switch {
		case errors.Is(err, context.Canceled) && !errors.Is(err, change.ErrHalfWay):
			return tea.Batch(m.c.Say(theme.Text, "stopped: nothing was changed"), m.tell(view.Applied))
		case err != nil:
			return tea.Batch(m.c.Fail(err), m.reload(), m.tell(view.Applied))
		}
		m.announce(p.Plan, ch)
		after := m.tell(view.Applied)
		if m.frozen { // what was changed is to be seen
			after = tea.Batch(after, m.freeze())
		}
		if p.Applied != nil {
			after = tea.Batch(after, p.Applied(ch))
		}
		if s.ProbeNow != nil {
			s.ProbeNow()
		}
		return tea.Batch(after, m.reload())
	})
}

// long reports whether p moves files, which takes its time.
func long(p *change.Plan) bool {
	return slices.ContainsFunc(p.Actions, func(a change.Action) bool { return a.Bytes > 0 })
}

// announce says what was done, and how it is taken back.
func (m *model) announce(p *change.Plan, ch change.Change) {
	g := &m.c.Theme.Glyphs
	title := ch.Title
	if title == "" {
		title = p.Title
	}
	undo := "u takes it back"
	switch {
	case p.Undoes != "":
		undo = "taken back"
	case len(p.Actions) > 0 && !slices.ContainsFunc(p.Actions, func(a change.Action) bool { return a.Undoable }):
		undo = "it cannot be taken back"
	}
	if ch.Note != "" { // what was left as it is, and why
		m.c.Say(theme.Warn, "%s %s %s %s; %s", g.Warn, title, g.Dot, undo, ch.Note)
		return
	}
	m.c.Say(theme.Good, "%s %s %s %s", g.Good, title, g.Dot, undo)
}

// log keeps what a plan ran, as change id, for @.
func (m *model) log(p *change.Plan, id string, began time.Time, err error) {
	lines := p.Commands
	if len(lines) == 0 {
		lines = []string{p.Title}
	}
	for _, l := range lines {
		e := view.LogEntry{At: began, Change: id, Text: redact.Text(l)}
		if err != nil {
			e.Err = redact.Text(err.Error())
		}
		m.c.Log = append(m.c.Log, e)
	}
	const most = 500 // entries; older ones are not worth scrolling to
	if n := len(m.c.Log) - most; n > 0 {
		m.c.Log = m.c.Log[n:]
	}
}
