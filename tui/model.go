package tui

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/charmbracelet/bubbles/spinner"
	tea "github.com/charmbracelet/bubbletea"

	"gpx/probe/monitor"
	"gpx/tui/actions"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/view/cache"
	depsview "gpx/tui/view/deps"
	envview "gpx/tui/view/env"
	"gpx/tui/view/history"
	"gpx/tui/view/proxies"
	"gpx/tui/widget"
)

const (
	// coalesce is the least time between two snapshots that are drawn: View
	// runs once per message, and no eye follows more than ten changes a second.
	coalesce = 100 * time.Millisecond
	// second drives the clock and the ages; beat turns the spinner while work
	// runs.
	second = time.Second
	// statusEvery is after how many of those the temporary states are read again:
	// others change them too.
	statusEvery = 15
	beat        = 120 * time.Millisecond
	// messageFor is how long a message stays.
	messageFor = 30 * time.Second
	// messageBrief is how long it stays before a next step that is waiting.
	messageBrief = 6 * time.Second
)

// model is the one tea.Model: it routes messages to the views and dialogs.
type model struct {
	cfg    Config
	c      *view.Common
	table  actions.Table
	views  []view.View
	active int

	w, h      int
	since     time.Time // when the verdict's state began
	received  bool      // a snapshot has come
	frozen    bool
	latest    *monitor.Snapshot // the newest one that came while frozen, or in a replay
	live      live              // what a replay covers
	filtering *widget.Input     // what is being typed behind "/"
	was       string            // the filter before that
	mouse     bool
	tick      int // generation of the ticker; ticks of older ones are dropped
	spin      spinner.Model
	spinning  bool
	playTick  int  // generation of the ticks of a replay
	beating   bool // they come
	hits      hits

	snaps <-chan monitor.Snapshot
	osc   func(text string) // writes the OSC 52 sequence
	fatal error             // a panic of the screen itself
}

type (
	tickMsg  struct{ gen int }
	snapsMsg struct {
		snap monitor.Snapshot
		at   time.Time
		ok   bool
	}
)

// newModel makes the screen; nothing is asked or started before Init.
func newModel(ctx context.Context, cfg Config, th *theme.Theme) *model {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &model{cfg: cfg, mouse: !cfg.NoMouse, osc: func(string) {}}
	m.c = &view.Common{Ctx: ctx, Services: cfg.Services, Theme: th, Now: cfg.Now, Press: m.press, Propose: m.propose, Replay: m.replay, Tell: m.tell}
	m.spin = spinner.New(spinner.WithSpinner(spinner.Spinner{Frames: th.Glyphs.Spinner, FPS: beat}))
	m.views = []view.View{proxies.New(m.c), envview.New(m.c), cache.New(m.c), depsview.New(m.c), history.New(m.c)}
	m.table = m.actions()
	m.table.ReadOnly(func() string { return m.c.ReadOnly })
	return m
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	cmds := []tea.Cmd{m.listen(time.Time{}), m.reload(), m.ticker(), m.ends()}
	if m.cfg.Incident != 0 {
		cmds = append(cmds, m.replay(m.cfg.Incident))
	}
	return tea.Batch(cmds...)
}

// ends quits when the context ends. tea.WithContext would kill the program
// instead, which leaves its reader blocked for good.
func (m *model) ends() tea.Cmd {
	ctx := m.c.Ctx
	return m.c.Cmd(func() tea.Msg {
		<-ctx.Done()
		return tea.Quit()
	})
}

func (m *model) tell(e view.Event) tea.Cmd {
	var cmds []tea.Cmd
	for _, v := range m.views {
		cmds = append(cmds, v.Update(e))
	}
	return tea.Batch(cmds...)
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (_ tea.Model, cmd tea.Cmd) {
	defer func() {
		if r := recover(); r != nil {
			cmd = m.die(r)
		}
	}()
	cmd = m.update(msg)
	if !m.spinning && m.c.Running() != nil {
		m.spinning = true
		cmd = tea.Batch(cmd, m.spin.Tick)
	}
	if !m.beating && m.plays() {
		m.beating = true
		cmd = tea.Batch(cmd, m.beat())
	}
	return m, cmd
}

// die ends the screen after a panic of its own; Run returns the error.
func (m *model) die(r any) tea.Cmd {
	path := ""
	if crash := m.c.Services.Crash; crash != nil {
		path = crash(r, debug.Stack())
	}
	m.fatal = fmt.Errorf("tui: gpx has a bug: %v; please report it with %s", r, path)
	return tea.Quit
}

func (m *model) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case tickMsg:
		if msg.gen != m.tick {
			break
		}
		if m.tick%statusEvery == 0 && m.c.Player == nil {
			return tea.Batch(m.ticker(), m.readStatus())
		}
		return m.ticker()
	case spinner.TickMsg:
		if m.spinning = m.c.Running() != nil; !m.spinning {
			return nil
		}
		var next tea.Cmd
		m.spin, next = m.spin.Update(msg)
		return next
	case playMsg:
		if msg.gen != m.playTick {
			return nil
		}
		m.beating = false // Update starts the next one
		return m.advance()
	case tea.ResumeMsg: // ticks and mouse are gone after ctrl+z
		m.spinning, m.beating = false, false
		cmds := []tea.Cmd{m.ticker(), m.reload()}
		if m.mouse {
			cmds = append(cmds, tea.EnableMouseCellMotion)
		}
		return tea.Batch(cmds...)
	case snapsMsg:
		if !msg.ok {
			return m.c.Say(theme.Warn, "no more snapshots come: what is shown is the last one")
		}
		return tea.Batch(m.snapshot(msg.snap), m.listen(msg.at))
	case view.Done:
		return m.c.Finish(msg)
	case view.Part:
		return m.c.Take(msg)
	case view.Crashed:
		return m.c.Fail(msg.Err)
	case tea.MouseMsg:
		return m.click(msg)
	case tea.KeyMsg:
		return m.keys(msg)
	}
	return nil
}

