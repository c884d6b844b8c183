package tui

import (
	"fmt"
	"strings"
	"time"

	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// hits says where things were drawn, for the mouse.
type hits struct {
	body int // line of the view's first line
	tabY int
	tabs [][2]int // first cell and the one after the last
}

func (h hits) tab(x, y int) (int, bool) {
	if y == h.tabY {
		for i, t := range h.tabs {
			if x >= t[0] && x < t[1] {
				return i, true
			}
		}
	}
	return 0, false
}

// View implements tea.Model. The frame is exactly as large as the terminal:
//
//	 gpx  ✗ OUTAGE 14m32s  headline              go1.26.8  ~/src/app  ● LIVE 5s  14:22:07
//	 ▲ CHECKSUMS ARE OFF …                                        (only while they are)
//	╭─[1 Proxies]── 2 Env ────────────────────────────── order chain · 7 endpoints ─╮
//	│ rows                                                                         │
//	├─ the selected row ───────────────────────────────────────────────────────────┤
//	│ its explanation                                                              │
//	╰──────────────────────────────────────────────────────────────────────────────╯
//	 message
//	 keys
func (m *model) View() (frame string) {
	defer func() {
		if r := recover(); r != nil { // the next Update ends the screen
			frame = "gpx: the screen has a bug"
			m.die(r)
		}
	}()
	if m.w <= 0 || m.h <= 0 {
		return ""
	}
	lines := m.lines()
	var b strings.Builder
	b.Grow(m.w * m.h * 2)
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l.Render(m.c.Theme))
	}
	return b.String()
}

// lines draws the frame: exactly m.h lines of m.w cells.
func (m *model) lines() []widget.Line {
	var out []widget.Line
	if m.small() {
		out = m.smallLines()
	} else {
		out = m.fullLines()
	}
	e := m.c.Theme.Glyphs.Ellipsis
	for i := range out {
		out[i] = out[i].Fit(m.w, e)
	}
	for len(out) < m.h {
		out = append(out, widget.Blank(m.w))
	}
	return out[:m.h]
}

func (m *model) fullLines() []widget.Line {
	out := []widget.Line{m.header()}
	if b, ok := m.banner(); ok {
		out = append(out, b)
	}
	out = append(out, nil) // the tab line, drawn when the view has said its status
	m.hits.tabY, m.hits.body = len(out)-1, len(out)
	w, h := m.w-4, m.h-len(out)-3
	body := m.view().Render(w, h)
	out[m.hits.tabY] = m.tabs(body.Status)
	th := m.c.Theme
	g := &th.Glyphs
	for i := 0; i < h; i++ {
		if title, ok := body.Splits[i]; ok {
			out = append(out, m.rule(g.ML, g.MR, title, nil))
			continue
		}
		var l widget.Line
		if i < len(body.Lines) {
			l = body.Lines[i]
		}
		line := widget.L(widget.S(theme.Faint, g.V), widget.S(theme.Text, " "))
		line = append(line, l.Fit(w, g.Ellipsis)...)
		out = append(out, append(line, widget.S(theme.Text, " "), widget.S(theme.Faint, g.V)))
	}
	out = append(out, m.rule(g.BL, g.BR, nil, nil), m.message(body.Hint), m.footer())
	if d := m.c.Dialogs.Top(); d != nil {
		out = m.overlay(out, d)
	}
	return out
}

