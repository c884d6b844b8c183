package history

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gpx/history/incident"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// lanes are the points of all lanes of a recording in one width: they are the same
// in each frame.
type lanes struct {
	of     *view.Player
	w      int
	points [][]widget.Point
}

// drawReplay draws
//
//	the list, as far as there is room
//	├ Replay #17 ─────────────────────────────────────┤
//	                14:00     14:05     14:10           the axis
//	 a.example      ▂▂▁▂▂▂▂▁▂▂▂▃▂▂▅▆!▇!!!!!!!!!!!!      a lane for each endpoint
//	 events                         OD     A   M
//	 ▸ 8x           ━━━━━━━━━━━━━━━━━━◆───────────      the scrubber
//	├ State at 14:11:20 ──────────────────────────────┤
//	what the go command would have done
func (v *View) drawReplay(b *view.Body, w, h int) {
	p := v.c.Player
	state := v.stateThen(w)
	rows := min(len(v.rows)+1, max(h*15/100, 2))
	if len(v.rows) == 0 || h < 16 {
		rows = 0
	}
	if rows > 0 {
		v.top = 0
		b.Lines = v.tableLines(w, rows, len(v.rows), v.cells)
	}
	now := v.c.Now()
	how := fmt.Sprintf("playing %dx", p.Speed())
	if !p.Playing() {
		how = "paused"
	}
	at := clock(p.At(), now, now)
	b.Splits[len(b.Lines)] = widget.L(widget.S(theme.Title, fmt.Sprintf("Replay #%d", p.Incident.ID)),
		widget.S(theme.Dim, "  "+how+"  "+at+"  "+offset(p.At().Sub(p.Incident.Opened.Time))))
	b.Lines = append(b.Lines, nil)
	b.Lines = append(b.Lines, v.scrubber(w, max(h-rows-5-len(state), 2))...)
	b.Splits[len(b.Lines)] = widget.L(widget.S(theme.Title, "State at "+at))
	b.Lines = append(append(b.Lines, nil), state...)
	if room := h - len(b.Lines) - 1; room > 0 {
		b.Lines = append(append(b.Lines, nil), happened(v.c, w, room)...)
	}
	b.Foot = legend
	if over := len(b.Lines) - h; over > 0 {
		b.Foot = widget.L(widget.S(theme.Dim, widget.Count(over, "more line")+" in a taller terminal"))
	}
}

// legend says what the marks of events mean.
var legend = widget.L(widget.S(theme.Dim, "O opened  D detected  M mitigated  A done  R resolved  "+unwatched+" nobody watched"))

// happened are the last events until the instant that is shown, in at most h lines.
func happened(c *view.Common, w, h int) []widget.Line {
	i := c.Player.Incident
	i.Events = slices.DeleteFunc(slices.Clone(i.Events), func(e incident.Event) bool { return e.At.After(c.Player.At()) })
	i.Events = i.Events[max(len(i.Events)-h, 0):] // each has a line at least
	lines := timeline(c, &i, w)
	return lines[max(len(lines)-h, 0):]
}

// scrubber draws the time of the recording, with at most most lanes.
func (v *View) scrubber(w, most int) []widget.Line {
	p := v.c.Player
	g := &v.c.Theme.Glyphs
	shown := p.Lanes[:min(len(p.Lanes), most)]
	label := 8
	for _, l := range shown {
		label = max(label, min(widget.Width(view.HopName(l.URL)), 22))
	}
	cw := max(w-label-3, 1)
	if v.lanes.of != p || v.lanes.w != cw {
		v.lanes = lanes{of: p, w: cw}
		for _, l := range p.Lanes {
			v.lanes.points = append(v.lanes.points, widget.Over(l.Samples, p.To, p.To.Sub(p.From), cw))
		}
	}
	here := cellOf(p, p.At(), cw)
	line := func(role theme.Role, name string, l widget.Line) widget.Line {
		return append(widget.L(widget.S(role, " "+widget.Pad(widget.Middle(name, label, g.Ellipsis), label, false)+"  ")), l...)
	}
	out := []widget.Line{line(theme.Dim, "", axis(p, cw, v.c.Now().Location()))}
	for i, l := range shown {
		out = append(out, line(theme.Text, view.HopName(l.URL), faded(widget.Sparkline(v.c.Theme, v.lanes.points[i], cw), here)))
	}
	speed := g.Play
	if !p.Playing() {
		speed = g.Paused
	}
	track := widget.L(widget.S(theme.Accent, strings.Repeat(g.Bar, here)+g.Recorded), widget.S(theme.Faint, strings.Repeat(g.Track, cw-here-1)))
	return append(out, line(theme.Dim, "events", eventMarks(p, cw)), line(theme.Accent, fmt.Sprintf("%s %dx", speed, p.Speed()), track))
}

