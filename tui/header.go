package tui

import (
	"fmt"
	"strings"
	"time"

	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

// badge is the verdict as glyph and word.
func (m *model) badge() (glyph, word string, block theme.Role) {
	g := &m.c.Theme.Glyphs
	switch m.c.Snapshot.Verdict.State {
	case monitor.StateOK:
		return g.Good, "OK", theme.BadgeGood
	case monitor.StateDegraded:
		return g.Warn, "DEGRADED", theme.BadgeWarn
	case monitor.StateOutage:
		return g.Bad, "OUTAGE", theme.BadgeBad
	case monitor.StateOffline:
		return g.Idle, "OFFLINE", theme.BadgeIdle
	}
	if m.c.Player == nil && (!m.received || m.c.Snapshot.Round == 0) {
		return g.Idle, "PROBING", theme.BadgeIdle
	}
	return g.Idle, "UNKNOWN", theme.BadgeIdle
}

// header answers "can I build?" in one line. What is least needed goes first
// when there is no room: the project, the Go version, the clock, the source.
func (m *model) header() widget.Line {
	g := &m.c.Theme.Glyphs
	glyph, word, block := m.badge()
	left := widget.L(widget.S(theme.Accent, " gpx "), widget.S(block, " "+glyph+" "+word+" "))
	if m.w < 30 { // nothing but the state
		left = widget.L(widget.S(block, glyph+" "+word+" "))
	}
	if m.known() && m.c.Snapshot.Round > 0 && !m.since.IsZero() && m.w >= 30 {
		left = append(left, widget.S(theme.Dim, " "+widget.Age(m.c.Instant().Sub(m.since))))
	}
	headline := strings.TrimPrefix(m.c.Snapshot.Verdict.Headline, word+": ")
	if !m.known() {
		headline = "asking every hop of the chain" + g.Ellipsis
	}
	left = append(left, widget.S(theme.Text, "  "))
	lead := left.Width()
	left = append(left, widget.S(theme.Strong, headline))

	parts, need := m.context(), left.Width()
	for {
		var right widget.Line
		for _, p := range parts {
			right = append(append(right, widget.S(theme.Text, "  ")), p.line...)
		}
		right = append(right, widget.S(theme.Text, " "))
		// The headline may be cut to a readable rest before source and offline go.
		lowest, at := 1<<10, -1
		for i, p := range parts {
			if p.keep < lowest {
				lowest, at = p.keep, i
			}
		}
		room := m.w - right.Width()
		if need <= room || (lowest >= 4 && room >= min(need, 36)) {
			return append(shorter(left, lead, room, g.Ellipsis), right...)
		}
		if at < 0 {
			return shorter(left, lead, m.w, g.Ellipsis)
		}
		parts = append(parts[:at:at], parts[at+1:]...)
	}
}

// known reports whether there is a snapshot.
func (m *model) known() bool { return m.received || m.c.Player != nil }

// A part is one of the facts at the header's right end.
type part struct {
	line widget.Line
	keep int // the lowest goes first when there is no room
}

// context is what the headline is about: temporary states, pending edits, Go,
// the project, where the snapshots come from and when it is.
func (m *model) context() []part {
	g := &m.c.Theme.Glyphs
	version := m.cfg.GoVersion
	if version == "" && m.c.Env != nil {
		version = m.c.Env.GoVersion
	}
	var parts []part
	if p := m.c.Player; p != nil { // the other facts are those of now
		if l := m.readiness(); l != nil {
			parts = append(parts, part{l, 3})
		}
		at, layout := m.c.Instant(), "15:04:05"
		if y, d := at.Year(), at.YearDay(); y != m.c.Now().Year() || d != m.c.Now().YearDay() {
			layout = "2006-01-02 15:04:05"
		}
		return append(parts, part{widget.L(widget.S(theme.Warn, fmt.Sprintf("%s REPLAY #%d", g.Recorded, p.Incident.ID))), 5},
			part{widget.L(widget.S(theme.Warn, at.Format(layout))), 4})
	}
	if o := m.c.Status.Offline; o != "" && m.c.Snapshot.Verdict.State != monitor.StateOffline {
		parts = append(parts, part{widget.L(widget.S(theme.Warn, g.Idle+" "+o)), 6})
	}
	if n := m.pending(); n > 0 {
		parts = append(parts, part{widget.L(widget.S(theme.Warn, fmt.Sprintf("%s%d", g.Pending, n))), 5})
	}
	if version != "" {
		parts = append(parts, part{widget.L(widget.S(theme.Dim, version)), 1})
	}
	if m.cfg.Project != "" {
		parts = append(parts, part{widget.L(widget.S(theme.Dim, widget.Middle(m.cfg.Project, 28, g.Ellipsis))), 0})
	}
	if l := m.readiness(); l != nil {
		parts = append(parts, part{l, 3})
	}
	return append(parts, part{m.source(), 4}, part{widget.L(widget.S(theme.Text, m.c.Now().Format("15:04:05"))), 2})
}

// readiness says whether the project builds with no network; nil while that is
// not known.
func (m *model) readiness() widget.Line {
	g := &m.c.Theme.Glyphs
	switch r := m.c.Snapshot.Readiness; r.State {
	case "ready":
		return widget.L(widget.S(theme.Good, "deps "+g.Good))
	case "at_risk":
		return widget.L(widget.S(theme.Warn, "deps "+g.Warn))
	case "not_ready":
		text := "deps " + g.Bad
		if r.Missing > 0 {
			text += fmt.Sprintf(" %d missing", r.Missing)
		}
		return widget.L(widget.S(theme.Bad, text))
	}
	return nil
}

// shorter fits left, which ends in the headline, into w cells: by whole clauses
// when something worth reading is left then.
func shorter(left widget.Line, lead, w int, ellipsis string) widget.Line {
	const least = 12 // cells; a shorter clause says too little
	last := len(left) - 1
	if part := widget.Clause(left[last].Text, w-lead); left.Width() > w && widget.Width(part) >= least {
		left = append(left[:last:last], widget.S(left[last].Role, part))
	}
	return left.Fit(w, ellipsis)
}

// source says where the snapshots come from and how old the last one is.
func (m *model) source() widget.Line {
	g := &m.c.Theme.Glyphs
	age := ""
	if m.received {
		age = " " + widget.Age(m.c.Now().Sub(m.c.Snapshot.At.Time))
	}
	switch {
	case m.frozen:
		return widget.L(widget.S(theme.Warn, g.Paused+" FROZEN"+age))
	case m.cfg.Mode != Live:
		return widget.L(widget.S(theme.Warn, g.Recorded+" "+string(m.cfg.Mode)+age))
	case m.received && m.c.Now().Sub(m.c.Snapshot.At.Time) > 30*time.Second:
		return widget.L(widget.S(theme.Warn, g.Live+" STALE"+age)) // the machine slept, or the monitor hangs
	}
	return widget.L(widget.S(theme.Good, g.Live), widget.S(theme.Dim, " LIVE"+age))
}

// banner is the loud line while checksums are off.
func (m *model) banner() (widget.Line, bool) {
	st := m.c.Status
	g := &m.c.Theme.Glyphs
	if m.c.Player != nil {
		return widget.L(widget.S(theme.BadgeBad, widget.Pad(" "+g.Warn+" CHECKSUMS WERE OFF then.", m.w, false))), m.c.Snapshot.SumDB.Route == "off"
	}
	off := st.SumDBOff || m.c.Env != nil && m.c.Env.Get("GOSUMDB") == "off"
	if !off {
		return m.unaudited()
	}
	what := "every module"
	if st.SumDBModules != "" {
		what = st.SumDBModules
	}
	until := "until they are switched on"
	if !st.SumDBUntil.IsZero() {
		left := st.SumDBUntil.Sub(m.c.Now())
		until = fmt.Sprintf("until %s (%s left)", st.SumDBUntil.In(m.c.Now().Location()).Format("15:04:05"), widget.Age(left))
		if left <= 0 {
			until = "past their time: the next gpx start switches them on"
		}
	}
	loud := " " + g.Warn + " CHECKSUMS ARE OFF"
	const hint = "  2 t: on "
	// What to do is never cut: the sentence gets shorter instead.
	var text string
	for _, text = range []string{
		fmt.Sprintf("%s for %s %s. What arrives now is not verified.", loud, what, until),
		fmt.Sprintf("%s for %s %s.", loud, what, until),
		fmt.Sprintf("%s for %s.", loud, what),
		loud + ".",
	} {
		if widget.Width(text)+len(hint) <= m.w {
			break
		}
	}
	if m.small() { // the keys do not work there
		return widget.L(widget.S(theme.BadgeBad, widget.Pad(widget.Truncate(text, m.w, g.Ellipsis), m.w, false))), true
	}
	room := max(m.w-len(hint), 0)
	text = widget.Pad(widget.Truncate(text, room, g.Ellipsis), room, false)
	return widget.L(widget.S(theme.BadgeBad, text+hint)).Fit(m.w, g.Ellipsis), true
}

// unaudited says that versions arrived while checksums were off and were not looked
// up since.
func (m *model) unaudited() (widget.Line, bool) {
	n := m.c.Status.Unaudited
	if n == 0 {
		return nil, false
	}
	what := "module versions"
	if n == 1 {
		what = "module version"
	}
	text := fmt.Sprintf(" %s %d %s arrived while checksums were off and %s not verified since: gpx cache audit", m.c.Theme.Glyphs.Warn, n, what, areOrIs(n))
	if widget.Width(text) > m.w {
		text = fmt.Sprintf(" %s %d unverified: gpx cache audit", m.c.Theme.Glyphs.Warn, n)
	}
	return widget.L(widget.S(theme.BadgeWarn, widget.Pad(widget.Truncate(text, m.w, m.c.Theme.Glyphs.Ellipsis), m.w, false))), true
}

func areOrIs(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