// smallLines is what is left below 60×15: the state line and the states of the
// chain.
func (m *model) smallLines() []widget.Line {
	th := m.c.Theme
	out := []widget.Line{m.header()}
	if b, ok := m.banner(); ok {
		out = append(out, b)
	}
	if len(m.c.Dialogs) > 0 {
		return append(out, widget.L(widget.S(theme.Warn, " esc closes the dialog: it needs 60x15")))
	}
	for _, h := range m.c.Snapshot.Chain.Hops {
		mark, role := th.Glyphs.Idle, theme.Idle
		switch h.Health {
		case monitor.Up:
			mark, role = th.Glyphs.Good, theme.Good
		case monitor.Slow, monitor.Suspect:
			mark, role = th.Glyphs.Warn, theme.Warn
		case monitor.Down:
			mark, role = th.Glyphs.Bad, theme.Bad
		}
		out = append(out, widget.L(widget.S(role, " "+mark+" "), widget.S(theme.Text, h.URL+" "+h.Separator)))
	}
	if len(out) < m.h {
		out = append(out, widget.L(widget.S(theme.Dim, fmt.Sprintf(" %dx%d: gpx needs 60x15 for more", m.w, m.h))))
	}
	return out
}

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
	if !m.received || m.c.Snapshot.Round == 0 {
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
	if m.received && m.c.Snapshot.Round > 0 && !m.since.IsZero() && m.w >= 30 {
		left = append(left, widget.S(theme.Dim, " "+widget.Age(m.c.Now().Sub(m.since))))
	}
	headline := strings.TrimPrefix(m.c.Snapshot.Verdict.Headline, word+": ")
	if !m.received {
		headline = "asking every hop of the chain" + g.Ellipsis
	}
	left = append(left, widget.S(theme.Text, "  "), widget.S(theme.Strong, headline))

	version := m.cfg.GoVersion
	if version == "" && m.c.Env != nil {
		version = m.c.Env.GoVersion
	}
	type part struct {
		line widget.Line
		keep int // the lowest goes first
	}
	var parts []part
	if o := m.c.Status.Offline; o != "" && m.c.Snapshot.Verdict.State != monitor.StateOffline {
		parts = append(parts, part{widget.L(widget.S(theme.Warn, g.Idle+" "+o)), 5})
	}
	if n := m.pending(); n > 0 {
		parts = append(parts, part{widget.L(widget.S(theme.Warn, fmt.Sprintf("%s%d", g.Pending, n))), 4})
	}
	if version != "" {
		parts = append(parts, part{widget.L(widget.S(theme.Dim, version)), 1})
	}
	if m.cfg.Project != "" {
		parts = append(parts, part{widget.L(widget.S(theme.Dim, widget.Middle(m.cfg.Project, 28, g.Ellipsis))), 0})
	}
	parts = append(parts, part{m.source(), 3}, part{widget.L(widget.S(theme.Text, m.c.Now().Format("15:04:05"))), 2})
	need := left.Width()
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
		if need <= room || (lowest >= 3 && room >= min(need, 36)) {
			return append(left.Fit(room, g.Ellipsis), right...)
		}
		if at < 0 {
			return left.Fit(m.w, g.Ellipsis)
		}
		parts = append(parts[:at:at], parts[at+1:]...)
	}
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
	off := st.SumDBOff || m.c.Env != nil && m.c.Env.Get("GOSUMDB") == "off"
	if !off {
		return nil, false
	}
	g := &m.c.Theme.Glyphs
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
	text := fmt.Sprintf(" %s CHECKSUMS ARE OFF for %s %s. What arrives now is not verified.", g.Warn, what, until)
	hint := "2 t: on "
	line := widget.L(widget.S(theme.BadgeBad, widget.Truncate(text, m.w, g.Ellipsis)))
	if n := m.w - line.Width(); n > len(hint)+1 {
		return append(line, widget.S(theme.BadgeBad, widget.Pad(hint, n, true))), true
	}
	return append(line, widget.S(theme.BadgeBad, widget.Pad("", m.w-line.Width(), false))), true
}

// tabs is the upper border with the names of the views in it.
func (m *model) tabs(status widget.Line) widget.Line {
	g := &m.c.Theme.Glyphs
	out := widget.L(widget.S(theme.Faint, g.TL+g.H))
	at := 2
	m.hits.tabs = m.hits.tabs[:0]
	for i, v := range m.views {
		label := fmt.Sprintf("%d %s", i+1, v.Title())
		n := v.Pending()
		if n > 0 {
			label += " " + g.Pending + fmt.Sprint(n)
		}
		from := at
		if i == m.active {
			out = append(out, widget.S(theme.Accent, "["+label+"]"))
		} else {
			out = append(out, widget.S(theme.Faint, " "), widget.S(theme.Dim, label), widget.S(theme.Faint, " "))
		}
		at += widget.Width(label) + 2
		m.hits.tabs = append(m.hits.tabs, [2]int{from, at})
		out = append(out, widget.S(theme.Faint, g.H))
		at++
	}
	return m.border(out, status, g.TR)
}

// rule is a border line with a title at the left and a remark at the right.
func (m *model) rule(left, right string, title, remark widget.Line) widget.Line {
	g := &m.c.Theme.Glyphs
	out := widget.L(widget.S(theme.Faint, left+g.H))
	if len(title) > 0 {
		out = append(out, widget.S(theme.Faint, " "))
		out = append(out, title.Fit(min(title.Width(), m.w-6), g.Ellipsis)...)
		out = append(out, widget.S(theme.Faint, " "))
	}
	return m.border(out, remark, right)
}

// border fills a border line up to its right corner.
func (m *model) border(left, remark widget.Line, corner string) widget.Line {
	g := &m.c.Theme.Glyphs
	room := m.w - 1 - left.Width()
	if n := remark.Width() + 3; len(remark) > 0 && n >= room && room > 12 {
		remark = remark.Fit(room-4, g.Ellipsis)
	}
	if n := remark.Width() + 3; len(remark) > 0 && n < room {
		left = append(left, widget.S(theme.Faint, strings.Repeat(g.H, room-n)+" "))
		left = append(left, remark...)
		return append(left, widget.S(theme.Faint, " "+g.H+corner))
	}
	return append(left, widget.S(theme.Faint, strings.Repeat(g.H, max(room, 0))+corner))
}

