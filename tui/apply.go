package tui

import (
	"context"
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
	if len(p.Plan.Actions) == 0 && len(p.Plan.Changes) == 0 {
		return m.c.Say(theme.Text, "there is nothing to do: it is as it should be")
	}
	typed, notes := word(p.Plan)
	m.c.Dialogs.Push(dialog.NewPlan(p.Plan, p.Why, append(notes, p.Notes...), typed,
		func() tea.Cmd { return m.apply(p) },
		func() tea.Cmd { return m.c.Say(theme.Dim, "cancelled: nothing was changed") }))
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

// apply applies a plan. It is not cancelled with the screen: a change that has
// begun is finished.
func (m *model) apply(p view.Proposal) tea.Cmd {
	s := m.c.Services
	if s.Apply == nil {
		return m.c.Say(theme.Warn, "not available here")
	}
	began := m.c.Now()
	m.c.Say(theme.Text, "applying: %s", p.Plan.Title)
	return view.Start(m.c, "apply "+p.Plan.ID, "", func(ctx context.Context) (change.Change, error) {
		return s.Apply(context.WithoutCancel(ctx), p.Plan)
	}, func(ch change.Change, err error) tea.Cmd {
		m.log(p.Plan, ch.ID, began, err)
		if err != nil {
			return tea.Batch(m.c.Fail(err), m.reload())
		}
		title := ch.Title
		if title == "" {
			title = p.Plan.Title
		}
		undo := "u takes it back"
		if p.Plan.Undoes != "" {
			undo = "taken back"
		}
		m.c.Say(theme.Good, "%s %s %s %s", m.c.Theme.Glyphs.Good, title, m.c.Theme.Glyphs.Dot, undo)
		var after tea.Cmd
		if m.frozen { // what was changed is to be seen
			after = m.freeze()
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