// keys routes what was typed. Bubble Tea makes one message of all letters that
// arrive in one read, as those of a fast typist do over a slow line; each is a
// key. What was pasted stays together: it is text, and no key of a view.
func (m *model) keys(k tea.KeyMsg) tea.Cmd {
	if k.Type != tea.KeyRunes || k.Paste || len(k.Runes) < 2 {
		return m.key(k)
	}
	var cmds []tea.Cmd
	for _, r := range k.Runes {
		cmds = append(cmds, m.key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}, Alt: k.Alt}))
	}
	return tea.Batch(cmds...)
}

// key routes a key: ctrl+c and ctrl+z always work, then the dialog on top,
// then the filter line, then the table of actions.
func (m *model) key(k tea.KeyMsg) tea.Cmd {
	key := k.String()
	switch {
	case key == "ctrl+c":
		return tea.Quit
	case key == "ctrl+z":
		return tea.Suspend
	}
	if d := m.c.Dialogs.Top(); d != nil {
		if m.small() && key != "esc" { // nobody may agree to what is not shown
			return nil
		}
		done, cmd := d.Key(k)
		if done {
			m.c.Dialogs.Remove(d)
		}
		return cmd
	}
	if m.filtering != nil {
		return m.filterKey(k)
	}
	a, ok := m.table.Find(m.view().Name(), k)
	if !ok {
		return nil
	}
	return m.do(a)
}

// do runs an action, or says why it cannot be done now.
func (m *model) do(a actions.Action) tea.Cmd {
	if why := a.Reason(); why != "" {
		return m.c.Say(theme.Warn, "%s: %s", a.Name(), why)
	}
	m.c.Message = view.Message{}
	return a.Do()
}

func (m *model) view() view.View { return m.views[m.active] }

// move moves the selection of the view that is shown.
func (m *model) move(n int) tea.Cmd {
	m.view().Move(n)
	return m.view().Update(view.Moved)
}

// turnTo shows view i.
func (m *model) turnTo(i int) tea.Cmd {
	m.active = i
	return m.view().Update(view.Shown)
}

func (m *model) filterKey(k tea.KeyMsg) tea.Cmd {
	v := m.view()
	switch k.String() {
	case "esc":
		*v.Filter(), m.filtering = m.was, nil
	case "enter":
		m.filtering = nil
	case "up", "down", "pgup", "pgdown":
		m.filtering = nil
		return m.key(k)
	default:
		if m.filtering.Key(k) {
			*v.Filter() = m.filtering.Value()
		}
	}
	v.Filtered()
	return nil
}

// click handles the mouse: the wheel moves, a click selects a row or a tab.
func (m *model) click(e tea.MouseMsg) tea.Cmd {
	if len(m.c.Dialogs) > 0 {
		var k tea.KeyMsg
		switch e.Button {
		case tea.MouseButtonWheelUp:
			k = tea.KeyMsg{Type: tea.KeyUp}
		case tea.MouseButtonWheelDown:
			k = tea.KeyMsg{Type: tea.KeyDown}
		default:
			return nil
		}
		return m.key(k)
	}
	switch {
	case e.Button == tea.MouseButtonWheelUp:
		return m.move(-1)
	case e.Button == tea.MouseButtonWheelDown:
		return m.move(1)
	case e.Button == tea.MouseButtonLeft && e.Action == tea.MouseActionPress:
		if i, ok := m.hits.tab(e.X, e.Y); ok {
			return m.turnTo(i)
		} else if e.Y >= m.hits.body {
			m.view().Select(e.Y - m.hits.body)
			return m.move(0)
		}
	}
	return nil
}

// small reports whether the terminal has only room for the state line.
func (m *model) small() bool { return m.w < 60 || m.h < 15 }