// faded is a lane of which all behind the cell here has not happened yet.
func faded(l widget.Line, here int) widget.Line {
	at := 0
	for i := range l {
		if at > here {
			l[i].Role = theme.Faint
		}
		at += widget.Width(l[i].Text)
	}
	return l
}

// cellOf is the cell of an instant, of w that the recording has.
func cellOf(p *view.Player, t time.Time, w int) int {
	span := float64(p.To.Sub(p.From))
	if span <= 0 {
		return 0
	}
	return min(max(int(float64(t.Sub(p.From))/span*float64(w)), 0), w-1)
}

// ticks are the distances that an axis can have between its labels.
var ticks = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute,
	30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// axis labels round times.
func axis(p *view.Player, w int, loc *time.Location) widget.Line {
	const room = 10 // cells for a label and the blank behind it
	span := p.To.Sub(p.From)
	step := ticks[len(ticks)-1]
	for _, t := range ticks {
		if float64(t)*float64(w) >= float64(span)*room {
			step = t
			break
		}
	}
	for float64(step)*float64(w) < float64(span)*room {
		step *= 2
	}
	layout := "15:04"
	switch {
	case step < time.Minute:
		layout = "15:04:05"
	case step >= 24*time.Hour:
		layout = "Jan 02"
	}
	_, offset := p.From.In(loc).Zone()
	shift := time.Duration(offset) * time.Second
	var b strings.Builder
	at := 0
	for t := p.From.Add(shift).Truncate(step).Add(step - shift); t.Before(p.To); t = t.Add(step) {
		text := t.In(loc).Format(layout)
		if x := cellOf(p, t, w); x >= at && x+len(text) <= w {
			b.WriteString(strings.Repeat(" ", x-at) + text)
			at = x + len(text)
		}
	}
	return widget.L(widget.S(theme.Dim, b.String()))
}

// letters are the marks of events; what has none is a dot.
var letters = map[incident.EventKind]string{incident.Opened: "O", incident.Reopened: "O", incident.Detected: "D", incident.Mitigated: "M",
	incident.Resolved: "R", incident.Action: "A"}

// unwatched marks the time that nobody watched.
const unwatched = "?"

// eventMarks puts a mark where something happened. A letter that another one keeps
// from its cell stands right of it.
func eventMarks(p *view.Player, w int) widget.Line {
	cells := make([]widget.Span, w)
	for i := range p.Incident.Events {
		e := &p.Incident.Events[i]
		if e.Kind == incident.Gap {
			for x := cellOf(p, e.From.Time, w); x <= cellOf(p, e.At.Time, w); x++ {
				if cells[x].Text == "" {
					cells[x] = widget.S(theme.Warn, unwatched)
				}
			}
		} else if x := cellOf(p, e.At.Time, w); letters[e.Kind] == "" && cells[x].Text == "" {
			cells[x] = widget.S(theme.Faint, "'")
		}
	}
	taken := map[int]bool{}
	for i := range p.Incident.Events {
		e := &p.Incident.Events[i]
		if letter := letters[e.Kind]; letter != "" {
			x := cellOf(p, e.At.Time, w)
			for x+1 < w && taken[x] {
				x++
			}
			_, role := eventWord(e)
			cells[x], taken[x] = widget.S(role, letter), true
		}
	}
	for i := range cells {
		if cells[i].Text == "" {
			cells[i].Text = " "
		}
	}
	return cells
}

