package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/change"
	"gpx/envctl/redact"
	"gpx/tui/actions"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// actions makes the one table: what works everywhere, then each view's own.
func (m *model) actions() actions.Table {
	do := func(f func()) func() tea.Cmd { return func() tea.Cmd { f(); return nil } }
	move := func(n func() int) func() tea.Cmd { return func() tea.Cmd { return m.move(n()) } }
	by := func(n int) func() int { return func() int { return n } }
	const all = 1 << 20
	s := &m.c.Services
	t := actions.Table{
		{ID: "help", Key: actions.On("help", "?"), Footer: 90, Help: "list every key", Do: m.help},
		{ID: "palette", Key: actions.On("commands", ":"), Footer: 80, Help: "search all actions by name", Do: m.palette},
		{ID: "undo", Key: actions.On("undo", "u"), Footer: 3, Changes: true, Help: "take the last change back: shows the plan first",
			Disabled: func() string { return view.Lacking(s.PlanUndo != nil) }, Do: m.undo},
		{ID: "refresh", Key: actions.On("refresh", "r"), Help: "probe everything and read the environment again", Disabled: func() string { return m.c.ReadOnly }, Do: m.refresh},
		{ID: "freeze", Key: actions.On("freeze", "f"), Help: "hold what is shown; again lets it go on", Disabled: func() string {
			if m.c.Player != nil {
				return "space pauses a replay"
			}
			return ""
		}, Do: m.freeze},
		{ID: "filter", Key: actions.On("filter", "/"), Footer: 70, Help: "show only rows with these words", Do: m.filter},
		{ID: "order", Key: actions.On("order", "o"), Footer: 71, Help: "sort in the next way", Do: do(func() {
			m.c.Say(theme.Text, "order: %s", m.view().NextOrder())
		})},
		{ID: "copy", Key: actions.On("copy", "y"), Footer: 72, Help: "copy the row, or the equal command", Do: m.copy},
		{ID: "cancel", Key: actions.On("cancel work", "X"), Help: "stop the work that runs", Disabled: func() string {
			if m.c.Running() == nil {
				return "nothing runs"
			}
			return ""
		}, Do: do(func() { m.c.Say(theme.Text, "cancelled: %d", m.c.Cancel()) })},
		{ID: "log", Key: actions.On("commands run", "@"), Help: "list the commands that were run", Do: m.showLog},
		{ID: "mouse", Key: actions.On("mouse", "m"), Help: "release the mouse for the terminal's own selection; again takes it", Do: m.toggleMouse},
		{ID: "open", Key: actions.On("detail", "enter"), Footer: 4, Help: "open the row", Do: func() tea.Cmd { return m.view().Open() }},
		{ID: "back", Key: actions.On("back", "esc"), Help: "one layer back: close the detail, clear the filter, end the replay", Do: m.back},
		{ID: "up", Key: actions.On("up", "k", "up"), Help: "one row up", Do: move(by(-1))},
		{ID: "down", Key: actions.On("down", "j", "down"), Help: "one row down", Do: move(by(1))},
		{ID: "first", Key: actions.On("first", "g", "home"), Help: "first row", Do: move(by(-all))},
		{ID: "last", Key: actions.On("last", "G", "end"), Help: "last row", Do: move(by(all))},
		{ID: "pageup", Key: actions.On("page up", "pgup", "ctrl+b"), Help: "one page up", Do: move(func() int { return -m.view().Page() })},
		{ID: "pagedown", Key: actions.On("page down", "pgdown", "ctrl+f"), Help: "one page down", Do: move(func() int { return m.view().Page() })},
		{ID: "next", Key: actions.On("next view", "tab"), Help: "go to the next view", Do: func() tea.Cmd { return m.turnTo((m.active + 1) % len(m.views)) }},
		{ID: "previous", Key: actions.On("previous view", "shift+tab"), Help: "go to the view before", Do: func() tea.Cmd { return m.turnTo((m.active + len(m.views) - 1) % len(m.views)) }},
	}
	t = append(t, m.replayActions()...)
	for i, v := range m.views {
		t = append(t, actions.Action{ID: "view." + v.Name(), Key: actions.On("view "+v.Title(), fmt.Sprint(i+1)), Help: "go to " + v.Title(),
			Do: func() tea.Cmd { return m.turnTo(i) }})
	}
	t = append(t,
		actions.Action{ID: "suspend", Key: actions.On("suspend", "ctrl+z"), Help: "suspend gpx; fg brings it back", Do: func() tea.Cmd { return tea.Suspend }},
		actions.Action{ID: "quit", Key: actions.On("quit", "q"), Footer: 99, Help: "quit; asks when edits are pending, or a relay is in use", Do: m.quit},
		actions.Action{ID: "kill", Key: actions.On("quit at once", "ctrl+c"), Help: "quit without a question", Do: func() tea.Cmd { return tea.Quit }},
	)
	for _, v := range m.views {
		t = append(t, v.Actions()...)
	}
	return t
}

