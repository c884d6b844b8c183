package tui

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/probe/monitor"
	"gpx/tui/actions"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/view/history"
)

// In a replay the snapshots come from a [view.Player] instead of the source:
//
//	source ──▶ latest (kept)          ╭──▶ views
//	player ──▶ Common.Snapshot ───────╯
//
// What changes anything is switched off meanwhile, and the newest snapshot is
// shown when it ends.

// readOnly is why nothing can be changed in a replay.
const readOnly = "this is a recording: nothing can be changed"

// playEvery is the time between two instants that are shown while a replay plays.
const playEvery = coalesce

// A playMsg lets the player go on; those of an older generation are dropped.
type playMsg struct{ gen int }

// live is what was shown before a replay.
type live struct {
	snap  monitor.Snapshot
	since time.Time
}

// replayActions are the keys of the player. They work in every view.
func (m *model) replayActions() actions.Table {
	playing := func() string {
		if m.c.Player == nil {
			return "nothing is replayed; enter in History begins"
		}
		return ""
	}
	move := func(f func(p *view.Player)) func() tea.Cmd {
		return func() tea.Cmd {
			f(m.c.Player)
			return m.showRecorded()
		}
	}
	step := func(d time.Duration) func() tea.Cmd { return move(func(p *view.Player) { p.Step(d) }) }
	next := func(ahead bool) func() tea.Cmd { return move(func(p *view.Player) { p.Next(ahead) }) }
	speed := func(n int) func() tea.Cmd { return move(func(p *view.Player) { p.Faster(n) }) }
	return actions.Table{
		{ID: "replay.play", Key: actions.On("play/pause", " "), Footer: 1, Help: "replay: play or pause", Disabled: playing,
			Do: move(func(p *view.Player) { p.Toggle(m.c.Now()) })},
		{ID: "replay.back", Key: actions.OnPair("step", "right", "left"), Footer: 2, Help: "replay: one second back", Disabled: playing, Do: step(-time.Second)},
		{ID: "replay.ahead", Key: actions.On("step ahead", "right"), Help: "replay: one second ahead", Disabled: playing, Do: step(time.Second)},
		{ID: "replay.previous", Key: actions.OnPair("event", "]", "["), Footer: 2, Help: "replay: to the event before", Disabled: playing, Do: next(false)},
		{ID: "replay.next", Key: actions.On("next event", "]"), Help: "replay: to the next event", Disabled: playing, Do: next(true)},
		{ID: "replay.slower", Key: actions.OnPair("speed", ">", "<"), Footer: 2, Help: "replay: slower", Disabled: playing, Do: speed(-1)},
		{ID: "replay.faster", Key: actions.On("faster", ">"), Help: "replay: faster, up to 600 times", Disabled: playing, Do: speed(1)},
		{ID: "replay.live", Key: actions.On("live", "L"), Footer: 2, Help: "end the replay: show what is now", Disabled: playing, Do: m.goLive},
	}
}

// replay reads the recording of an incident and plays it.
func (m *model) replay(id int64) tea.Cmd {
	read := m.c.Services.Recording
	if read == nil {
		return m.c.Say(theme.Warn, "replay: not available here")
	}
	return view.Start(m.c, "replay", "reading the recording", func(ctx context.Context) (*view.Player, error) {
		r, err := read(ctx, id)
		if err != nil {
			return nil, err
		}
		p := view.NewPlayer(r)
		if m.cfg.Speed > 0 {
			p.SetSpeed(m.cfg.Speed)
		}
		return p, nil
	}, func(p *view.Player, err error) tea.Cmd {
		switch {
		case err != nil:
			return m.c.Fail(err)
		case m.pending() > 0:
			return m.c.Say(theme.Warn, "replay: edits are pending; write or discard them first")
		}
		return m.play(p)
	})
}

func (m *model) play(p *view.Player) tea.Cmd {
	if m.c.Player == nil {
		m.live = live{m.c.Snapshot, m.since}
		m.c.ReadOnly, m.frozen = readOnly, false
		m.c.Dialogs = nil // they ask about what is live
	}
	m.c.Player = p
	p.Advance(m.c.Now())
	for i, v := range m.views {
		if v.Name() == history.Name && i != m.active {
			return tea.Batch(m.turnTo(i), m.showRecorded())
		}
	}
	return m.showRecorded()
}

// showRecorded shows the instant at which the player is.
func (m *model) showRecorded() tea.Cmd {
	m.c.Snapshot, m.since = m.c.Player.Snapshot(), m.c.Player.Since()
	return m.tell(view.SnapshotChanged)
}

// goLive ends the replay. What has come meanwhile is shown.
func (m *model) goLive() tea.Cmd {
	m.c.Player, m.c.ReadOnly = nil, ""
	m.c.Snapshot, m.since = m.live.snap, m.live.since
	m.live = live{}
	m.c.Say(theme.Text, "this is live again")
	if s := m.latest; s != nil {
		m.latest = nil
		return m.snapshot(*s)
	}
	return m.tell(view.SnapshotChanged)
}

// advance lets the player go on by the time that has passed.
func (m *model) advance() tea.Cmd {
	if p := m.c.Player; p != nil {
		p.Advance(m.c.Now())
		return m.showRecorded()
	}
	return nil
}

// beat starts the next tick of a replay.
func (m *model) beat() tea.Cmd {
	m.playTick++
	gen, ctx := m.playTick, m.c.Ctx
	return m.c.Cmd(func() tea.Msg {
		timer := time.NewTimer(playEvery)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			return playMsg{gen}
		}
	})
}

// plays reports whether a replay needs ticks.
func (m *model) plays() bool { return m.c.Player != nil && m.c.Player.Playing() }
