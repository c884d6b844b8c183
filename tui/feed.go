package tui

import (
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/env"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
)

// listen waits for the next snapshot, at least coalesce after the last one.
func (m *model) listen(last time.Time) tea.Cmd {
	ch, ctx := m.snaps, m.c.Ctx
	if ch == nil {
		return nil
	}
	return m.c.Cmd(func() tea.Msg {
		var out snapsMsg
		select {
		case <-ctx.Done():
			return nil
		case out.snap, out.ok = <-ch:
		}
		if !out.ok {
			return out
		}
		if wait := coalesce - time.Since(last); wait > 0 {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case s, ok := <-ch:
					if !ok {
						ch = nil
						continue
					}
					out.snap = s
					continue
				case <-timer.C:
				}
				break
			}
		}
		out.at = time.Now()
		out.snap = view.CleanSnapshot(out.snap)
		return out
	})
}

// ticker starts the next tick of a new generation.
func (m *model) ticker() tea.Cmd {
	m.tick++
	gen, ctx := m.tick, m.c.Ctx
	return m.c.Cmd(func() tea.Msg {
		timer := time.NewTimer(second)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			return tickMsg{gen}
		}
	})
}

// reload reads the environment again, and then the temporary states: they are
// judged by the environment that was read last.
func (m *model) reload() tea.Cmd {
	if m.c.Services.Env == nil {
		return m.readStatus()
	}
	return view.Start(m.c, "env", "", m.c.Services.Env, func(e *env.Env, err error) tea.Cmd {
		m.c.EnvErr = err
		if err == nil {
			m.c.Env = e
		} else {
			m.c.Fail(err)
		}
		return tea.Batch(m.tell(view.EnvChanged), m.readStatus())
	})
}

// readStatus reads the temporary states, and says what is new to know.
func (m *model) readStatus() tea.Cmd {
	if m.c.Services.Status == nil {
		return nil
	}
	return view.Start(m.c, "status", "", m.c.Services.Status, func(st view.Status, err error) tea.Cmd {
		if err != nil {
			return m.c.Fail(err)
		}
		st = view.CleanStatus(st)
		var news []string
		for _, n := range st.Notices {
			if !slices.Contains(m.c.Status.Notices, n) {
				news = append(news, n)
			}
		}
		if len(news) > 0 {
			m.c.Say(theme.Warn, "%s", strings.Join(news, "; "))
		}
		m.c.Status = st
		return nil
	})
}

// snapshot takes a snapshot over, unless the screen is frozen or shows a recording.
func (m *model) snapshot(s monitor.Snapshot) tea.Cmd {
	if m.frozen || m.c.Player != nil {
		m.latest = &s
		return nil
	}
	old := m.c.Snapshot
	if !m.received || old.Verdict.State != s.Verdict.State {
		m.since = began(s, m.received)
	}
	m.received = true
	m.c.Snapshot = s
	var reload tea.Cmd
	if old.EnvDigest != "" && old.EnvDigest != s.EnvDigest {
		reload = m.reload()
	}
	return tea.Batch(reload, m.tell(view.SnapshotChanged))
}

// began says since when the state of s lasts. A state that began before the
// first snapshot lasts as long as the longest trouble in it.
func began(s monitor.Snapshot, seen bool) time.Time {
	at := s.At.Time
	if seen || s.Verdict.State != monitor.StateOutage {
		return at
	}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		if e.Health == monitor.Down && len(e.Hops) > 0 && !e.Since.IsZero() && e.Since.Before(at) {
			at = e.Since.Time
		}
	}
	return at
}