// press is the key of action id, with that of its view before it when another
// one is shown.
func (m *model) press(id string) string {
	for _, a := range m.table {
		if a.ID != id || a.Reason() != "" {
			continue
		}
		label := actions.Label(a.Key.Keys()[0])
		for i, v := range m.views {
			if v.Name() == a.View && i != m.active {
				return fmt.Sprint(i+1) + " " + label
			}
		}
		return label
	}
	return ""
}

func (m *model) undo() tea.Cmd {
	return view.Start(m.c, "plan", "making the plan", func(ctx context.Context) (*change.Plan, error) {
		return m.c.Services.PlanUndo(ctx, "", false)
	}, func(p *change.Plan, err error) tea.Cmd {
		if err != nil {
			return m.c.Fail(err)
		}
		return m.propose(view.Proposal{Plan: p})
	})
}

func (m *model) refresh() tea.Cmd {
	if p := m.c.Services.ProbeNow; p != nil {
		p()
	}
	m.c.Say(theme.Text, "probing everything again")
	return m.reload()
}

func (m *model) freeze() tea.Cmd {
	m.frozen = !m.frozen
	if m.frozen {
		return m.c.Say(theme.Warn, "frozen: probing goes on, the screen does not; f lets it go on")
	}
	if m.latest == nil {
		return nil
	}
	s := *m.latest
	m.latest = nil
	return m.snapshot(s)
}

func (m *model) filter() tea.Cmd {
	m.was = *m.view().Filter()
	m.filtering = widget.NewInput(m.was)
	return nil
}

func (m *model) back() tea.Cmd {
	v := m.view()
	if v.Back() {
		return nil
	}
	if f := v.Filter(); *f != "" {
		*f = ""
		v.Filtered()
	} else if m.c.Player != nil {
		return m.goLive()
	}
	return nil
}

func (m *model) copy() tea.Cmd {
	text := m.view().Copy()
	if text == "" {
		return nil
	}
	osc := m.osc
	m.c.Say(theme.Text, "copied: %s", text)
	if strings.Contains(text, redact.Mark) {
		m.c.Say(theme.Warn, "copied without its credentials: %s", text)
	}
	return m.c.Cmd(func() tea.Msg {
		osc(text)
		return nil
	})
}

func (m *model) toggleMouse() tea.Cmd {
	m.mouse = !m.mouse
	if m.mouse {
		m.c.Say(theme.Text, "the mouse is gpx's")
		return tea.EnableMouseCellMotion
	}
	m.c.Say(theme.Text, "the mouse is the terminal's: select text as usual; m takes it back")
	return tea.DisableMouse
}

// pending counts the edits of all views.
func (m *model) pending() int {
	n := 0
	for _, v := range m.views {
		n += v.Pending()
	}
	return n
}

func (m *model) quit() tea.Cmd {
	var cost []string
	if n := m.pending(); n > 0 {
		cost = append(cost, fmt.Sprintf("Pending edits that are not written would be lost: %d.", n))
	}
	if now := m.c.Services.RelayNow; now != nil {
		if r, on := now(); on && r.InForce {
			cost = append(cost, "The relay ends with gpx, and GOPROXY is then what it was before.")
		}
	}
	if len(cost) == 0 {
		return tea.Quit
	}
	m.c.Dialogs.Push(dialog.NewConfirm("Quit?", cost,
		"Stay", "Quit (y)", func(yes bool) tea.Cmd {
			if yes {
				return tea.Quit
			}
			return nil
		}))
	return nil
}