// stateThen says what the go command would have done at the instant that is shown.
func (v *View) stateThen(w int) (out []widget.Line) {
	s := &v.c.Snapshot
	g := &v.c.Theme.Glyphs
	now := v.c.Now()
	role := theme.Idle
	switch s.Verdict.State {
	case monitor.StateOK:
		role = theme.Good
	case monitor.StateDegraded:
		role = theme.Warn
	case monitor.StateOutage:
		role = theme.Bad
	}
	if s.Gap != nil {
		out = append(out, say("Nobody", theme.Warn, fmt.Sprintf("watched from %s to %s: what is shown was seen before that", clock(s.Gap.From.Time, now, now),
			clock(s.Gap.To.Time, s.Gap.From.Time, now)), w)...)
	}
	out = append(out, say("Verdict", role, s.Verdict.Headline, w)...)
	if len(s.Chain.Hops) == 0 {
		return out
	}
	would, wouldRole := walk(s.Chain.Hops)
	out = append(out, say("go build", wouldRole, "would have "+would, w)...)
	name := 8
	for _, h := range s.Chain.Hops {
		name = max(name, min(widget.Width(shown(h)), max(w-58, 12)))
	}
	for _, h := range s.Chain.Hops {
		out = append(out, widget.L(widget.S(theme.Dim, widget.Pad(fmt.Sprintf("Hop %d", h.N), labelWidth, false)),
			widget.S(theme.Text, widget.Pad(widget.Middle(shown(h), name, g.Ellipsis), name, false)), widget.S(theme.Accent, " "+widget.Pad(h.Separator, 1, false)+" "),
			pad(view.StateSpan(g, h.Kind, h.Health, h.Class), 9), pad(view.GoSpan(g, h.GoWill), 17), widget.S(theme.Dim, measured(s, h, " "+g.Dot+" "))))
	}
	switch db := s.SumDB; {
	case db.Route == "off":
		out = append(out, say("Checksums", theme.Warn, "were off: new modules were not verified", w)...)
	case db.Class != "" && db.Class != probe.ClassUnknown:
		role := theme.Text
		if db.Class.Failed() {
			role = theme.Bad
		}
		name, _, _ := strings.Cut(db.Value, "+") // its key follows
		out = append(out, say("Checksums", role, name+": "+db.Class.Words(), w)...)
	}
	return out
}

// measured is what was seen of a hop shortly before.
func measured(s *monitor.Snapshot, h monitor.Hop, sep string) string {
	text := h.Class.Words()
	for i := range s.Endpoints {
		if e := &s.Endpoints[i]; slices.Contains(e.Hops, h.N) && e.Window.Samples > 0 {
			text += fmt.Sprintf("%sloss %.0f%%", sep, e.Window.Lost*100)
			if e.Window.P50 > 0 {
				text += sep + "p50 " + widget.Millis(time.Duration(e.Window.P50))
			}
		}
	}
	return text
}

// shown is the name of a hop; https is what every proxy should speak.
func shown(h monitor.Hop) string { return strings.TrimPrefix(h.URL, "https://") }

func pad(s widget.Span, w int) widget.Span {
	s.Text = widget.Pad(s.Text, w, false) + "  "
	return s
}

// walk says in words where the go command's way through the chain would have
// ended.
func walk(hops []monitor.Hop) (string, theme.Role) {
	for _, h := range hops {
		at := fmt.Sprintf(" at hop %d, %s", h.N, view.HopName(h.URL))
		why := ""
		if h.Class.Failed() {
			why = ": " + h.Class.Words()
		}
		switch h.GoWill {
		case probe.Next:
			continue
		case probe.Serve:
			return "got modules" + at, theme.Good
		case probe.GoDirect:
			return "got modules from version control" + fmt.Sprintf(" at hop %d", h.N), theme.Good
		case probe.Hang:
			return "waited without a deadline" + at + why, theme.Bad
		case probe.Stop:
			if h.Separator == "," && why != "" {
				why += `, which "," does not pass on`
			}
			return "stopped" + at + why, theme.Bad
		case probe.GoOff:
			return "stopped" + at, theme.Bad
		}
		return "done what nobody knows" + at, theme.Idle
	}
	return "stopped: no hop was left", theme.Bad
}
