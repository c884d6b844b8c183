package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/x/ansi"

	"gpx/probe/monitor"
	"gpx/tui/actions"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/view/history"
	"gpx/tui/view/proxies"
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
	if !m.small() {
		b.WriteString("\n" + m.footer())
	}
	return b.String()
}

// lines draws the frame without its footer: exactly m.h-1 lines of m.w cells,
// m.h where there is no room for a footer.
func (m *model) lines() []widget.Line {
	var out []widget.Line
	h := m.h
	if m.small() {
		out = m.smallLines()
	} else {
		out = m.fullLines()
		h--
	}
	e := m.c.Theme.Glyphs.Ellipsis
	for i := range out {
		out[i] = out[i].Fit(m.w, e)
	}
	for len(out) < h {
		out = append(out, widget.Blank(m.w))
	}
	return out[:h]
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
	out = append(out, m.rule(g.BL, g.BR, nil, body.Foot), m.message(m.next(body.Hint)))
	if d := m.c.Dialogs.Top(); d != nil {
		out = m.overlay(out, d)
	}
	return out
}

// next is the next step while something is broken: the view's own, else that of
// another view.
func (m *model) next(hint widget.Line) widget.Line {
	for i, v := range m.views {
		if h, ok := v.(interface{ Hint() widget.Line }); ok && len(hint) == 0 && i != m.active {
			hint = h.Hint()
		}
	}
	return hint
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

// tabs is the upper border with the names of the views in it. Those of the others
// make room for the filter: what narrows the rows stays in sight.
func (m *model) tabs(status widget.Line) widget.Line {
	out := m.tabNames(true)
	room := func() int { return m.w - out.Width() - 5 }
	parts := m.lastParts(status, room())
	if f := *m.view().Filter(); f != "" && !strings.Contains(parts.Plain(), f) {
		out = m.tabNames(false)
		parts = m.lastParts(status, room())
	}
	return m.border(out, parts, m.c.Theme.Glyphs.TR)
}

// tabNames draws the tabs, of which all are named or only the one that is shown.
func (m *model) tabNames(all bool) widget.Line {
	g := &m.c.Theme.Glyphs
	out := widget.L(widget.S(theme.Faint, g.TL+g.H))
	at := 2
	m.hits.tabs = m.hits.tabs[:0]
	after, between := " ", g.H
	if m.w < 100 { // what the status says needs the room more
		after, between = "", ""
	}
	for i, v := range m.views {
		label := fmt.Sprint(i + 1)
		if all || i == m.active {
			label += " " + v.Title()
		}
		if n := v.Pending(); n > 0 {
			label += " " + g.Pending + fmt.Sprint(n)
		}
		from := at
		if i == m.active {
			out = append(out, widget.S(theme.Accent, "["+label+"]"))
		} else {
			out = append(out, widget.S(theme.Faint, " "), widget.S(theme.Dim, label), widget.S(theme.Faint, after))
		}
		at = out.Width()
		m.hits.tabs = append(m.hits.tabs, [2]int{from, at})
		out = append(out, widget.S(theme.Faint, between))
		at += widget.Width(between)
	}
	return out
}

// lastParts drops the first of the parts of a status until it fits into w cells:
// how many rows there are, which is last, is what nothing else says.
func (m *model) lastParts(status widget.Line, w int) widget.Line {
	sep := " " + m.c.Theme.Glyphs.Dot + " "
	for status.Width() > w {
		i := slices.IndexFunc(status, func(s widget.Span) bool { return strings.Contains(s.Text, sep) })
		if i < 0 {
			break
		}
		_, rest, _ := strings.Cut(status[i].Text, sep)
		status = append(widget.L(widget.S(status[i].Role, rest)), status[i+1:]...)
	}
	return status
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
	msg := m.c.Message
	age := m.c.Now().Sub(msg.At)
	switch w := m.c.Running(); {
	case m.filtering != nil:
		l := widget.L(widget.S(theme.Accent, " / "))
		return append(l, m.filtering.Line(m.c.Theme, max(m.w-4, 1))...)
	case w != nil && (w.Stopped() || age > messageBrief || !msg.At.After(w.Started)): // what is said meanwhile is seen for a moment
		return m.working(w)
	}
	waits := len(hint) > 0 || m.c.Player != nil
	if msg.Text == "" || age > messageFor || waits && age > messageBrief {
		return m.idle(hint)
	}
	return widget.L(widget.S(msg.Role, " "+msg.Text))
}

// working is the line of what runs: how far it has come, and how to stop it.
func (m *model) working(w *view.Work) widget.Line {
	th := m.c.Theme
	l := widget.L(widget.S(theme.Accent, " "+m.spin.View()+" "), widget.S(theme.Text, w.Title+th.Glyphs.Ellipsis))
	step := w.Step()
	if step.Total > 0 {
		done := min(step.Done, step.Total)
		l = append(append(l, widget.S(theme.Text, "  ")), widget.Bar(th, theme.Accent, done, step.Total, max(min(m.w/6, 24), 6))...)
		l = append(l, widget.S(theme.Text, fmt.Sprintf(" %3d%%", done*100/step.Total)))
	}
	if step.Text != "" {
		l = append(l, widget.S(theme.Dim, "  "+step.Text))
	}
	stop := "X cancels"
	if w.Stopped() {
		stop = "stopping" + th.Glyphs.Ellipsis
	}
	end := widget.L(widget.S(theme.Dim, "  "+widget.Age(m.c.Now().Sub(w.Started))+"  "+stop+" "))
	return append(l.Fit(min(l.Width(), max(m.w-end.Width(), 0)), th.Glyphs.Ellipsis), end...)
}

// idle is what the message line says when nothing has happened: the next step
// while something is broken, else what was noticed at the start.
func (m *model) idle(hint widget.Line) widget.Line {
	if m.c.Player != nil {
		return m.recorded()
	}
	if len(hint) > 0 {
		return append(widget.L(widget.S(theme.Text, " ")), hint...)
	}
	notices := m.c.Status.Notices
	if len(notices) == 0 {
		return nil
	}
	newest := widget.L(widget.S(theme.Warn, " "+m.c.Theme.Glyphs.Warn+" "+notices[len(notices)-1]))
	if len(notices) == 1 {
		return newest
	}
	more := widget.L(widget.S(theme.Dim, fmt.Sprintf("%d more: ", len(notices)-1)), widget.S(theme.Key, "?"), widget.S(theme.Text, " "))
	return append(newest.Fit(m.w-more.Width()-2, m.c.Theme.Glyphs.Ellipsis), append(widget.L(widget.S(theme.Text, "  ")), more...)...)
}

// recorded says that what is shown is not live, and what is.
func (m *model) recorded() widget.Line {
	what := "nothing here is live"
	if name := m.view().Name(); name != proxies.Name && name != history.Name {
		what = "but this view shows what is now"
	}
	return widget.L(widget.S(theme.Warn, " "+m.c.Theme.Glyphs.Recorded+" REPLAY: "), widget.S(theme.Text, what+"; "), widget.S(theme.Key, "esc"),
		widget.S(theme.Text, " or "), widget.S(theme.Key, "L"), widget.S(theme.Text, " returns to live"))
}

// footer lists the keys that work here, most important first, as far as there
// is room; help and quit are always there.
func (m *model) footer() string {
	var keys, always []key.Binding
	switch d := m.c.Dialogs.Top(); {
	case d != nil:
		keys = d.Hints()
	case m.filtering != nil:
		keys = []key.Binding{actions.On("keep", "enter"), actions.On("back", "esc")}
	default:
		for _, a := range m.table.Footer(m.view().Name()) {
			if a.Footer >= 90 {
				always = append(always, a.Key)
			} else {
				keys = append(keys, a.Key)
			}
		}
	}
	th := m.c.Theme
	list := help.Model{ShortSeparator: "  ", Styles: help.Styles{ShortKey: th.Style(theme.Key), ShortDesc: th.Style(theme.Hint)}}
	right := list.ShortHelpView(always)
	list.Width = m.w - 3 - ansi.StringWidth(right)
	// Bubbles adds one item too many when not even its ellipsis fits (v1.0.0,
	// shouldAddItem); what is cut off then is a blank.
	left := ansi.Truncate(list.ShortHelpView(keys), list.Width, "")
	return " " + left + strings.Repeat(" ", max(list.Width-ansi.StringWidth(left), 0)+1) + right + " "
}

// overlay draws a dialog in the middle of a faded frame.
func (m *model) overlay(base []widget.Line, d view.Dialog) []widget.Line {
	th := m.c.Theme
	g := &th.Glyphs
	for i := 1; i < len(base)-1; i++ {
		base[i] = base[i].Fit(m.w, "").Dimmed()
	}
	for i := range base {
		base[i] = base[i].Fit(m.w, "")
	}
	w := min(m.w-12, 92)
	h := m.h - 9 // header, borders, message and footer stay; four lines frame the box
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
	return widget.Overlay(base, box, (m.w-width-8)/2, max((len(base)-len(box))/2, 1), m.w)
}