// palette searches the table of actions.
func (m *model) palette() tea.Cmd {
	name := m.view().Name()
	m.c.Dialogs.Push(dialog.NewSearch("Commands", func(query string) []dialog.Item {
		var out []dialog.Item
		for _, a := range m.table.Search(name, query) {
			if a.ID == "palette" {
				continue
			}
			it := dialog.Item{Title: a.Name(), Note: a.Help, Right: a.Labels(), Value: a}
			if a.View == "" || a.View == name {
				it.Disabled = a.Reason()
			} else {
				it.Note = m.title(a.View) + ": " + it.Note
			}
			out = append(out, it)
		}
		return out
	}, func(it dialog.Item) tea.Cmd {
		a := it.Value.(actions.Action)
		var turn tea.Cmd
		for i, v := range m.views {
			if v.Name() == a.View && i != m.active {
				turn = m.turnTo(i)
			}
		}
		return tea.Batch(turn, m.do(a))
	}))
	return nil
}

func (m *model) title(name string) string {
	for _, v := range m.views {
		if v.Name() == name {
			return v.Title()
		}
	}
	return name
}

// help lists every key of the view and of everything.
func (m *model) help() tea.Cmd {
	name, title := m.view().Name(), m.view().Title()
	m.c.Dialogs.Push(dialog.NewPager("Keys", false, func(th *theme.Theme, w int) []widget.Line {
		own, everywhere := m.table.In(name)
		var out []widget.Line
		section := func(head string, as []actions.Action) {
			if len(out) > 0 {
				out = append(out, nil)
			}
			out = append(out, widget.L(widget.S(theme.Title, head)))
			for _, a := range as {
				text, key, role := a.Help, theme.Key, theme.Text
				if why := a.Reason(); why != "" {
					text, key, role = a.Help+"  ("+why+")", theme.Dim, theme.Dim
				}
				lines := widget.Labeled(a.Labels(), 15, role, text, w)
				lines[0][0].Role = key
				out = append(out, lines...)
			}
		}
		section(title, own)
		section("Everywhere", everywhere)
		if notices := m.c.Status.Notices; len(notices) > 0 { // the message line has them for a moment only
			out = append(out, nil, widget.L(widget.S(theme.Title, "Noticed")))
			for _, n := range notices {
				out = append(out, widget.Labeled("", 2, theme.Warn, n, w)...)
			}
		}
		return out
	}))
	return nil
}

// showLog lists the commands that were run in this session among what the
// journal remembers of earlier ones, and of other gpx processes.
func (m *model) showLog() tea.Cmd {
	if m.c.Services.Changes == nil {
		return m.openLog(nil)
	}
	return view.Start(m.c, "log", "", m.c.Services.Changes, func(cs []change.Change, err error) tea.Cmd {
		return tea.Batch(m.c.Fail(err), m.openLog(cs))
	})
}

func (m *model) openLog(changes []change.Change) tea.Cmd {
	m.c.Dialogs.Push(dialog.NewPager("Commands run", true, func(th *theme.Theme, w int) []widget.Line {
		g := &th.Glyphs
		var out []widget.Line
		others := slices.DeleteFunc(slices.Clone(changes), func(ch change.Change) bool { // the commands say it better
			return ch.ID != "" && slices.ContainsFunc(m.c.Log, func(e view.LogEntry) bool { return e.Change == ch.ID })
		})
		slices.Reverse(others) // oldest first, as in a terminal
		other := func(ch change.Change) {
			undone := ""
			if ch.Undone {
				undone = "  taken back"
			}
			out = append(out, widget.L(widget.S(theme.Dim, ch.At.In(m.c.Now().Location()).Format("2006-01-02 15:04")+"  "+redact.Text(ch.Title)+undone)).Fit(w, g.Ellipsis))
		}
		for _, e := range m.c.Log {
			for ; len(others) > 0 && !others[0].At.After(e.At); others = others[1:] {
				other(others[0])
			}
			mark := widget.S(theme.Good, g.Good)
			if e.Err != "" {
				mark = widget.S(theme.Bad, g.Bad)
			}
			const column = 12 // of the text: it is there to be copied, so it is wrapped
			lead := widget.L(widget.S(theme.Dim, e.At.Format("15:04:05")+"  "), mark, widget.S(theme.Text, " "))
			for _, s := range widget.Wrap(e.Text, w-column) {
				out = append(out, append(lead, widget.S(theme.Text, s)))
				lead = widget.L(widget.S(theme.Text, widget.Pad("", column, false)))
			}
			for _, s := range widget.Wrap(e.Err, w-column) {
				if s != "" {
					out = append(out, widget.L(widget.S(theme.Bad, widget.Pad("", column, false)+s)))
				}
			}
		}
		for _, ch := range others {
			other(ch)
		}
		if len(out) == 0 {
			out = append(out, widget.L(widget.S(theme.Dim, "nothing has been changed yet")))
		}
		return out
	}))
	return nil
}