// message is the line above the footer: what is typed, what runs, what was said.
func (m *model) message(hint widget.Line) widget.Line {
	th := m.c.Theme
	g := &th.Glyphs
	switch w := m.c.Running(); {
	case m.filtering != nil:
		l := widget.L(widget.S(theme.Accent, " / "))
		return append(l, m.filtering.Line(th, max(m.w-4, 1))...)
	case w != nil:
		took := m.c.Now().Sub(w.Started)
		turn := g.Spinner[int(took/beat)%len(g.Spinner)]
		return widget.L(widget.S(theme.Accent, " "+turn+" "), widget.S(theme.Text, w.Title+g.Ellipsis),
			widget.S(theme.Dim, "  "+widget.Age(took)+"  X cancels"))
	}
	msg := m.c.Message
	if msg.Text == "" || m.c.Now().Sub(msg.At) > messageFor {
		return m.idle(hint)
	}
	return widget.L(widget.S(msg.Role, " "+msg.Text))
}

// idle is what the message line says when there is nothing to say: the next
// step while something is broken, else nothing.
func (m *model) idle(hint widget.Line) widget.Line {
	if len(m.c.Status.Notices) > 0 {
		return widget.L(widget.S(theme.Warn, " "+m.c.Theme.Glyphs.Warn+" "+strings.Join(m.c.Status.Notices, "; ")))
	}
	if len(hint) > 0 {
		return append(widget.L(widget.S(theme.Text, " ")), hint...)
	}
	return nil
}

// footer lists the keys that work here, most important first; help and quit
// are always there.
func (m *model) footer() widget.Line {
	hint := func(key, name string) widget.Line {
		return widget.L(widget.S(theme.Key, key), widget.S(theme.Hint, " "+name))
	}
	var hints []widget.Line
	var tail widget.Line
	switch d := m.c.Dialogs.Top(); {
	case d != nil:
		for _, h := range d.Hints() {
			hints = append(hints, hint(h[0], h[1]))
		}
	case m.filtering != nil:
		hints = append(hints, hint("enter", "keep"), hint("esc", "clear"))
	default:
		for _, a := range m.table.Footer(m.view().Name()) {
			if a.Footer >= 90 {
				if len(tail) > 0 {
					tail = append(tail, widget.S(theme.Text, "  "))
				}
				tail = append(tail, hint(a.Key(), a.Name)...)
				continue
			}
			hints = append(hints, hint(strings.TrimSpace(a.Key()+" "+a.Pair), a.Name))
		}
	}
	left := widget.L(widget.S(theme.Text, " "))
	room := m.w - tail.Width() - 3
	for i, h := range hints {
		if i > 0 {
			h = append(widget.L(widget.S(theme.Text, "  ")), h...)
		}
		if left.Width()+h.Width() > room {
			break
		}
		left = append(left, h...)
	}
	return widget.Spread(left, append(tail, widget.S(theme.Text, " ")), m.w, "")
}

// overlay draws a dialog in the middle of a faded frame.
func (m *model) overlay(base []widget.Line, d view.Dialog) []widget.Line {
	th := m.c.Theme
	g := &th.Glyphs
	for i := 1; i < len(base)-2; i++ {
		base[i] = base[i].Fit(m.w, "").Dimmed()
	}
	for i := range base {
		base[i] = base[i].Fit(m.w, "")
	}
	w := min(m.w-12, 92)
	h := m.h - 10
	inner := d.Lines(th, w, h)
	if len(inner) > h {
		inner = inner[:h]
	}
	width := min(max(44, widget.Width(d.Title())+6), w)
	for _, l := range inner {
		width = min(max(width, l.Width()), w)
	}
	side := func(l widget.Line) widget.Line {
		line := widget.L(widget.S(theme.Accent, g.V), widget.S(theme.Text, "  "))
		line = append(line, l.Fit(width, g.Ellipsis)...)
		return append(line, widget.S(theme.Text, "  "), widget.S(theme.Accent, g.V))
	}
	title := widget.Truncate(d.Title(), width-2, g.Ellipsis)
	box := []widget.Line{widget.L(widget.S(theme.Accent, g.TL+g.H), widget.S(theme.Title, " "+title+" "),
		widget.S(theme.Accent, strings.Repeat(g.H, max(width+1-widget.Width(title), 0))+g.TR)), side(nil)}
	for _, l := range inner {
		box = append(box, side(l))
	}
	box = append(box, side(nil), widget.L(widget.S(theme.Accent, g.BL+strings.Repeat(g.H, width+4)+g.BR)))
	for i := range box { // a cell of air between the box and what is behind
		box[i] = append(append(widget.L(widget.S(theme.Text, " ")), box[i]...), widget.S(theme.Text, " "))
	}
	return widget.Overlay(base, box, (m.w-width-8)/2, max((m.h-len(box))/2, 1), m.w)
}
